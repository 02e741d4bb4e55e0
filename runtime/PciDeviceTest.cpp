//===- PciDeviceTest.cpp --------------------------------------------------===//
#include "runtime/PciDevice.h"
#include "support/Files.h"
#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

TEST(PciDevice, ReadsWhatTheSystemShows) {
  ScratchDirectory folder;
  const std::string own = folder / "0000:c1:00.0";
  ASSERT_TRUE(makeDirectories(own).ok());
  ASSERT_TRUE(writeFile(own + "/vendor", "0x1002\n").ok());
  ASSERT_TRUE(writeFile(own + "/device", "0x74a1\n").ok());
  EXPECT_EQ(pciHardware("0000:c1:00.0", folder.path()), "pci:1002:74a1");
  EXPECT_EQ(pciHardware("0000:C1:00", folder.path()), "pci:1002:74a1") << "as drivers write it";
  EXPECT_EQ(pciPartition("0000:c1:00.0", folder.path()), "");
  ASSERT_TRUE(writeFile(own + "/current_compute_partition", "SPX\n").ok());
  ASSERT_TRUE(writeFile(own + "/current_memory_partition", "NPS1\n").ok());
  EXPECT_EQ(pciPartition("0000:c1:00.0", folder.path()), "SPX/NPS1");
}

TEST(PciDevice, SaysNothingWhereTheSystemDoes) {
  ScratchDirectory folder;
  EXPECT_EQ(pciHardware("0000:c1:00.0", folder.path()), "");
  EXPECT_EQ(pciHardware("../../etc", folder.path()), "");
  ASSERT_TRUE(makeDirectories(folder / "0000:01:00.0").ok());
  ASSERT_TRUE(writeFile(folder / "0000:01:00.0/vendor", "what\n").ok());
  EXPECT_EQ(pciHardware("0000:01:00.0", folder.path()), "");
  EXPECT_EQ(pciAddress(0, 0xc1, 0), "0000:c1:00.0");
  EXPECT_EQ(pciHardware(0x10de, 0x2330), "pci:10de:2330");
}

} // namespace
