//===- IdentityTest.cpp ---------------------------------------------------===//
#include "tuner/measure/Identity.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tuner;

namespace {

runtime::DeviceInfo info() {
  runtime::DeviceInfo info;
  info.name = "cuda:0";
  info.description = "Example 80";
  info.vendor = "nvidia";
  info.architecture = "sm_90";
  info.hardware = "pci:10de:2330";
  info.units = 132;
  info.memoryClockMhz = 2619;
  info.driver = "13.0";
  return info;
}

TEST(Identity, EqualCardsAreEqualWhereverTheyAre) {
  runtime::DeviceInfo other = info();
  other.name = "cuda:1";
  other.description = "Graphics Device";
  other.memoryClockMhz = 2601;
  EXPECT_EQ(identityOf(info()), identityOf(other));
  EXPECT_EQ(identityOf(info()).text(), "pci:10de:2330 sm_90 units=132 partition= memory=2600");
  other.partition = "1g.10gb";
  EXPECT_FALSE(identityOf(info()) == identityOf(other));
}

TEST(Identity, WithoutANumberTheNameStandsIn) {
  runtime::DeviceInfo a = info(), b = info();
  a.hardware = b.hardware = "";
  b.description = "Another";
  EXPECT_FALSE(identityOf(a) == identityOf(b));
  EXPECT_FALSE(identityOf(a) == identityOf(info()));
}

TEST(Identity, EmulatedDevicesEqualNoRealOne) {
  runtime::DeviceInfo emulated = info();
  emulated.name = "emulated:nvidia:sm_90a";
  emulated.emulated = true;
  EXPECT_FALSE(identityOf(emulated) == identityOf(info()));
  EXPECT_EQ(identityOf(emulated).hardware, "emulated:nvidia:sm_90a");
}

} // namespace
