//===- LoadBench.cpp - From an artifact's name to the first step ----------===//
//
// Loading is: open the container and check its members, read the plan, load each kernel's code; and, apart
// from these, reading and preparing the weights. Goals without the weights: 50 ms for the demo and for a 16B
// configuration, 250 ms for one of 671B.
//
//   code/MODEL    all but weights, of artifacts for cpu, nvidia:sm_90a and amd:gfx942
//   open/MODEL    a whole session on the CPU; `weights_ms` of it are the weights
//
// Weights of the two configurations do not fit this kind of machine; the demo and a tenth of the 16B one do.
//
//===----------------------------------------------------------------------===//
#include "bench/Models.h"
#include "runtime/Runtime.h"

#include <benchmark/benchmark.h>

#include <map>

using namespace quern;
using namespace quern::runtime;

namespace {

Status loadCode(const std::string &path, size_t &kernels) {
  QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(path));
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, openDevice("cpu", {}));
  std::vector<std::string> targets;
  for (const ManifestTarget &target : artifact.manifest().targets)
    targets.push_back(target.target);
  QUERN_ASSIGN_OR_RETURN(size_t chosen, chooseCode(device->info(), targets));
  QUERN_ASSIGN_OR_RETURN(std::string_view text,
                         artifact.readText("plan/" + artifact.manifest().targets[chosen].folder + ".json"));
  QUERN_ASSIGN_OR_RETURN(Plan plan, readPlan(text));
  std::map<std::string, std::unique_ptr<Module>> modules;
  for (const PlanKernel &kernel : plan.kernels) {
    std::unique_ptr<Module> &module = modules[kernel.member];
    if (!module) {
      QUERN_ASSIGN_OR_RETURN(ByteSpan code, artifact.read(kernel.member));
      QUERN_ASSIGN_OR_RETURN(module, device->load(code));
    }
    QUERN_ASSIGN_OR_RETURN([[maybe_unused]] Kernel * loaded, module->kernel(kernel.symbol));
  }
  kernels = plan.kernels.size();
  return Status::success();
}

void code(benchmark::State &state, const std::string &model, const ScratchDirectory &scratch) {
  Expected<std::string> path = bench::makeArtifact(model, {"cpu", "nvidia:sm_90a", "amd:gfx942"}, scratch);
  if (!path.ok()) {
    state.SkipWithError(path.error().message().c_str());
    return;
  }
  size_t kernels = 0;
  for (auto _ : state)
    if (Status status = loadCode(*path, kernels); !status.ok()) {
      state.SkipWithError(status.message().c_str());
      return;
    }
  state.counters["kernels"] = double(kernels);
}

void open(benchmark::State &state, const std::string &model, const ScratchDirectory &scratch) {
  Expected<std::string> path = bench::makeArtifact(model, {"cpu"}, scratch);
  if (!path.ok()) {
    state.SkipWithError(path.error().message().c_str());
    return;
  }
  double weights = 0, rest = 0;
  for (auto _ : state) {
    Expected<std::unique_ptr<Session>> session = Session::open(*path, {.device = "cpu", .context = 1024});
    if (!session.ok()) {
      state.SkipWithError(session.error().message().c_str());
      return;
    }
    SessionStatistics statistics = (*session)->statistics();
    weights += statistics.prepareSeconds;
    rest += statistics.openSeconds - statistics.prepareSeconds;
  }
  const double runs = double(state.iterations());
  state.counters["weights_ms"] = 1e3 * weights / runs;
  state.counters["rest_ms"] = 1e3 * rest / runs;
}

} // namespace

int main(int argc, char **argv) {
  ScratchDirectory scratch;
  for (const char *model : {"demo", "v2_lite", "v3"})
    benchmark::RegisterBenchmark(("code/" + std::string(model)).c_str(),
                                 [&, model](benchmark::State &state) { code(state, model, scratch); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  for (const char *model : {"demo", "v2_lite_tenth"})
    benchmark::RegisterBenchmark(("open/" + std::string(model)).c_str(),
                                 [&, model](benchmark::State &state) { open(state, model, scratch); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  benchmark::AddCustomContext("machine", bench::machineText());
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
