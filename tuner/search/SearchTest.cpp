//===- SearchTest.cpp - Search on landscapes that are known ---------------===//
#include "tuner/search/Search.h"

#include "support/Philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace quern;
using namespace quern::tuner;

namespace {

/// A space of three axes. Its model knows the landscape up to a slope, a bump and a factor of 20.
struct Landscape {
  std::vector<SearchPoint> points;
  std::vector<double> times;
  size_t defaultPoint = 0;

  explicit Landscape(uint64_t seed) {
    auto random = [&](uint64_t at) { return double(uniformFloat(philoxAt(seed, at)[0])); };
    const double bestA = 1 + 9 * random(0), bestB = 1 + 9 * random(1), tilt = 0.4 * random(2) - 0.2;
    const double bumpA = 11 * random(3), bumpB = 11 * random(4);
    for (int a = 0; a < 12; ++a)
      for (int b = 0; b < 12; ++b)
        for (int c = 0; c < 4; ++c) {
          SearchPoint p;
          p.config = "k{a=" + std::to_string(a) + " b=" + std::to_string(b) + " c=" + std::to_string(c) + "}";
          p.axes = {a, b, c};
          p.features = {a / 4.0 - 1.4, b / 4.0 - 1.4, c - 1.5};
          const double bowl = 0.03 * (a - bestA) * (a - bestA) + 0.02 * (b - bestB) * (b - bestB) +
                              0.015 * (a - bestA) * (b - bestB) + 0.1 * c;
          const double bump = 0.3 * std::exp(-((a - bumpA) * (a - bumpA) + (b - bumpB) * (b - bumpB)) / 6.0);
          p.modelled = 1e-6 * std::exp(bowl);
          times.push_back(2e-5 * std::exp(bowl + bump + tilt * p.features[0] - 0.15 * c));
          points.push_back(std::move(p));
        }
    defaultPoint = size_t(points.size() / 2);
  }
  double best() const { return *std::min_element(times.begin(), times.end()); }
};

/// The best share of the optimum after |trials| trials, with |noise| on each time.
double reached(const Landscape &land, size_t trials, uint64_t seed, double noise = 0,
               std::vector<size_t> *order = nullptr) {
  Search search(land.points, land.defaultPoint, {.seed = seed, .noise = std::max(noise, 0.01)});
  double fastest = HUGE_VAL;
  while (search.tried() < trials)
    for (size_t point : search.propose(std::min<size_t>(4, trials - search.tried()))) {
      const double wobble = (uniformFloat(philoxAt(seed, point)[1]) - 0.5) * 2 * noise;
      search.report(point, land.times[point] * std::exp(wobble));
      fastest = std::min(fastest, land.times[point]);
      if (order)
        order->push_back(point);
    }
  return land.best() / fastest;
}

TEST(Search, ProposesTheDefaultFirstAndNothingTwice) {
  Landscape land(1);
  std::vector<size_t> order;
  reached(land, land.points.size() / 8, 1, 0.02, &order);
  ASSERT_EQ(order.size(), land.points.size() / 8);
  EXPECT_EQ(order[0], land.defaultPoint);
  EXPECT_EQ(std::set<size_t>(order.begin(), order.end()).size(), order.size());
}

TEST(Search, FindsTheOptimumOfLandscapesThatTheModelKnowsHalf) {
  double product = 1, worst = 1;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    const double share = reached(Landscape(seed), 32, seed);
    product *= share;
    worst = std::min(worst, share);
  }
  EXPECT_GT(std::pow(product, 1.0 / 12), 0.985);
  EXPECT_GT(worst, 0.93);
}

TEST(Search, FindsItUnderNoise) {
  double product = 1;
  for (uint64_t seed = 1; seed <= 12; ++seed)
    product *= reached(Landscape(seed), 32, seed, 0.05);
  EXPECT_GT(std::pow(product, 1.0 / 12), 0.97);
}

TEST(Search, IsBetterThanChance) {
  double found = 1, chance = 1;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Landscape land(seed);
    found *= reached(land, 24, seed);
    double fastest = land.times[land.defaultPoint];
    for (uint64_t i = 1; i < 24; ++i)
      fastest = std::min(fastest, land.times[philoxAt(seed, i, 7)[0] % land.times.size()]);
    chance *= land.best() / fastest;
  }
  EXPECT_GT(std::pow(found, 1.0 / 12), std::pow(chance, 1.0 / 12) + 0.02);
}

TEST(Search, EqualReportsGiveEqualProposals) {
  Landscape land(3);
  std::vector<size_t> first, second, other;
  reached(land, 40, 5, 0.03, &first);
  reached(land, 40, 5, 0.03, &second);
  EXPECT_EQ(first, second);
  reached(land, 40, 6, 0.03, &other);
  EXPECT_NE(first, other) << "another seed explores at other times";
}

TEST(Search, TheOrderInWhichABatchIsReportedDoesNotMatter) {
  Landscape land(4);
  std::vector<std::vector<size_t>> orders;
  for (bool backwards : {false, true}) {
    Search search(land.points, land.defaultPoint, {});
    std::vector<size_t> order;
    for (int round = 0; round < 10; ++round) {
      std::vector<size_t> batch = search.propose(4);
      order.insert(order.end(), batch.begin(), batch.end());
      if (backwards)
        std::reverse(batch.begin(), batch.end());
      for (size_t point : batch)
        search.report(point, land.times[point]);
    }
    orders.push_back(order);
  }
  EXPECT_EQ(orders[0], orders[1]);
}

TEST(Search, KeepsAwayFromWhatFails) {
  // Everything with a < 6 fails; the model believes that the best is there.
  Landscape land(2);
  size_t failed = 0, tried = 0;
  Search search(land.points, land.points.size() - 1, {});
  while (tried < 48)
    for (size_t point : search.propose(4)) {
      ++tried;
      if (land.points[point].axes[0] < 6) {
        ++failed;
        search.fail(point);
      } else {
        search.report(point, land.times[point]);
      }
    }
  EXPECT_LT(failed, tried / 2);
  EXPECT_GE(land.points[search.best()].axes[0], 6);
}

TEST(Search, EndsWithTheSpaceAndKeepsTheDefaultWhereNothingRan) {
  Landscape land(1);
  std::vector<SearchPoint> few(land.points.begin(), land.points.begin() + 6);
  Search search(few, 2, {});
  EXPECT_EQ(search.best(), 2u);
  size_t count = 0;
  for (std::vector<size_t> batch = search.propose(4); !batch.empty(); batch = search.propose(4))
    for (size_t point : batch) {
      search.fail(point);
      ++count;
    }
  EXPECT_EQ(count, 6u);
  EXPECT_TRUE(search.exhausted());
  EXPECT_EQ(search.best(), 2u);
}

TEST(Search, ContinuesFromReportsOfAnEarlierRun) {
  Landscape land(5);
  Search search(land.points, land.defaultPoint, {});
  for (size_t point = 0; point < 40; ++point)
    search.report(point, land.times[point]);
  for (size_t point : search.propose(12))
    EXPECT_GE(point, 40u) << "measured already";
}

} // namespace
