//===- GoldenTest.cpp - Compiled models on the CPU against their goldens ----===//
//
// Every checkpoint of tests/models is compiled for the CPU and run; its logits at all positions of the prompts are
// compared with the reference's, and the reference's greedy continuation is fed back token by token: wherever the
// reference is sure of its choice the model must choose the same.
//
//===----------------------------------------------------------------------===//
#include "tests/runtime/CompiledModel.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

struct Bound {
  double logProbability, gap;
};
constexpr Bound kBf16 = {0.05, 0.1}, kFp8 = {0.15, 0.3};
/// Below this distance from another routing a model that rounds otherwise may take it.
constexpr double kRouterMargin = 0.01;

class GoldenTest : public ::testing::TestWithParam<std::string> {
protected:
  std::vector<GoldenCase> cases(const std::string &file = "golden") const {
    Expected<std::vector<GoldenCase>> read = readGoldens(modelDirectory(GetParam()), file);
    EXPECT_TRUE(read.ok()) << read.error().message();
    return read.ok() ? *std::move(read) : std::vector<GoldenCase>();
  }
};

void expectWithin(const Logits &reference, const Logits &got, Bound bound, const std::string &what) {
  ASSERT_EQ(reference.rows, got.rows) << what;
  ASSERT_EQ(reference.columns, got.columns) << what;
  Distance distance = compare(reference, got, bound.gap);
  std::cout << "  " << what << ": top-1 log-probability within " << distance.logProbability << ", mean KL "
            << distance.meanKl << ", " << distance.close << " of " << reference.rows << " rows close\n";
  EXPECT_LE(distance.logProbability, bound.logProbability) << what;
  EXPECT_EQ(distance.flips, 0) << what;
  EXPECT_GE(distance.fewestShared, 4) << what;
}

TEST_P(GoldenTest, LogitsAtEveryPosition) {
  std::unique_ptr<Session> session = openModel(GetParam());
  ASSERT_TRUE(session);
  bool fp8 = session->plan().rung == "fp8";
  for (const GoldenCase &golden : cases()) {
    Logits got = logitsOf(*session, golden.prompt);
    if (!fp8)
      expectWithin(golden.logits, got, kBf16, golden.name);
    else
      expectWithin(golden.logitsFp8, got, kFp8, golden.name + " fp8");
  }
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
      if (i < golden.greedyRouterMargins.size() && golden.greedyRouterMargins[i] < kRouterMargin)
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

INSTANTIATE_TEST_SUITE_P(Models, GoldenTest, ::testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });

} // namespace
