//===- MapArgumentsTest.cpp -----------------------------------------------===//
#include "runtime/plan/MapArguments.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

/// Encodes a map as the number of its call; keeps what it was asked for.
class CountingDevice final : public Device {
public:
  std::vector<TensorMap> asked;
  bool refuses = false;

  const DeviceInfo &info() const override { return facts; }
  Expected<std::unique_ptr<Buffer>> allocate(uint64_t) override { return none(); }
  Status upload(Buffer &, uint64_t, std::span<const std::byte>) override { return none(); }
  Status download(Buffer &, uint64_t, std::span<std::byte>) override { return none(); }
  Status fill(Buffer &, uint64_t, uint64_t, uint8_t) override { return none(); }
  Expected<std::unique_ptr<Module>> load(std::span<const std::byte>) override { return none(); }
  Expected<EncodedTensorMap> encodeTensorMap(const TensorMap &map) override {
    if (refuses)
      return Device::encodeTensorMap(map);
    asked.push_back(map);
    EncodedTensorMap encoded;
    encoded.bytes[0] = std::byte(asked.size());
    return encoded;
  }
  Status launch(Kernel &, const LaunchShape &, std::span<const Argument>) override { return none(); }
  Status synchronize() override { return Status::success(); }
  DeviceCounters counters() const override { return {}; }

private:
  static Status none() { return Status::error(Exit::Unexpected, "E-NONE", "not in this test"); }
  DeviceInfo facts;
};

PlanKernel twoMaps() {
  PlanKernel kernel;
  kernel.arguments = {"tensor map", "i32", "pointer", "tensor map", "i32"};
  kernel.maps = {{0, "bf16", {{-1, 96}, {4, 0}}, {256}, {64, 128}, 128},
                 {3, "u8", {{-1, 512}, {-1, 40}, {1, 0}}, {512, 20480}, {128, 40, 1}, 64}};
  return kernel;
}

std::vector<Argument> arguments(uint32_t experts, uint32_t rows) {
  return {{ArgumentKind::Pointer, 0x1000},
          {ArgumentKind::I32, experts},
          {ArgumentKind::Pointer, 0x2000},
          {ArgumentKind::Pointer, 0x3000},
          {ArgumentKind::I32, rows | uint64_t(0xABCD) << 32}};
}

int callOf(const Argument &argument) {
  EXPECT_EQ(argument.kind, ArgumentKind::TensorMap);
  EXPECT_EQ(argument.bits % 64, 0u);
  unsigned char first;
  std::memcpy(&first, reinterpret_cast<const void *>(argument.bits), 1);
  return first;
}

TEST(MapArgumentsTest, EncodesWhatTheFormSays) {
  PlanKernel kernel = twoMaps();
  MapArguments maps(kernel);
  CountingDevice device;
  std::vector<Argument> given = arguments(7, 33);
  auto passed = maps.pass(device, given);
  ASSERT_TRUE(passed.ok());
  ASSERT_EQ(passed->size(), 5u);
  EXPECT_EQ(callOf((*passed)[0]), 1);
  EXPECT_EQ(callOf((*passed)[3]), 2);
  EXPECT_EQ((*passed)[2].bits, 0x2000u);
  EXPECT_EQ((*passed)[1].kind, ArgumentKind::I32);
  ASSERT_EQ(device.asked.size(), 2u);
  const TensorMap &first = device.asked[0], &second = device.asked[1];
  EXPECT_EQ(first.element, TensorMap::Element::BF16);
  EXPECT_EQ(first.rank, 2u);
  EXPECT_EQ(first.address, 0x1000u);
  EXPECT_EQ(first.extents, (std::array<uint64_t, 5>{96, 33}));
  EXPECT_EQ(first.strides, (std::array<uint64_t, 4>{256}));
  EXPECT_EQ(first.box, (std::array<uint32_t, 5>{64, 128}));
  EXPECT_EQ(first.swizzle, TensorMap::Swizzle::Span128);
  EXPECT_EQ(first.fill, TensorMap::Fill::Zero);
  EXPECT_EQ(second.element, TensorMap::Element::U8);
  EXPECT_EQ(second.rank, 3u);
  EXPECT_EQ(second.extents, (std::array<uint64_t, 5>{512, 40, 7}));
  EXPECT_EQ(second.strides, (std::array<uint64_t, 4>{512, 20480}));
  EXPECT_EQ(second.swizzle, TensorMap::Swizzle::Span64);
}

TEST(MapArgumentsTest, EncodesAgainOnlyWhatChanged) {
  PlanKernel kernel = twoMaps();
  MapArguments maps(kernel);
  CountingDevice device;
  std::vector<Argument> given = arguments(7, 33);
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(maps.pass(device, given).ok());
  EXPECT_EQ(maps.encoded(), 2u);
  EXPECT_EQ(callOf((*maps.pass(device, arguments(7, 34)))[0]), 3); // rows
  EXPECT_EQ(callOf((*maps.pass(device, arguments(7, 34)))[3]), 2);
  given = arguments(7, 34);
  given[3].bits = 0x4000;
  EXPECT_EQ(callOf((*maps.pass(device, given))[3]), 4); // the address
  EXPECT_EQ(callOf((*maps.pass(device, given))[0]), 3);
  EXPECT_EQ(maps.encoded(), 4u);
}

TEST(MapArgumentsTest, DeviceWithoutMaps) {
  PlanKernel kernel = twoMaps();
  MapArguments maps(kernel);
  CountingDevice device;
  device.refuses = true;
  auto passed = maps.pass(device, arguments(1, 1));
  ASSERT_FALSE(passed.ok());
  EXPECT_EQ(passed.error().id(), "E-DEVICE-TENSOR-MAP");
  EXPECT_EQ(passed.error().exit(), Exit::Unsupported);
}

} // namespace
