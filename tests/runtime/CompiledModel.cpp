//===- CompiledModel.cpp --------------------------------------------------===//
#include "tests/runtime/CompiledModel.h"

#include "lowering/Compile.h"
#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>
#include <iostream>
#include <map>

using namespace quern;
using namespace quern::runtime;

Expected<std::string> quern::testing::artifactOf(const std::string &name, const std::string &target) {
  static ScratchDirectory directory;
  static std::map<std::string, std::string> made;
  std::string &path = made[name + " " + target];
  if (!path.empty())
    return path;
  lowering::CompileOptions options;
  options.directory = modelDirectory(name);
  options.targets = {target};
  options.output = directory.path() + "/" + name + "-" + std::to_string(made.size()) + ".quern";
  options.weights = lowering::WeightsMode::Link;
  Expected<lowering::CompileReport> report = lowering::compileModel(options);
  if (!report.ok())
    return report.takeError();
  return path = options.output;
}

std::unique_ptr<Session> quern::testing::openModel(const std::string &name, SessionOptions options,
                                                   const std::string &target) {
  Expected<std::string> artifact = artifactOf(name, target);
  if (!artifact.ok()) {
    ADD_FAILURE() << artifact.error().message();
    return nullptr;
  }
  options.weightsDirectory = modelDirectory(name);
  if (options.device.empty())
    options.device = "cpu";
  Expected<std::unique_ptr<Session>> session = Session::open(*artifact, options);
  EXPECT_TRUE(session.ok()) << session.error().message();
  return session.ok() ? *std::move(session) : nullptr;
}

std::vector<uint32_t> quern::testing::idsOf(std::span<const int32_t> tokens) {
  return std::vector<uint32_t>(tokens.begin(), tokens.end());
}

quern::testing::Logits quern::testing::logitsOf(Session &session, std::span<const int32_t> tokens,
                                                size_t piece) {
  std::vector<uint32_t> ids = idsOf(tokens);
  quern::testing::Logits logits;
  Expected<int32_t> sequence = session.begin();
  EXPECT_TRUE(sequence.ok()) << sequence.error().message();
  if (!sequence.ok())
    return logits;
  for (size_t at = 0; at < ids.size();) {
    size_t count = piece ? std::min(piece, ids.size() - at) : ids.size();
    Expected<LogitsRows> rows = session.run({{*sequence, std::span(ids).subspan(at, count), RowChoice::All}});
    EXPECT_TRUE(rows.ok()) << rows.error().message();
    if (!rows.ok())
      break;
    logits.rows += int64_t(rows->rows());
    logits.columns = rows->columns;
    logits.values.insert(logits.values.end(), rows->values.begin(), rows->values.end());
    at += count;
  }
  EXPECT_TRUE(session.end(*sequence).ok());
  return logits;
}

void quern::testing::expectWithin(const Logits &reference, const Logits &got, Bound bound,
                                  const std::string &what) {
  ASSERT_EQ(reference.rows, got.rows) << what;
  ASSERT_EQ(reference.columns, got.columns) << what;
  Distance distance = compare(reference, got, bound.gap);
  std::cout << "  " << what << ": top-1 log-probability within " << distance.logProbability << ", mean KL "
            << distance.meanKl << ", " << distance.close << " of " << reference.rows << " rows close\n";
  EXPECT_LE(distance.logProbability, bound.logProbability) << what;
  EXPECT_EQ(distance.flips, 0) << what;
  EXPECT_GE(distance.fewestShared, 4) << what;
}

/// Rounding to bf16 moves a router logit by some hundredths, and a choice of ours that is nearer to another
/// than this may be the other one in the reference.
static constexpr double kOwnMargin = 0.01;

int64_t quern::testing::expectWithinWhereSettled(const Logits &reference, const Logits &got,
                                                 const std::vector<double> &margins, Bound bound,
                                                 const std::string &what) {
  EXPECT_EQ(reference.rows, got.rows) << what;
  if (reference.rows != got.rows)
    return got.rows;
  Logits want{0, got.columns, {}}, kept = want;
  for (int64_t i = 0; i < got.rows; ++i) {
    auto rowOf = [&](const Logits &of) {
      return Logits{1, of.columns, std::vector<float>(of.row(i).begin(), of.row(i).end())};
    };
    Distance distance = compare(rowOf(reference), rowOf(got), bound.gap);
    bool off =
        !(distance.logProbability <= bound.logProbability) || distance.flips || distance.fewestShared < 4;
    if (off && margins[size_t(i)] < kOwnMargin)
      continue;
    want.values.insert(want.values.end(), reference.row(i).begin(), reference.row(i).end());
    kept.values.insert(kept.values.end(), got.row(i).begin(), got.row(i).end());
    ++want.rows;
    ++kept.rows;
  }
  expectWithin(want, kept, bound, what);
  return got.rows - kept.rows;
}

void quern::testing::expectGoldenLogits(Session &session, const std::vector<GoldenCase> &cases,
                                        size_t longest) {
  bool fp8 = session.plan().rung == "fp8";
  int64_t rows = 0;
  for (const GoldenCase &golden : cases) {
    if (golden.prompt.size() > longest)
      continue;
    Logits got = logitsOf(session, golden.prompt);
    const Logits &reference = fp8 && !golden.logitsFp8.empty() ? golden.logitsFp8 : golden.logits;
    expectWithin(reference, got, fp8 ? kFp8 : kBf16, golden.name);
    rows += got.rows;
  }
  EXPECT_GT(rows, 0);
}
