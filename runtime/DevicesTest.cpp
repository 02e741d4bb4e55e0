//===- DevicesTest.cpp ----------------------------------------------------===//
#include "runtime/Devices.h"

#include "support/Threads.h"

#include <gtest/gtest.h>

#include <cstdlib>

using namespace quern;
using namespace quern::runtime;

namespace {

DeviceInfo device(std::string name, std::string vendor, std::string architecture) {
  DeviceInfo info;
  info.name = std::move(name);
  info.vendor = std::move(vendor);
  info.architecture = std::move(architecture);
  return info;
}

TEST(Devices, OpensTheProcessor) {
  DeviceOptions options;
  options.threads = 3;
  Expected<std::unique_ptr<Device>> opened = openDevice("cpu", options);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  EXPECT_EQ((*opened)->info().name, "cpu");
  EXPECT_EQ((*opened)->info().vendor, "cpu");
  EXPECT_EQ((*opened)->info().units, 3u);
  EXPECT_FALSE((*opened)->info().emulated);
  EXPECT_TRUE(openDevice("").ok());
}

TEST(Devices, ThreadsFollowTheVariableWhereTheyAreNotGiven) {
  setenv("OMP_NUM_THREADS", "5", 1);
  Expected<std::unique_ptr<Device>> five = openDevice("cpu");
  ASSERT_TRUE(five.ok());
  EXPECT_EQ((*five)->info().units, 5u);
  for (const char *bad : {"", "0", "-2", "5x", "99999999"}) {
    setenv("OMP_NUM_THREADS", bad, 1);
    Expected<std::unique_ptr<Device>> all = openDevice("cpu");
    ASSERT_TRUE(all.ok()) << bad;
    EXPECT_EQ((*all)->info().units, availableThreads()) << bad;
  }
  unsetenv("OMP_NUM_THREADS");
}

TEST(Devices, RefusesAbsurdNumbersOfThreads) {
  DeviceOptions options;
  options.threads = 1000000;
  Expected<std::unique_ptr<Device>> opened = openDevice("cpu", options);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().id(), "E-DEVICE-THREADS");
  EXPECT_EQ(opened.error().exit(), Exit::Usage);
}

TEST(Devices, RefusesNamesOfNoForm) {
  for (const char *name : {"gpu", "cpu:", "cpu:0", "cpu0", ":0", " cpu", "emulated:", "emulated"}) {
    Expected<std::unique_ptr<Device>> opened = openDevice(name);
    ASSERT_FALSE(opened.ok()) << name;
    EXPECT_EQ(opened.error().id(), "E-DEVICE-NAME") << name;
    EXPECT_EQ(opened.error().exit(), Exit::Usage) << name;
    EXPECT_NE(opened.error().remedyText().find("`cpu`"), std::string::npos) << name;
  }
}

TEST(Devices, ListsEveryBackendWithDevicesOrTheReason) {
  std::vector<BackendDevices> found = listDevices();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.back().backend, "cpu");
  for (const BackendDevices &entry : found) {
    EXPECT_EQ(entry.devices.empty(), !entry.absence.ok()) << entry.backend;
    if (!entry.absence.ok()) {
      EXPECT_EQ(entry.absence.exit(), Exit::NoDevice);
      EXPECT_FALSE(entry.absence.remedyText().empty());
    }
  }
}

std::string lastEmulatedTarget;
Expected<std::unique_ptr<Device>> recordTarget(const std::string &target, const DeviceOptions &options) {
  lastEmulatedTarget = target + "/" + std::to_string(options.seed);
  return Status::error(Exit::Unsupported, "E-TEST", "nothing is emulated here");
}

TEST(Devices, EmulatedDevicesComeFromTheFactory) {
  DeviceOptions options;
  options.emulated = recordTarget;
  options.seed = 17;
  EXPECT_EQ(openDevice("emulated:abc:x9", options).error().id(), "E-TEST");
  EXPECT_EQ(lastEmulatedTarget, "abc:x9/17");
}

TEST(Devices, MissingEmulatedLibraryIsNamed) {
  DeviceOptions options;
  options.emulatedLibrary = "/nonexistent/libquern-emulated.so";
  Expected<std::unique_ptr<Device>> opened = openDevice("emulated:abc:x9", options);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().id(), "E-DEVICE-NO-LIBRARY");
  EXPECT_EQ(opened.error().exit(), Exit::NoDevice);
  EXPECT_NE(opened.error().causeText().find("/nonexistent"), std::string::npos);
  options.emulatedLibrary = "libc.so.6"; // a library, but not that one
  EXPECT_EQ(openDevice("emulated:abc:x9", options).error().sentence(),
            "libquern-emulated.so is of another build");
}

TEST(Devices, ChoosesCodeOfTheOwnVendorOnly) {
  const std::vector<std::string> targets = {"other:x1", "cpu:x86-64-v3", "cpu:x86-64-v4"};
  Expected<size_t> v4 = chooseCode(device("cpu", "cpu", "x86-64-v4"), targets);
  ASSERT_TRUE(v4.ok());
  EXPECT_EQ(*v4, 2u);
  Expected<size_t> v3 = chooseCode(device("cpu", "cpu", "x86-64-v3"), targets);
  ASSERT_TRUE(v3.ok());
  EXPECT_EQ(*v3, 1u);
}

TEST(Devices, ArtifactWithoutTheTargetNamesTheOneToAdd) {
  Expected<size_t> none = chooseCode(device("cpu", "cpu", "x86-64-v4"), std::vector<std::string>{"other:x1"});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().id(), "E-TARGET-NOT-IN-ARTIFACT");
  EXPECT_EQ(none.error().exit(), Exit::Unsupported);
  EXPECT_EQ(none.error().causeText(), "it has other:x1");
  EXPECT_NE(none.error().remedyText().find("--target cpu"), std::string::npos);
}

TEST(Devices, GpusChooseByTheTableOfTargets) {
  const std::vector<std::string> targets = {"cpu:x86-64-v3", "nvidia:sm_80", "nvidia:sm_90a", "amd:gfx942",
                                            "nvidia:from_a_later_version"};
  EXPECT_EQ(*chooseCode(device("cuda:0", "nvidia", "sm_90"), targets), 2u);
  EXPECT_EQ(*chooseCode(device("cuda:0", "nvidia", "sm_86"), targets), 1u);
  EXPECT_EQ(*chooseCode(device("hip:0", "amd", "gfx942"), targets), 3u);
  Expected<size_t> none = chooseCode(device("hip:0", "amd", "gfx1201"), targets);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().id(), "E-TARGET-NOT-IN-ARTIFACT");
  EXPECT_EQ(none.error().exit(), Exit::Unsupported);
  EXPECT_NE(none.error().remedyText().find("--target amd:gfx1201"), std::string::npos);
}

TEST(Devices, EmulatedDevicesTakeExactlyTheirTarget) {
  DeviceInfo info = device("emulated:amd:gfx942,sms=38", "amd", "gfx942");
  info.emulated = true;
  EXPECT_EQ(*chooseCode(info, std::vector<std::string>{"amd:gfx942", "amd:gfx942,sms=38"}), 1u);
}

} // namespace
