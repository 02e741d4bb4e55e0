//===- ConversionTest.cpp -------------------------------------------------===//
//
// Every plan is executed: registers filled with the coordinate that they hold, moved as the plan says,
// compared with the layout that was asked for.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Conversion.h"

#include "dialects/tile/MmaTile.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

using namespace quern;
using namespace quern::tile;

namespace {

using Registers = std::map<Position, Coordinate, bool (*)(const Position &, const Position &)>;

Registers filled(const Layout &layout, bool fill = true) {
  Registers result([](const Position &x, const Position &y) {
    return std::tie(x.reg, x.lane, x.warp) < std::tie(y.reg, y.lane, y.warp);
  });
  if (fill)
    for (int32_t w = 0; w < layout.numWarps(); ++w)
      for (int32_t l = 0; l < layout.numLanes(); ++l)
        for (int32_t r = 0; r < layout.numRegisters(); ++r)
          result[{r, l, w}] = layout.apply(r, l, w);
  return result;
}

/// Performs |plan|; each register of |to| is written exactly once.
void execute(const ConversionPlan &plan, const Layout &from, const Layout &to, const std::string &what) {
  Registers before = filled(from), after = filled(to, false), expected = filled(to);
  auto write = [&](Position at, const Coordinate &value) {
    EXPECT_TRUE(after.insert({at, value}).second) << what << ": written twice";
  };
  int32_t fromCore = 1 << from.bases(Hardware::Register).size();
  int32_t toCore = 1 << to.bases(Hardware::Register).size();
  unsigned laneBits = unsigned(to.bases(Hardware::Lane).size());
  for (int32_t w = 0; w < to.numWarps() && plan.kind != ConversionKind::Shared; ++w)
    for (int32_t l = 0; l < to.numLanes(); ++l) {
      if (plan.kind == ConversionKind::Registers) {
        ASSERT_EQ(int32_t(plan.sourceRegisters.size()), to.numRegisters()) << what;
        for (int32_t r = 0; r < to.numRegisters(); ++r)
          write({r, l, w}, before.at({plan.sourceRegisters[r], l, w}));
        continue;
      }
      for (int32_t repeat = 0; repeat < to.numRegisters() / toCore; ++repeat)
        for (const LaneRound &round : plan.lanes.rounds) {
          uint64_t reader = uint64_t(l) | uint64_t(w) << laneBits;
          int32_t sender = int32_t(plan.lanes.source(reader)) ^ round.source;
          uint64_t senderThread = uint64_t(sender) | uint64_t(w) << laneBits;
          int32_t sent = int32_t(plan.lanes.send(senderThread)) ^ round.send;
          int32_t received = int32_t(plan.lanes.receive(reader)) ^ round.receive;
          if (plan.lanes.isLocal(round)) {
            EXPECT_EQ(sender, l) << what;
          }
          for (int32_t e = 0; e < plan.lanes.unit; ++e)
            write({repeat * toCore + received + e, l, w},
                  before.at({repeat * fromCore + sent + e, sender, w}));
        }
    }
  if (plan.kind == ConversionKind::Shared) {
    const SharedExchange &shared = plan.shared;
    std::map<int64_t, Coordinate> memory;
    // An access of several elements lies in memory as a run, aligned to its size.
    auto checkRun = [&](const SharedSide &side, int32_t r, int32_t l, int32_t w) {
      int64_t first = shared.memory.offset(side.layout.apply(r / side.vector * side.vector, l, w));
      EXPECT_EQ(first % side.vector, 0) << what;
      EXPECT_EQ(shared.memory.offset(side.layout.apply(r, l, w)), first + r % side.vector) << what;
    };
    for (int32_t w = 0; w < from.numWarps(); ++w)
      for (int32_t l = 0; l < from.numLanes(); ++l)
        for (int32_t r = 0; r < from.numRegisters(); ++r) {
          checkRun(shared.store, r, l, w);
          Coordinate at = shared.store.layout.apply(r, l, w);
          Coordinate value = before.at({shared.store.registers[r], l, w});
          auto [place, fresh] = memory.insert({shared.memory.offset(at), value});
          EXPECT_EQ(place->second, value) << what << ": replicas that differ";
        }
    EXPECT_EQ(int64_t(memory.size()), shared.memory.elements()) << what;
    for (int32_t w = 0; w < to.numWarps(); ++w)
      for (int32_t l = 0; l < to.numLanes(); ++l)
        for (int32_t r = 0; r < to.numRegisters(); ++r) {
          checkRun(shared.load, r, l, w);
          write({shared.load.registers[r], l, w},
                memory.at(shared.memory.offset(shared.load.layout.apply(r, l, w))));
        }
  }
  EXPECT_EQ(after.size(), expected.size()) << what;
  for (const auto &[at, value] : expected)
    ASSERT_EQ(after.at(at), value) << what << ": register " << at.reg << " lane " << at.lane << " warp "
                                   << at.warp;
}

const std::vector<BankRule> &banks(std::string_view vendor, std::string_view architecture) {
  return atomTable(*findTarget(vendor, architecture)).banks;
}

/// A random surjective layout of a box of |bits| coordinate bits, with replicas where bits are left.
Layout randomLayout(std::mt19937 &generator, int32_t rows, int32_t columns, unsigned registers,
                    unsigned lanes, unsigned warps, bool swizzled, std::vector<int32_t> repeats) {
  CoordinateBits coordinates({rows, columns});
  std::vector<uint64_t> vectors;
  for (unsigned bit = 0; bit < coordinates.bits(); ++bit)
    vectors.push_back(uint64_t(1) << bit);
  while (vectors.size() < registers + lanes + warps)
    vectors.push_back(0);
  std::shuffle(vectors.begin(), vectors.end(), generator);
  if (swizzled) // adding one basis to another keeps the span
    for (int i = 0; i < 6; ++i) {
      size_t x = generator() % vectors.size(), y = generator() % vectors.size();
      if (x != y)
        vectors[x] ^= vectors[y];
    }
  std::array<std::vector<Coordinate>, numHardware> bases;
  for (size_t i = 0; i < vectors.size(); ++i)
    bases[i < registers ? 0 : i < registers + lanes ? 1 : 2].push_back(coordinates.unpack(vectors[i]));
  return Layout({rows * repeats[0], columns * repeats[1]}, bases, repeats);
}

TEST(ConversionTest, RandomLayouts) {
  std::mt19937 generator(17);
  int kinds[3] = {0, 0, 0};
  for (int i = 0; i < 1500; ++i) {
    unsigned lanes = 1 + generator() % 4, warps = generator() % 3, bits = 3 + generator() % 4;
    int32_t rows = 1 << generator() % (bits + 1), columns = (1 << bits) / rows;
    std::vector<int32_t> repeats = {generator() % 4 ? 1 : 3, generator() % 4 ? 1 : 3};
    auto make = [&] {
      // At least as many positions as elements, and sometimes replicas.
      unsigned registers = bits > lanes + warps ? bits - lanes - warps : 0;
      return randomLayout(generator, rows, columns, registers + generator() % 3, lanes, warps,
                          generator() % 2, repeats);
    };
    Layout from = make(), to = make();
    if (generator() % 3 == 0) // often the same warps, so that shuffles suffice
      for (int tries = 0; tries < 20 && from.bases(Hardware::Warp) != to.bases(Hardware::Warp); ++tries)
        to = make();
    ConversionPlan plan = planConversion(from, to, 8u << generator() % 3, banks("nvidia", "sm_90a"));
    execute(plan, from, to, from.str() + " -> " + to.str());
    ++kinds[int(plan.kind)];
  }
  EXPECT_GT(kinds[0], 3);
  EXPECT_GT(kinds[1], 100);
  EXPECT_GT(kinds[2], 100);
}

/// All pairs of layouts of four elements over two lanes and up to two registers, replicas included.
TEST(ConversionTest, SmallLayoutsExhaustively) {
  std::vector<Layout> layouts;
  for (unsigned registers : {1u, 2u})
    for (unsigned code = 0; code < 1u << 2 * (registers + 2); ++code) {
      std::array<std::vector<Coordinate>, numHardware> bases;
      for (unsigned bit = 0; bit < registers + 2; ++bit) {
        int32_t value = int32_t(code >> 2 * bit & 3);
        bases[bit < registers ? 0 : bit < registers + 1 ? 1 : 2].push_back({value >> 1, value & 1});
      }
      Layout layout({2, 2}, bases, {1, 1});
      if (layout.isSurjective())
        layouts.push_back(layout);
    }
  ASSERT_GT(layouts.size(), 200u);
  std::mt19937 generator(1);
  for (const Layout &from : layouts)
    for (int i = 0; i < 60; ++i) {
      const Layout &to = layouts[generator() % layouts.size()];
      ConversionPlan plan = planConversion(from, to, 32, banks("amd", "gfx942"));
      execute(plan, from, to, from.str() + " -> " + to.str());
      // Shared memory only where no thread of the warp holds what is needed, or where the warp drops
      // elements.
      bool possible = true;
      std::set<Coordinate> before, after;
      for (int32_t l = 0; l < 2; ++l) {
        for (int32_t s = 0; s < from.numRegisters(); ++s)
          before.insert(from.apply(s, l, 0));
        for (int32_t r = 0; r < to.numRegisters(); ++r)
          after.insert(to.apply(r, l, 0));
      }
      for (int32_t w = 0; w < 2; ++w)
        for (int32_t l = 0; l < 2; ++l)
          for (int32_t r = 0; r < to.numRegisters(); ++r) {
            bool held = false;
            for (int32_t other = 0; other < 2; ++other)
              for (int32_t s = 0; s < from.numRegisters(); ++s)
                held |= from.apply(s, other, w) == to.apply(r, l, w);
            possible &= held;
          }
      if (!possible || after.size() == before.size()) {
        EXPECT_EQ(plan.kind != ConversionKind::Shared, possible) << from.str() << " -> " << to.str();
      }
    }
}

TEST(ConversionTest, KindsAndCosts) {
  // Registers 0 and 1 exchanged: nothing moves.
  Layout a({4, 8}, {{{{0, 1}, {0, 2}}, {{0, 4}, {1, 0}, {2, 0}}, {}}}, {1, 1});
  Layout b({4, 8}, {{{{0, 2}, {0, 1}}, {{0, 4}, {1, 0}, {2, 0}}, {}}}, {1, 1});
  ConversionPlan plan = planConversion(a, b, 32, {});
  EXPECT_EQ(plan.kind, ConversionKind::Registers);
  EXPECT_EQ(plan.sourceRegisters, (std::vector<int32_t>{0, 2, 1, 3}));
  // A register bit against a lane bit: half of the registers are shuffled, by XOR.
  Layout c({4, 8}, {{{{0, 1}, {1, 0}}, {{0, 4}, {0, 2}, {2, 0}}, {}}}, {1, 1});
  plan = planConversion(a, c, 32, {});
  EXPECT_EQ(plan.kind, ConversionKind::Lanes);
  EXPECT_EQ(plan.lanes.rounds.size(), 4u);
  EXPECT_EQ(plan.lanes.shuffles(), 2);
  EXPECT_TRUE(plan.lanes.sourceIsIdentity);
  EXPECT_EQ(plan.lanes.unit, 1);
  execute(plan, a, c, "exchange");
  // 16-bit pairs stay together.
  plan = planConversion(a, c, 16, {});
  EXPECT_EQ(plan.lanes.unit, 2);
  EXPECT_EQ(plan.lanes.shuffles(), 1);
  execute(plan, a, c, "exchange of pairs");
  // Lanes renumbered: every register moves, none by XOR.
  Layout d({4, 8}, {{{{0, 1}, {0, 2}}, {{1, 0}, {0, 4}, {2, 0}}, {}}}, {1, 1});
  plan = planConversion(a, d, 32, {});
  EXPECT_EQ(plan.kind, ConversionKind::Lanes);
  EXPECT_FALSE(plan.lanes.sourceIsIdentity);
  EXPECT_EQ(plan.lanes.shuffles(), 4);
  execute(plan, a, d, "lanes renumbered");
  // A lane that holds a replica serves itself.
  Layout replicated({4, 4}, {{{{0, 1}, {0, 2}}, {{0, 0}, {1, 0}, {2, 0}}, {}}}, {1, 1});
  Layout spread({4, 4}, {{{{0, 1}}, {{0, 2}, {1, 0}, {2, 0}}, {}}}, {1, 1});
  plan = planConversion(replicated, spread, 32, {});
  EXPECT_EQ(plan.lanes.shuffles(), 0);
  execute(plan, replicated, spread, "replica");
}

/// What kernels need: accumulators into operands, and into rows for a store.
TEST(ConversionTest, FragmentsOfTheTargets) {
  for (auto [vendor, architecture, name] : {std::tuple{"nvidia", "sm_80", "mma.m16n8k16.bf16"},
                                            {"nvidia", "sm_89", "mma.m16n8k32.e4m3"},
                                            {"amd", "gfx942", "mfma.m32n32k8.bf16"},
                                            {"amd", "gfx942", "mfma.m16n16k32.e4m3fnuz"},
                                            {"amd", "gfx950", "mfma.m16n16k32.bf16"},
                                            {"amd", "gfx1100", "wmma.m16n16k16.bf16"},
                                            {"amd", "gfx1201", "wmma.m16n16k16.bf16"}}) {
    const TargetInfo &info = *findTarget(vendor, architecture);
    const MmaAtom &atom = *findMmaAtom(info, name);
    std::optional<MmaTile> tile = tileByAtom(atom, 2 * atom.m, 64, 64, 2, 1);
    ASSERT_TRUE(tile) << name;
    std::string what = std::string(architecture) + " " + name;
    // The accumulator [m, 64] becomes the operand A [m, 64] of the next product.
    ConversionPlan chained = planConversion(tile->c, tile->a, 16, atomTable(info).banks);
    EXPECT_NE(chained.kind, ConversionKind::Shared) << what;
    execute(chained, tile->c, tile->a, what);
    if (info.vendor == "nvidia" && elementBits(atom.a.type) == 16) {
      EXPECT_EQ(chained.kind, ConversionKind::Registers) << what;
    }
    // And goes to memory in rows: never with conflicts where both sides move the same vectors.
    Layout rows = Layout::blocked(tile->c.shape(), tile->c.numLanes(), 2, 8);
    SharedExchange shared = planSharedExchange(tile->c, rows, 16, atomTable(info).banks);
    ConversionPlan plan;
    plan.kind = ConversionKind::Shared;
    plan.shared = shared;
    execute(plan, tile->c, rows, what);
    EXPECT_EQ(shared.store.access.conflicts(), 0) << what << shared.memory.str();
    EXPECT_EQ(shared.load.access.conflicts(), 0) << what << shared.memory.str();
  }
}

/// Tiny machines with four banks, for which every memory layout can be tried: none has fewer clocks.
TEST(ConversionTest, NoLayoutHasFewerConflicts) {
  std::vector<BankRule> single, both;
  for (Direction direction : {Direction::Read, Direction::Write}) {
    single.push_back({direction, 4, 4, {1, 2}});
    both.push_back({direction, 4, 4, {1, 2}});
    both.push_back({direction, 8, 4, {1}});
  }
  std::vector<BankRule> odd = {{Direction::Read, 4, 4, {1, 6}}, {Direction::Write, 4, 4, {2, 4}}};
  // All bijections of 16 elements.
  std::vector<std::vector<Coordinate>> bijections;
  CoordinateBits coordinates({4, 4});
  for (unsigned code = 0; code < 1u << 16; ++code) {
    std::vector<uint64_t> columns;
    for (unsigned bit = 0; bit < 4; ++bit)
      columns.push_back(code >> 4 * bit & 15);
    if (Span(columns).rank() != 4)
      continue;
    std::vector<Coordinate> bases;
    for (uint64_t column : columns)
      bases.push_back(coordinates.unpack(column));
    bijections.push_back(bases);
  }
  ASSERT_EQ(bijections.size(), 20160u);
  std::mt19937 generator(23);
  for (int i = 0; i < 12; ++i) {
    const std::vector<BankRule> &rules = i % 3 == 0 ? single : i % 3 == 1 ? both : odd;
    Layout from = randomLayout(generator, 4, 4, 1, 3, 0, i > 5, {1, 1});
    Layout to = randomLayout(generator, 4, 4, 1, 3, 0, i > 5, {1, 1});
    SharedExchange chosen = planSharedExchange(from, to, 32, rules);
    int64_t clocks = chosen.store.access.clocks + chosen.load.access.clocks;
    int64_t best = INT64_MAX;
    for (const std::vector<Coordinate> &bases : bijections) {
      MemoryLayout memory({4, 4}, {4, 4}, bases, {16, 16});
      int64_t sum = 0;
      for (auto [layout, direction] : {std::pair{&from, Direction::Write}, {&to, Direction::Read}}) {
        int64_t fewest = INT64_MAX;
        for (const BankRule &rule : rules)
          if (rule.direction == direction && rule.bytes / 4 <= memory.vectorWidth(*layout))
            fewest = std::min(fewest, sharedAccess(*layout, memory, 32, rule.bytes / 4, rule).clocks);
        sum += fewest;
      }
      best = std::min(best, sum);
    }
    EXPECT_EQ(clocks, best) << from.str() << " -> " << to.str() << " by " << chosen.memory.str();
  }
}

} // namespace
