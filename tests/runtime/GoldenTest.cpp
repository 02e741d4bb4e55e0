//===- GoldenTest.cpp - Compiled models on the CPU against their goldens ----===//
//
// Every checkpoint of tests/models is compiled for the CPU and run; its logits at all positions of the
// prompts are compared with the reference's, and the reference's greedy continuation is fed back token by
// token: wherever the reference is sure of its choice the model must choose the same.
//
//===----------------------------------------------------------------------===//
#include "tests/runtime/CompiledModel.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

/// The goldens' own margins are those of f32, from where the way to another routing is longer than from ours.
constexpr double kGoldenMargin = 0.03;

class GoldenTest : public ::testing::TestWithParam<std::string> {
protected:
  std::vector<GoldenCase> cases(const std::string &file = "golden") const {
    Expected<std::vector<GoldenCase>> read = readGoldens(modelDirectory(GetParam()), file);
    EXPECT_TRUE(read.ok()) << read.error().message();
    return read.ok() ? *std::move(read) : std::vector<GoldenCase>();
  }
};

TEST_P(GoldenTest, LogitsAtEveryPosition) {
  std::unique_ptr<Session> session = openModel(GetParam());
  ASSERT_TRUE(session);
  expectGoldenLogits(*session, cases(), 1000);
}

TEST_P(GoldenTest, GreedyTokens) {
  std::unique_ptr<Session> session = openModel(GetParam());
  ASSERT_TRUE(session);
  double gap = session->plan().rung == "fp8" ? kFp8.gap : kBf16.gap;
  for (const GoldenCase &golden : cases()) {
    std::vector<int32_t> all = golden.prompt;
    all.insert(all.end(), golden.greedy.begin(), golden.greedy.end());
    Logits got = logitsOf(*session, all, 1);
    size_t sure = 0;
    for (size_t i = 0; i < golden.greedy.size(); ++i) {
      bool settled = golden.greedyGaps[i] > gap;
      // A flip of one token's routing moves what later tokens read, but rarely by so much as a gap.
      if (i < golden.greedyRouterMargins.size() && golden.greedyRouterMargins[i] < kGoldenMargin)
        settled = false;
      if (!settled)
        continue;
      ++sure;
      EXPECT_EQ(argmax(got.row(int64_t(golden.prompt.size() + i) - 1)), golden.greedy[i])
          << golden.name << " step " << i << ", gap " << golden.greedyGaps[i];
    }
    EXPECT_GE(sure * 2, golden.greedy.size()) << golden.name << ": too few steps are sure";
  }
}

class LongGoldenTest : public GoldenTest {};

TEST_P(LongGoldenTest, PromptOf5000Tokens) {
  std::vector<GoldenCase> long_ = cases("golden_long");
  ASSERT_EQ(long_.size(), 1u);
  const GoldenCase &golden = long_[0];
  std::unique_ptr<Session> session = openModel(GetParam(), {.context = int64_t(golden.prompt.size())});
  ASSERT_TRUE(session);
  std::vector<uint32_t> ids = idsOf(golden.prompt);
  size_t head = ids.size() - size_t(golden.logits.rows);
  Expected<int32_t> sequence = session->begin();
  ASSERT_TRUE(sequence.ok());
  Expected<LogitsRows> rows = session->run({{*sequence, std::span(ids).first(head), RowChoice::None},
                                            {*sequence, std::span(ids).subspan(head), RowChoice::All}});
  ASSERT_TRUE(rows.ok()) << rows.error().message();
  expectWithin(golden.logits, {int64_t(rows->rows()), rows->columns, rows->values}, kBf16, golden.name);
}

INSTANTIATE_TEST_SUITE_P(Models, LongGoldenTest, ::testing::ValuesIn(goldenModels("golden_long")),
                         [](const auto &info) { return info.param; });

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, ::testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });

} // namespace
