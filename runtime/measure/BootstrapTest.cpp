//===- BootstrapTest.cpp --------------------------------------------------===//
#include "runtime/measure/Bootstrap.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace quern::runtime;

namespace {

std::vector<double> constant(size_t n, double value) { return std::vector<double>(n, value); }

std::vector<double> logNormal(size_t n, double median, double sigma, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> draw(0, sigma);
  std::vector<double> values(n);
  for (double &value : values)
    value = median * std::exp(draw(random));
  return values;
}

TEST(Bootstrap, ConstantsHaveAnIntervalOfNoWidth) {
  Estimate e = bootstrapRatio(constant(9, 3), constant(7, 2));
  EXPECT_DOUBLE_EQ(e.median, 1.5);
  EXPECT_DOUBLE_EQ(e.low, 1.5);
  EXPECT_DOUBLE_EQ(e.high, 1.5);
  EXPECT_EQ(e.samples, 7u);
}

TEST(Bootstrap, TheSameSamplesGiveTheSameInterval) {
  std::vector<double> a = logNormal(20, 2, 0.1, 1), b = logNormal(31, 1, 0.1, 2);
  Estimate first = bootstrapRatio(a, b), second = bootstrapRatio(a, b),
           other = bootstrapRatio(a, b, {.seed = 9});
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(first.high, second.high);
  EXPECT_NE(first.low, other.low);
  EXPECT_NEAR(first.low / other.low, 1, 0.03);
  EXPECT_LT(first.low, first.median);
  EXPECT_GT(first.high, first.median);
}

// The distribution of the drawn median of five values is exact: P(median <= x(k)) = P(Binomial(5, k/5) >= 3),
// 5.8 % for k = 1 and 31.7 % for k = 2, so the 2.5 % quantile is the smallest value and the 97.5 % the
// largest.
TEST(Bootstrap, SmallSetsFollowTheBinomialDistribution) {
  const std::vector<double> a = {1, 2, 3,
                                 4, 5, 5}; // six, as the contract wants; the tie does not matter below
  Estimate e = bootstrapRatio(a, constant(6, 1));
  EXPECT_DOUBLE_EQ(e.median, 3.5);
  EXPECT_GE(e.low, 1);
  EXPECT_LE(e.low, 2);
  EXPECT_DOUBLE_EQ(e.high, 5);
}

// The promise: the true ratio lies in the interval in about 95 of 100 experiments.
TEST(Bootstrap, IntervalHoldsTheRatio) {
  int held = 0;
  constexpr int trials = 300;
  for (int t = 0; t < trials; ++t) {
    Estimate e = bootstrapRatio(logNormal(25, 3, 0.2, uint64_t(2 * t)),
                                logNormal(25, 2, 0.3, uint64_t(2 * t + 1)), {.draws = 500});
    held += e.low <= 1.5 && 1.5 <= e.high;
  }
  EXPECT_GE(held, int(0.91 * trials));
  EXPECT_LT(held, trials);
}

TEST(Bootstrap, PairsCancelWhatIsCommon) {
  std::vector<double> noise = logNormal(20, 1, 1.0, 5), a, b;
  for (double n : noise) {
    a.push_back(1.2 * n);
    b.push_back(n);
  }
  const SamplePair paired = {a, b, true}, separate = {a, b, false};
  Estimate tight = bootstrapGeometricMean(std::span(&paired, 1)),
           wide = bootstrapGeometricMean(std::span(&separate, 1));
  EXPECT_NEAR(tight.low, 1.2, 1e-12);
  EXPECT_NEAR(tight.high, 1.2, 1e-12);
  EXPECT_LT(wide.low, 1);
  EXPECT_GT(wide.high, 1.5);
}

TEST(Bootstrap, GeometricMeanOfReciprocalRatiosIsOne) {
  std::vector<double> one = constant(8, 1), two = constant(8, 2);
  const SamplePair rows[] = {{one, two, true}, {two, one, false}};
  Estimate e = bootstrapGeometricMean(rows);
  EXPECT_DOUBLE_EQ(e.median, 1);
  EXPECT_DOUBLE_EQ(e.low, 1);
  EXPECT_DOUBLE_EQ(e.high, 1);
}

} // namespace
