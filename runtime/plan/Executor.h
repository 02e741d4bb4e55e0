//===- Executor.h - Runs the launches of a plan ---------------------------===//
//
// Opening resolves all that does not change from step to step: code is loaded, buffers get their places,
// rotation tables are made, repeats are unrolled, and every argument that is an address or a constant is
// filled in. A step then evaluates the few scalars that depend on T and R and queues the launches.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PLAN_EXECUTOR_H
#define QUERN_RUNTIME_PLAN_EXECUTOR_H

#include "runtime/Device.h"
#include "runtime/artifact/Artifact.h"
#include "runtime/kvcache/KvCache.h"
#include "runtime/plan/MapArguments.h"
#include "runtime/plan/Plan.h"
#include "runtime/plan/WorkLayout.h"
#include "runtime/prepare/Prepare.h"

#include <functional>
#include <map>

namespace quern::runtime {

/// What one step may be at most.
struct ExecutorLimits {
  int64_t tokens = 1;    ///< T
  int64_t rows = 1;      ///< R
  int64_t sequences = 1; ///< B
  int64_t context = 1;   ///< C
  /// No kernel is chosen by a size of the step: of each choice the last alternative runs (contract 6).
  bool batchInvariant = false;
  /// For tests: work memory holds NaN bytes before each step.
  bool poison = false;
};

/// One step: T tokens, R rows. All arrays are of T but |rows|.
struct StepInputs {
  std::span<const int32_t> tokens, positions, sequences, rows;
  /// Entry `mtp`: the first row of the hidden rows of the last step (of either entry) to read.
  int64_t hiddenRow = 0;
};

/// A launch as an observer sees it.
struct ObservedLaunch {
  const Launch &launch;
  int64_t layer;                       ///< of the repeat around it; 0 outside
  std::span<const Argument> arguments; ///< pointers are addresses, also where the kernel takes a tensor map
  std::span<const Argument> passed;    ///< what the device is given
  bool done;                           ///< false right before it runs, true right after
  Kernel &kernel;
  const LaunchShape &shape;
};
/// An error ends the step.
using LaunchObserver = std::function<Status(const ObservedLaunch &)>;

class Executor {
public:
  /// |plan|, |weights| and |cache| outlive the executor. Exit::BadInput "E-KERNEL-MISSING",
  /// "E-PLAN-ALIGNMENT", "E-PLAN-SIZE" and those of the artifact; Exit::Resource "E-DEVICE-OUT-OF-MEMORY".
  static Expected<std::unique_ptr<Executor>> create(const Plan &plan, const Artifact &artifact,
                                                    Device &device, const PreparedWeights &weights,
                                                    const KvCache &cache, const ExecutorLimits &limits);

  /// Runs |entryName| ("step" or "mtp") and waits. |logits| receives [R, vocabulary].
  Status run(std::string_view entryName, const StepInputs &given, std::span<float> logits);

  /// Calls |observer| around every launch from now on; an empty one ends it. With |wait| all that was queued
  /// before is done at each call, which makes steps slow; without, it is not.
  void observe(LaunchObserver observer, bool wait = true) {
    this->observer = std::move(observer);
    observerWaits = wait;
  }
  /// Bytes at a device address that a launch's argument points to (or lies behind). Exit::Unexpected
  /// "E-BUFFER-RANGE" where they are not inside one buffer of the session.
  Status read(uint64_t address, std::span<std::byte> bytes);

  /// Device bytes of work memory, inputs, outputs and tables.
  static uint64_t bytesNeeded(const Plan &plan, const ExecutorLimits &limits, int64_t pages,
                              int64_t pagesPerSequence);

  /// Launches of one run of |entry| of |tokens| tokens, repeats unrolled.
  size_t launches(std::string_view entry, int64_t tokens) const;

private:
  /// An argument whose value depends on the step.
  struct Varying {
    enum Kind : uint8_t { Scalar, HiddenIn, HiddenOut } kind;
    size_t slot;          ///< in |slots|
    SizeExpression value; ///< Scalar
    int64_t offset = 0;   ///< bytes behind the hidden rows
  };
  struct Step {
    const Launch *launch;
    int64_t layer;
    Kernel *kernel;
    LaunchShape shape;
    const std::vector<PlanGridDimension> *grid;
    size_t first, count;            ///< in |slots|
    std::optional<size_t> maps;     ///< in `Entry::maps`, where the kernel takes tensor maps
    const Choice *choice = nullptr; ///< around it, where the step decides
    size_t alternative = 0;

    bool runs(const SymbolValues &now) const { return !choice || choice->at(now[choice->by]) == alternative; }
  };
  struct Entry {
    std::vector<Step> steps;
    std::vector<Argument> slots;
    std::vector<Varying> varying;
    std::vector<MapArguments> maps;
    WorkLayout layout;
  };
  struct Names;

  Executor(const Plan &plan, Device &device, const KvCache &cache, const ExecutorLimits &limits)
      : plan(plan), device(device), cache(cache), limits(limits) {}
  Status loadCode(const Artifact &artifact);
  Status allocate();
  Status makeTables();
  Status resolveEntry(const PlanEntry &entry, const Names &names, Entry &result);
  Status resolveStep(const PlanStep &step, int64_t layer, const Names &names, Entry &result);
  Status resolve(const Launch &launch, int64_t layer, const Names &names, Entry &result);
  Status observed(const Step &step, const LaunchShape &shape, std::span<const Argument> arguments,
                  std::span<const Argument> passed, bool done);
  Status uploadInputs(const StepInputs &given);

  const Plan &plan;
  Device &device;
  const KvCache &cache;
  const ExecutorLimits limits;
  const PreparedWeights *weights = nullptr;
  LaunchObserver observer;
  bool observerWaits = true;
  SymbolValues symbols; ///< the largest; B, P, M and C have no other value
  std::map<std::string, std::unique_ptr<Module>> modules;
  std::vector<Kernel *> kernels; ///< of the plan
  std::map<std::string, Entry, std::less<>> entries;
  std::unique_ptr<Buffer> work, tables, inputs, logitsBuffer, hidden[2];
  std::vector<uint64_t> tableOffsets;
  unsigned lastHidden = 0; ///< which buffer the last step left its rows in
  uint64_t tableVersion = 0;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PLAN_EXECUTOR_H
