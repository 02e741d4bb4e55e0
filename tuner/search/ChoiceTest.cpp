//===- ChoiceTest.cpp -----------------------------------------------------===//
#include "tuner/search/Choice.h"

#include "support/Philox.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace quern;
using namespace quern::tuner;

namespace {

std::vector<double> samplesAround(double seconds, double noise, size_t count, uint64_t seed) {
  std::vector<double> samples;
  for (size_t i = 0; i < count; ++i) {
    const auto random = philoxAt(seed, i);
    // A floor and a tail, as times of kernels have.
    const double tail = uniformFloat(random[0]) * uniformFloat(random[1]);
    samples.push_back(seconds * (1 + noise * tail));
  }
  return samples;
}

Contender contender(const std::string &config, std::vector<double> samples, double modelled) {
  return {config, runtime::estimate(samples), modelled};
}

TEST(Choice, TheBandHoldsWhatCannotBeToldFromTheFastest) {
  std::vector<Contender> all = {contender("c", samplesAround(1.00, 0.1, 31, 1), 3),
                                contender("b", samplesAround(1.001, 0.1, 31, 2), 2),
                                contender("a", samplesAround(1.002, 0.1, 31, 3), 2),
                                contender("slow", samplesAround(1.5, 0.1, 31, 4), 1)};
  EXPECT_EQ(noiseBand(all), (std::vector<size_t>{2, 1, 0})) << "by modelled time, then text";
  EXPECT_EQ(favourite(all), 2u);
  EXPECT_EQ(favourite({}), std::nullopt);
}

TEST(Choice, FiftyDrawsOfTheSameTimesChooseTheSame) {
  // Three configurations with one time and one that is 1 % slower.
  std::set<std::string> chosen;
  for (uint64_t draw = 0; draw < 50; ++draw) {
    std::vector<Contender> all;
    for (int i = 0; i < 4; ++i)
      all.push_back(contender(std::string(1, char('a' + i)),
                              samplesAround(i == 0 ? 1.05 : 1.0, 0.06, 41, draw * 10 + uint64_t(i)), 4 - i));
    chosen.insert(all[*favourite(all)].config);
  }
  EXPECT_EQ(chosen, std::set<std::string>{"d"});
}

TEST(Choice, TheOrderOfTheContendersDoesNotMatter) {
  std::vector<Contender> all;
  for (int i = 0; i < 6; ++i)
    all.push_back(contender(std::string(1, char('a' + i)), samplesAround(1.0, 0.05, 21, uint64_t(i)), 1));
  const std::string first = all[*favourite(all)].config;
  for (int turn = 0; turn < 20; ++turn) {
    std::next_permutation(all.begin(), all.end(),
                          [](const Contender &a, const Contender &b) { return a.config < b.config; });
    EXPECT_EQ(all[*favourite(all)].config, first);
  }
}

TEST(Choice, AdmitsOnlyWhatBeatsTheDefaultOutsideOfTheNoise) {
  const std::vector<double> standard = samplesAround(1.0, 0.1, 41, 1);
  EXPECT_TRUE(judge(samplesAround(0.9, 0.1, 41, 2), standard).admitted);
  EXPECT_FALSE(judge(samplesAround(1.1, 0.1, 41, 3), standard).admitted);
  EXPECT_FALSE(judge(standard, standard).admitted);
  EXPECT_FALSE(judge({}, standard).admitted);
  // A gain that few samples cannot show.
  EXPECT_FALSE(judge(std::vector<double>{0.9, 1.1, 0.9}, std::vector<double>{1.0, 1.0, 1.0}).admitted);
  // A gain that is certain, and not worth a change.
  EXPECT_FALSE(judge(std::vector<double>(41, 0.999), std::vector<double>(41, 1.0)).admitted);
}

TEST(Choice, HalvesTheBandUntilOneIsLeft) {
  std::vector<Contender> all;
  for (int i = 0; i < 12; ++i)
    all.push_back(contender("k" + std::to_string(10 + i), {1.0 + 1e-4 * i, 1.01, 1.0 + 1e-4 * i}, 1));
  EXPECT_EQ(repeatRound(all, 0).size(), 8u);
  EXPECT_EQ(repeatRound(all, 8), (std::vector<size_t>{0, 1, 2, 3}));
  EXPECT_EQ(repeatRound(all, 4).size(), 2u);
  EXPECT_TRUE(repeatRound(all, 2).empty());
  all.resize(1);
  EXPECT_TRUE(repeatRound(all, 0).empty());
}

} // namespace
