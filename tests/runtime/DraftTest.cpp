//===- DraftTest.cpp - The draft head, and generation with it ---------------===//
#include "tests/runtime/CompiledModel.h"
#include "tests/runtime/RouterMargins.h"

#include "runtime/Generate.h"

#include <gtest/gtest.h>
#include <map>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

class DraftTest : public ::testing::TestWithParam<std::string> {
protected:
  std::vector<GoldenCase> cases() const {
    Expected<std::vector<GoldenCase>> read = readGoldens(modelDirectory(GetParam()));
    EXPECT_TRUE(read.ok()) << read.error().message();
    return read.ok() ? *std::move(read) : std::vector<GoldenCase>();
  }
};

/// Row i of the head: the token at i, the hidden row of i, the token at i + 1. A main layer that routed a
/// token otherwise than the reference (GoldenTest polices that) changes the head's rows from there on, so
/// they end there.
TEST_P(DraftTest, LogitsAtEveryPosition) {
  std::unique_ptr<Session> session = openModel(GetParam());
  ASSERT_TRUE(session);
  ASSERT_TRUE(session->hasDraft());
  RouterMargins margins(*session);
  int64_t rows = 0, comparedRows = 0;
  for (const GoldenCase &golden : cases()) {
    if (golden.mtpLogits.empty())
      continue;
    std::vector<uint32_t> ids = idsOf(golden.prompt);
    // In two steps as well, so that hidden rows of both and the head's own cache are used.
    for (size_t cut : {ids.size(), ids.size() / 2}) {
      Expected<int32_t> sequence = session->begin();
      ASSERT_TRUE(sequence.ok());
      Logits main{0, session->plan().vocabulary, {}}, head = main;
      auto append = [](Logits &to) {
        return [&to](size_t, size_t, std::span<const float> logits) {
          ++to.rows;
          to.values.insert(to.values.end(), logits.begin(), logits.end());
          return Status::success();
        };
      };
      std::vector<double> near;
      for (size_t at = 0; at < ids.size(); at += cut) {
        size_t count = std::min(cut, ids.size() - at), behind = std::min(count, ids.size() - at - 1);
        Feed feed{*sequence, std::span(ids).subspan(at, count), RowChoice::All};
        ASSERT_TRUE(session->run(std::span(&feed, 1), append(main)).ok());
        margins.take(count);
        if (behind == 0)
          continue;
        Status status = session->draft(*sequence, 0, std::span(ids).subspan(at + 1, behind), RowChoice::All,
                                       append(head));
        ASSERT_TRUE(status.ok()) << status.message();
        std::vector<double> own = margins.take(behind);
        ASSERT_EQ(own.size(), behind);
        near.insert(near.end(), own.begin(), own.end());
      }
      ASSERT_TRUE(session->end(*sequence).ok());
      ASSERT_EQ(head.rows, golden.mtpLogits.rows);
      auto first = [](const Logits &of, int64_t count) {
        return Logits{count, of.columns,
                      std::vector<float>(of.values.begin(), of.values.begin() + count * of.columns)};
      };
      int64_t good = 0;
      while (good < head.rows &&
             compare(first(golden.logits, good + 1), first(main, good + 1), kBf16.gap).logProbability <=
                 kBf16.logProbability)
        ++good;
      int64_t rerouted = expectWithinWhereSettled(first(golden.mtpLogits, good), first(head, good), near,
                                                  kBf16, golden.name + " head");
      rows += head.rows;
      comparedRows += good - rerouted;
    }
  }
  EXPECT_GE(comparedRows * 100, rows * 98) << "too few rows are compared";
}

struct Answer {
  std::vector<uint32_t> tokens;
  GenerateReport report;
  int64_t length = 0;
};

Answer answer(Session &session, std::span<const uint32_t> prompt, const GenerateOptions &options) {
  Answer result;
  Expected<int32_t> sequence = session.begin();
  EXPECT_TRUE(sequence.ok());
  Expected<GenerateReport> report =
      generate(session, *sequence, prompt, options, [&](uint32_t token) -> Expected<bool> {
        result.tokens.push_back(token);
        return true;
      });
  EXPECT_TRUE(report.ok()) << report.error().message();
  if (report.ok())
    result.report = *report;
  result.length = session.length(*sequence);
  EXPECT_TRUE(session.end(*sequence).ok());
  return result;
}

TEST_P(DraftTest, TheSameTokensWithAndWithout) {
  std::unique_ptr<Session> plain = openModel(GetParam(), {.context = 250, .poison = true});
  std::unique_ptr<Session> ahead =
      openModel(GetParam(), {.context = 250, .tokensPerStep = 29, .poison = true});
  ASSERT_TRUE(plain && ahead);
  int64_t drafted = 0, accepted = 0;
  for (const GoldenCase &golden : cases()) {
    std::vector<uint32_t> prompt = idsOf(golden.prompt);
    for (float temperature : {0.0f, 0.7f})
      for (int64_t most : {0, 1, 2, 7, 40, 1000}) {
        GenerateOptions options;
        options.maxTokens = most;
        options.sampling.temperature = temperature;
        options.sampling.seed = uint64_t(3 + most);
        Answer want = answer(*plain, prompt, options);
        // An end in the middle of the answer, so that a guess can be the end token too.
        for (bool stops : {false, true}) {
          if (stops && want.tokens.size() > 6)
            options.stop = StopTokens({want.tokens[want.tokens.size() / 2]});
          options.speculate = false;
          Answer plainly = answer(*plain, prompt, options);
          options.speculate = true;
          Answer got = answer(*ahead, prompt, options);
          EXPECT_EQ(plainly.tokens, got.tokens) << golden.name << " " << temperature << " " << most;
          EXPECT_EQ(plainly.report.finish, got.report.finish) << golden.name << " " << most;
          EXPECT_EQ(plainly.report.newTokens, got.report.newTokens);
          EXPECT_EQ(plainly.length, got.length) << golden.name << " " << most;
          EXPECT_EQ(plainly.report.drafted, 0);
          drafted += got.report.drafted;
          accepted += got.report.accepted;
        }
      }
  }
  std::cout << "  " << accepted << " of " << drafted << " guesses right\n";
  EXPECT_GT(drafted, 500);
  EXPECT_GT(accepted, 0);
}

/// Guesses along the greedy continuation are those of the reference, but for near choices.
TEST_P(DraftTest, GuessesOfTheReference) {
  std::unique_ptr<Session> session = openModel(GetParam());
  ASSERT_TRUE(session);
  size_t same = 0, all = 0;
  for (const GoldenCase &golden : cases()) {
    std::vector<uint32_t> ids = idsOf(golden.prompt), greedy = idsOf(golden.greedy);
    Expected<int32_t> sequence = session->begin();
    ASSERT_TRUE(sequence.ok());
    std::vector<uint32_t> following(ids.begin() + 1, ids.end());
    following.push_back(greedy[0]);
    for (size_t j = 0; j < golden.mtpDrafts.size() && j < greedy.size(); ++j) {
      ASSERT_TRUE(session->run({{*sequence, ids, RowChoice::None}}).ok());
      ASSERT_TRUE(session
                      ->draft(*sequence, 0, following, RowChoice::Last,
                              [&](size_t, size_t, std::span<const float> logits) {
                                same += argmax(logits) == golden.mtpDrafts[j];
                                ++all;
                                return Status::success();
                              })
                      .ok());
      if (j + 1 == greedy.size())
        break;
      ids = {greedy[j]};
      following = {greedy[j + 1]};
    }
    ASSERT_TRUE(session->end(*sequence).ok());
  }
  std::cout << "  " << same << " of " << all << " guesses are the reference's\n";
  EXPECT_GE(all, 90u);
  EXPECT_GE(same * 10, all * 9);
}

TEST_P(DraftTest, RefusesWhatItHasNoRowsFor) {
  std::unique_ptr<Session> session = openModel(GetParam(), {.sequences = 2});
  ASSERT_TRUE(session);
  int32_t a = *session->begin(), b = *session->begin();
  std::vector<uint32_t> ids = {3, 4, 5};
  auto code = [&](int32_t sequence, int64_t first, std::span<const uint32_t> following) {
    Status status = session->draft(sequence, first, following, RowChoice::None,
                                   [](size_t, size_t, std::span<const float>) { return Status::success(); });
    return status.ok() ? "accepted" : status.id();
  };
  EXPECT_EQ(code(a, 0, ids), "E-SESSION-DRAFT") << "nothing ran";
  ASSERT_TRUE(session->run({{a, ids}}).ok());
  EXPECT_EQ(code(b, 0, ids), "E-SESSION-DRAFT");
  EXPECT_EQ(code(a, 1, ids), "E-SESSION-DRAFT");
  EXPECT_EQ(code(a, 0, std::vector<uint32_t>{1, 1u << 30}), "E-TOKEN-ID-RANGE");
  EXPECT_EQ(code(a, 1, std::span(ids).first(2)), "accepted");
  EXPECT_EQ(code(a, 1, std::span(ids).first(2)), "E-SESSION-DRAFT") << "the rows are gone";
  ASSERT_TRUE(session->run({{a, ids}, {b, ids}}).ok());
  EXPECT_EQ(code(a, 0, ids), "E-SESSION-DRAFT") << "a step of two sequences";
}

INSTANTIATE_TEST_SUITE_P(Models, DraftTest, ::testing::Values("deepseek_v3", "deepseek_v3_fp8", "deepseek_v3_ue8m0", "demo"),
                         [](const auto &info) { return info.param; });

} // namespace
