//===- Conversion.cpp - Permutations and shuffles -------------------------===//
#include "dialects/tile/Conversion.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace quern::tile {

bool LaneExchange::isLocal(const LaneRound &round) const { return round.source == 0 && sourceIsIdentity; }

int32_t LaneExchange::shuffles() const {
  return int32_t(
      std::count_if(rounds.begin(), rounds.end(), [&](const LaneRound &r) { return !isLocal(r); }));
}

namespace {

/// A position of a layout as one bit string: register, lane and warp bits.
struct PositionBits {
  unsigned registers, lanes, warps;

  explicit PositionBits(const Layout &layout)
      : registers(unsigned(layout.bases(Hardware::Register).size())),
        lanes(unsigned(layout.bases(Hardware::Lane).size())),
        warps(unsigned(layout.bases(Hardware::Warp).size())) {}

  uint64_t reg(uint64_t position) const { return position & ((uint64_t(1) << registers) - 1); }
  uint64_t lane(uint64_t position) const { return position >> registers & ((uint64_t(1) << lanes) - 1); }
  uint64_t warp(uint64_t position) const { return position >> (registers + lanes); }
};

/// The solver of `planLaneExchange`. For every bit of a position of |to| it finds the position of |from| that
/// holds the same element, freely chosen among replicas.
class LaneSolver {
public:
  LaneSolver(const Layout &from, const Layout &to) : source(from), target(to) {
    LinearMap fromMap = from.map();
    std::optional<LinearMap> inverse = fromMap.rightInverse(CoordinateBits(from.core()).bits());
    assert(inverse && "the layout must be surjective");
    sources = inverse->after(to.map()).columns();
    replicas = fromMap.kernel();
  }

  std::optional<LaneExchange> solve(unsigned elementBits);

private:
  /// Adds replicas to |position| until its warp is |warp|; false where none do.
  bool moveToWarp(uint64_t &position, uint64_t warp) const;
  bool chooseLanes();

  PositionBits source, target;
  std::vector<uint64_t> sources;  ///< by bit of a position of |to|
  std::vector<uint64_t> replicas; ///< of |from|: what changes nothing
  /// What may be added to the source of a lane or warp bit: a replica of the same warp, or a register bit of
  /// |to|, which then changes with the lane.
  struct Choice {
    uint64_t position, receive;
  };
  std::vector<Choice> choices;
  std::vector<Choice> threads; ///< by lane bit, then warp bit: source position, and register that is filled
};

bool LaneSolver::moveToWarp(uint64_t &position, uint64_t warp) const {
  Span warps;
  for (uint64_t replica : replicas)
    warps.insert(source.warp(replica));
  std::optional<uint64_t> sum = warps.solve(source.warp(position) ^ warp);
  if (!sum)
    return false;
  for (uint64_t rest = *sum; rest; rest &= rest - 1)
    position ^= replicas[size_t(std::countr_zero(rest))];
  return true;
}

/// Makes the lanes that are read a bijection of the lanes that read, the identity where that is possible.
bool LaneSolver::chooseLanes() {
  Span reach; // of the choices, in lanes
  for (const Choice &choice : choices)
    reach.insert(source.lane(choice.position));
  auto add = [&](Choice &to, uint64_t sum) {
    for (; sum; sum &= sum - 1) {
      const Choice &choice = choices[size_t(std::countr_zero(sum))];
      to.position ^= choice.position;
      to.receive ^= choice.receive;
    }
  };
  std::vector<Choice> before = threads;
  bool identity = true;
  for (unsigned bit = 0; bit < target.lanes + target.warps; ++bit) {
    uint64_t wanted = bit < target.lanes ? uint64_t(1) << bit : 0;
    std::optional<uint64_t> sum = reach.solve(source.lane(threads[bit].position) ^ wanted);
    if (sum)
      add(threads[bit], *sum);
    else if (bit < target.lanes)
      identity = false;
  }
  if (identity)
    return true;
  // Lane bits that are independent beyond what choices can change keep their source; the others take what is
  // missing. What is missing can be reached: all lanes together are.
  threads = before;
  Span independent = reach, taken;
  std::vector<unsigned> dependent;
  for (unsigned bit = 0; bit < target.lanes; ++bit) {
    uint64_t lane = source.lane(threads[bit].position);
    if (independent.insert(lane))
      taken.insert(lane);
    else
      dependent.push_back(bit);
  }
  for (unsigned bit : dependent) {
    if (taken.insert(source.lane(threads[bit].position)))
      continue;
    bool found = false;
    for (size_t c = 0; c < choices.size() && !found; ++c) {
      uint64_t lane = source.lane(threads[bit].position ^ choices[c].position);
      if (taken.contains(lane))
        continue;
      add(threads[bit], uint64_t(1) << c);
      found = taken.insert(lane);
    }
    if (!found)
      return false;
  }
  for (unsigned bit = target.lanes; bit < threads.size(); ++bit)
    if (std::optional<uint64_t> sum = reach.solve(source.lane(threads[bit].position)))
      add(threads[bit], *sum);
  return true;
}

std::optional<LaneExchange> LaneSolver::solve(unsigned elementBits) {
  // Every register of a warp must come from that warp.
  std::vector<uint64_t> ofRegister;
  for (unsigned bit = 0; bit < target.registers; ++bit) {
    uint64_t position = sources[bit];
    if (!moveToWarp(position, 0))
      return std::nullopt;
    ofRegister.push_back(position);
  }
  for (unsigned bit = 0; bit < target.lanes + target.warps; ++bit) {
    uint64_t position = sources[target.registers + bit];
    if (!moveToWarp(position, bit < target.lanes ? 0 : uint64_t(1) << (bit - target.lanes)))
      return std::nullopt;
    threads.push_back({position, 0});
  }
  // Replicas within the warp: combinations of all replicas whose warp is 0.
  std::vector<uint64_t> warpsOfReplicas;
  for (uint64_t replica : replicas)
    warpsOfReplicas.push_back(source.warp(replica));
  for (uint64_t sum : LinearMap(warpsOfReplicas).kernel()) {
    uint64_t position = 0;
    for (; sum; sum &= sum - 1)
      position ^= replicas[size_t(std::countr_zero(sum))];
    choices.push_back({position, 0});
  }
  for (unsigned bit = 0; bit < target.registers; ++bit)
    choices.push_back({ofRegister[bit], uint64_t(1) << bit});
  if (!chooseLanes())
    return std::nullopt;

  // The sender's view: lane s serves the reader l = lanes^-1(s ^ ofWarp(w) ^ ofRound).
  LaneExchange exchange;
  std::vector<uint64_t> laneColumns, laneRegisters, receive, from;
  for (unsigned bit = 0; bit < threads.size(); ++bit) {
    receive.push_back(threads[bit].receive);
    from.push_back(source.lane(threads[bit].position));
    if (bit < target.lanes) {
      laneColumns.push_back(from.back());
      laneRegisters.push_back(source.reg(threads[bit].position));
    }
  }
  std::optional<LinearMap> reader = LinearMap(laneColumns).rightInverse(source.lanes);
  assert(reader);
  LinearMap sent = LinearMap(laneRegisters).after(*reader);
  std::vector<uint64_t> send = sent.columns();
  for (unsigned bit = target.lanes; bit < threads.size(); ++bit)
    send.push_back(source.reg(threads[bit].position) ^ sent(from[bit]));
  exchange.sourceIsIdentity = true;
  for (unsigned bit = 0; bit < from.size(); ++bit)
    exchange.sourceIsIdentity &= from[bit] == (bit < target.lanes ? uint64_t(1) << bit : 0);

  // Low register bits that stay what they are, and that nothing else touches, move along.
  std::vector<LaneRound> ofBit;
  for (unsigned bit = 0; bit < target.registers; ++bit) {
    uint64_t lane = source.lane(ofRegister[bit]);
    ofBit.push_back({1 << bit, int32_t(lane), int32_t(source.reg(ofRegister[bit]) ^ sent(lane))});
  }
  unsigned together = 0;
  auto untouched = [&](unsigned bit) {
    uint64_t mask = uint64_t(1) << bit;
    for (uint64_t column : receive)
      if (column & mask)
        return false;
    for (uint64_t column : send)
      if (column & mask)
        return false;
    for (unsigned other = 0; other < ofBit.size(); ++other)
      if (other != bit && ofBit[other].send & int32_t(mask))
        return false;
    return ofBit[bit].source == 0 && ofBit[bit].send == int32_t(mask);
  };
  while (together < ofBit.size() && (elementBits << together) < 32 && untouched(together))
    ++together;
  exchange.unit = 1 << together;
  for (int32_t round = 0; round < 1 << target.registers; round += exchange.unit) {
    LaneRound sum;
    for (unsigned bit = 0; bit < target.registers; ++bit)
      if (round >> bit & 1) {
        sum.receive ^= ofBit[bit].receive;
        sum.source ^= ofBit[bit].source;
        sum.send ^= ofBit[bit].send;
      }
    exchange.rounds.push_back(sum);
  }
  exchange.receive = LinearMap(std::move(receive));
  exchange.source = LinearMap(std::move(from));
  exchange.send = LinearMap(std::move(send));
  return exchange;
}

bool isZero(const LinearMap &map) {
  return std::all_of(map.columns().begin(), map.columns().end(), [](uint64_t c) { return c == 0; });
}

} // namespace

std::optional<LaneExchange> planLaneExchange(const Layout &from, const Layout &to, unsigned elementBits) {
  assert(from.shape() == to.shape() && from.numLanes() == to.numLanes() && from.numWarps() == to.numWarps());
  if (from.repeats() != to.repeats())
    return std::nullopt;
  return LaneSolver(from, to).solve(elementBits);
}

ConversionPlan planConversion(const Layout &from, const Layout &to, unsigned elementBits,
                              const std::vector<BankRule> &banks) {
  ConversionPlan plan;
  std::optional<LaneExchange> lanes = planLaneExchange(from, to, elementBits);
  if (!lanes) {
    plan.kind = ConversionKind::Shared;
    plan.shared = planSharedExchange(from, to, elementBits, banks);
    return plan;
  }
  plan.lanes = *std::move(lanes);
  bool permutes = plan.lanes.shuffles() == 0 && isZero(plan.lanes.receive) && isZero(plan.lanes.send);
  plan.kind = permutes ? ConversionKind::Registers : ConversionKind::Lanes;
  if (!permutes)
    return plan;
  int32_t fromCore = 1 << from.bases(Hardware::Register).size();
  int32_t toCore = 1 << to.bases(Hardware::Register).size();
  plan.sourceRegisters.resize(size_t(to.numRegisters()));
  for (int32_t repeat = 0; repeat < to.numRegisters() / toCore; ++repeat)
    for (const LaneRound &round : plan.lanes.rounds)
      for (int32_t e = 0; e < plan.lanes.unit; ++e)
        plan.sourceRegisters[size_t(repeat * toCore + round.receive + e)] =
            repeat * fromCore + round.send + e;
  return plan;
}

} // namespace quern::tile
