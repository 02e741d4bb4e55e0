//===- TargetTest.cpp -----------------------------------------------------===//
#include "runtime/hip/Target.h"

#include <gtest/gtest.h>

using namespace quern::runtime;

namespace {

TEST(HipTarget, TakesExactlyItsArchitecture) {
  DeviceInfo info;
  info.architecture = "gfx942";
  EXPECT_EQ(hip::chooseCode(info, std::vector<std::string>{"gfx90a", "gfx942", "gfx950"}), 1);
  EXPECT_EQ(hip::chooseCode(info, std::vector<std::string>{"gfx90a", "gfx942,sms=38"}), 1);
  EXPECT_EQ(hip::chooseCode(info, std::vector<std::string>{"gfx90a", "gfx9420", "gfx94"}), -1);
  EXPECT_EQ(hip::targetFor(info), "gfx942");
  info.architecture = "";
  EXPECT_EQ(hip::chooseCode(info, std::vector<std::string>{""}), -1);
}

} // namespace
