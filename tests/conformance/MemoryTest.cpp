//===- MemoryTest.cpp - Facts, allocations, copies ------------------------===//
#include "tests/conformance/ConformanceTest.h"

#include <set>

namespace quern::conformance {
namespace {

class Memory : public ConformanceTest {};

std::vector<uint8_t> readAll(Device &device, Buffer &buffer) {
  std::vector<uint8_t> bytes(buffer.size(), 0xEE);
  EXPECT_OK(device.download(buffer, 0, std::as_writable_bytes(std::span(bytes))));
  return bytes;
}

TEST_F(Memory, DeviceDescribesItself) {
  const DeviceInfo &info = device->info();
  EXPECT_EQ(info.name, backend().device);
  EXPECT_FALSE(info.description.empty());
  EXPECT_FALSE(info.vendor.empty());
  EXPECT_FALSE(info.architecture.empty());
  EXPECT_EQ(info.architecture.find(':'), std::string::npos);
  EXPECT_GT(info.memoryBytes, uint64_t(64) << 20);
  EXPECT_GT(info.units, 0u);
  EXPECT_EQ(info.emulated, info.name.starts_with("emulated:"));
}

TEST_F(Memory, AllocationsAreAlignedDistinctAndCounted) {
  EXPECT_EQ(device->counters().bytesAllocated, 0u);
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::set<uint64_t> addresses;
  uint64_t sum = 0;
  for (uint64_t bytes : {uint64_t(0), uint64_t(1), uint64_t(255), uint64_t(256), uint64_t(257),
                         (uint64_t(1) << 20) + 3, uint64_t(5) << 20}) {
    buffers.push_back(allocate(bytes));
    EXPECT_EQ(buffers.back()->size(), bytes);
    EXPECT_NE(buffers.back()->address(), 0u) << bytes;
    EXPECT_EQ(buffers.back()->address() % 256, 0u) << bytes;
    addresses.insert(buffers.back()->address());
    sum += bytes;
  }
  EXPECT_EQ(addresses.size(), buffers.size());
  EXPECT_EQ(device->counters().bytesAllocated, sum);
  EXPECT_EQ(device->counters().peakBytesAllocated, sum);
  buffers.pop_back();
  EXPECT_EQ(device->counters().bytesAllocated, sum - (uint64_t(5) << 20));
  EXPECT_EQ(device->counters().peakBytesAllocated, sum);
  buffers.push_back(allocate(17));
  EXPECT_EQ(device->counters().peakBytesAllocated, sum);
  buffers.clear();
  EXPECT_EQ(device->counters().bytesAllocated, 0u);
}

TEST_F(Memory, RangesAreWrittenExactly) {
  constexpr size_t size = 1000;
  std::unique_ptr<Buffer> buffer = allocate(size);
  std::vector<uint8_t> expected(size, 0x5A), source(size);
  EXPECT_OK(device->fill(*buffer, 0, size, 0x5A));
  for (size_t i = 0; i < size; ++i)
    source[i] = static_cast<uint8_t>(i * 7 + 3);
  const size_t ranges[][2] = {{0, 1}, {137, 411}, {999, 1}, {548, 2}, {3, 0}, {1000, 0}};
  for (auto [offset, length] : ranges) {
    EXPECT_OK(device->upload(*buffer, offset, std::as_bytes(std::span(source).subspan(0, length))));
    std::copy_n(source.begin(), length, expected.begin() + offset);
    EXPECT_EQ(readAll(*device, *buffer), expected) << "after upload of " << length << " at " << offset;
  }
  const size_t fills[][2] = {{1, 5}, {640, 333}, {0, 0}, {1000, 0}};
  uint8_t value = 0x80;
  for (auto [offset, length] : fills) {
    EXPECT_OK(device->fill(*buffer, offset, length, ++value));
    std::fill_n(expected.begin() + offset, length, value);
    EXPECT_EQ(readAll(*device, *buffer), expected) << "after fill of " << length << " at " << offset;
  }
  for (auto [offset, length] : ranges) {
    std::vector<uint8_t> part(length + 2, 0x11);
    EXPECT_OK(device->download(*buffer, offset, std::as_writable_bytes(std::span(part).subspan(1, length))));
    EXPECT_EQ(part.front(), 0x11);
    EXPECT_EQ(part.back(), 0x11);
    EXPECT_TRUE(std::equal(part.begin() + 1, part.end() - 1, expected.begin() + offset));
  }
}

TEST_F(Memory, HostBytesMayBeReusedAtOnce) {
  // Short ones, enough of them to go round any ring of staging memory, and long ones.
  for (size_t length : {size_t(100), size_t(70) << 10, size_t(300) << 10, size_t(3) << 20}) {
    constexpr size_t count = 40;
    const size_t rounds = length > (size_t(1) << 20) ? 3 : count;
    std::vector<std::unique_ptr<Buffer>> buffers;
    std::vector<uint8_t> source(length);
    for (size_t round = 0; round < rounds; ++round) {
      buffers.push_back(allocate(length));
      std::fill(source.begin(), source.end(), static_cast<uint8_t>(round + 1));
      EXPECT_OK(device->upload(*buffers.back(), 0, std::as_bytes(std::span(source))));
      std::fill(source.begin(), source.end(), 0xFF);
    }
    for (size_t round = 0; round < rounds; ++round)
      EXPECT_EQ(readAll(*device, *buffers[round]),
                std::vector<uint8_t>(length, static_cast<uint8_t>(round + 1)))
          << "length " << length << " round " << round;
  }
}

TEST_F(Memory, RangesOutsideTheBufferAreErrors) {
  constexpr size_t size = 256;
  std::unique_ptr<Buffer> buffer = allocate(size);
  EXPECT_OK(device->fill(*buffer, 0, size, 0x33));
  std::vector<std::byte> host(600, std::byte(0x44));
  const uint64_t ranges[][2] = {{0, 257}, {256, 1}, {255, 2}, {257, 0}, {UINT64_MAX, 2}, {UINT64_MAX - 7, 8}};
  for (auto [offset, length] : ranges) {
    EXPECT_ERROR(device->upload(*buffer, offset, std::span(host).first(length)), Exit::Unexpected,
                 "E-BUFFER-RANGE");
    EXPECT_ERROR(device->download(*buffer, offset, std::span(host).first(length)), Exit::Unexpected,
                 "E-BUFFER-RANGE");
    EXPECT_ERROR(device->fill(*buffer, offset, length, 1), Exit::Unexpected, "E-BUFFER-RANGE");
  }
  EXPECT_ERROR(device->fill(*buffer, 8, UINT64_MAX, 1), Exit::Unexpected, "E-BUFFER-RANGE");
  EXPECT_EQ(readAll(*device, *buffer), std::vector<uint8_t>(size, 0x33));
  EXPECT_EQ(host, std::vector<std::byte>(600, std::byte(0x44)));
}

TEST_F(Memory, OutOfMemoryIsAnErrorAndDoesNoHarm) {
  std::unique_ptr<Buffer> small = allocate(1000);
  for (uint64_t bytes : {device->info().memoryBytes + (uint64_t(1) << 30), UINT64_MAX / 2, UINT64_MAX}) {
    Expected<std::unique_ptr<Buffer>> large = device->allocate(bytes);
    ASSERT_FALSE(large.ok()) << bytes;
    EXPECT_ERROR(large.error(), Exit::Resource, "E-DEVICE-OUT-OF-MEMORY");
    EXPECT_FALSE(large.error().remedyText().empty());
  }
  EXPECT_EQ(device->counters().bytesAllocated, 1000u);
  EXPECT_EQ(device->counters().peakBytesAllocated, 1000u);
  EXPECT_OK(device->fill(*small, 0, 1000, 9));
  EXPECT_EQ(readAll(*device, *small), std::vector<uint8_t>(1000, 9));
}

TEST_F(Memory, LimitOfTheOptionsIsKept) {
  DeviceOptions options;
  options.emulated = configuration().emulated;
  options.memoryLimit = 1 << 20;
  Expected<std::unique_ptr<Device>> opened = openDevice(backend().device, options);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  Device &limited = **opened;
  Expected<std::unique_ptr<Buffer>> first = limited.allocate(1 << 19);
  ASSERT_TRUE(first.ok());
  EXPECT_ERROR(limited.allocate((1 << 19) + 1).takeError(), Exit::Resource, "E-DEVICE-OUT-OF-MEMORY");
  Expected<std::unique_ptr<Buffer>> rest = limited.allocate(1 << 19);
  EXPECT_TRUE(rest.ok());
  EXPECT_FALSE(limited.allocate(1).ok());
  *first = nullptr;
  EXPECT_TRUE(limited.allocate(1 << 19).ok());
  EXPECT_EQ(limited.counters().peakBytesAllocated, 1u << 20);
}

TEST_F(Memory, TwoDevicesDoNotMix) {
  DeviceOptions options;
  options.emulated = configuration().emulated;
  Expected<std::unique_ptr<Device>> opened = openDevice(backend().device, options);
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  Device &second = **opened;
  std::unique_ptr<Buffer> here = allocate(512);
  Expected<std::unique_ptr<Buffer>> there = second.allocate(512);
  ASSERT_TRUE(there.ok());
  EXPECT_OK(device->fill(*here, 0, 512, 1));
  EXPECT_OK(second.fill(**there, 0, 512, 2));
  EXPECT_EQ(readAll(*device, *here), std::vector<uint8_t>(512, 1));
  EXPECT_EQ(readAll(second, **there), std::vector<uint8_t>(512, 2));
  EXPECT_EQ(second.counters().bytesAllocated, 512u);
  EXPECT_EQ(device->counters().bytesAllocated, 512u);
}

} // namespace
} // namespace quern::conformance
