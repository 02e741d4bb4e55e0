//===- KernelHarness.cpp --------------------------------------------------===//
#include "tests/kernels/KernelHarness.h"
#include "lowering/PlanKernel.h"
#include "lowering/model_to_tile/DefaultSchedule.h"
#include "runtime/Devices.h"
#include "support/target/KnownTargets.h"

#ifdef QUERN_WITH_EMULATED
#include "runtime/emulated/EmulatedDevice.h"
#endif

#include <cstdlib>

namespace quern::test {

static std::unique_ptr<runtime::Device> openFor(const std::string &target,
                                                std::optional<uint64_t> seed = {}) {
  if (!target.starts_with("cpu")) {
#ifdef QUERN_WITH_EMULATED
    runtime::emulated::RunOptions checks;
    checks.registers = checks.globalRaces = true;
    if (seed)
      checks.seed = *seed;
    else if (const char *given = std::getenv("QUERN_TEST_SEED"))
      checks.seed = std::strtoull(given, nullptr, 10);
    auto emulated = runtime::emulated::openEmulated(target, checks);
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
  std::vector<std::string> gpus = {"nvidia:sm_90a", "amd:gfx942", "amd:gfx1201"};
  if (const char *all = std::getenv("QUERN_TEST_TARGETS"); all && std::string(all) == "all")
    gpus = emulatedTargets();
  for (const std::string &gpu : gpus)
    if (openFor(gpu))
      names.push_back(gpu);
  return names;
}

std::vector<std::string> emulatedTargets() {
  std::vector<std::string> names;
  for (const TargetInfo &known : knownTargets())
    if (std::string name = std::string(known.vendor) + ":" + std::string(known.architecture);
        !known.isCpu() && openFor(name))
      names.push_back(name);
  return names;
}

KernelHarness::KernelHarness(const std::string &name, std::optional<uint64_t> seed)
    : opened(openFor(name, seed)) {
  auto targets = lowering::codeTargets(name);
  EXPECT_TRUE(targets.ok());
  target = targets->front();
}

lowering::KernelRequest KernelHarness::request(const std::string &kernel, Parameters parameters) const {
  tile::Schedule schedule = lowering::defaultSchedule(kernel, parameters, target);
  return {kernel, std::move(parameters), std::move(schedule)};
}

lowering::KernelRequest KernelHarness::request(const std::string &kernel, Parameters parameters,
                                               std::vector<int32_t> tile, int32_t warps,
                                               tile::Contraction contraction) const {
  tile::Schedule schedule{kernel, std::move(tile), target.simd ? 1 : warps};
  schedule.contraction = contraction;
  return {kernel, std::move(parameters), std::move(schedule)};
}

void KernelHarness::launch(const lowering::KernelRequest &request,
                           const std::vector<runtime::Argument> &arguments) {
  if (!kernels.contains(request.symbol()))
    load(request.symbol(), lowering::compileKernel(request, target));
  if (auto it = kernels.find(request.symbol()); it != kernels.end())
    start(it->second, arguments);
}

void KernelHarness::launchText(const std::string &text, const lowering::KernelRequest &request,
                               const std::vector<runtime::Argument> &arguments) {
  if (!kernels.contains(request.symbol()))
    load(request.symbol(), lowering::compileKernelText(text, "test.mlir", request, target));
  if (auto it = kernels.find(request.symbol()); it != kernels.end())
    start(it->second, arguments);
}

void KernelHarness::load(const std::string &symbol, Expected<lowering::CompiledKernel> compiled) {
  ASSERT_TRUE(compiled.ok()) << compiled.error().message();
  auto module = opened->load(std::as_bytes(std::span(compiled->code)));
  ASSERT_TRUE(module.ok()) << module.error().message();
  auto kernel = (*module)->kernel(compiled->symbol);
  ASSERT_TRUE(kernel.ok()) << kernel.error().message();
  LoadedKernel loaded{*std::move(compiled), *std::move(module), *kernel, {}, {}};
  loaded.plan = std::make_unique<runtime::PlanKernel>();
  lowering::describeToPlan(loaded.compiled, *loaded.plan);
  if (!loaded.plan->maps.empty())
    loaded.maps = std::make_unique<runtime::MapArguments>(*loaded.plan);
  kernels[symbol] = std::move(loaded);
}

void KernelHarness::start(LoadedKernel &loaded, const std::vector<runtime::Argument> &arguments) {
  const lowering::CompiledKernel &compiled = loaded.compiled;
  ASSERT_EQ(compiled.arguments.size(), arguments.size());
  runtime::LaunchShape shape;
  shape.threads = compiled.threads;
  shape.sharedBytes = compiled.dynamicBytes;
  shape.scratchBytes = target.simd ? compiled.sharedBytes : 0;
  for (const lowering::GridDimension &d : compiled.grid) {
    int64_t extent = d.argument < 0 ? d.extent : int64_t(int32_t(arguments[d.argument].bits));
    shape.blocks *= uint32_t((extent + d.step - 1) / d.step);
  }
  if (!shape.blocks)
    return;
  std::span<const runtime::Argument> passed = arguments;
  if (loaded.maps) {
    auto mapped = loaded.maps->pass(*opened, arguments);
    ASSERT_TRUE(mapped.ok()) << mapped.error().message();
    passed = *mapped;
  }
  Status launched = opened->launch(*loaded.kernel, shape, passed);
  ASSERT_TRUE(launched.ok()) << launched.message();
  Status done = opened->synchronize();
  ASSERT_TRUE(done.ok()) << done.message();
}

} // namespace quern::test
