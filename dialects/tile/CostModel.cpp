//===- CostModel.cpp ------------------------------------------------------===//
#include "dialects/tile/CostModel.h"

#include <algorithm>
#include <cmath>

namespace quern::tile {

namespace {

double bytesOf(ElementType type) { return elementBits(type) / 8.0; }
double ceilDiv(double a, double b) { return std::ceil(a / b); }

} // namespace

CostFacts costFacts(const Machine &machine) {
  const TargetInfo &target = *machine.target;
  CostFacts facts;
  facts.units = double(machine.units);
  if (!machine.card) {
    facts.clockHz = 3e9; // of any CPU; the choice does not depend on it
    facts.schedulers = 4;
    facts.exposedPerStep = 0;
    facts.launchSeconds = 1e-6;
    return facts;
  }
  const CardInfo &card = *machine.card;
  // Under load a card keeps about 7/8 of its boost clock: 1.6 of 1.83 GHz on the best measured family. Where
  // the clock is not known, the peak of a card of the same target tells it.
  double boost = card.clockMhz ? card.clockMhz * 1e6 : 0;
  if (!boost)
    if (const CardInfo *other = representativeCard(target); other && other->clockMhz && other->bf16Tflops)
      boost = other->clockMhz * 1e6 *
              (card.bf16Tflops ? card.bf16Tflops / other->bf16Tflops * other->units / card.units : 1);
  facts.clockHz = 0.875 * boost;
  facts.sharedBytesPerClock = target.gpu.sharedBytesPerClock;
  facts.l2BytesPerClock = facts.units * atomTable(target).cacheBytesPerClock;
  double bandwidth = card.measuredBandwidthTb ? card.measuredBandwidthTb : 0.85 * card.bandwidthTb;
  facts.memoryBytesPerClock = bandwidth * 1e12 / facts.clockHz;
  facts.l2Bytes = (card.memoryCacheMb ? card.memoryCacheMb : card.l2Mb) * 1024 * 1024;
  return facts;
}

double uniqueBytes(const GemmProblem &p) {
  double bytes = double(p.m) * p.k * bytesOf(p.a) + double(p.groups) * p.n * p.k * bytesOf(p.b) +
                 double(p.m) * p.n * bytesOf(p.out);
  if (p.scaleK)
    bytes += ceilDiv(double(p.k), p.scaleK) * 4 *
             (double(p.m) + double(p.groups) * ceilDiv(double(p.n), p.scaleN));
  return bytes;
}

int32_t rasterGroup(int32_t bm, int32_t bn, int64_t tilesM, int64_t units) {
  int32_t best = 1;
  double fewest = 0;
  for (int32_t group : {8, 16}) {
    double rows = double(std::min<int64_t>(group, tilesM)) * bm;
    double touched = rows + ceilDiv(double(units), double(std::min<int64_t>(group, tilesM))) * bn;
    if (best == 1 || touched < fewest) {
      best = group;
      fewest = touched;
    }
  }
  return best;
}

std::string_view CostEstimate::bound() const {
  std::pair<double, std::string_view> terms[] = {{math, "math"}, {shared, "shared"}, {issue, "issue"},
                                                 {l2, "l2"},     {memory, "memory"}, {latency, "latency"}};
  return std::max_element(std::begin(terms), std::end(terms),
                          [](auto &x, auto &y) { return x.first < y.first; })
      ->second;
}

double CostEstimate::tflops(const GemmProblem &p) const {
  return 2.0 * double(p.m) * double(p.n) * double(p.k) / seconds / 1e12;
}

double CostEstimate::bytesPerSecond(const GemmProblem &p) const { return uniqueBytes(p) / seconds; }

namespace {

/// The estimate of one Schedule. Sizes of one block tile; a pair of blocks counts as one of half the rows
/// each.
class Estimator {
public:
  Estimator(const Schedule &s, const GemmProblem &p, const Resources &r, const CostFacts &f)
      : s(s), p(p), r(r), f(f), bm(s.tile[0]), bn(s.tile[1]), bk(s.tile[2]) {
    const MmaAtom &atom = *r.atom;
    pair = atom.issuer == Issuer::BlockPair ? 2 : 1;
    groupM = s.pair == Pair::Cols ? 1 : s.groups;
    groupN = s.pair == Pair::Cols ? s.groups : 1;
    paddedM = double(r.math.repeatM) * atom.m * r.math.issuersM * groupM / pair;
  }

  CostEstimate run();

private:
  void stepOf(double active);
  double fragmentBytes() const;
  /// Clocks of one tile beyond its steps.
  double epilogueOf(double active) const;

  const Schedule &s;
  const GemmProblem &p;
  const Resources &r;
  const CostFacts &f;
  double bm, bn, bk, paddedM = 0;
  int32_t pair = 1, groupM = 1, groupN = 1;
  CostEstimate e;
};

/// Bytes that one step reads from shared memory for its matrix instructions.
double Estimator::fragmentBytes() const {
  const MmaAtom &atom = *r.atom;
  double size = bytesOf(p.math), a = paddedM * bk * size, b = bn * bk * size;
  switch (atom.issuer) {
  case Issuer::WarpGroup:
    // Every instruction of 64 rows reads its columns of B again.
    return (r.copyA == CopyMode::Register ? 0 : a * r.math.repeatN) + b * paddedM / atom.m;
  case Issuer::Lane:
    return a * r.math.repeatN + b * r.math.repeatM;
  case Issuer::BlockPair:
    return a * r.math.repeatN + b / pair * r.math.repeatM;
  case Issuer::Warp:
    // Warps that share rows read them each.
    return (r.copyA == CopyMode::Register ? 0 : a * r.math.issuersN * groupN) +
           (r.copyB == CopyMode::Register ? 0 : b * r.math.issuersM * groupM);
  }
  return 0;
}

void Estimator::stepOf(double active) {
  const MmaAtom &atom = *r.atom;
  double together = r.blocksPerUnit; // blocks that share a unit
  e.math = paddedM * bn * bk / atom.multiplyAddsPerClock * together;
  double instructions = double(r.math.instructions()) * r.math.issuersM * r.math.issuersN * s.groups;
  if (f.sharedBytesPerClock > 0) {
    double fragments = fragmentBytes();
    e.shared = (double(r.stageBytes) + fragments) / f.sharedBytesPerClock * together;
    // A matrix load brings 512 bytes; an operand that the unit reads itself costs no instruction.
    if (atom.issuer == Issuer::Warp)
      instructions += fragments / 512;
    if (r.copyA != CopyMode::Tensor)
      instructions += double(r.stageBytes) / 512;
  } else {
    // A vector of B for each column of the tile and a broadcast for each row, two loads a clock.
    instructions += r.math.repeatN + r.math.repeatM;
    e.shared = (r.math.repeatN + r.math.repeatM) * bk / atom.k / 2.0;
  }
  e.issue = instructions / f.schedulers * together;

  double a = bm / pair * bk * bytesOf(p.a), b = bn / pair * bk * bytesOf(p.b);
  double requested = (a / s.clusterN + b / std::max(1, s.clusterM / pair)) * active * together;
  e.l2 = f.l2BytesPerClock > 0 ? requested / f.l2BytesPerClock : 0;
  // What one wave of tiles touches: a patch of `group` rows of tiles. Operands that the cache holds as a
  // whole come from memory once.
  double tiles = active * together / s.split,
         group = std::min<double>(std::max(1, s.rasterGroup), double(r.tilesM));
  group = std::min(group, tiles);
  double rows = std::min(group * bm, double(p.m)),
         columns = std::min(ceilDiv(tiles, group) * bn, double(p.n));
  double unique = (rows * bytesOf(p.a) + columns * bytesOf(p.b)) * bk * s.split;
  double operands = double(p.m) * p.k * bytesOf(p.a) + double(p.groups) * p.n * p.k * bytesOf(p.b);
  if (f.l2Bytes > 0 && operands < f.l2Bytes / 2)
    unique = std::min(unique, operands / e.waves / double(r.stepsK));
  e.memory = f.memoryBytesPerClock > 0 ? unique / f.memoryBytesPerClock : 0;

  // What runs on the ordinary pipes.
  double ordinary = 0;
  if (p.softwareScales())
    ordinary += paddedM * bn * bk / p.scaleK / f.ordinaryLanes;
  if (p.b != p.math)
    ordinary += bn * bk * r.math.issuersM / f.conversionsPerClock;
  if (p.a != p.math)
    ordinary += bm * bk / f.conversionsPerClock;
  ordinary *= together;
  double overlap = s.fragPrefetch || f.sharedBytesPerClock == 0 ? f.overlap : f.overlapWithoutPrefetch;
  bool roles = s.strategy == Strategy::Roles || s.strategy == Strategy::Phases;
  double partners = s.strategy == Strategy::Phases ? 2 : s.groups * together;
  if (roles)
    e.exposed = std::max(0.0, ordinary - e.math * (partners - 1) / partners);
  else
    e.exposed = (1 - overlap) * std::min(e.math, ordinary + e.shared) + std::max(0.0, ordinary - e.math);
  e.exposed += f.exposedPerStep;

  double largest = std::max({e.math, e.shared, e.issue, e.l2, e.memory});
  double hit = requested > 0 ? std::clamp(1 - unique / requested, 0.0, 1.0) : 1;
  e.fill = hit * f.l2Latency + (1 - hit) * f.memoryLatency;
  if (f.sharedBytesPerClock > 0) {
    double trip = e.fill + std::max(e.l2, e.memory);
    e.latency = (trip + largest) / std::max(1, r.stages * int32_t(together));
  } else {
    // Every step adds to the same accumulators: a step takes no less than one addition.
    e.fill = 0;
    e.latency = f.chainLatency * bk / atom.k;
  }
  e.step = std::max(largest, e.latency) + e.exposed;
}

double Estimator::epilogueOf(double active) const {
  double bytes = bm / pair * bn * bytesOf(p.out), clocks = 0;
  if (f.sharedBytesPerClock > 0)
    clocks = std::max(2 * bytes / f.sharedBytesPerClock, bytes * active / f.l2BytesPerClock);
  return clocks * r.blocksPerUnit;
}

CostEstimate Estimator::run() {
  double blocks = double(r.tiles()) * s.split * pair, slots = f.units * r.blocksPerUnit;
  double full = std::floor(blocks / slots), rest = blocks - full * slots;
  e.waves = full + (rest > 0 ? 1 : 0);
  double steps = double(r.stepsK), clocks = 0;
  auto wave = [&](double active) {
    stepOf(active);
    e.epilogue = epilogueOf(active);
    double hidden = s.accumStages > 1 ? steps * e.step : 0;
    return steps * e.step + std::max(0.0, e.epilogue - hidden);
  };
  if (rest > 0) {
    double active = std::min(f.units, rest);
    clocks += wave(active) + e.fill;
  }
  if (full > 0)
    clocks += full * wave(f.units) + e.fill * (s.persist == Persistence::Off ? full : 1);
  if (s.split > 1 && f.l2BytesPerClock > 0) {
    double partial = bm * bn * 4;
    if (s.reduction == Reduction::Cluster)
      e.reduction = partial * std::log2(double(s.split)) / f.sharedBytesPerClock;
    else
      e.reduction =
          partial * (s.split + 1) * std::min(blocks, f.units) / s.split / f.l2BytesPerClock + 2 * f.l2Latency;
  }
  clocks += e.reduction;
  double launches = s.reduction == Reduction::Separate ? 2 : 1;
  double rate = f.units * r.atom->multiplyAddsPerClock * f.clockHz;
  e.floorSeconds = double(p.m) * p.n * p.k / rate;
  if (f.memoryBytesPerClock > 0)
    e.floorSeconds = std::max(e.floorSeconds, uniqueBytes(p) / (f.memoryBytesPerClock * f.clockHz));
  e.seconds = launches * f.launchSeconds + std::max(clocks / f.clockHz, e.floorSeconds);
  return e;
}

} // namespace

CostEstimate estimate(const Schedule &schedule, const GemmProblem &problem, const Resources &resources,
                      const CostFacts &facts) {
  return Estimator(schedule, problem, resources, facts).run();
}

Expected<Schedule> defaultGemmSchedule(const std::string &kernel, const GemmProblem &problem,
                                       const Machine &machine,
                                       const std::function<bool(const Schedule &)> &supported) {
  ScheduleSpace space = enumerateSchedules(kernel, problem, machine);
  CostFacts facts = costFacts(machine);
  struct Scored {
    double seconds;
    const ScheduleSpace::Candidate *candidate;
  };
  std::vector<Scored> scored;
  double best = 0;
  for (const ScheduleSpace::Candidate &candidate : space.legal) {
    if (supported && !supported(candidate.schedule))
      continue;
    double seconds = estimate(candidate.schedule, problem, candidate.resources, facts).seconds;
    if (scored.empty() || seconds < best)
      best = seconds;
    scored.push_back({seconds, &candidate});
  }
  if (scored.empty()) {
    std::string cause = std::to_string(space.considered) + " schedules, " +
                        std::to_string(space.legal.size()) + " legal but not supported";
    for (auto [resource, count] : space.refused)
      cause += ", " + std::to_string(count) + " refused for " + std::string(resourceName(resource));
    return Status::error(Exit::Unsupported, "E-SCHEDULE-NONE",
                         "no schedule of `" + kernel + "` can run on " + std::string(machine.target->vendor) +
                             ":" + std::string(machine.target->architecture))
        .cause(std::move(cause));
  }
  const ScheduleSpace::Candidate *chosen = nullptr;
  auto rank = [](const ScheduleSpace::Candidate &c) {
    const Schedule &s = c.schedule;
    return std::tuple(c.resources.registers, c.resources.sharedBytes,
                      int64_t(s.tile[0]) * s.tile[1] * s.tile[2], s.str());
  };
  for (const Scored &s : scored)
    if (s.seconds <= 1.02 * best && (!chosen || rank(*s.candidate) < rank(*chosen)))
      chosen = s.candidate;
  return chosen->schedule;
}

} // namespace quern::tile
