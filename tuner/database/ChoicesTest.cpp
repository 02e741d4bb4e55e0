//===- ChoicesTest.cpp ----------------------------------------------------===//
#include "tuner/database/Choices.h"
#include "tuner/database/TestRecords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

using namespace quern;
using namespace quern::tuner;
using testing::HasSubstr;

namespace {

constexpr const char *standard = "linear{tile=4x8x64 warps=4}";
constexpr const char *small = "linear{tile=32x32x64 warps=4}";
constexpr const char *large = "linear{tile=64x64x64 warps=4}";

Measurement of(std::string config, double seconds, int64_t time = 1000) {
  Measurement m = testMeasurement(std::move(config), seconds, time);
  m.isDefault = m.config == standard;
  return m;
}
Measurement in(TokenRange bucket, Measurement m) {
  m.problem.tokens = bucket;
  m.tokens = bucket.last;
  return m;
}
const Standing &standingOf(const Choice &choice, const std::string &config) {
  return *std::ranges::find(choice.standings, config, &Standing::config);
}

TEST(Choices, TheFasterOneBeatsTheDefault) {
  std::vector<Measurement> all = {of(standard, 2e-5), of(small, 1e-5), of(large, 1.5e-5)};
  Choice choice = choose(all, {1, 16});
  ASSERT_TRUE(choice.config);
  EXPECT_EQ(*choice.config, small);
  EXPECT_NEAR(choice.ratio.median, 0.5, 1e-6);
  EXPECT_LT(choice.ratio.low, 0.5);
  EXPECT_GT(choice.ratio.high, 0.5);
  EXPECT_EQ(choice.beaten, standard);
  EXPECT_EQ(choice.runnerUp, large);
  EXPECT_NEAR(choice.runnerUpRatio.median, 0.75, 1e-6);
  EXPECT_EQ(choice.trials, 3u);
  EXPECT_THAT(choice.why, HasSubstr("50.0 %"));
}

TEST(Choices, NeverWorseThanTheDefault) {
  EXPECT_FALSE(choose(std::vector{of(standard, 1e-5), of(small, 1.2e-5)}, {1, 16}).config);
  // Within the noise band.
  Choice near = choose(std::vector{of(standard, 1e-5), of(small, 0.995e-5)}, {1, 16});
  EXPECT_FALSE(near.config);
  EXPECT_TRUE(near.defaultHolds);
  EXPECT_EQ(standingOf(near, small).why, "within the noise of the default");
  // Without the default there is nothing to beat.
  Choice alone = choose(std::vector{of(small, 1e-6)}, {1, 16});
  EXPECT_FALSE(alone.config);
  EXPECT_FALSE(alone.defaultHolds);
  EXPECT_EQ(alone.why, "the default was not measured");
  // Five samples exclude nothing.
  Measurement few = of(small, 1e-6);
  few.samples.resize(5);
  EXPECT_FALSE(choose(std::vector{of(standard, 1e-5), few}, {1, 16}).config);
  EXPECT_FALSE(choose(std::vector<Measurement>{}, {1, 16}).config);
}

TEST(Choices, WideIntervalsAdmitNothing) {
  Measurement noisy = of(small, 0.9e-5);
  for (size_t i = 0; i < noisy.samples.size(); ++i)
    noisy.samples[i] = i % 2 ? 0.6e-5 : 1.4e-5;
  EXPECT_FALSE(choose(std::vector{of(standard, 1e-5), noisy}, {1, 16}).config);
}

TEST(Choices, WhatFailedOrWasTakenBackIsOut) {
  for (Outcome outcome :
       {Outcome::Wrong, Outcome::CompileFailed, Outcome::RunFailed, Outcome::Hung, Outcome::OutOfMemory}) {
    std::vector<Measurement> all = {of(standard, 2e-5), of(small, 1e-5), of(large, 1.5e-5),
                                    failedMeasurement(small, outcome, 2000)};
    Choice choice = choose(all, {1, 16});
    ASSERT_TRUE(choice.config) << outcomeName(outcome);
    EXPECT_EQ(*choice.config, large);
    EXPECT_EQ(standingOf(choice, small).why, std::string(outcomeName(outcome)) + " at 16 tokens");
  }
  std::vector<Measurement> all = {of(standard, 2e-5), of(small, 1e-5), of(large, 1.5e-5)};
  const std::string family = testProblem().familyKey(), device = testDevice().key();
  std::vector<Decision> decisions = {
      {family, device, small, Decision::Kind::Revert, 10, "slower end to end"}};
  EXPECT_EQ(choose(all, {1, 16}, decisions).config, large);
  decisions.push_back({family, device, small, Decision::Kind::Restore, 11, ""});
  EXPECT_EQ(choose(all, {1, 16}, decisions).config, small);
  decisions[1].timestamp = 9;
  EXPECT_EQ(choose(all, {1, 16}, decisions).config, large);
  decisions[0].device = "another";
  EXPECT_EQ(choose(all, {1, 16}, decisions).config, small);
}

TEST(Choices, ARangeMustBeCovered) {
  std::vector<Measurement> all = {in({1, 16}, of(standard, 2e-5)), in({1, 16}, of(small, 1e-5)),
                                  in({33, 64}, of(standard, 4e-5)), in({33, 64}, of(small, 3e-5))};
  EXPECT_EQ(choose(all, {1, 16}).config, small);
  EXPECT_EQ(choose(all, {40, 64}).config, small);
  Choice gap = choose(all, {1, 64});
  EXPECT_FALSE(gap.config);
  EXPECT_FALSE(gap.defaultHolds);
  EXPECT_EQ(standingOf(gap, small).why, "not measured over all of 1..64 tokens");
  EXPECT_FALSE(choose(all, {1, 17}).config);
  EXPECT_FALSE(choose(all, {65, 70}).config);
  all.push_back(in({17, 32}, of(standard, 3e-5)));
  all.push_back(in({17, 32}, of(small, 3e-5)));
  Choice whole = choose(all, {1, 64});
  ASSERT_EQ(whole.config, small) << "equal in between is good enough";
  EXPECT_NEAR(whole.ratio.median, std::cbrt(0.5 * 1 * 0.75), 1e-6);
  EXPECT_THAT(whole.points, testing::ElementsAre(16, 32, 64));
  // Slower at one point: never.
  all.push_back(in({17, 32}, of(small, 4e-5, 1001)));
  all.push_back(in({17, 32}, of(small, 4e-5, 1002)));
  EXPECT_FALSE(choose(all, {1, 64}).config);
  EXPECT_EQ(choose(all, {1, 16}).config, small);
}

TEST(Choices, SessionsAreComparedWithThemselves) {
  // The machine ran at half of its clock in the second session: across sessions the default would look twice
  // as slow as it is.
  Measurement a = of(standard, 1e-5), b = of(standard, 2e-5, 2000), c = of(small, 1.9e-5, 2001);
  a.session = "one";
  b.session = c.session = "two";
  Choice choice = choose(std::vector{a, b, c}, {1, 16});
  ASSERT_EQ(choice.config, small);
  EXPECT_NEAR(choice.ratio.median, 0.95, 1e-6);
  c = of(small, 1.05e-5, 500);
  c.session = "one";
  EXPECT_FALSE(choose(std::vector{a, b, c}, {1, 16}).config) << "slower in its own session";
}

TEST(Choices, PairsCancelWhatDisturbsBoth) {
  Measurement a = of(standard, 1e-5), b = of(small, 1e-5);
  a.session = b.session = "s";
  for (size_t i = 0; i < a.samples.size(); ++i) {
    a.samples[i] = 1e-5 * (1 + double(i)); // drifts by a factor of eleven
    b.samples[i] = a.samples[i] * 0.9;
  }
  EXPECT_EQ(choose(std::vector{a, b}, {1, 16}).config, small);
  b.session = "other";
  EXPECT_FALSE(choose(std::vector{a, b}, {1, 16}).config);
}

TEST(Choices, TheDefaultOfTodayIsTheOneToBeat) {
  std::vector<Measurement> all = {of(standard, 2e-5), of(small, 1e-5), of(large, 1.5e-5)};
  EXPECT_EQ(choose(all, {1, 16}, {}, large).config, small);
  EXPECT_NEAR(choose(all, {1, 16}, {}, large).ratio.median, 1 / 1.5, 1e-6);
  EXPECT_FALSE(choose(all, {1, 16}, {}, small).config);
  EXPECT_EQ(choose(all, {1, 16}, {}, "linear{tile=1x1x8 warps=4}").config, small);
}

TEST(Acceptance, FiftyReplaysChooseTheSame) {
  // Two configurations that no measurement tells apart, and a third that is slower: whichever happens to be
  // faster in a replay, and in whatever order the records come, one is chosen.
  std::mt19937 random(1);
  std::normal_distribution<double> noise(0, 0.02);
  for (int replay = 0; replay < 50; ++replay) {
    std::vector<Measurement> all = {of(standard, 2e-5), of(small, 1e-5), of(large, 1e-5),
                                    of("linear{tile=16x16x64 warps=4}", 1.3e-5)};
    for (Measurement &m : all) {
      m.samples.resize(21, m.samples[0]);
      for (double &sample : m.samples)
        sample *= 1 + noise(random);
    }
    std::ranges::shuffle(all, random);
    Choice choice = choose(all, {1, 16});
    ASSERT_TRUE(choice.config);
    EXPECT_EQ(*choice.config, small) << "replay " << replay;
  }
}

TEST(Choices, GroupsNeverMix) {
  Measurement a = of(small, 1e-5), b = a, c = a, d = a;
  b.device.units = 114;
  c.toolchain.compiler = "older";
  d.problem.parameters["K"] = "2048";
  std::vector<MeasuredGroup> groups = groupMeasurements({a, b, c, d, in({17, 32}, a)});
  ASSERT_EQ(groups.size(), 4u);
  size_t largest = 0;
  for (const MeasuredGroup &group : groups)
    largest = std::max(largest, group.measurements.size());
  EXPECT_EQ(largest, 2u);
}

} // namespace
