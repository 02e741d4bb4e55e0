//===- ConformanceTest.cpp ------------------------------------------------===//
#include "tests/conformance/ConformanceTest.h"

#include <algorithm>
#include <dlfcn.h>
#include <fstream>
#include <iterator>

namespace quern::conformance {

Configuration &configuration() {
  static Configuration instance;
  return instance;
}

void ConformanceTest::SetUp() {
  const char *name = testing::UnitTest::GetInstance()->current_test_info()->name();
  for (const Exemption &exemption : backend().unsupported)
    if (std::string(exemption.test) == name)
      GTEST_SKIP() << "unsupported: " << exemption.reason;
  DeviceOptions options;
  options.emulated = configuration().emulated;
  Expected<std::unique_ptr<Device>> opened = openDevice(backend().device, options);
  if (!opened.ok() && opened.error().exit() == Exit::NoDevice)
    GTEST_SKIP() << "no device: " << opened.error().message();
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  device = std::move(*opened);
}

void ConformanceTest::TearDown() {
  module.reset();
  if (device)
    EXPECT_EQ(device->counters().bytesAllocated, 0u) << "a buffer of the test is left";
  device.reset();
  EXPECT_EQ(shimReport(), "") << "the driver was used wrongly";
}

std::string shimReport() {
  for (const char *name : {"libcuda.so.1", "libamdhip64.so.6"})
    if (void *library = dlopen(name, RTLD_NOW | RTLD_NOLOAD)) {
      auto *report = reinterpret_cast<const char *(*)()>(dlsym(library, "quernShimReport"));
      std::string text = report ? report() : "";
      dlclose(library);
      return text;
    }
  return {};
}

void ConformanceTest::needKernels() {
  if (!IsSkipped() && !configuration().runsKernels)
    GTEST_SKIP() << "unsupported: no emulated machine is built that could run kernels";
}

std::vector<std::byte> ConformanceTest::code() const {
  std::string name = backend().code;
  if (size_t place = name.find("%a"); place != std::string::npos)
    name.replace(place, 2, device->info().architecture);
  std::ifstream file(configuration().codeDirectory + "/" + name, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(text.empty()) << "no kernels in " << configuration().codeDirectory << "/" << name;
  std::vector<std::byte> bytes(text.size());
  memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

Kernel &ConformanceTest::kernel(const char *symbol) {
  if (!module) {
    // The bytes go away before the first launch.
    Expected<std::unique_ptr<Module>> loaded = device->load(code());
    if (!loaded.ok()) {
      ADD_FAILURE() << loaded.error().message();
      std::abort(); // nothing that follows has a meaning
    }
    module = std::move(*loaded);
  }
  Expected<Kernel *> found = module->kernel(symbol);
  if (!found.ok()) {
    ADD_FAILURE() << found.error().message();
    std::abort();
  }
  return **found;
}

LaunchShape ConformanceTest::shape(uint32_t blocks, uint32_t sharedBytes) const {
  LaunchShape shape;
  shape.blocks = blocks;
  shape.threads = backend().blockThreads;
  (backend().sharedIsScratch ? shape.scratchBytes : shape.sharedBytes) = sharedBytes;
  return shape;
}

std::unique_ptr<Buffer> ConformanceTest::allocate(uint64_t bytes) {
  Expected<std::unique_ptr<Buffer>> buffer = device->allocate(bytes);
  if (!buffer.ok()) {
    ADD_FAILURE() << buffer.error().message();
    std::abort();
  }
  return std::move(*buffer);
}

std::unique_ptr<Buffer> ConformanceTest::upload(const std::vector<uint32_t> &values) {
  std::unique_ptr<Buffer> buffer = allocate(values.size() * sizeof(uint32_t));
  EXPECT_OK(device->upload(*buffer, 0, std::as_bytes(std::span(values))));
  return buffer;
}

std::vector<uint32_t> ConformanceTest::download(Buffer &buffer) {
  std::vector<uint32_t> values(buffer.size() / sizeof(uint32_t), 0xDEADBEEF);
  EXPECT_OK(device->download(buffer, 0, std::as_writable_bytes(std::span(values))));
  return values;
}

std::vector<uint32_t> randomWords(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<uint32_t> values(count);
  std::generate(values.begin(), values.end(), [&] { return static_cast<uint32_t>(generator()); });
  return values;
}

} // namespace quern::conformance
