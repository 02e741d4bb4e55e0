//===- ConformanceTest.h - A device under test and its kernels ------------===//
#ifndef QUERN_TESTS_CONFORMANCE_CONFORMANCETEST_H
#define QUERN_TESTS_CONFORMANCE_CONFORMANCETEST_H

#include "runtime/Devices.h"
#include "tests/conformance/Backends.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>

namespace quern::conformance {

using namespace quern::runtime;

/// From the command line, before any test runs.
struct Configuration {
  const BackendUnderTest *backend = nullptr;
  std::string codeDirectory; ///< where the kernels lie
  EmulatedFactory emulated = nullptr;
  bool runsKernels = true; ///< false for a test-only driver in a build without emulated machines
};
Configuration &configuration();

inline constexpr uint32_t blockThreads = 64; // BLOCK_THREADS of kernels/Kernels.c

/// Opens the device for each test, skips what the backend does not support, and checks afterwards that
/// nothing is left allocated.
class ConformanceTest : public testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  const BackendUnderTest &backend() const { return *configuration().backend; }

  /// The bytes of the kernels for this device.
  std::vector<std::byte> code() const;
  /// Loads them, once per test, and gives one of the kernels.
  Kernel &kernel(const char *symbol);

  /// For |blocks| blocks of `blockThreads`, with |sharedBytes| of what the kernel calls shared memory.
  LaunchShape shape(uint32_t blocks, uint32_t sharedBytes = 0) const;

  /// Skips the test where the driver runs no kernels; for SetUp.
  void needKernels();

  std::unique_ptr<Buffer> allocate(uint64_t bytes);
  std::unique_ptr<Buffer> upload(const std::vector<uint32_t> &values);
  std::vector<uint32_t> download(Buffer &buffer);

  std::unique_ptr<Device> device;
  std::unique_ptr<Module> module; // after the device: it goes first
};

inline Argument pointer(const Buffer &buffer) { return {ArgumentKind::Pointer, buffer.address()}; }
inline Argument i32(uint32_t value) { return {ArgumentKind::I32, value}; }
inline Argument i64(uint64_t value) { return {ArgumentKind::I64, value}; }
inline Argument f32(float value) { return {ArgumentKind::F32, std::bit_cast<uint32_t>(value)}; }

/// |count| values that differ in every place; another sequence for another |seed|.
std::vector<uint32_t> randomWords(size_t count, uint32_t seed);

/// What a test-only driver found wrong in the calls since the last report; empty for other drivers.
std::string shimReport();

#define EXPECT_OK(expression)                                                                                \
  do {                                                                                                       \
    const ::quern::Status &status_ = (expression);                                                           \
    EXPECT_TRUE(status_.ok()) << status_.message();                                                          \
  } while (false)
#define ASSERT_OK(expression)                                                                                \
  do {                                                                                                       \
    const ::quern::Status &status_ = (expression);                                                           \
    ASSERT_TRUE(status_.ok()) << status_.message();                                                          \
  } while (false)
#define EXPECT_ERROR(expression, exitClass, identifier)                                                      \
  do {                                                                                                       \
    const ::quern::Status &status_ = (expression);                                                           \
    ASSERT_FALSE(status_.ok());                                                                              \
    EXPECT_EQ(status_.id(), identifier) << status_.message();                                                \
    EXPECT_EQ(status_.exit(), exitClass) << status_.message();                                               \
  } while (false)

} // namespace quern::conformance

#endif // QUERN_TESTS_CONFORMANCE_CONFORMANCETEST_H
