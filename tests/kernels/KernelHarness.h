//===- KernelHarness.h - Compiles one kernel and runs it on a device ------===//
//
// The bodies of the kernel tests are written once and run on every target that can execute here: each level
// of the CPU that this machine has, and the emulated GPUs. Outputs are filled with a sentinel before the
// launch.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_KERNELS_KERNELHARNESS_H
#define QUERN_TESTS_KERNELS_KERNELHARNESS_H

#include "lowering/KernelCompiler.h"
#include "runtime/Device.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace quern::test {

/// The targets that this machine can execute, by name.
std::vector<std::string> executableTargets();

/// One device buffer with the element type on the host.
template <typename T> struct DeviceArray {
  std::unique_ptr<runtime::Buffer> buffer;
  size_t count;
};

/// A device with the code target that kernels are compiled for.
class KernelHarness {
public:
  explicit KernelHarness(const std::string &target);

  const lowering::CodeTarget &codeTarget() const { return target; }
  runtime::Device &device() { return *opened; }

  template <typename T> DeviceArray<T> upload(const std::vector<T> &values) {
    DeviceArray<T> array = allocate<T>(values.size());
    EXPECT_TRUE(opened->upload(*array.buffer, 0, std::as_bytes(std::span(values))).ok());
    return array;
  }
  /// |count| elements whose bytes are all 0xCB.
  template <typename T> DeviceArray<T> allocate(size_t count) {
    auto buffer = opened->allocate(std::max<size_t>(1, count * sizeof(T)));
    EXPECT_TRUE(buffer.ok()) << buffer.error().message();
    EXPECT_TRUE(opened->fill(**buffer, 0, std::max<size_t>(1, count * sizeof(T)), 0xCB).ok());
    return {*std::move(buffer), count};
  }
  template <typename T> std::vector<T> download(const DeviceArray<T> &array) {
    std::vector<T> values(array.count);
    EXPECT_TRUE(opened->download(*array.buffer, 0, std::as_writable_bytes(std::span(values))).ok());
    return values;
  }

  /// Compiles and launches; fails the test on an error.
  void launch(const lowering::KernelRequest &request, const std::vector<runtime::Argument> &arguments);

  static runtime::Argument argument(int32_t value) {
    return {runtime::ArgumentKind::I32, uint64_t(uint32_t(value))};
  }
  static runtime::Argument argument(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return {runtime::ArgumentKind::F32, bits};
  }
  template <typename T> static runtime::Argument argument(const DeviceArray<T> &array) {
    return {runtime::ArgumentKind::Pointer, array.buffer->address()};
  }
  /// A null pointer, for arguments that the specialised kernel does not use.
  static runtime::Argument none() { return {runtime::ArgumentKind::Pointer, 0}; }

private:
  lowering::CodeTarget target;
  std::unique_ptr<runtime::Device> opened;
};

/// calc_diff of two vectors: 1 - 2 sum(xy) / sum(x^2 + y^2), 0 for equal ones; NaN where either holds a NaN.
double calcDiff(std::span<const double> x, std::span<const double> y);

/// Normal numbers rounded to bf16, as bits; and what they stand for.
std::vector<uint16_t> randomBf16(size_t count, uint64_t seed, float scale = 1.0f);
double bf16Value(uint16_t bits);
uint16_t bf16Bits(float value);

class KernelTest : public testing::TestWithParam<std::string> {};

#define QUERN_INSTANTIATE_KERNEL_TEST(suite)                                                                 \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, testing::ValuesIn(quern::test::executableTargets()),              \
                           [](const auto &info) {                                                            \
                             std::string name = info.param;                                                  \
                             for (char &c : name)                                                            \
                               if (!isalnum(static_cast<unsigned char>(c)))                                  \
                                 c = '_';                                                                    \
                             return name;                                                                    \
                           })

} // namespace quern::test

#endif // QUERN_TESTS_KERNELS_KERNELHARNESS_H
