//===- TuneTest.cpp - `quern tune` and `quern-run measure`, as a user runs them ---===//
#include "support/Files.h"
#include "support/ScratchDirectory.h"
#include "tests/tools/RunProgram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tests;
using testing::HasSubstr;

namespace {

class TuneProgram : public testing::Test {
protected:
  void SetUp() override {
    shapes = scratch / "s.jsonl";
    ASSERT_TRUE(
        writeFile(shapes, R"({"kernel": "linear", "rows": 4, "parameters": {"N": 96, "K": 128}})").ok());
  }
  RunResult quern(std::vector<std::string> arguments) {
    RunOptions options;
    options.environment["QUERN_CACHE_DIR"] = scratch / "cache";
    return runProgram(QUERN_PROGRAM, std::move(arguments), options);
  }
  RunResult tune(std::vector<std::string> more) {
    std::vector<std::string> arguments = {"tune",      shapes, "--device",      "cpu",
                                          "--threads", "1",    "--warm-cache",  "--effort",
                                          "min",       "--db", scratch / "t.db"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return quern(arguments);
  }
  ScratchDirectory scratch;
  std::string shapes;
};

TEST_F(TuneProgram, TheSecondTuneDoesNothing) {
  RunResult first = tune({});
  ASSERT_EQ(first.exit, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("tried 8 of "));
  EXPECT_THAT(first.out, HasSubstr(", 0 failed; 8 compiles"));
  RunResult second = tune({});
  ASSERT_EQ(second.exit, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("0 compiles and 0 measurements now"));
}

TEST_F(TuneProgram, ABundleIsMeasuredByTheOtherProgram) {
  RunResult native = quern({"devices", "--format", "json"});
  const std::string target =
      native.out.find("avx512bf16") != std::string::npos ? "cpu:x86-64-v4+avx512bf16" : "cpu:x86-64-v3";
  const std::string bundle = scratch / "b.qbundle";
  RunResult made = quern({"tune", shapes, "--target", target, "--effort", "min", "--emit-bundle", bundle});
  ASSERT_EQ(made.exit, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("1 problems, 8 candidates (0 did not compile)"));
  auto measure = [&](const std::string &file) {
    return runProgram(QUERN_RUN_PROGRAM, {"measure", file, "--device", "cpu", "--threads", "1",
                                          "--warm-cache", "-o", scratch / "r.jsonl"});
  };
  RunResult measured = measure(bundle);
  ASSERT_EQ(measured.exit, 0) << measured.err;
  EXPECT_THAT(measured.out, HasSubstr("8 measured, 0 known before, 0 failed"));
  measured = measure(bundle);
  EXPECT_THAT(measured.out, HasSubstr("0 measured, 8 known before"));

  RunResult other =
      quern({"tune", shapes, "--target", "nvidia:sm_80", "--effort", "min", "--emit-bundle", bundle});
  ASSERT_EQ(other.exit, 0) << other.err;
  other = measure(bundle);
  EXPECT_EQ(other.exit, 4);
  EXPECT_EQ(other.errorId(), "E-BUNDLE-DEVICE");
}

TEST_F(TuneProgram, AnEmulatedDeviceHasModelledCostsAndNoTime) {
  RunResult run = tune({"--device", "emulated:nvidia:sm_80"});
  EXPECT_NE(run.exit, 0) << "--device twice";
  run = quern({"tune", shapes, "--device", "emulated:nvidia:sm_80"});
  ASSERT_EQ(run.exit, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("modelled, not measured"));
  EXPECT_THAT(run.out, HasSubstr("(default)"));
  // E-TUNE-NO-TIME stands behind the facade, for callers that are no verb; the verb never comes there.
}

TEST_F(TuneProgram, ABudgetOfZeroEndsWellAndMeasuresNothing) {
  RunResult run = tune({"--budget", "0"});
  ASSERT_EQ(run.exit, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("0 measurements"));
  EXPECT_THAT(run.out, HasSubstr("the budget is used up"));
}

TEST_F(TuneProgram, NonsenseIsNamed) {
  auto idOf = [&](std::vector<std::string> more) {
    RunResult run = tune(std::move(more));
    EXPECT_NE(run.exit, 0);
    return run.errorId();
  };
  EXPECT_EQ(idOf({"--budget", "soon"}), "E-TUNE-BUDGET");
  EXPECT_EQ(idOf({"--shard", "4/3"}), "E-SHARD");
  EXPECT_EQ(idOf({"--ops", "sample"}), "E-TUNE-NOTHING");
  auto plain = [&](std::vector<std::string> arguments) { return quern(std::move(arguments)).errorId(); };
  EXPECT_EQ(plain({"tune", shapes, "--effort", "heroic", "--db", scratch / "t.db"}), "E-TUNE-EFFORT");
  EXPECT_EQ(plain({"tune", shapes, "--target", "cpu", "--emit-bundle", scratch / "b"}), "E-TUNE-TARGET");
  EXPECT_EQ(plain({"tune", shapes, "--device", "cpu"}), "E-USAGE");
  ASSERT_TRUE(writeFile(shapes, "nonsense\n").ok());
  EXPECT_EQ(idOf({}), "E-TUNE-SHAPES");
}

} // namespace
