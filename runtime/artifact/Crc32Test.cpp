//===- Crc32Test.cpp ------------------------------------------------------===//
#include "runtime/artifact/Crc32.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

TEST(Crc32Test, KnownValues) {
  EXPECT_EQ(crc32({}), 0u);
  EXPECT_EQ(crc32(asBytes("123456789")), 0xCBF43926u) << "the check value of CRC-32/ISO-HDLC";
  EXPECT_EQ(crc32(asBytes("The quick brown fox jumps over the lazy dog")), 0x414FA339u);
}

TEST(Crc32Test, PiecesGiveTheWhole) {
  std::string text;
  for (int i = 0; i != 300; ++i)
    text += static_cast<char>(i * i);
  for (size_t cut = 0; cut <= text.size(); cut += 7)
    EXPECT_EQ(crc32(asBytes(text).subspan(cut), crc32(asBytes(text).first(cut))), crc32(asBytes(text)));
}

TEST(Crc32Test, ZerosAreCountedNotRead) {
  for (uint64_t count : {0, 1, 2, 7, 8, 255, 4096, 65537}) {
    std::string zeros(count, '\0');
    EXPECT_EQ(crc32Zeros(count), crc32(asBytes(zeros))) << count;
    EXPECT_EQ(crc32Zeros(count, 0x12345678), crc32(asBytes(zeros), 0x12345678)) << count;
  }
  uint64_t huge = uint64_t(5) << 40;
  EXPECT_EQ(crc32Zeros(huge, 7), crc32Zeros(huge / 2, crc32Zeros(huge / 2, 7)));
}

} // namespace
