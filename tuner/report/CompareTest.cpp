//===- CompareTest.cpp ----------------------------------------------------===//
#include "tuner/report/Compare.h"
#include "tuner/report/Ledger.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace quern;
using namespace quern::report;

namespace {

std::vector<double> noisy(size_t n, double median, double sigma, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> draw(0, sigma);
  std::vector<double> values(n);
  for (double &value : values)
    value = median * std::exp(draw(random));
  return values;
}

ResultSet setOf(std::vector<ResultRow> rows, const char *name) {
  ResultSet set;
  set.name = name;
  set.rows = std::move(rows);
  return set;
}

Comparison compared(const ResultSet &a, const ResultSet &b, bool paired = false) {
  Expected<Comparison> result = compareResults(a, b, paired);
  EXPECT_TRUE(result.ok()) << result.error().message();
  return *std::move(result);
}

// users.md section 6, number 14: of two sides that are equal, and of two whose difference is inside the
// noise.
TEST(Compare, RefusesToNameAWinnerWhenIntervalsOverlap) {
  for (double difference : {1.0, 1.01})
    for (bool paired : {false, true}) {
      int named = 0;
      for (uint64_t seed = 0; seed < 40; ++seed) {
        ResultSet a = setOf({makeRow("k", "kernel", noisy(15, 1e-3, 0.2, 2 * seed))}, "a"),
                  b = setOf({makeRow("k", "kernel", noisy(15, difference * 1e-3, 0.2, 2 * seed + 1))}, "b");
        Comparison c = compared(a, b, paired);
        const Pair &pair = c.pairs[0];
        const bool holdsOne = pair.ratio.low <= 1 && 1 <= pair.ratio.high;
        EXPECT_EQ(holdsOne, pair.verdict == Verdict::Undecided);
        EXPECT_EQ(comparisonJson(c).find("pairs")->items()[0].find("faster")->string() == "no winner",
                  holdsOne);
        named += !holdsOne;
      }
      EXPECT_LE(named, 6) << difference; // 2 of 40 are expected by chance
    }
}

TEST(Compare, NamesTheFasterSideWhereTheIntervalIsClear) {
  ResultSet a = setOf({makeRow("k", "kernel", noisy(15, 1e-3, 0.02, 1))}, "a"),
            b = setOf({makeRow("k", "kernel", noisy(19, 1.5e-3, 0.02, 2))}, "b");
  Comparison c = compared(a, b);
  EXPECT_EQ(c.pairs[0].verdict, Verdict::AFaster);
  EXPECT_EQ(c.pairs[0].interval, IntervalKind::Bootstrap);
  EXPECT_NEAR(c.pairs[0].ratio.median, 1.5, 0.05);
  EXPECT_EQ(compared(b, a).pairs[0].verdict, Verdict::BFaster);
  EXPECT_EQ(c.groups[0].verdict, Verdict::AFaster);
}

TEST(Compare, PairsSeeWhatSeparateRunsCannot) {
  std::vector<double> drift = noisy(20, 1e-3, 0.5, 3), slower = drift;
  for (double &value : slower)
    value *= 1.03;
  ResultSet a = setOf({makeRow("k", "kernel", drift)}, "a"), b = setOf({makeRow("k", "kernel", slower)}, "b");
  EXPECT_EQ(compared(a, b, true).pairs[0].verdict, Verdict::AFaster);
  EXPECT_EQ(compared(a, b, true).pairs[0].interval, IntervalKind::Pairs);
  EXPECT_EQ(compared(a, b, false).pairs[0].verdict, Verdict::Undecided);
}

TEST(Compare, FewSamplesNeverWin) {
  ResultSet a = setOf({makeRow("k", "kernel", {1e-3, 1e-3, 1e-3, 1e-3, 1e-3})}, "a"),
            b = setOf({makeRow("k", "kernel", {9e-3, 9e-3, 9e-3, 9e-3, 9e-3})}, "b");
  for (bool paired : {false, true}) {
    Comparison c = compared(a, b, paired);
    EXPECT_EQ(c.pairs[0].verdict, Verdict::TooFew);
    EXPECT_EQ(c.pairs[0].interval, IntervalKind::None);
    EXPECT_NEAR(c.pairs[0].ratio.median, 9, 1e-9);
    EXPECT_EQ(c.groups[0].verdict, Verdict::TooFew);
  }
}

TEST(Compare, RowsWithoutAPartnerAreListed) {
  std::vector<double> t = noisy(8, 1e-3, 0.1, 1);
  ResultSet a = setOf({makeRow("both", "kernel", t), makeRow("gone", "kernel", t), makeRow("x", "model", t)},
                      "a"),
            b = setOf({makeRow("new", "kernel", t), makeRow("both", "kernel", t), makeRow("x", "kernel", t)},
                      "b");
  Comparison c = compared(a, b);
  EXPECT_EQ(c.pairs.size(), 1u);
  EXPECT_EQ(c.onlyA, (std::vector<std::string>{"gone", "x"})); // a kernel is no model
  EXPECT_EQ(c.onlyB, (std::vector<std::string>{"new", "x"}));
  ResultSet other = setOf({makeRow("none", "kernel", t)}, "other");
  Expected<Comparison> nothing = compareResults(a, other, false);
  ASSERT_FALSE(nothing.ok());
  EXPECT_EQ(nothing.error().id(), "E-COMPARE-NOTHING");
}

TEST(Compare, GroupsAreWeighedByLaunchesInTheirSums) {
  ResultRow one = makeRow("one", "kernel", std::vector<double>(8, 1e-3)),
            two = makeRow("two", "kernel", std::vector<double>(8, 1e-3));
  one.weight = 10;
  ResultRow slowOne = one, fastTwo = two;
  slowOne.samples.assign(8, 2e-3);
  slowOne.seconds = runtime::estimate(slowOne.samples);
  fastTwo.samples.assign(8, 0.5e-3);
  fastTwo.seconds = runtime::estimate(fastTwo.samples);
  ResultSet a = setOf({one, two}, "a"), b = setOf({slowOne, fastTwo}, "b");
  Comparison c = compared(a, b, true);
  EXPECT_NEAR(c.groups[0].ratio.median, 1, 1e-12); // the geometric mean of 2 and 1/2
  EXPECT_EQ(c.groups[0].verdict, Verdict::Undecided);
  EXPECT_NEAR(c.groups[0].aSeconds, 11e-3, 1e-12);
  EXPECT_NEAR(c.groups[0].bSeconds, 20.5e-3, 1e-12);
}

TEST(Ledger, SaysWhatIsEqualWhatDiffersAndWhatIsNotRecorded) {
  std::vector<double> t = noisy(8, 1e-3, 0.1, 1);
  ResultSet a = setOf({makeRow("k", "kernel", t)}, "a"), b = setOf({makeRow("k", "kernel", t)}, "b");
  a.rows[0].facts["kernel"] = "linear{tile=64x64x32 mma=m16n8k16.bf16} K=256 NOTE=mma=no";
  b.rows[0].facts["kernel"] = "linear{tile=3x3x8} K=256 NOTE=mma=no";
  for (ResultSet *set : {&a, &b}) {
    set->context.set("compiler", "f00d");
    set->context.set("cache_state", "cold");
    set->context.set("discarded", Json::array());
  }
  a.context.set("rung", "fp8");
  b.context.set("rung", "bf16");
  a.context.set("driver", "12.4");
  Json moved = Json::object();
  moved.set("min", 1400.0);
  moved.set("max", 1755.0);
  b.context.set("clock_mhz", moved);
  Comparison c = compared(a, b);
  Ledger ledger = makeLedger(c);
  auto state = [&](const std::string &name) {
    for (const LedgerLine &line : ledger.lines)
      if (line.name.starts_with(name))
        return line.state;
    ADD_FAILURE() << name;
    return LedgerState::Missing;
  };
  EXPECT_EQ(state("compiler"), LedgerState::Equal);
  EXPECT_EQ(state("cache state"), LedgerState::Equal);
  EXPECT_EQ(state("runs left out"), LedgerState::Equal);
  EXPECT_EQ(state("precision rung"), LedgerState::Differs);
  EXPECT_EQ(state("driver"), LedgerState::Missing); // B lacks it
  EXPECT_EQ(state("power limit"), LedgerState::Missing);
  EXPECT_GT(ledger.missing(), 0u);
  EXPECT_EQ(*ledgerJson(ledger).find("complete"), Json(false));
  std::string all;
  for (const std::string &text : ledger.asymmetries)
    all += text + "\n";
  EXPECT_NE(all.find("precision rung: fp8 against bf16"), std::string::npos) << all;
  EXPECT_NE(all.find("A runs 1 result on a matrix unit"), std::string::npos) << all;
  EXPECT_EQ(all.find("\nB runs"), std::string::npos) << all;
  EXPECT_NE(all.find("B's clock moved while it was measured: 1400 to 1755"), std::string::npos) << all;
}

} // namespace
