//===- ModelledTime.h - How long would it take? ---------------------------===//
//
// A *model* of a kernel's time on the card that stands for a target, from what an emulated device counted and
// from the facts of the card (hardware.csv, the atoms table): there is no measurement in it. Blocks are dealt
// to the units of the card evenly, and the busiest unit decides:
//
//     matrix    multiply-adds of each atom / its rate
//     issue     warps issued / schedulers, or lanes of ordinary arithmetic / lanes of the ordinary pipes
//     shared    wavefronts, and bytes that the matrix unit reads by descriptor / bytes a clock
//     l2        sectors that requests touch / bytes a clock of the cache
//     memory    sectors touched at least once / bytes a clock of memory
//
// The time is the largest of them and a launch. Latency, dependences and the filling of pipelines are not in
// it, so it is a floor that a kernel without bubbles reaches.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TOOLS_CLI_MODELLEDTIME_H
#define QUERN_TOOLS_CLI_MODELLEDTIME_H

#include "runtime/KernelCounters.h"
#include "support/target/KnownTargets.h"

#include <optional>
#include <string>
#include <vector>

namespace quern::tools {

/// Of one launch on average, in seconds.
struct ModelledTime {
  double matrix = 0, issue = 0, shared = 0, l2 = 0, memory = 0, launch = 0;
  double seconds = 0;
  /// "matrix", "issue", "shared", "l2", "memory" or "launch": the largest.
  std::string bound;
  double matrixClocks = 0; ///< of one matrix unit that did all of it
  /// Matrix operations whose rate the atoms table does not hold; the slowest of the target stands for it.
  std::vector<std::string> assumedRates;
  std::string card;
};

/// Blocks that one unit of the card can hold, and what stops more: "threads", "blocks", "registers" or
/// "shared memory". Registers are left out where they are not known.
struct Occupancy {
  uint32_t blocks = 0;
  std::string limit;
  double warps = 0; ///< share of the warps that a unit can hold
};

/// Nothing for a target that no card stands for.
std::optional<ModelledTime> modelledTime(const runtime::KernelCounters &counters, const TargetInfo &target);
std::optional<Occupancy> occupancy(const runtime::KernelResources &resources, const TargetInfo &target);

} // namespace quern::tools

#endif // QUERN_TOOLS_CLI_MODELLEDTIME_H
