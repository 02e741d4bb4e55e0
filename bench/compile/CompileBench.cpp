//===- CompileBench.cpp - How long a kernel takes to compile --------------===//
//
// For each code target: compiles every kernel of a model once, without cache and on one core, and prints the
// median, the 95th percentile and the slowest. The goal is a median of 60 ms and a 95th percentile of 250 ms.
//
//   compile_bench                              the demo checkpoint, for cpu, nvidia:sm_90a, amd:gfx942
//   compile_bench --slowest                    prints the ten slowest kernels of each target too
//   QUERN_BENCH_MODEL=DIR compile_bench        another directory (a config.json suffices)
//
//===----------------------------------------------------------------------===//
#include "lowering/Compile.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace quern;

namespace {

bool printSlowest = false;

double quantile(const std::vector<double> &sorted, double q) {
  return sorted[std::min(sorted.size() - 1, size_t(q * double(sorted.size())))];
}

void compileKernels(benchmark::State &state, const std::string &target) {
  const char *given = std::getenv("QUERN_BENCH_MODEL");
  std::vector<lowering::KernelRow> rows;
  for (auto _ : state) {
    lowering::CompileOptions options;
    options.directory = given ? given : QUERN_SOURCE_DIR "/tests/models/demo";
    options.targets = {target};
    options.weights = lowering::WeightsMode::Random;
    options.useCache = false;
    options.jobs = 1;
    auto report = lowering::compileModel(options);
    if (!report.ok()) {
      state.SkipWithError(report.error().message().c_str());
      return;
    }
    rows = std::move(report->kernels);
  }
  std::sort(rows.begin(), rows.end(), [](auto &a, auto &b) { return a.seconds < b.seconds; });
  std::vector<double> seconds;
  for (const lowering::KernelRow &row : rows)
    seconds.push_back(row.seconds);
  if (seconds.empty())
    return;
  state.counters["kernels"] = double(seconds.size());
  state.counters["median_ms"] = 1e3 * quantile(seconds, 0.5);
  state.counters["p95_ms"] = 1e3 * quantile(seconds, 0.95);
  state.counters["slowest_ms"] = 1e3 * seconds.back();
  if (printSlowest)
    for (size_t i = rows.size(); i-- > 0 && rows.size() - i <= 10;)
      std::fprintf(stderr, "%8.1f ms  %s  %s\n", 1e3 * rows[i].seconds, rows[i].target.c_str(),
                   rows[i].text.c_str());
}

} // namespace

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i)
    printSlowest |= !std::strcmp(argv[i], "--slowest");
  argc = int(std::remove_if(argv, argv + argc, [](char *a) { return !std::strcmp(a, "--slowest"); }) - argv);
  for (const char *target : {"cpu", "nvidia:sm_90a", "amd:gfx942"})
    benchmark::RegisterBenchmark(("compile/" + std::string(target)).c_str(),
                                 [=](benchmark::State &state) { compileKernels(state, target); })
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
