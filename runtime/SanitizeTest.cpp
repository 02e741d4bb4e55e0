//===- SanitizeTest.cpp ---------------------------------------------------===//
#include "runtime/Sanitize.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

TEST(Sanitize, ReadsSets) {
  EXPECT_EQ(*SanitizeSet::parse("all"), SanitizeSet::all());
  EXPECT_TRUE(SanitizeSet::parse("none")->empty());
  EXPECT_EQ(*SanitizeSet::parse("uninitialised"), SanitizeSet::standard());
  SanitizeSet some = *SanitizeSet::parse("registers,fp8-nan");
  EXPECT_TRUE(some.has(Sanitize::Memory) && some.has(Sanitize::Registers) && some.has(Sanitize::Fp8Nan));
  EXPECT_FALSE(some.has(Sanitize::Uninitialised) || some.has(Sanitize::GlobalRaces));
  for (Sanitize check : {Sanitize::Memory, Sanitize::Uninitialised, Sanitize::Registers,
                         Sanitize::GlobalRaces, Sanitize::Fp8Nan})
    EXPECT_TRUE(SanitizeSet::all().has(check));
}

TEST(Sanitize, NamesWhatThereIs) {
  for (const char *text : {"", "race", "memory,", "all,none", "memory;registers"}) {
    Expected<SanitizeSet> set = SanitizeSet::parse(text);
    ASSERT_FALSE(set.ok()) << text;
    EXPECT_EQ(set.error().id(), "E-SANITIZE-CHECK");
    EXPECT_NE(set.error().remedyText().find("global-races"), std::string::npos);
  }
}
