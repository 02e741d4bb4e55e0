//===- ShimTest.cpp - Drivers that refuse, each in its own way ------------===//
//
// Only with --shim: the test-only drivers in shims/ are told by variables how to fail.
//
//===----------------------------------------------------------------------===//
#include "tests/conformance/ConformanceTest.h"

#include "runtime/Doctor.h"
#include "support/Trace.h"

#include <cstdlib>
#include <dlfcn.h>
#include <thread>

namespace quern::conformance {
namespace {

/// Sets QUERN_SHIM_|name| as long as it lives.
class Setting {
public:
  Setting(const char *name, const std::string &value) : variable(std::string("QUERN_SHIM_") + name) {
    setenv(variable.c_str(), value.c_str(), 1);
  }
  ~Setting() { unsetenv(variable.c_str()); }
  Setting(const Setting &) = delete;

private:
  std::string variable;
};

class Shim : public ConformanceTest {
protected:
  void SetUp() override {
    ConformanceTest::SetUp();
    isPtx = std::string(backend().name) == "cuda";
  }

  /// The error of opening the device, or of listing the backend's devices.
  Status openError() { return openDevice(backend().device).takeError(); }

  Status loadError(const std::string &text) {
    return device->load(std::as_bytes(std::span(text))).takeError();
  }
  std::string codeText() const {
    std::vector<std::byte> bytes = code();
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
  }

  bool isPtx = false;
};

TEST_F(Shim, DriverOlderThanThePtxNamesBothVersions) {
  std::string text = codeText();
  text.replace(text.find(".version 7.0"), 12, ".version 8.8");
  Setting version("VERSION", "12020"), newest("PTX", "82");
  for (const char *asFault : {"0", "1"}) { // drivers report it in two ways
    Setting way("PTX_AS_FAULT", asFault);
    // The version of the driver is read when the device is opened.
    Expected<std::unique_ptr<Device>> old = openDevice(backend().device);
    ASSERT_TRUE(old.ok());
    Status refused = (*old)->load(std::as_bytes(std::span(text))).takeError();
    EXPECT_ERROR(refused, Exit::NoDevice, "E-DRIVER-PTX-TOO-NEW");
    EXPECT_EQ(refused.sentence(), "the code is PTX 8.8, the driver takes PTX 8.2 (CUDA 12.2)");
    EXPECT_NE(refused.remedyText().find("12.9"), std::string::npos) << refused.message();
  }
}

TEST_F(Shim, DriverThatIsTooOldForAll) {
  Setting version("VERSION", "10020");
  Status refused = openError();
  EXPECT_ERROR(refused, Exit::NoDevice, "E-DRIVER-TOO-OLD");
  EXPECT_NE(refused.causeText().find("10.2"), std::string::npos) << refused.message();
}

TEST_F(Shim, InitialisationThatFails) {
  const std::pair<const char *, const char *> cuda[] = {{"100", "E-DEVICE-NONE"},
                                                        {"34", "E-DEVICE-NO-LIBRARY"},
                                                        {"803", "E-DRIVER-MISMATCH"},
                                                        {"804", "E-DRIVER-MISMATCH"},
                                                        {"999", "E-DEVICE-NONE"}};
  const std::pair<const char *, const char *> hip[] = {
      {"100", "E-DEVICE-NONE"}, {"35", "E-DRIVER-TOO-OLD"}, {"101", "E-DEVICE-NONE"}};
  for (auto [result, id] : isPtx ? std::span<const std::pair<const char *, const char *>>(cuda) : hip) {
    Setting init("INIT", result);
    Status refused = openError();
    EXPECT_ERROR(refused, Exit::NoDevice, id);
    EXPECT_FALSE(refused.causeText().empty());
    EXPECT_FALSE(refused.remedyText().empty());
  }
}

TEST_F(Shim, NoDeviceAndNoSuchDevice) {
  const std::string kind = backend().name;
  Status none = openDevice(kind + ":1").takeError();
  EXPECT_ERROR(none, Exit::NoDevice, "E-DEVICE-NONE");
  EXPECT_EQ(none.sentence(), "there is no `" + kind + ":1`");
  Setting devices("DEVICES", "0");
  EXPECT_ERROR(openError(), Exit::NoDevice, "E-DEVICE-NONE");
  // The best device is then another.
  Expected<std::unique_ptr<Device>> best = openDevice("");
  ASSERT_TRUE(best.ok());
  EXPECT_EQ((*best)->info().name, "cpu");
}

/// That the report of wrong calls is there and not empty by accident.
TEST_F(Shim, ReportSaysWhatIsLeft) {
  std::unique_ptr<Buffer> buffer = allocate(100);
  EXPECT_NE(shimReport().find("1 allocations left"), std::string::npos) << shimReport();
}

TEST_F(Shim, BestDeviceIsTheGpu) {
  Expected<std::unique_ptr<Device>> best = openDevice("");
  ASSERT_TRUE(best.ok()) << best.error().message();
  EXPECT_EQ((*best)->info().name, backend().device);
  Expected<std::unique_ptr<Device>> first = openDevice(backend().name); // without a number
  ASSERT_TRUE(first.ok());
  EXPECT_EQ((*first)->info().name, backend().device);
}

TEST_F(Shim, FactsAreTheOnesOfTheRightDevice) {
  const DeviceInfo &info = device->info();
  EXPECT_EQ(info.description, "Shim 0");
  EXPECT_EQ(info.architecture, isPtx ? "sm_90" : "gfx942");
  EXPECT_EQ(info.units, isPtx ? 132u : 304u);
  EXPECT_EQ(info.hardware, isPtx ? "" : "pci:1002:74a1");
  EXPECT_EQ(info.memoryClockMhz, isPtx ? 2619u : 1300u);
  EXPECT_EQ(info.partition, "");
  EXPECT_EQ(info.memoryBytes, uint64_t(4) << 30);
  EXPECT_EQ(info.driver.substr(0, 9), isPtx ? "12.4" : "6.2.41133");
}

TEST_F(Shim, DriverOutOfMemory) {
  std::unique_ptr<Buffer> first = allocate(1000);
  Setting memory("MEMORY", "1000000");
  Status refused = device->allocate(1000000).takeError();
  EXPECT_ERROR(refused, Exit::Resource, "E-DEVICE-OUT-OF-MEMORY");
  EXPECT_NE(refused.causeText().find(isPtx ? "cuMemAlloc" : "hipMalloc"), std::string::npos);
  EXPECT_EQ(device->counters().bytesAllocated, 1000u);
  EXPECT_EQ(device->counters().peakBytesAllocated, 1000u);
}

TEST_F(Shim, DriverWithoutAssembler) {
  Setting none("NO_JIT", "1");
  EXPECT_ERROR(loadError(codeText()), Exit::NoDevice, "E-DRIVER-NO-ASSEMBLER");
}

TEST_F(Shim, AssemblersWordsAreTheCause) {
  Status refused =
      loadError(".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k() { nonsense; ");
  EXPECT_ERROR(refused, Exit::BadInput, "E-CODE-DAMAGED");
  EXPECT_GT(refused.causeText().size(), std::string("CUDA_ERROR_OF_THE_SHIM: the shim says 218: ").size())
      << refused.message();
}

TEST_F(Shim, CodeForAnotherDevice) {
  if (isPtx) {
    EXPECT_ERROR(loadError("\177ELF, a cubin for another architecture"), Exit::Unsupported,
                 "E-CODE-OTHER-TARGET");
    return;
  }
  const std::vector<std::byte> whole = code();
  Setting other("TARGET", "gfx1201");
  Expected<std::unique_ptr<Device>> opened = openDevice(backend().device);
  ASSERT_TRUE(opened.ok());
  Status refused = (*opened)->load(whole).takeError();
  EXPECT_ERROR(refused, Exit::Unsupported, "E-CODE-OTHER-TARGET");
  EXPECT_EQ(refused.causeText(), "it is for gfx942, the device is gfx1201");
}

TEST_F(Shim, DeviceThatHsaDoesNotShow) {
  Setting hidden("NO_AGENT", "1");
  Status refused = openError();
  EXPECT_ERROR(refused, Exit::NoDevice, "E-DEVICE-NONE");
  EXPECT_NE(refused.causeText().find("0000:c1:00.0"), std::string::npos) << refused.message();
}

TEST_F(Shim, EveryThreadMayCall) {
  std::unique_ptr<Buffer> buffer = allocate(64);
  std::thread([&] {
    EXPECT_OK(device->fill(*buffer, 0, 64, 7));
    std::vector<std::byte> bytes(64);
    EXPECT_OK(device->download(*buffer, 0, bytes));
    EXPECT_EQ(bytes, std::vector<std::byte>(64, std::byte(7)));
    buffer.reset();
  }).join();
}

TEST_F(Shim, ConditionsAreTheOnesOfTheDevice) {
  DeviceConditions now = device->conditions();
  EXPECT_EQ(now.absence, "");
  EXPECT_EQ(now.source, isPtx ? "libnvidia-ml.so.1" : "librocm_smi64.so.6");
  // ROCm SMI tells clocks in a structure only; they come from the kernel, which has none of this device.
  EXPECT_EQ(now.clockMhz, isPtx ? std::optional(1755.0) : std::nullopt);
  EXPECT_EQ(now.memoryClockMhz, isPtx ? std::optional(2619.0) : std::nullopt);
  ASSERT_TRUE(now.powerWatts && now.powerLimitWatts && now.temperatureCelsius);
  EXPECT_NEAR(*now.powerWatts, isPtx ? 412.345 : 512.345, 1e-9);
  EXPECT_NEAR(*now.powerLimitWatts, isPtx ? 700 : 750, 1e-9);
  EXPECT_NEAR(*now.temperatureCelsius, isPtx ? 61 : 66, 1e-9);
  Setting idle("POWER", "1500"); // a card at work does not draw 1.5 W
  EXPECT_EQ(device->conditions().powerWatts, std::nullopt);
}

TEST_F(Shim, ManagementThatDoesNotStartIsStated) {
  Setting none("NO_MANAGEMENT", "1");
  DeviceConditions now = device->conditions();
  EXPECT_EQ(now.source, "");
  EXPECT_NE(now.absence, "");
  EXPECT_FALSE(now.clockMhz || now.powerWatts || now.temperatureCelsius);
}

TEST_F(Shim, RangesReachTheProfilersLibrary) {
  RangeMarks *marks = device->rangeMarks();
  ASSERT_NE(marks, nullptr);
  const char *injection = std::getenv("NVTX_INJECTION64_PATH");
  void *library = dlopen(injection ? injection : isPtx ? "libnvToolsExt.so.1" : "libroctx64.so.4", RTLD_NOW);
  ASSERT_NE(library, nullptr);
  auto *log = reinterpret_cast<const char *(*)()>(dlsym(library, "quernShimRanges"));
  ASSERT_NE(log, nullptr);
  log();
  marks->push("step");
  marks->push("linear");
  marks->pop();
  marks->pop();
  EXPECT_STREQ(log(), "(step(linear))");
}

TEST_F(Shim, DriverThatCannotRecord) {
  Setting none("NO_CAPTURE", "1");
  Expected<std::unique_ptr<Recording>> refused = device->record([] { return Status::success(); });
  ASSERT_FALSE(refused.ok());
  EXPECT_ERROR(refused.error(), Exit::Unexpected, "E-DEVICE-CALL");
  EXPECT_OK(device->synchronize()); // the queue is as it was
}

TEST_F(Shim, DoctorShowsTheDevice) {
  std::vector<Check> checks = diagnose("");
  const std::string prefix = backend().name;
  bool driver = false, found = false;
  for (const Check &check : checks) {
    driver |= check.name == prefix + ".driver" && check.state == CheckState::Ok;
    found |= check.name == prefix + ".device" &&
             check.detail.find(device->info().architecture) != std::string::npos;
  }
  EXPECT_TRUE(driver);
  EXPECT_TRUE(found);
}

} // namespace
} // namespace quern::conformance
