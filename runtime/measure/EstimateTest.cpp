//===- EstimateTest.cpp ---------------------------------------------------===//
#include "runtime/measure/Estimate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

using namespace quern::runtime;

TEST(Estimate, MedianDoesNotFollowTheTail) {
  std::vector<double> samples = {5, 1, 2, 3, 1000, 4, 6};
  Estimate e = estimate(samples);
  EXPECT_EQ(e.median, 4);
  EXPECT_EQ(e.minimum, 1);
  EXPECT_EQ(e.maximum, 1000);
  EXPECT_EQ(e.samples, 7u);
}

TEST(Estimate, EvenCountTakesTheMiddle) {
  std::vector<double> samples = {4, 1, 3, 2};
  EXPECT_EQ(estimate(samples).median, 2.5);
}

// Ranks of the 95 % interval from the table of the sign test: none below n = 6, then 1 at 6, 2 at 9 (n = 9
// has 2 * (1 + 9) / 512 = 3.9 %), 6 at 20, 10 at 30.
TEST(Estimate, IntervalIsOfTheSignTest) {
  for (auto [n, k] : {std::pair(5, 0), {6, 1}, {8, 1}, {9, 2}, {11, 2}, {12, 3}, {20, 6}, {30, 10}}) {
    std::vector<double> samples;
    for (int i = 1; i <= n; ++i)
      samples.push_back(i);
    Estimate e = estimate(samples);
    EXPECT_EQ(e.low, std::max(k, 1)) << n;
    EXPECT_EQ(e.high, n + 1 - std::max(k, 1)) << n;
  }
}

TEST(Estimate, IntervalOfManySamplesIsNarrow) {
  std::vector<double> samples;
  for (int i = 0; i < 5000; ++i)
    samples.push_back(i);
  Estimate e = estimate(samples);
  // About 1.96 * sqrt(n) / 2 ranks on either side.
  EXPECT_NEAR(e.median - e.low, 0.98 * std::sqrt(5000.0), 2);
  EXPECT_NEAR(e.high - e.median, 0.98 * std::sqrt(5000.0), 2);
}

// The promise itself, on a skewed distribution with a known median: exp(1) has ln 2.
TEST(Estimate, IntervalHoldsTheMedianInNinetyFivePercent) {
  std::mt19937_64 random(7);
  std::exponential_distribution<double> draw(1.0);
  int held = 0;
  constexpr int trials = 2000;
  for (int t = 0; t < trials; ++t) {
    std::vector<double> samples(25);
    for (double &s : samples)
      s = draw(random);
    Estimate e = estimate(samples);
    held += e.low <= std::log(2.0) && std::log(2.0) <= e.high;
  }
  EXPECT_GE(held, int(0.94 * trials));
  EXPECT_LT(held, trials);
}

TEST(EstimateRatio, CommonDisturbanceCancels) {
  std::vector<double> a, b;
  for (int i = 0; i < 20; ++i) {
    double noise = 1 + i % 7;
    a.push_back(3 * noise);
    b.push_back(2 * noise);
  }
  Estimate e = estimateRatio(a, b);
  EXPECT_DOUBLE_EQ(e.median, 1.5);
  EXPECT_NEAR(e.relativeError(), 0, 1e-12);
}

TEST(Disjoint, NeedsAGap) {
  Estimate a{.median = 2, .low = 1, .high = 3}, b{.median = 4, .low = 3, .high = 5},
      c{.median = 5, .low = 3.5, .high = 6};
  EXPECT_FALSE(disjoint(a, b));
  EXPECT_TRUE(disjoint(a, c));
  EXPECT_TRUE(disjoint(c, a));
}
