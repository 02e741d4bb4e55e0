//===- KernelHarness.cpp --------------------------------------------------===//
#include "tests/kernels/KernelHarness.h"
#include "runtime/Devices.h"

#ifdef QUERN_WITH_EMULATED
#include "runtime/emulated/EmulatedDevice.h"
#endif

namespace quern::test {

static std::unique_ptr<runtime::Device> openFor(const std::string &target) {
  if (!target.starts_with("cpu")) {
#ifdef QUERN_WITH_EMULATED
    auto emulated = runtime::emulated::openEmulated(target);
    if (emulated.ok())
      return *std::move(emulated);
#endif
    return nullptr;
  }
  auto device = runtime::openDevice("cpu");
  return device.ok() ? *std::move(device) : nullptr;
}

std::vector<std::string> executableTargets() {
  std::vector<std::string> names;
  auto cpu = runtime::openDevice("cpu");
  if (cpu.ok()) {
    std::vector<std::string> levels = {"cpu:x86-64-v3", "cpu:x86-64-v4", "cpu:x86-64-v4+avx512bf16"};
    for (size_t n = levels.size(); n > 0; --n)
      if (auto best = runtime::chooseCode((*cpu)->info(), std::span(levels).first(n));
          best.ok() && *best == n - 1)
        names.push_back(levels[n - 1]);
  }
  for (const char *gpu : {"nvidia:sm_90a", "amd:gfx942", "amd:gfx1201"})
    if (openFor(gpu))
      names.push_back(gpu);
  return names;
}

KernelHarness::KernelHarness(const std::string &name) : opened(openFor(name)) {
  auto targets = lowering::codeTargets(name);
  EXPECT_TRUE(targets.ok());
  target = targets->front();
}

void KernelHarness::launch(const lowering::KernelRequest &request,
                           const std::vector<runtime::Argument> &arguments) {
  auto compiled = lowering::compileKernel(request, target);
  ASSERT_TRUE(compiled.ok()) << compiled.error().message();
  ASSERT_EQ(compiled->arguments.size(), arguments.size());
  auto module = opened->load(std::as_bytes(std::span(compiled->code)));
  ASSERT_TRUE(module.ok()) << module.error().message();
  auto kernel = (*module)->kernel(compiled->symbol);
  ASSERT_TRUE(kernel.ok()) << kernel.error().message();
  runtime::LaunchShape shape;
  shape.threads = compiled->threads;
  shape.scratchBytes = target.simd ? compiled->sharedBytes : 0;
  for (const lowering::GridDimension &d : compiled->grid) {
    int64_t extent = d.argument < 0 ? d.extent : int64_t(int32_t(arguments[d.argument].bits));
    shape.blocks *= uint32_t((extent + d.step - 1) / d.step);
  }
  Status launched = opened->launch(**kernel, shape, arguments);
  ASSERT_TRUE(launched.ok()) << launched.message();
  Status done = opened->synchronize();
  ASSERT_TRUE(done.ok()) << done.message();
}

double calcDiff(std::span<const double> x, std::span<const double> y) {
  double product = 0, squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    product += x[i] * y[i];
    squares += x[i] * x[i] + y[i] * y[i];
  }
  return squares == 0 ? 0 : 1 - 2 * product / squares;
}

uint16_t bf16Bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

double bf16Value(uint16_t bits) {
  uint32_t wide = uint32_t(bits) << 16;
  float value;
  std::memcpy(&value, &wide, 4);
  return value;
}

std::vector<uint16_t> randomBf16(size_t count, uint64_t seed, float scale) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<uint16_t> values(count);
  for (uint16_t &v : values)
    v = bf16Bits(normal(generator));
  return values;
}

} // namespace quern::test
