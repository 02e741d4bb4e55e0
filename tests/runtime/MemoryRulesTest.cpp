//===- MemoryRulesTest.cpp - Two counts of banks and sectors against each other ===//
//
// The compiler's algebra (dialects/tile/MemoryAccess.h) says what an access of a layout costs in clocks of
// banks and in segments of global memory; the emulated devices count the same from the addresses that code
// uses. The rules are written twice, so both are compared: the tables, and the numbers for random layouts.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/Atoms.h"
#include "runtime/emulated/Counters.h"
#include "runtime/emulated/amd/InstructionCounts.h"
#include "runtime/emulated/nvidia/CountPlan.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

using namespace quern;
using namespace quern::tile;
using quern::runtime::KernelCounters;
namespace emulated = quern::runtime::emulated;

namespace {

using Bases = std::array<std::vector<Coordinate>, numHardware>;

const emulated::MemoryRules *rulesOf(const TargetInfo &target) {
  if (target.vendor == "nvidia")
    return &emulated::nvidia::memoryRules();
  auto facts = emulated::amd::findTarget(std::string(target.architecture));
  if (target.vendor != "amd" || !facts)
    return nullptr;
  static std::vector<std::unique_ptr<emulated::amd::TargetFacts>> kept;
  kept.push_back(std::make_unique<emulated::amd::TargetFacts>(*facts));
  return &emulated::amd::memoryRules(*kept.back());
}

template <typename Visit> void forTargets(Visit visit) {
  unsigned compared = 0;
  for (const TargetInfo &target : knownTargets())
    if (const emulated::MemoryRules *rules = target.isCpu() ? nullptr : rulesOf(target)) {
      SCOPED_TRACE(std::string(target.architecture));
      visit(target, *rules);
      ++compared;
    }
  EXPECT_GE(compared, 10u);
}

TEST(MemoryRules, TablesAgree) {
  forTargets([](const TargetInfo &target, const emulated::MemoryRules &rules) {
    const AtomTable &table = atomTable(target);
    EXPECT_EQ(rules.lanes, target.gpu.subgroupSize);
    EXPECT_EQ(int32_t(rules.sectorBytes), table.segmentBytes);
    EXPECT_EQ(rules.banks.size(), table.banks.size());
    for (const BankRule &rule : table.banks) {
      const emulated::BankPhases &ours =
          rules.bankRule(rule.direction == Direction::Write, uint32_t(rule.bytes));
      EXPECT_EQ(int32_t(ours.bytes), rule.bytes);
      EXPECT_EQ(int32_t(ours.banks), rule.banks) << rule.bytes;
      EXPECT_EQ(std::vector<int32_t>(ours.together.begin(), ours.together.end()), rule.together)
          << rule.bytes;
    }
  });
}

TEST(MemoryRules, CountsAgreeWithTheAlgebra) {
  std::mt19937 random(20);
  forTargets([&](const TargetInfo &target, const emulated::MemoryRules &rules) {
    const unsigned lanes = target.gpu.subgroupSize;
    for (int trial = 0; trial < 60; ++trial) {
      // Lanes on random bits of a tile of 64 rows and 64 words, some of them on none: broadcast.
      std::vector<Coordinate> laneBits;
      for (unsigned bit = 1; bit < lanes; bit *= 2) {
        const int32_t one = int32_t(1) << random() % 6;
        laneBits.push_back(random() % 5 == 0 ? Coordinate{0, 0}
                           : random() % 2    ? Coordinate{one, 0}
                                             : Coordinate{0, one});
      }
      const Layout layout =
          Layout({64, 64}, Bases{std::vector<Coordinate>{}, laneBits, std::vector<Coordinate>{}}, {1, 1});
      const int32_t bytes = int32_t(4) << random() % 3, elementBits = bytes * 8;
      const std::vector<int64_t> strides = {int64_t(64 + random() % 3), 1};
      uint64_t addresses[64];
      for (unsigned lane = 0; lane < lanes; ++lane) {
        Coordinate at = layout.apply(0, int32_t(lane), 0);
        addresses[lane] = uint64_t(at[0] * strides[0] + at[1]) * uint64_t(bytes);
      }
      for (Direction direction : {Direction::Read, Direction::Write}) {
        const BankRule &rule = *findBankRule(atomTable(target).banks, direction, bytes);
        // Phase by phase, as `sharedAccess` does for a memory layout.
        std::vector<uint64_t> together(rule.together.begin(), rule.together.end());
        Span phase(together);
        std::map<uint64_t, std::vector<int64_t>> byPhase;
        for (unsigned lane = 0; lane < lanes; ++lane)
          byPhase[phase.reduce(lane)].push_back(int64_t(addresses[lane]));
        int64_t clocks = 0;
        for (const auto &[number, list] : byPhase)
          clocks += phaseClocks(list, bytes, rule.banks);
        emulated::Counters counters(rules);
        counters.shared(direction == Direction::Write, addresses, lanes == 64 ? ~uint64_t(0) : 0xffffffff,
                        uint32_t(bytes));
        const auto &count =
            direction == Direction::Write ? counters.total().sharedStores : counters.total().sharedLoads;
        EXPECT_EQ(int64_t(count.wavefronts), clocks) << bytes << " bytes";
      }
      emulated::Counters counters(rules);
      counters.global(false, addresses, lanes == 64 ? ~uint64_t(0) : 0xffffffff, uint32_t(bytes));
      const GlobalAccess access =
          globalAccess(layout, strides, unsigned(elementBits), 1, atomTable(target).segmentBytes);
      EXPECT_EQ(int64_t(counters.total().globalLoads.sectors) * rules.sectorBytes, access.moved);
      EXPECT_EQ(counters.total().globalLoads.ideal,
                (uint64_t(access.bytes) + rules.sectorBytes - 1) / rules.sectorBytes);
    }
  });
}

TEST(MemoryRules, CountsOfMemoryLayoutsAgree) {
  // A tile of 16-bit elements in memory, read 8 at a time by each lane: the form of the compiled kernels.
  forTargets([&](const TargetInfo &target, const emulated::MemoryRules &rules) {
    const unsigned lanes = target.gpu.subgroupSize;
    std::vector<Coordinate> laneBits;
    for (int32_t row = 1; row < int32_t(lanes); row *= 2)
      laneBits.push_back({row, 0});
    const std::vector<Coordinate> registers = {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {0, 16}, {0, 32}};
    const Layout layout({int32_t(lanes), 64}, Bases{registers, laneBits, std::vector<Coordinate>{}}, {1, 1});
    const MemoryLayout memory = MemoryLayout::dense({int32_t(lanes), 64});
    for (Direction direction : {Direction::Read, Direction::Write}) {
      const BankRule &rule = *findBankRule(atomTable(target).banks, direction, 16);
      const SharedAccess access = sharedAccess(layout, memory, 16, 8, rule);
      emulated::Counters counters(rules);
      for (int32_t r = 0; r < 64; r += 8) {
        uint64_t addresses[64];
        for (unsigned lane = 0; lane < lanes; ++lane)
          addresses[lane] = uint64_t(memory.offset(layout.apply(r, int32_t(lane), 0))) * 2;
        counters.shared(direction == Direction::Write, addresses, lanes == 64 ? ~uint64_t(0) : 0xffffffff,
                        16);
      }
      const auto &count =
          direction == Direction::Write ? counters.total().sharedStores : counters.total().sharedLoads;
      EXPECT_EQ(int64_t(count.requests), access.instructions);
      EXPECT_EQ(int64_t(count.wavefronts), access.clocks);
      EXPECT_EQ(int64_t(count.ideal), access.floor);
      EXPECT_GT(access.conflicts(), 0) << "rows of 128 bytes meet in the same banks";
    }
  });
}

} // namespace
