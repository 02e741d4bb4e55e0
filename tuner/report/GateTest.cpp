//===- GateTest.cpp -------------------------------------------------------===//
#include "tuner/report/Gate.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::report;

namespace {

ResultSet setOf(std::initializer_list<std::pair<const char *, std::vector<double>>> rows) {
  ResultSet set;
  for (const auto &[name, samples] : rows)
    set.rows.push_back(makeRow(name, "kernel", samples));
  return set;
}

Status check(const char *gate, const ResultSet &a, const ResultSet &b) {
  Expected<Gate> parsed = Gate::parse(gate);
  EXPECT_TRUE(parsed.ok()) << gate;
  Expected<Comparison> comparison = compareResults(a, b, true);
  EXPECT_TRUE(comparison.ok());
  return parsed->check(*comparison);
}

std::vector<double> flat(double value, size_t n = 9) { return std::vector<double>(n, value); }

TEST(Gate, Parses) {
  Expected<Gate> gate = Gate::parse("p50_regress < 3%");
  ASSERT_TRUE(gate.ok());
  EXPECT_EQ(gate->metric, Gate::Metric::P50);
  EXPECT_DOUBLE_EQ(gate->bound, 0.03);
  EXPECT_FALSE(gate->orEqual);
  gate = Gate::parse("total_regress<=-0.5");
  ASSERT_TRUE(gate.ok());
  EXPECT_EQ(gate->metric, Gate::Metric::Total);
  EXPECT_TRUE(gate->orEqual);
  EXPECT_EQ(gate->bound, -0.5);
}

TEST(Gate, RefusesNonsense) {
  for (const char *text :
       {"", "p50_regress", "p50<3%", "p50_regress<", "p50_regress<x", "p50_regress<3%%", "p50_regress>3%",
        "p50_regress<nan", "p50_regress<inf", "<3%", "p50_regress<3 percent"}) {
    Expected<Gate> gate = Gate::parse(text);
    ASSERT_FALSE(gate.ok()) << text;
    EXPECT_EQ(gate.error().id(), "E-GATE-FORM");
    EXPECT_EQ(gate.error().exit(), Exit::Usage);
  }
}

TEST(Gate, FailsWithTheWorstRowsNamed) {
  ResultSet a = setOf({{"x", flat(1)}, {"y", flat(1)}, {"z", flat(1)}}),
            b = setOf({{"x", flat(1.02)}, {"y", flat(1.5)}, {"z", flat(1.1)}});
  EXPECT_TRUE(check("p50_regress<51%", a, b).ok());
  Status failed = check("p50_regress<3%", a, b);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.exit(), Exit::GateFailed);
  EXPECT_EQ(failed.id(), "E-GATE-FAILED");
  EXPECT_EQ(failed.causeText(), "`y` +50.0 %; `z` +10.0 %");
  EXPECT_TRUE(check("p50_regress<3%", b, a).ok()); // faster is no regression
}

TEST(Gate, ASureRegressionNeedsAnInterval) {
  std::vector<double> wide = {0.5, 0.6, 1.2, 1.3, 1.4, 1.5, 1.6, 0.7, 0.8};
  ResultSet a = setOf({{"x", flat(1)}}), b = setOf({{"x", wide}});
  EXPECT_FALSE(check("p50_regress<10%", a, b).ok()); // the median is 1.2
  EXPECT_TRUE(check("sure_regress<10%", a, b).ok()); // the interval begins at 0.6
  ResultSet few = setOf({{"x", flat(1, 3)}});
  Status failed = check("sure_regress<10%", few, few);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.causeText().find("no interval"), std::string::npos);
}

TEST(Gate, GroupsAndTotals) {
  ResultSet a = setOf({{"x", flat(1)}, {"y", flat(1)}}), b = setOf({{"x", flat(2)}, {"y", flat(0.5)}});
  EXPECT_FALSE(check("p50_regress<3%", a, b).ok());
  EXPECT_TRUE(check("geomean_regress<3%", a, b).ok());
  EXPECT_FALSE(check("total_regress<24%", a, b).ok()); // 2.5 of 2
  EXPECT_TRUE(check("total_regress<26%", a, b).ok());
}

TEST(Gate, AResultThatVanishedFails) {
  ResultSet a = setOf({{"x", flat(1)}, {"y", flat(1)}}), b = setOf({{"x", flat(0.5)}});
  Status failed = check("p50_regress<3%", a, b);
  ASSERT_FALSE(failed.ok());
  EXPECT_NE(failed.causeText().find("B lacks 1 of A's results, `y` first"), std::string::npos);
  EXPECT_TRUE(check("p50_regress<100%", b, a).ok() == false); // slower
  EXPECT_TRUE(check("p50_regress<=100%", b, a).ok());         // new rows are no offence
}

} // namespace
