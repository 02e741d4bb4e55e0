//===- EqualityTest.cpp - What must give the same bits --------------------===//
//
// Contract 6: the same steps give the same logits, bit for bit, with any number of threads and whatever
// unused memory holds. In batch-invariant mode the same tokens do, however a prompt is cut into steps and
// whatever stands beside it in a step.
//
//===----------------------------------------------------------------------===//
#include "runtime/Generate.h"
#include "tests/runtime/CompiledModel.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <random>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

class EqualityTest : public ::testing::TestWithParam<std::string> {
protected:
  static std::vector<int32_t> randomTokens(size_t count, int64_t vocabulary, uint64_t seed) {
    std::mt19937_64 random(seed);
    std::vector<int32_t> tokens(count);
    for (int32_t &token : tokens)
      token = int32_t(random() % uint64_t(vocabulary));
    return tokens;
  }
};

/// Says which row differs first, not only that some do.
void expectSameBits(const Logits &want, const Logits &got, const std::string &what) {
  ASSERT_EQ(want.values.size(), got.values.size()) << what;
  for (int64_t r = 0; r < want.rows; ++r)
    ASSERT_EQ(0, std::memcmp(want.row(r).data(), got.row(r).data(), want.row(r).size_bytes()))
        << what << ": row " << r << " of " << want.rows << " differs";
  for (float value : got.values)
    ASSERT_FALSE(std::isnan(value)) << what;
}

TEST_P(EqualityTest, HoweverThePromptIsCut) {
  std::unique_ptr<Session> session = openModel(GetParam(), {.context = 1200, .batchInvariant = true});
  ASSERT_TRUE(session);
  std::vector<int32_t> tokens = randomTokens(1000, session->plan().validVocabulary, 1);
  Logits whole = logitsOf(*session, tokens);
  ASSERT_EQ(whole.rows, 1000);
  for (size_t piece : {1, 2, 3, 17, 63, 64, 65, 128})
    expectSameBits(whole, logitsOf(*session, tokens, piece), "pieces of " + std::to_string(piece));
  // A session whose steps are shorter than the feeds.
  std::unique_ptr<Session> narrow =
      openModel(GetParam(), {.context = 1200, .tokensPerStep = 37, .batchInvariant = true});
  ASSERT_TRUE(narrow);
  expectSameBits(whole, logitsOf(*narrow, tokens), "steps of 37");
}

/// Without that mode kernels are chosen by the size of a step: the logits stay close on both sides of a
/// choice, and equal in bits where all steps are on one side.
TEST_P(EqualityTest, OnBothSidesOfAChoice) {
  std::unique_ptr<Session> invariant = openModel(GetParam(), {.context = 1200, .batchInvariant = true});
  std::unique_ptr<Session> session = openModel(GetParam(), {.context = 1200});
  ASSERT_TRUE(invariant && session);
  std::vector<int32_t> tokens = randomTokens(1000, session->plan().validVocabulary, 3);
  // The values of T from which another alternative runs.
  std::vector<int64_t> from = {0};
  for (const PlanEntry &entry : session->plan().entries)
    forEachLaunch(entry.steps, [&](const PlacedLaunch &placed) {
      if (placed.choice)
        from.push_back(placed.choice->alternatives[placed.alternative].from);
    });
  const int64_t last = *std::max_element(from.begin(), from.end());
  const Logits want = logitsOf(*invariant, tokens);
  std::map<int64_t, Logits> bySide;
  for (int64_t piece : {1, 2, 3, 17, 63, 64, 65, 125, 1000}) {
    Logits got = logitsOf(*session, tokens, size_t(piece));
    const std::string what = "pieces of " + std::to_string(piece);
    int64_t side = 0;
    for (int64_t first : from)
      side = std::max(side, first <= piece ? first : 0);
    // 1000 tokens are a multiple of these pieces, so that all steps are on their side.
    if (side == last && 1000 % piece == 0)
      expectSameBits(want, got, what);
    Distance distance = compare(want, got, 0.1);
    EXPECT_EQ(distance.flips, 0) << what;
    EXPECT_LT(distance.logProbability, 0.05) << what;
    double xy = 0, xx = 0;
    for (size_t i = 0; i < want.values.size(); ++i)
      if (std::isfinite(want.values[i])) {
        xy += double(want.values[i]) * got.values[i];
        xx += double(want.values[i]) * want.values[i] + double(got.values[i]) * got.values[i];
      }
    EXPECT_LT(1 - 2 * xy / xx, 1e-4) << what;
    if (1000 % piece != 0)
      continue;
    auto [known, fresh] = bySide.try_emplace(side, std::move(got));
    if (!fresh)
      expectSameBits(known->second, got, what);
  }
}

TEST_P(EqualityTest, WhateverIsBesideASequence) {
  constexpr int32_t most = 9;
  std::unique_ptr<Session> session =
      openModel(GetParam(), {.sequences = most, .context = 200, .batchInvariant = true});
  ASSERT_TRUE(session);
  std::vector<std::vector<uint32_t>> prompts;
  std::vector<Logits> alone;
  for (int32_t i = 0; i < most; ++i) {
    std::vector<int32_t> tokens =
        randomTokens(size_t(5 + 17 * i), session->plan().validVocabulary, uint64_t(100 + i));
    alone.push_back(logitsOf(*session, tokens));
    prompts.push_back(idsOf(tokens));
  }
  for (int32_t batch = 1; batch <= most; ++batch) {
    // Prompts together, but for the last two tokens of each, which then go in one step each for all.
    std::vector<int32_t> sequences;
    std::vector<Feed> feeds;
    std::vector<Logits> together(static_cast<size_t>(batch));
    for (int32_t i = 0; i < batch; ++i) {
      Expected<int32_t> sequence = session->begin();
      ASSERT_TRUE(sequence.ok());
      sequences.push_back(*sequence);
    }
    for (size_t step = 0; step < 3; ++step) {
      feeds.clear();
      for (size_t i = 0; i < size_t(batch); ++i) {
        std::span<const uint32_t> all = prompts[i];
        feeds.push_back({sequences[i],
                         step == 0 ? all.first(all.size() - 2) : all.subspan(all.size() - 3 + step, 1),
                         RowChoice::All});
      }
      ASSERT_TRUE(session
                      ->run(feeds,
                            [&](size_t feed, size_t, std::span<const float> logits) {
                              Logits &own = together[feed];
                              ++own.rows;
                              own.columns = int64_t(logits.size());
                              own.values.insert(own.values.end(), logits.begin(), logits.end());
                              return Status::success();
                            })
                      .ok());
    }
    for (size_t i = 0; i < size_t(batch); ++i)
      expectSameBits(alone[i], together[i], "sequence " + std::to_string(i) + " of " + std::to_string(batch));
    for (int32_t sequence : sequences)
      ASSERT_TRUE(session->end(sequence).ok());
  }
}

TEST_P(EqualityTest, AnyNumberOfThreads) {
  std::unique_ptr<Session> one = openModel(GetParam(), {.deviceOptions = {.threads = 1}, .context = 100});
  ASSERT_TRUE(one);
  std::vector<int32_t> tokens = randomTokens(70, one->plan().validVocabulary, 7);
  Logits want = logitsOf(*one, tokens, 33);
  for (uint32_t threads : {2u, 5u}) {
    std::unique_ptr<Session> other =
        openModel(GetParam(), {.deviceOptions = {.threads = threads}, .context = 100});
    ASSERT_TRUE(other);
    expectSameBits(want, logitsOf(*other, tokens, 33), std::to_string(threads) + " threads");
  }
}

TEST_P(EqualityTest, GreedyTokensOfEveryRun) {
  std::vector<uint32_t> first, prompt = {5, 9, 200};
  for (uint32_t threads : {1u, 1u, 2u, 3u}) {
    std::unique_ptr<Session> session =
        openModel(GetParam(), {.deviceOptions = {.threads = threads}, .context = 260});
    ASSERT_TRUE(session);
    std::vector<uint32_t> tokens;
    GenerateOptions options;
    options.maxTokens = 256;
    Expected<GenerateReport> report =
        generate(*session, *session->begin(), prompt, options, [&](uint32_t token) -> Expected<bool> {
          tokens.push_back(token);
          return true;
        });
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_EQ(tokens.size(), 256u);
    if (first.empty())
      first = tokens;
    EXPECT_EQ(tokens, first) << threads << " threads";
  }
}

TEST_P(EqualityTest, WhateverUnusedMemoryHolds) {
  std::unique_ptr<Session> clean =
      openModel(GetParam(), {.sequences = 3, .context = 300, .batchInvariant = true});
  std::unique_ptr<Session> poisoned =
      openModel(GetParam(), {.sequences = 3, .context = 300, .batchInvariant = true, .poison = true});
  ASSERT_TRUE(clean && poisoned);
  // Pages change hands, so that sequences get them in another order than they come.
  std::vector<int32_t> other = randomTokens(130, clean->plan().validVocabulary, 11);
  std::vector<uint32_t> filler = idsOf(other);
  Expected<int32_t> a = poisoned->begin(), b = poisoned->begin();
  ASSERT_TRUE(a.ok() && b.ok());
  for (size_t i = 0; i < filler.size(); i += 65)
    ASSERT_TRUE(
        poisoned->run({{*a, std::span(filler).subspan(i, 65)}, {*b, std::span(filler).subspan(i, 65)}}).ok());
  ASSERT_TRUE(poisoned->end(*a).ok());
  for (uint64_t seed : {21, 22}) {
    std::vector<int32_t> tokens = randomTokens(200 + seed, clean->plan().validVocabulary, seed);
    expectSameBits(logitsOf(*clean, tokens), logitsOf(*poisoned, tokens, 67), "poisoned cache");
  }
}

TEST_P(EqualityTest, AfterAStepBack) {
  std::unique_ptr<Session> session = openModel(GetParam(), {.context = 200, .batchInvariant = true});
  ASSERT_TRUE(session);
  std::vector<int32_t> tokens = randomTokens(150, session->plan().validVocabulary, 5);
  std::vector<uint32_t> ids = idsOf(tokens);
  Expected<int32_t> sequence = session->begin();
  ASSERT_TRUE(sequence.ok());
  Expected<LogitsRows> want = session->run({{*sequence, ids}});
  ASSERT_TRUE(want.ok());
  for (int64_t back : {149, 100, 64, 1}) {
    ASSERT_TRUE(session->truncate(*sequence, back).ok());
    EXPECT_EQ(session->length(*sequence), back);
    Expected<LogitsRows> again = session->run({{*sequence, std::span(ids).subspan(size_t(back))}});
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(want->values, again->values) << back;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EqualityTest,
                         ::testing::Values("llama", "gemma2", "qwen3_moe", "deepseek_v3", "deepseek_v3_fp8"),
                         [](const auto &info) { return info.param; });

} // namespace
