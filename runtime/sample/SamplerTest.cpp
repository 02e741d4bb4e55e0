//===- SamplerTest.cpp ----------------------------------------------------===//
#include "runtime/sample/Sampler.h"
#include "runtime/sample/GenerationConfig.h"
#include "runtime/sample/Stop.h"

#include "support/Philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

using namespace quern;
using namespace quern::runtime;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

uint32_t draw(const SamplingOptions &options, const std::vector<float> &logits, uint64_t position = 0,
              uint32_t tokenCount = 1 << 20) {
  Sampler sampler = *Sampler::make(options, tokenCount);
  Expected<uint32_t> token = sampler.sample(logits, position);
  EXPECT_TRUE(token.ok()) << (token.ok() ? "" : token.error().message());
  return token.ok() ? *token : UINT32_MAX;
}

std::set<uint32_t> reachable(const SamplingOptions &options, const std::vector<float> &logits) {
  Sampler sampler = *Sampler::make(options, static_cast<uint32_t>(logits.size()));
  std::set<uint32_t> seen;
  for (uint64_t position = 0; position < 4000; ++position)
    seen.insert(*sampler.sample(logits, position));
  return seen;
}

TEST(SamplerTest, TemperatureZeroTakesTheLowestIdAmongEquals) {
  EXPECT_EQ(draw({}, {1, 3, -1, 3, 2}), 1u);
  EXPECT_EQ(draw({}, {-INFINITY, -5, -5}), 1u);
  EXPECT_EQ(draw({.seed = 9}, {0, 0, 0}, 17), 0u);
}

TEST(SamplerTest, IdsWithoutTextAreNeverChosen) {
  EXPECT_EQ(draw({}, {1, 2, 9, 9}, 0, 2), 1u);
  for (uint64_t position = 0; position < 200; ++position)
    EXPECT_LT(draw({.temperature = 1}, {1, 2, 90, 90}, position, 2), 2u);
}

TEST(SamplerTest, TopKKeepsLowerIdsAmongEquals) {
  EXPECT_EQ(reachable({.temperature = 1, .topK = 2}, {1, 2, 2, 2, 0}), (std::set<uint32_t>{1, 2}));
  EXPECT_EQ(reachable({.temperature = 1, .topK = 1}, {1, 2, 5, 2, 0}), (std::set<uint32_t>{2}));
  EXPECT_EQ(reachable({.temperature = 1, .topK = 9}, {1, 1, 1}), (std::set<uint32_t>{0, 1, 2}));
}

TEST(SamplerTest, TopPKeepsTheFewestThatReachTheSum) {
  // Probabilities 0.5, 0.25, 0.125, 0.125.
  std::vector<float> logits = {std::log(0.125f), std::log(0.5f), std::log(0.25f), std::log(0.125f)};
  EXPECT_EQ(reachable({.temperature = 1, .topP = 0.49f}, logits), (std::set<uint32_t>{1}));
  EXPECT_EQ(reachable({.temperature = 1, .topP = 0.7f}, logits), (std::set<uint32_t>{1, 2}));
  EXPECT_EQ(reachable({.temperature = 1, .topP = 0.8f}, logits), (std::set<uint32_t>{0, 1, 2}));
  EXPECT_EQ(reachable({.temperature = 1, .topP = 1}, logits), (std::set<uint32_t>{0, 1, 2, 3}));
  // top-k comes first: what top-p sums up are the probabilities among the two that are left (2/3 and 1/3).
  EXPECT_EQ(reachable({.temperature = 1, .topK = 2, .topP = 0.66f}, logits), (std::set<uint32_t>{1}));
}

TEST(SamplerTest, TopPAgreesWithAPlainSortOnManyTokens) {
  std::vector<float> logits(5000);
  for (size_t i = 0; i < logits.size(); ++i)
    logits[i] = 4 * uniformFloat(philoxAt(5, i)[1]);
  std::vector<std::pair<double, uint32_t>> sorted;
  double total = 0;
  for (uint32_t i = 0; i < logits.size(); ++i) {
    sorted.emplace_back(-logits[i], i);
    total += std::exp(double(logits[i]));
  }
  std::sort(sorted.begin(), sorted.end());
  std::set<uint32_t> nucleus;
  double sum = 0;
  for (auto [negative, id] : sorted) {
    if (sum >= 0.5 * total)
      break;
    nucleus.insert(id);
    sum += std::exp(-negative);
  }
  std::set<uint32_t> seen = reachable({.temperature = 1, .topP = 0.5f}, logits);
  for (uint32_t id : seen)
    EXPECT_TRUE(nucleus.count(id)) << id;
  EXPECT_GT(seen.size(), nucleus.size() / 2);
}

TEST(SamplerTest, DrawsFollowTheProbabilities) {
  // Expected counts by a scalar softmax in double; chi-square with 4 degrees of freedom stays below 18.5
  // in 99.9 % of cases, and the draws are seeded, so the test is deterministic.
  std::vector<float> logits = {0.3f, -1.2f, 2.0f, 0.0f, 1.1f};
  for (float temperature : {0.5f, 1.0f, 1.7f})
    for (uint64_t seed : {1, 77, 4242}) {
      Sampler sampler = *Sampler::make({.temperature = temperature, .seed = seed}, 5);
      constexpr int draws = 20000;
      int counts[5] = {};
      for (int position = 0; position < draws; ++position)
        ++counts[*sampler.sample(logits, position)];
      double total = 0, chiSquare = 0;
      for (float logit : logits)
        total += std::exp(logit / double(temperature));
      for (int i = 0; i < 5; ++i) {
        double expected = draws * std::exp(logits[i] / double(temperature)) / total;
        chiSquare += (counts[i] - expected) * (counts[i] - expected) / expected;
      }
      EXPECT_LT(chiSquare, 18.5) << "temperature " << temperature << " seed " << seed;
    }
}

TEST(SamplerTest, TheDrawIsThePhiloxNumberOfSeedAndPosition) {
  std::vector<float> flat(1000, 0.25f);
  for (uint64_t seed : {0ull, 3ull, 1ull << 40})
    for (uint64_t position : {0, 1, 63, 5000}) {
      uint32_t expected = static_cast<uint32_t>(uniformFloat(philoxAt(seed, position)[0]) * 1000.0);
      EXPECT_EQ(draw({.temperature = 1, .seed = seed}, flat, position), expected);
    }
}

TEST(SamplerTest, ExtremesDoNotBreakIt) {
  EXPECT_EQ(draw({.temperature = 1e-30f}, {1e10f, 2e10f, 1}), 1u);
  EXPECT_EQ(draw({.temperature = 1}, {-INFINITY, -3e38f, -INFINITY}), 1u);
  EXPECT_EQ(draw({.temperature = 1}, {3e38f, -3e38f}), 0u);
  Sampler sampler = *Sampler::make({.temperature = 1}, 3);
  for (std::vector<float> logits :
       {std::vector<float>{1, NAN, 2}, {INFINITY, 1, 2}, {-INFINITY, -INFINITY, -INFINITY}, {}}) {
    Expected<uint32_t> token = sampler.sample(logits, 7);
    ASSERT_FALSE(token.ok());
    EXPECT_EQ(token.error().id(), "E-LOGITS-NAN");
    EXPECT_THAT(token.error().message(), HasSubstr("position 7"));
  }
}

TEST(SamplerTest, RefusesOptionsOutOfRange) {
  for (SamplingOptions options :
       {SamplingOptions{.temperature = -1}, SamplingOptions{.temperature = NAN}, SamplingOptions{.topP = 0},
        SamplingOptions{.topP = 1.5f}, SamplingOptions{.topP = NAN}}) {
    Expected<Sampler> sampler = Sampler::make(options, 10);
    ASSERT_FALSE(sampler.ok());
    EXPECT_EQ(sampler.error().id(), "E-SAMPLING-OPTIONS");
    EXPECT_EQ(sampler.error().exit(), Exit::Usage);
  }
}

TEST(StopTest, UnitesEndTokens) {
  JsonDocument list = *parseJson(R"({"eos_token_id": [151645, 151643]})"),
               one = *parseJson(R"({"eos_token_id": 7})"), none = *parseJson(R"({"eos_token_id": null})"),
               wrong = *parseJson(R"({"eos_token_id": [1, "x"]})");
  EXPECT_THAT((*StopTokens::read(list.root(), one.root(), 3)).all(), ElementsAre(3, 151643, 151645));
  EXPECT_THAT((*StopTokens::read(none.root(), one.root(), 7)).all(), ElementsAre(7));
  EXPECT_THAT((*StopTokens::read(std::nullopt, std::nullopt, std::nullopt)).all(), ElementsAre());
  EXPECT_TRUE((*StopTokens::read(list.root(), std::nullopt, std::nullopt)).contains(151643));
  EXPECT_FALSE((*StopTokens::read(list.root(), std::nullopt, std::nullopt)).contains(151644));
  EXPECT_EQ(StopTokens::read(wrong.root(), std::nullopt, std::nullopt).error().id(), "E-JSON-TYPE");
}

TEST(StopTest, StopStringsEndTheTextWhereverItIsCut) {
  std::string text = "one two END three", expected = "one two ";
  for (size_t size = 1; size <= text.size(); ++size) {
    StopStrings stop = *StopStrings::make({"END", "ENDING", "two EX"});
    std::string shown;
    for (size_t at = 0; at < text.size(); at += size)
      shown += stop.push(text.substr(at, size));
    EXPECT_TRUE(stop.stopped());
    EXPECT_EQ(shown + stop.finish(), expected) << size;
  }
  StopStrings stop = *StopStrings::make({"END"});
  EXPECT_EQ(stop.push("an EN"), "an ");
  EXPECT_EQ(stop.push("T"), "ENT");
  EXPECT_EQ(stop.push(" EN"), " ");
  EXPECT_EQ(stop.finish(), "EN");
  EXPECT_FALSE(stop.stopped());
  EXPECT_EQ(StopStrings::make({""}).error().id(), "E-STOP-STRINGS");
  EXPECT_EQ(StopStrings::make({std::string(2000, 'x')}).error().id(), "E-STOP-STRINGS");
  EXPECT_EQ(StopStrings::make(std::vector<std::string>(100, "x")).error().id(), "E-STOP-STRINGS");
}

TEST(GenerationConfigTest, ReadsRecommendedValues) {
  JsonDocument document = *parseJson(
      R"({"do_sample": true, "temperature": 0.6, "top_p": 0.95, "top_k": 20, "bos_token_id": [5], "unknown": {}})");
  GenerationConfig config = *GenerationConfig::read(document.root());
  EXPECT_EQ(config.samplingOptions().temperature, 0.6f);
  EXPECT_EQ(config.samplingOptions().topP, 0.95f);
  EXPECT_EQ(config.samplingOptions().topK, 20u);
  EXPECT_EQ(config.beginToken, 5u);
  JsonDocument greedy = *parseJson(R"({"temperature": 0.6})");
  EXPECT_EQ((*GenerationConfig::read(greedy.root())).samplingOptions().temperature, 0);
  JsonDocument bad = *parseJson(R"({"do_sample": true, "top_p": 7})", {.name = "generation_config.json"});
  Expected<GenerationConfig> refused = GenerationConfig::read(bad.root());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().exit(), Exit::BadInput);
  EXPECT_THAT(refused.error().message(), HasSubstr("generation_config.json: top-p is 7"));
}

} // namespace
