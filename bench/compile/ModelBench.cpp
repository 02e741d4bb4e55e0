//===- ModelBench.cpp - Import and compile time of whole models, and their memory ---===//
//
// For the demo checkpoint and for configurations with random weights: import alone, and the whole way to an
// artifact without a cache, each in a process of its own whose peak memory is taken. Goals on 2 cores: 5 s
// for three targets of a 16B configuration, 10 s and 1.5 GB for one of 671B, 40 s for all ten GPU targets of
// it.
//
//   model_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
//
//===----------------------------------------------------------------------===//
#include "bench/Models.h"
#include "lowering/Compile.h"

#include <benchmark/benchmark.h>

#include <cstdio>

using namespace quern;

namespace {

constexpr double mega = 1e6;

lowering::CompileOptions optionsFor(const std::string &model, const std::vector<std::string> &targets) {
  lowering::CompileOptions options;
  options.directory = bench::modelPath(model);
  options.targets = targets;
  options.weights = model == "demo" ? lowering::WeightsMode::Embed : lowering::WeightsMode::Random;
  options.workerProgram = QUERN_PROGRAM;
  options.useCache = false;
  return options;
}

/// Reports |cost| as the time of one iteration.
void report(benchmark::State &state, std::optional<bench::ChildCost> cost) {
  if (!cost) {
    state.SkipWithError("the process failed");
    return;
  }
  state.SetIterationTime(cost->seconds);
  state.counters["peak_MB"] = double(cost->peakBytes) / mega;
}

void importModel(benchmark::State &state, const std::string &model) {
  for (auto _ : state)
    report(state, bench::runInChild([&]() -> Expected<std::vector<double>> {
             lowering::CompileOptions options = optionsFor(model, {"cpu"});
             options.dryRun = true; // imports and lowers, compiles nothing
             QUERN_ASSIGN_OR_RETURN(lowering::CompileReport made, lowering::compileModel(options));
             return std::vector<double>{made.importSeconds};
           }));
}

void compileModel(benchmark::State &state, const std::string &model,
                  const std::vector<std::string> &targets) {
  for (auto _ : state) {
    ScratchDirectory scratch;
    report(state, bench::runInChild([&]() -> Expected<std::vector<double>> {
             lowering::CompileOptions options = optionsFor(model, targets);
             options.output = scratch / "m.quern";
             QUERN_ASSIGN_OR_RETURN(lowering::CompileReport made, lowering::compileModel(options));
             return std::vector<double>{double(made.compiled)};
           }));
  }
}

} // namespace

int main(int argc, char **argv) {
  const std::vector<std::string> three = {"cpu", "nvidia:sm_90a", "amd:gfx942"};
  const std::vector<std::string> gpus = {"nvidia:sm_80",   "nvidia:sm_89", "nvidia:sm_90a", "nvidia:sm_100a",
                                         "nvidia:sm_120a", "amd:gfx90a",   "amd:gfx942",    "amd:gfx950",
                                         "amd:gfx1100",    "amd:gfx1201"};
  auto add = [](const std::string &name, auto &&body) {
    benchmark::RegisterBenchmark(name.c_str(), body)
        ->Iterations(1)
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  for (const char *model : {"demo", "v2_lite", "v3"}) {
    add("import/" + std::string(model), [=](benchmark::State &state) { importModel(state, model); });
    add("compile/" + std::string(model) + "/3_targets",
        [=](benchmark::State &state) { compileModel(state, model, three); });
  }
  add("compile/v3/10_gpu_targets", [=](benchmark::State &state) { compileModel(state, "v3", gpus); });
  benchmark::AddCustomContext("machine", bench::machineText());
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
