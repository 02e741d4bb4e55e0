//===- KernelHarness.h - Compiles one kernel and runs it on a device ------===//
//
// The bodies of the kernel tests are written once and run on every target that can execute here: each level
// of the CPU that this machine has, and the emulated GPUs. Outputs are filled with a sentinel before the
// launch. On the CPU every array stands between guards: those of an input are NaN (all bits set), those of an
// output must keep the sentinel. The emulated devices check each access against its buffer themselves, and
// look for races and unwritten registers too.
//
// QUERN_TEST_TARGETS=all takes every target that is emulated, QUERN_TEST_SEED=N another order of warps.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_KERNELS_KERNELHARNESS_H
#define QUERN_TESTS_KERNELS_KERNELHARNESS_H

#include "lowering/KernelCompiler.h"
#include "runtime/Device.h"
#include "runtime/plan/MapArguments.h"
#include "tests/kernels/HostTensor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quern::test {

/// The targets that this machine can execute, by name.
std::vector<std::string> executableTargets();
/// Those of every known GPU that an emulated device executes.
std::vector<std::string> emulatedTargets();

/// One device buffer with the element type on the host.
template <typename T> struct DeviceArray {
  std::unique_ptr<runtime::Buffer> buffer;
  size_t count;
  size_t guard; ///< elements before and behind the array
};

/// A tensor on the device with the name of its element type.
struct DeviceTensor {
  std::string element;
  DeviceArray<std::byte> array;
  size_t count;
};

using Parameters = std::map<std::string, lowering::ParameterValue>;

/// A device with the code target that kernels are compiled for.
class KernelHarness {
public:
  /// |seed|: of the order in which an emulated device runs warps and finishes copies; empty for that of all
  /// tests.
  explicit KernelHarness(const std::string &target, std::optional<uint64_t> seed = {});

  const lowering::CodeTarget &codeTarget() const { return target; }
  runtime::Device &device() { return *opened; }

  template <typename T> DeviceArray<T> upload(const std::vector<T> &values) {
    DeviceArray<T> array = reserve<T>(values.size(), 0xFF);
    EXPECT_TRUE(
        opened->upload(*array.buffer, array.guard * sizeof(T), std::as_bytes(std::span(values))).ok());
    return array;
  }
  /// |count| elements whose bytes are all 0xCB.
  template <typename T> DeviceArray<T> allocate(size_t count) { return reserve<T>(count, 0xCB); }
  /// The elements of an output; fails the test where its guards were written.
  template <typename T> std::vector<T> download(const DeviceArray<T> &array) {
    std::vector<T> all(array.count + 2 * array.guard);
    EXPECT_TRUE(opened->download(*array.buffer, 0, std::as_writable_bytes(std::span(all))).ok());
    auto isGuard = [&](size_t begin) {
      auto *bytes = reinterpret_cast<const unsigned char *>(all.data() + begin);
      return std::all_of(bytes, bytes + array.guard * sizeof(T), [](unsigned char c) { return c == 0xCB; });
    };
    EXPECT_TRUE(isGuard(0)) << "written before the output";
    EXPECT_TRUE(isGuard(array.guard + array.count)) << "written behind the output";
    return {all.begin() + array.guard, all.end() - array.guard};
  }

  DeviceTensor upload(const HostTensor &tensor) {
    return {tensor.element, upload(tensor.bytes()), tensor.values.size()};
  }
  DeviceTensor output(const std::string &element, size_t count) {
    return {element, allocate<std::byte>(count * elementBytes(element)), count};
  }
  HostTensor download(const DeviceTensor &tensor) {
    return HostTensor::fromBytes(tensor.element, download(tensor.array));
  }

  /// A request for |kernel| with its default schedule on this target.
  lowering::KernelRequest request(const std::string &kernel, Parameters parameters) const;
  /// The same with another tile and number of warps (1 on the CPU).
  lowering::KernelRequest request(const std::string &kernel, Parameters parameters, std::vector<int32_t> tile,
                                  int32_t warps,
                                  tile::Contraction contraction = tile::Contraction::Dot) const;

  /// Compiles and launches; fails the test on an error. A request that was seen before is not compiled again.
  void launch(const lowering::KernelRequest &request, const std::vector<runtime::Argument> &arguments);
  /// The same for a kernel text that is not in kernels/.
  void launchText(const std::string &text, const lowering::KernelRequest &request,
                  const std::vector<runtime::Argument> &arguments);

  static runtime::Argument argument(int32_t value) {
    return {runtime::ArgumentKind::I32, uint64_t(uint32_t(value))};
  }
  static runtime::Argument argument(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return {runtime::ArgumentKind::F32, bits};
  }
  template <typename T> static runtime::Argument argument(const DeviceArray<T> &array) {
    return {runtime::ArgumentKind::Pointer, array.buffer->address() + array.guard * sizeof(T)};
  }
  static runtime::Argument argument(const DeviceTensor &tensor) { return argument(tensor.array); }
  /// A null pointer, for arguments that the specialised kernel does not use.
  static runtime::Argument none() { return {runtime::ArgumentKind::Pointer, 0}; }

private:
  struct LoadedKernel {
    lowering::CompiledKernel compiled;
    std::unique_ptr<runtime::Module> module;
    runtime::Kernel *kernel = nullptr;
    std::unique_ptr<runtime::PlanKernel> plan;
    std::unique_ptr<runtime::MapArguments> maps; ///< null where the kernel takes none
  };
  template <typename T> DeviceArray<T> reserve(size_t count, uint8_t fill) {
    size_t guard = target.simd ? 64 : 0, bytes = std::max<size_t>(1, (count + 2 * guard) * sizeof(T));
    auto buffer = opened->allocate(bytes);
    EXPECT_TRUE(buffer.ok()) << buffer.error().message();
    EXPECT_TRUE(opened->fill(**buffer, 0, bytes, fill).ok());
    return {*std::move(buffer), count, guard};
  }
  void load(const std::string &symbol, Expected<lowering::CompiledKernel> compiled);
  void start(LoadedKernel &kernel, const std::vector<runtime::Argument> &arguments);

  lowering::CodeTarget target;
  std::unique_ptr<runtime::Device> opened;
  std::map<std::string, LoadedKernel> kernels; ///< by symbol
};

class KernelTest : public testing::TestWithParam<std::string> {};

#define QUERN_INSTANTIATE_KERNEL_TEST(suite)                                                                 \
  QUERN_INSTANTIATE_KERNEL_TEST_ON(suite, quern::test::executableTargets())
#define QUERN_INSTANTIATE_KERNEL_TEST_ON(suite, targets)                                                     \
  INSTANTIATE_TEST_SUITE_P(Targets, suite, testing::ValuesIn(targets), [](const auto &info) {                \
    std::string name = info.param;                                                                           \
    for (char &c : name)                                                                                     \
      if (!isalnum(static_cast<unsigned char>(c)))                                                           \
        c = '_';                                                                                             \
    return name;                                                                                             \
  })

} // namespace quern::test

#endif // QUERN_TESTS_KERNELS_KERNELHARNESS_H
