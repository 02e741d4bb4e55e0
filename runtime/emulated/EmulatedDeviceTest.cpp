//===- EmulatedDeviceTest.cpp - What is special about emulated devices ----===//
//
// The conformance suite covers the interface; here are exact bounds, findings, and how faults are reported.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/PtxTest.h"

namespace quern::runtime::emulated {
namespace {

/// Stores |value| to |address|, and counts the launch in |done|.
const std::string poke = ptxHead("sm_90a") + R"(
.visible .entry k(.param .u64 address, .param .u64 .ptr done, .param .u32 value, .param .f32 ignored) {
  .reg .b32 %r<4>; .reg .b64 %d<4>;
  ld.param.u64 %d1, [address]; ld.param.u64 %d2, [done]; ld.param.u32 %r1, [value];
  st.global.u8 [%d1], %r1; ld.global.u32 %r2, [%d2]; add.u32 %r2, %r2, 1; st.global.u32 [%d2], %r2; ret;
}
)";

class EmulatedDeviceTest : public testing::Test {
protected:
  Gpu gpu{"emulated:nvidia:sm_90a"};
  std::unique_ptr<Buffer> done = gpu.buffer(std::vector<uint32_t>(1, 0));
  Kernel *kernel = [&] {
    auto found = gpu.kernel(poke);
    return found.ok() ? *found : nullptr;
  }();

  void launch(uint64_t address) {
    ASSERT_TRUE(kernel);
    Status status = gpu.device->launch(*kernel, LaunchShape{},
                                       std::vector{i64(address), pointerTo(*done), i32(7), f32(1)});
    EXPECT_TRUE(status.ok()) << status.message(); // what happens while it runs comes later
  }
  uint32_t launched() { return gpu.read<uint32_t>(*done)[0]; }
};

TEST_F(EmulatedDeviceTest, SaysWhatItIs) {
  const DeviceInfo &info = gpu.device->info();
  EXPECT_EQ(info.name, "emulated:nvidia:sm_90a");
  EXPECT_EQ(info.vendor, "nvidia");
  EXPECT_EQ(info.architecture, "sm_90");
  EXPECT_TRUE(info.emulated);
  EXPECT_GT(info.memoryBytes, 0u);
}

TEST_F(EmulatedDeviceTest, BoundsAreExact) {
  for (size_t bytes : {1u, 13u, 256u, 257u}) {
    auto buffer = gpu.blank<uint8_t>(bytes);
    EXPECT_EQ(buffer->address() % 256, 0u);
    launch(buffer->address() + bytes - 1);
    EXPECT_TRUE(gpu.device->synchronize().ok());
    EXPECT_EQ(gpu.read<uint8_t>(*buffer).back(), 7);
    for (uint64_t address : {buffer->address() + bytes, buffer->address() - 1}) {
      launch(address);
      EXPECT_EQ(gpu.device->synchronize().id(), "E-EMULATED-OUT-OF-BOUNDS") << bytes;
    }
  }
}

TEST_F(EmulatedDeviceTest, FreedMemoryIsGone) {
  auto buffer = gpu.blank<uint8_t>(64);
  uint64_t address = buffer->address();
  launch(address);
  EXPECT_TRUE(gpu.device->synchronize().ok());
  buffer.reset();
  launch(address);
  EXPECT_EQ(gpu.device->synchronize().id(), "E-EMULATED-OUT-OF-BOUNDS");
}

TEST_F(EmulatedDeviceTest, TheFirstFaultIsReportedOnceAndLaterLaunchesAreDropped) {
  auto buffer = gpu.blank<uint8_t>(64);
  launch(buffer->address());
  launch(buffer->address() + 64);
  launch(buffer->address());
  Status status = gpu.device->synchronize();
  EXPECT_EQ(status.id(), "E-EMULATED-OUT-OF-BOUNDS");
  EXPECT_EQ(status.exit(), Exit::Unexpected);
  EXPECT_TRUE(gpu.device->synchronize().ok());
  EXPECT_EQ(launched(), 1u);
  EXPECT_EQ(gpu.device->counters().launches, 2u);
  ASSERT_EQ(gpu.device->findings().size(), 1u);
  EXPECT_EQ(gpu.device->findings()[0].kind, "out-of-bounds");
  launch(buffer->address());
  EXPECT_EQ(launched(), 2u);
  // Download reports it as well.
  launch(buffer->address() + 64);
  std::vector<std::byte> bytes(4);
  EXPECT_EQ(gpu.device->download(*done, 0, bytes).id(), "E-EMULATED-OUT-OF-BOUNDS");
}

TEST_F(EmulatedDeviceTest, ArgumentsAreCompared) {
  auto refused = [&](const std::vector<Argument> &arguments) {
    Status status = gpu.device->launch(*kernel, LaunchShape{}, arguments);
    EXPECT_EQ(status.exit(), Exit::Usage);
    return status.ok() ? std::string() : status.id();
  };
  Argument pointer = pointerTo(*done);
  EXPECT_EQ(refused({pointer, pointer, i32(1)}), "E-LAUNCH-ARGUMENTS");
  EXPECT_EQ(refused({pointer, pointer, i32(1), f32(1), f32(1)}), "E-LAUNCH-ARGUMENTS");
  EXPECT_EQ(refused({pointer, i64(1), i32(1), f32(1)}), "E-LAUNCH-ARGUMENTS");
  EXPECT_EQ(refused({pointer, pointer, i32(1), i32(1)}), "E-LAUNCH-ARGUMENTS");
  // Plain integers take a pointer or a float of their width too.
  EXPECT_TRUE(gpu.device->launch(*kernel, LaunchShape{}, std::vector{pointer, pointer, f32(1), f32(1)}).ok());
}

TEST_F(EmulatedDeviceTest, BuffersOfOthersAreRefused) {
  Gpu other;
  auto foreign = other.blank<uint8_t>(64);
  std::vector<std::byte> bytes(8);
  EXPECT_EQ(gpu.device->upload(*foreign, 0, bytes).id(), "E-BUFFER-RANGE");
  EXPECT_EQ(gpu.device->download(*done, 0, bytes).id(), "E-BUFFER-RANGE");
  EXPECT_EQ(gpu.device->fill(*done, ~0ull, 2, 0).id(), "E-BUFFER-RANGE");
  launch(foreign->address());
  EXPECT_EQ(gpu.device->synchronize().id(), "E-EMULATED-OUT-OF-BOUNDS");
}

TEST_F(EmulatedDeviceTest, BuffersMayOutliveTheirDevice) {
  std::unique_ptr<Buffer> last = gpu.blank<uint8_t>(64);
  gpu.modules.clear();
  gpu.device.reset();
  EXPECT_EQ(last->size(), 64u);
}

TEST(EmulatedDevice, TakesTheOptionsOfTheRuntime) {
  DeviceOptions options;
  options.threads = 2;
  options.seed = 5;
  options.sanitize = SanitizeSet::none();
  options.memoryLimit = 1000;
  auto device = openEmulatedDevice("nvidia:sm_80", options);
  ASSERT_TRUE(device.ok()) << device.error().message();
  EXPECT_EQ((*device)->info().memoryBytes, 1000u);
  EXPECT_EQ((*device)->allocate(1001).error().id(), "E-DEVICE-OUT-OF-MEMORY");
  auto first = (*device)->allocate(600);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ((*device)->allocate(500).error().exit(), Exit::Resource);
  EXPECT_EQ((*device)->counters().bytesAllocated, 600u);
  first->reset();
  EXPECT_TRUE((*device)->allocate(1000).ok());
  EXPECT_EQ((*device)->counters().peakBytesAllocated, 1000u);
  auto &emulated = static_cast<EmulatedDevice &>(**device);
  EXPECT_EQ(emulated.options().seed, 5u);
  EXPECT_EQ(emulated.options().workers, 2u);
  EXPECT_FALSE(emulated.options().sanitize);
  options.memoryLimit = 0;
  options.sanitize = *SanitizeSet::parse("registers,fp8-nan");
  auto checked = openEmulatedDevice("nvidia:sm_80", options);
  ASSERT_TRUE(checked.ok());
  const RunOptions &run = static_cast<EmulatedDevice &>(**checked).options();
  EXPECT_TRUE(run.sanitize && run.registers && run.smallNans);
  EXPECT_FALSE(run.uninitialised || run.globalRaces);
  EXPECT_EQ(openEmulatedDevice("nvidia:sm_1", options).error().id(), "E-EMULATED-TARGET");
}

} // namespace
} // namespace quern::runtime::emulated
