//===- PhiloxTest.cpp -----------------------------------------------------===//
#include "support/Philox.h"

#include <gtest/gtest.h>

using namespace quern;

namespace {

using Words = std::array<uint32_t, 4>;

// The three known answers of the Random123 distribution for philox4x32 with 10 rounds (file kat_vectors).
TEST(PhiloxTest, KnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(PhiloxTest, SeedAndPositionFillTheCounterLowWordFirst) {
  EXPECT_EQ(philoxAt(0x85a308d3243f6a88, 0x0370734413198a2e, 7),
            philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {7, 0}));
  EXPECT_NE(philoxAt(1, 0), philoxAt(0, 1));
}

TEST(PhiloxTest, UniformStaysBelowOne) {
  EXPECT_EQ(uniformFloat(0), 0.0f);
  EXPECT_EQ(uniformFloat(0xff), 0.0f);
  EXPECT_EQ(uniformFloat(0x80000000), 0.5f);
  EXPECT_LT(uniformFloat(0xffffffff), 1.0f);
}

} // namespace
