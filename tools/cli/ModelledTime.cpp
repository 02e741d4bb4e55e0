//===- ModelledTime.cpp ---------------------------------------------------===//
#include "tools/cli/ModelledTime.h"

#include "dialects/tile/Atoms.h"
#include "dialects/tile/CostModel.h"

#include <algorithm>

namespace quern::tools {

using namespace quern::runtime;

namespace {

uint64_t alignTo(uint64_t value, uint64_t granule) {
  return granule ? (value + granule - 1) / granule * granule : value;
}

/// Multiply-adds a clock of one unit. |assumed| where the table has no such atom.
double rateOf(const TargetInfo &target, const std::string &name, bool &assumed) {
  assumed = false;
  if (const tile::MmaAtom *atom = tile::findMmaAtom(target, name))
    return atom->multiplyAddsPerClock;
  // Another shape of the same family and type runs at the same rate.
  const std::string family = name.substr(0, name.find('.'));
  const size_t shapeEnd = name.find('.', family.size() + 1);
  const std::string type = shapeEnd == std::string::npos ? "" : name.substr(shapeEnd + 1);
  double slowest = 0;
  for (const tile::MmaAtom &atom : tile::atomTable(target).mma) {
    if (atom.name.starts_with(family + ".") && atom.name.ends_with("." + type))
      return atom.multiplyAddsPerClock;
    if (slowest == 0 || atom.multiplyAddsPerClock < slowest)
      slowest = atom.multiplyAddsPerClock;
  }
  assumed = true;
  return slowest;
}

/// Lanes of the ordinary pipes that the counted instructions took.
double ordinaryLanes(const KernelCounters &counters, const tile::CostFacts &facts) {
  double lanes = 0;
  for (const OpcodeCount &count : counters.mix())
    switch (count.kind) {
    case InstructionClass::Integer:
    case InstructionClass::Float:
    case InstructionClass::Move:
      lanes += double(count.lanes);
      break;
    case InstructionClass::Conversion:
    case InstructionClass::Special:
    case InstructionClass::Exchange:
      lanes += double(count.lanes) * facts.ordinaryLanes / facts.conversionsPerClock;
      break;
    default:
      break;
    }
  return lanes;
}

} // namespace

std::optional<ModelledTime> modelledTime(const KernelCounters &counters, const TargetInfo &target) {
  const tile::Machine machine = tile::machineOf(target);
  if (!machine.card || counters.blocks == 0 || counters.launches == 0)
    return std::nullopt;
  const tile::CostFacts facts = tile::costFacts(machine);
  ModelledTime time;
  time.card = machine.card->name;
  for (const auto &[name, count] : counters.matrix) {
    bool assumed = false;
    const double rate = rateOf(target, name, assumed);
    if (assumed)
      time.assumedRates.push_back(name);
    if (rate > 0)
      time.matrixClocks += double(count.multiplyAdds) / rate;
  }
  // What the busiest unit does of what all blocks of a launch do.
  const double launches = double(counters.launches), blocks = double(counters.blocks) / launches;
  const double rounds = std::max(1.0, double(int64_t((blocks + facts.units - 1) / facts.units)));
  const double share = rounds / blocks / launches / facts.clockHz;
  time.matrix = time.matrixClocks * share;
  time.issue = std::max(double(counters.issued()) / facts.schedulers,
                        ordinaryLanes(counters, facts) / facts.ordinaryLanes) *
               share;
  // A wavefront is one clock of the banks.
  double clocks = double(counters.sharedLoads.wavefronts + counters.sharedStores.wavefronts);
  if (facts.sharedBytesPerClock > 0)
    clocks += double(counters.operandBytes) / facts.sharedBytesPerClock;
  time.shared = clocks * share;
  const double sectors = double(counters.globalLoads.sectors + counters.globalStores.sectors);
  if (facts.l2BytesPerClock > 0)
    time.l2 = sectors * counters.sectorBytes / launches / facts.l2BytesPerClock / facts.clockHz;
  if (facts.memoryBytesPerClock > 0)
    time.memory = double(counters.readBytes + counters.writtenBytes) / launches / facts.memoryBytesPerClock /
                  facts.clockHz;
  time.launch = facts.launchSeconds;
  const std::pair<double, const char *> terms[] = {{time.matrix, "matrix"},
                                                   {time.issue, "issue"},
                                                   {time.shared, "shared"},
                                                   {time.l2, "l2"},
                                                   {time.memory, "memory"}};
  auto largest = std::max_element(std::begin(terms), std::end(terms),
                                  [](const auto &x, const auto &y) { return x.first < y.first; });
  time.bound = largest->first < time.launch ? "launch" : largest->second;
  time.seconds = largest->first + time.launch;
  return time;
}

std::optional<Occupancy> occupancy(const KernelResources &resources, const TargetInfo &target) {
  const tile::Machine machine = tile::machineOf(target);
  if (!machine.card || resources.threads == 0)
    return std::nullopt;
  const GpuLimits &gpu = target.gpu;
  Occupancy found;
  uint64_t blocks = ~uint64_t(0);
  auto limit = [&](uint64_t most, const char *what) {
    if (most < blocks) {
      blocks = most;
      found.limit = what;
    }
  };
  const uint64_t threads = alignTo(resources.threads, gpu.subgroupSize);
  limit(gpu.maxThreadsPerUnit / threads, "threads");
  if (gpu.maxBlocksPerUnit)
    limit(gpu.maxBlocksPerUnit, "blocks");
  if (resources.registers)
    limit(uint64_t(machine.registersPerUnit()) /
              (alignTo(resources.registers, gpu.registerGranule) * threads),
          "registers");
  if (resources.sharedBytes)
    limit(uint64_t(machine.sharedPerUnit()) / alignTo(resources.sharedBytes, gpu.sharedGranuleBytes),
          "shared memory");
  found.blocks = uint32_t(std::min<uint64_t>(blocks, 1024));
  found.warps = gpu.maxThreadsPerUnit ? double(found.blocks) * double(threads) / gpu.maxThreadsPerUnit : 0;
  return found;
}

} // namespace quern::tools
