//===- ScheduleSpace.cpp - The points that are worth looking at -----------===//
//
// A grid of a few thousand Schedules for a product. It knows what a strategy needs, from the facts of the
// target, and leaves every limit to `checkSchedule`.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/CostModel.h"

#include <algorithm>

namespace quern::tile {

namespace {

/// What varies for one atom family of a target.
struct Axes {
  std::vector<int32_t> m, n;
  std::vector<std::vector<int32_t>> warps; ///< grids of issuers
  std::vector<int32_t> groups;
  std::vector<std::pair<Strategy, int32_t>> strategies; ///< with its phases
  std::vector<std::pair<int32_t, int32_t>> clusters = {{1, 1}};
  std::vector<int32_t> accumStages = {1};
  std::vector<int32_t> fragPrefetch = {0};
};

Axes axesOf(const MmaAtom &atom, const Machine &machine) {
  const TargetInfo &target = *machine.target;
  const SyncFacts &sync = atomTable(target).sync;
  Axes axes;
  axes.strategies = {{Strategy::Inline, 0}};
  axes.warps = {{1, 1, 1}};
  axes.groups = {1};
  switch (atom.issuer) {
  case Issuer::WarpGroup:
    axes.m = {16, 32, 64, 128, 256};
    axes.n = {atom.n};
    axes.groups = {1, 2};
    axes.strategies = {{Strategy::Roles, 0}};
    axes.clusters = {{1, 1}, {2, 1}, {1, 2}};
    break;
  case Issuer::Lane:
    axes.m = {128};
    axes.n = {atom.n};
    axes.strategies = {{Strategy::Roles, 0}};
    axes.accumStages = {1, 2};
    break;
  case Issuer::BlockPair:
    axes.m = {256};
    axes.n = {atom.n};
    axes.strategies = {{Strategy::Roles, 0}};
    axes.clusters = {{2, 1}};
    axes.accumStages = {1, 2};
    break;
  case Issuer::Warp:
    if (target.isCpu()) {
      axes.m = {1, 2, 4, 6, 8, 12, 14};
      axes.n = {atom.n, 2 * atom.n, 4 * atom.n};
      break;
    }
    axes.m = {16, 32, 64, 96, 128, 192, 256};
    axes.n = {16, 32, 64, 96, 128, 192, 256};
    axes.warps = {{1, 2, 1}, {1, 4, 1}, {2, 2, 1}, {2, 4, 1}, {4, 1, 1}};
    axes.fragPrefetch = {0, 1};
    if (sync.transactionBarriers)
      axes.strategies.push_back({Strategy::Roles, 0});
    if (sync.priorities && target.gpu.subgroupSize == 64) {
      axes.strategies.push_back({Strategy::Phases, 4});
      axes.strategies.push_back({Strategy::Interleave, 0});
    }
    break;
  }
  return axes;
}

} // namespace

ScheduleSpace enumerateSchedules(const std::string &kernel, const GemmProblem &problem,
                                 const Machine &machine) {
  ScheduleSpace space;
  int32_t bytes = std::max(1, int32_t(elementBits(problem.math)) / 8);
  bool cpu = machine.target->isCpu(), clusters = machine.target->gpu.maxCluster > 1;
  auto consider = [&](const Schedule &schedule) {
    Legality legality = checkSchedule(schedule, problem, machine);
    ++space.considered;
    if (legality.legal())
      space.legal.push_back({schedule, std::move(legality.resources)});
    else
      ++space.refused[legality.refusals.front().resource];
  };
  std::vector<const MmaAtom *> atoms =
      findMmaAtoms(*machine.target, problem.math, problem.math, problem.hardwareScales);
  for (const MmaAtom *atom : atoms) {
    if (atom->multiplyAddsPerClock < atoms.front()->multiplyAddsPerClock)
      break; // slower atoms are no better at anything
    Axes axes = axesOf(*atom, machine);
    std::vector<int32_t> rowBytes =
        cpu ? std::vector<int32_t>{bytes * atom->k} : std::vector<int32_t>{64, 128};
    Schedule s;
    s.kernel = kernel;
    s.mma = atom->name;
    for (int32_t m : axes.m) {
      if (m != axes.m.front() && m >= 2 * problem.m)
        continue; // half of the tile or more would lie outside
      for (int32_t n : axes.n)
        for (int32_t row : rowBytes)
          for (const std::vector<int32_t> &grid : axes.warps)
            for (int32_t groups : axes.groups)
              for (auto [strategy, phases] : axes.strategies)
                for (auto [clusterM, clusterN] : axes.clusters)
                  for (int32_t accumulators : axes.accumStages)
                    for (int32_t prefetch : axes.fragPrefetch)
                      for (int32_t split : {1, 2, 4, 8}) {
                        int64_t tiles = ((problem.m + m - 1) / m) * ((problem.n + n - 1) / n);
                        if (split > 1 && (cpu || tiles * split > 2 * machine.units))
                          continue; // the units are busy without it
                        s.tile = {m, n, row / bytes};
                        s.warps = grid[0] * grid[1] * grid[2];
                        s.warpGrid = s.warps == 1 ? std::vector<int32_t>() : grid;
                        s.groups = groups;
                        s.strategy = strategy;
                        s.phases = phases;
                        s.clusterM = clusterM;
                        s.clusterN = clusterN;
                        s.accumStages = accumulators;
                        s.fragPrefetch = prefetch;
                        s.split = split;
                        s.reduction = split == 1                             ? Reduction::None
                                      : clusters && clusterM * clusterN == 1 ? Reduction::Cluster
                                                                             : Reduction::LastBlock;
                        s.persist = strategy == Strategy::Roles ? Persistence::Static : Persistence::Off;
                        s.store = machine.target->gpu.tensorCopy && strategy == Strategy::Roles
                                      ? StorePath::Tensor
                                      : StorePath::Direct;
                        s.rasterGroup = cpu ? 1 : rasterGroup(m, n, (problem.m + m - 1) / m, machine.units);
                        consider(s);
                      }
    }
  }
  return space;
}

} // namespace quern::tile
