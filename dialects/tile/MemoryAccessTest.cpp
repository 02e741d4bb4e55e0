//===- MemoryAccessTest.cpp -----------------------------------------------===//
#include "dialects/tile/Atoms.h"

#include "tests/dialects/tile/AtomFacts.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

using namespace quern;
using namespace quern::tile;

namespace {

const std::vector<BankRule> &banksOf(std::string_view vendor, std::string_view architecture) {
  return atomTable(*findTarget(vendor, architecture)).banks;
}

/// Lanes of each phase of a warp, spelled out.
std::set<std::set<int32_t>> phases(const BankRule &rule, int32_t lanes) {
  std::set<std::set<int32_t>> result;
  for (int32_t lane = 0; lane < lanes; ++lane) {
    std::set<int32_t> phase;
    for (int32_t mask = 0; mask < rule.lanes(); ++mask) {
      int32_t other = lane;
      for (size_t bit = 0; bit < rule.together.size(); ++bit)
        if (mask >> bit & 1)
          other ^= rule.together[bit];
      phase.insert(other);
    }
    result.insert(phase);
  }
  return result;
}

std::set<std::set<int32_t>> runsOf(int32_t size, int32_t lanes) {
  std::set<std::set<int32_t>> result;
  for (int32_t first = 0; first < lanes; first += size) {
    std::set<int32_t> run;
    for (int32_t lane = first; lane < first + size; ++lane)
      run.insert(lane);
    result.insert(run);
  }
  return result;
}

TEST(MemoryAccessTest, PhasesAreThoseOfTheFacts) {
  const Json &facts = *atomFacts().find("lds_phases");
  auto groups = [&](const Json &record, int32_t lanes) {
    const Json &list = *record.find("groups");
    if (list.isString())
      return runsOf(std::stoi(list.string()), lanes);
    std::set<std::set<int32_t>> result;
    for (const Json &group : list.items())
      for (int32_t plus = 0; plus < lanes; plus += 32) {
        std::set<int32_t> phase;
        for (int32_t lane : integers(group))
          phase.insert(lane + plus);
        result.insert(phase);
      }
    return result;
  };
  int compared = 0;
  for (const Json::Member &architecture : facts.members())
    for (const Json::Member &access : architecture.value.members()) {
      int32_t bytes = std::stoi(access.key.substr(access.key.find("_b") + 2)) / 8;
      if (bytes == 12)
        continue; // not in the table: no power of two
      Direction direction = access.key.find("read") != std::string::npos ? Direction::Read : Direction::Write;
      for (std::string name : {std::string(architecture.key), std::string("gfx90a")}) {
        if (name == "gfx90a" && architecture.key != "gfx942")
          continue;
        const BankRule *rule = findBankRule(banksOf("amd", name), direction, bytes);
        ASSERT_TRUE(rule);
        EXPECT_EQ(rule->bytes, bytes);
        EXPECT_EQ(rule->banks, access.value.find("banks")->integer()) << access.key;
        EXPECT_EQ(phases(*rule, 64), groups(access.value, 64)) << name << " " << access.key;
        EXPECT_TRUE(rule->measured);
        ++compared;
      }
    }
  EXPECT_EQ(compared, 7);
}

TEST(MemoryAccessTest, PhasesOfTheOtherTargets) {
  for (const TargetInfo &info : knownTargets()) {
    const std::vector<BankRule> &rules = atomTable(info).banks;
    EXPECT_EQ(rules.empty(), info.isCpu()) << info.architecture;
    int32_t lanes = int32_t(info.gpu.subgroupSize);
    for (const BankRule &rule : rules) {
      // A phase asks for no more than the banks give, and where it is full, for exactly that.
      EXPECT_LE(rule.lanes() * rule.bytes, rule.banks * 4) << info.architecture;
      if (info.vendor == "nvidia" || info.architecture.substr(0, 4) == "gfx1") {
        EXPECT_EQ(phases(rule, lanes), runsOf(128 / rule.bytes, lanes)) << info.architecture;
        EXPECT_EQ(rule.banks, 32);
      }
      if (rule.direction == Direction::Read && rule.bytes == 16) {
        EXPECT_EQ(rule.banks, int32_t(info.gpu.sharedBanks)) << info.architecture;
        EXPECT_EQ(rule.lanes() * rule.bytes, int32_t(info.gpu.sharedBytesPerClock)) << info.architecture;
      }
    }
  }
  const std::vector<BankRule> &rules = banksOf("nvidia", "sm_80");
  EXPECT_EQ(findBankRule(rules, Direction::Read, 1)->bytes, 4);
  EXPECT_EQ(findBankRule(rules, Direction::Read, 8)->bytes, 8);
  EXPECT_EQ(findBankRule(rules, Direction::Write, 16)->bytes, 16);
  EXPECT_EQ(findBankRule(rules, Direction::Write, 32), nullptr);
  EXPECT_EQ(findBankRule({}, Direction::Read, 4), nullptr);
}

/// 16 rows of 16-byte chunks as a matrix fragment reads them: the numbers of the recipes.
TEST(MemoryAccessTest, NumbersOfTheRecipes) {
  // ldmatrix on rows of 128 bytes: 8 clocks a matrix plain, 1 swizzled.
  Layout rows({8, 64}, {{{{0, 1}, {0, 2}, {0, 4}}, {{1, 0}, {2, 0}, {4, 0}}, {}}}, {1, 1});
  const BankRule &nv = *findBankRule(banksOf("nvidia", "sm_90a"), Direction::Read, 16);
  EXPECT_EQ(sharedAccess(rows, MemoryLayout::dense({8, 64}), 16, 8, nv).clocks, 8);
  EXPECT_EQ(sharedAccess(rows, *MemoryLayout::swizzled({8, 64}, 16, 128, 1), 16, 8, nv).clocks, 1);

  // A fragment of 16 rows by 16-byte chunks over 64 lanes, rows of 128 bytes: 32 and 16 clocks plain, 8 and 4
  // with the same exchange; rows of 64 bytes reach the floor with the narrower one.
  std::array<std::vector<Coordinate>, numHardware> bases = {
      {{{0, 1}, {0, 2}, {0, 4}}, {{1, 0}, {2, 0}, {4, 0}, {8, 0}, {0, 8}, {0, 16}}, {}}};
  Layout wide({16, 64}, bases, {1, 1}), narrow({16, 32}, bases, {1, 1});
  for (auto [architecture, plain, floor] : {std::tuple{"gfx942", 32, 8}, {"gfx950", 16, 4}}) {
    const BankRule &rule = *findBankRule(banksOf("amd", architecture), Direction::Read, 16);
    SharedAccess unswizzled = sharedAccess(wide, MemoryLayout::dense({16, 64}), 16, 8, rule);
    EXPECT_EQ(unswizzled.clocks, plain) << architecture;
    EXPECT_EQ(unswizzled.floor, floor) << architecture;
    EXPECT_EQ(unswizzled.conflicts(), plain - floor) << architecture;
    EXPECT_EQ(sharedAccess(wide, *MemoryLayout::swizzled({16, 64}, 16, 128, 1), 16, 8, rule).clocks, floor);
    EXPECT_EQ(sharedAccess(narrow, *MemoryLayout::swizzled({16, 32}, 16, 64, 1), 16, 8, rule).clocks, floor);
  }
}

/// Counted again from the definition, word by word.
TEST(MemoryAccessTest, ConflictsEqualBruteForce) {
  std::mt19937 generator(11);
  const std::vector<BankRule> &rules = banksOf("amd", "gfx942");
  int64_t conflicts = 0;
  for (int i = 0; i < 200; ++i) {
    unsigned bits = 8u << generator() % 3;
    std::vector<int32_t> shape = {int32_t(8 << generator() % 3) * int32_t(generator() % 4 ? 1 : 3),
                                  int32_t(32 << generator() % 3)};
    Layout layout = Layout::blocked(shape, 64, 1 << generator() % 2, 1 << generator() % 4);
    MemoryLayout memory = MemoryLayout::dense(shape, generator() % 2);
    if (generator() % 2)
      if (auto swizzled = MemoryLayout::swizzled(shape, bits, 16 << generator() % 4, generator() % 2))
        memory = *swizzled;
    int32_t vector = std::min<int32_t>(memory.vectorWidth(layout), 128 / int32_t(bits));
    int32_t bytes = vector * int32_t(bits) / 8;
    Direction direction = generator() % 2 ? Direction::Read : Direction::Write;
    const BankRule &rule = *findBankRule(rules, direction, bytes);
    SharedAccess access = sharedAccess(layout, memory, bits, vector, rule);
    int64_t clocks = 0, floor = 0;
    for (int32_t r = 0; r < layout.numRegisters(); r += vector)
      for (const std::set<int32_t> &phase : phases(rule, 64)) {
        std::map<int64_t, std::set<int64_t>> words; // of each bank
        std::set<int64_t> all;
        for (int32_t lane : phase)
          for (int32_t e = 0; e < vector; ++e)
            for (unsigned byte = 0; byte < bits / 8; ++byte) {
              int64_t word = (memory.offset(layout.apply(r + e, lane, 0)) * (bits / 8) + byte) / 4;
              words[word % rule.banks].insert(word);
              all.insert(word);
            }
        size_t most = 0;
        for (auto &[bank, set] : words)
          most = std::max(most, set.size());
        clocks += int64_t(most);
        floor += (int64_t(all.size()) + rule.banks - 1) / rule.banks;
      }
    EXPECT_EQ(access.clocks, clocks) << layout.str() << memory.str();
    EXPECT_EQ(access.floor, floor) << layout.str() << memory.str();
    EXPECT_EQ(access.instructions, layout.numRegisters() / vector);
    conflicts += access.conflicts();
  }
  EXPECT_GT(conflicts, 0);
}

TEST(MemoryAccessTest, Coalescing) {
  // 8 lanes of 16 bytes cover rows of 128 bytes.
  Layout rows = Layout::blocked({64, 64}, 32, 4, 8);
  GlobalAccess full = globalAccess(rows, {4096, 1}, 16, 8, 32);
  EXPECT_EQ(full.instructions, 4);
  EXPECT_EQ(full.bytes, 4 * 32 * 16);
  EXPECT_EQ(full.efficiency(), 1.0);
  // Off by one element: every row touches another segment.
  EXPECT_EQ(globalAccess(rows, {4096, 1}, 16, 8, 32, 2).moved, 4 * 4 * 160);
  // Along the other dimension each 2-byte element brings a segment of 32 bytes.
  EXPECT_EQ(globalAccess(rows, {1, 4096}, 16, 1, 32).efficiency(), 1.0 / 4); // four rows are neighbours
  Layout single = Layout::blocked({1, 32}, 32, 1, 1);
  EXPECT_EQ(globalAccess(single, {0, 4096}, 16, 1, 32).efficiency(), 1.0 / 16);
  EXPECT_EQ(globalAccess(single, {0, 4096}, 16, 1, 128).efficiency(), 1.0 / 64);
  // What all lanes ask for counts once.
  Layout same = Layout::replicated({1, 8}, 32, 1);
  EXPECT_EQ(globalAccess(same, {0, 1}, 16, 8, 32).bytes, 16);
}

} // namespace
