//===- MeasureTest.cpp - Trials in a process that may die -----------------===//
#include "support/target/KnownTargets.h"
#include "tuner/measure/FakeDevice.h"
#include "tuner/measure/MeasureProcess.h"

#include <gtest/gtest.h>

#include <algorithm>

using namespace quern;
using namespace quern::tuner;
using namespace std::chrono_literals;

namespace {

runtime::MeasureOptions quickly() {
  runtime::MeasureOptions options;
  options.cache = runtime::CacheState::Warm;
  options.warmUpSeconds = 0;
  options.maximumSamples = 31;
  return options;
}

class Measure : public testing::Test {
protected:
  void SetUp() override { ASSERT_TRUE(process.begin(fakeProblem(5)).ok()); }
  TrialResult run(const std::string &code, std::chrono::milliseconds deadline = 20s) {
    Expected<TrialResult> result = process.run(fakeCandidate(code), quickly(), deadline);
    EXPECT_TRUE(result.ok()) << result.error().message();
    return result.ok() ? *result : TrialResult();
  }
  MeasureProcess process{"/proc/self/exe", "fake:0", 1};
};

TEST_F(Measure, TimesWhatIsRight) {
  TrialResult result = run("double us=40 noise=0.01");
  ASSERT_TRUE(result.ok()) << result.cause;
  EXPECT_EQ(result.cache, runtime::CacheState::Warm);
  EXPECT_GE(result.samples.size(), 11u);
  EXPECT_NEAR(result.seconds().median, 40e-6, 1e-6);
}

TEST_F(Measure, NeverTimesWhatIsWrong) {
  EXPECT_EQ(run("wrong us=1").outcome, Outcome::Wrong);
  TrialResult lazy = run("lazy us=1");
  EXPECT_EQ(lazy.outcome, Outcome::Wrong);
  EXPECT_EQ(lazy.cause, "nothing was written to row 4, column 7");
  TrialResult overrun = run("overrun us=1");
  EXPECT_EQ(overrun.outcome, Outcome::Wrong);
  EXPECT_NE(overrun.cause.find("written outside"), std::string::npos) << overrun.cause;
  EXPECT_TRUE(run("overrun").samples.empty());
}

// users.md, acceptance test 3: a candidate that spins forever costs at most its deadline.
TEST_F(Measure, ASpinningCandidateCostsItsDeadline) {
  const auto begun = std::chrono::steady_clock::now();
  TrialResult result = run("spin", 200ms);
  EXPECT_EQ(result.outcome, Outcome::Hung);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 15s);
  EXPECT_TRUE(run("double").ok()) << "the next one is measured";
  EXPECT_EQ(process.starts(), 2u);
  EXPECT_EQ(process.losses(), 1u);
}

TEST_F(Measure, ACrashIsAnOutcome) {
  TrialResult result = run("crash");
  EXPECT_EQ(result.outcome, Outcome::RunFailed);
  EXPECT_NE(result.cause.find("signal 11"), std::string::npos) << result.cause;
  EXPECT_TRUE(run("double").ok());
}

TEST_F(Measure, ErrorsOfTheDeviceAreOutcomes) {
  EXPECT_EQ(run("hungry").outcome, Outcome::OutOfMemory);
  EXPECT_EQ(run("faulty").outcome, Outcome::RunFailed);
  Candidate other = fakeCandidate("double");
  other.symbol = "another";
  Expected<TrialResult> result = process.run(other, quickly(), 20s);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, Outcome::RunFailed);
}

TEST_F(Measure, ADeviceThatDisappearsEndsTheSession) {
  Expected<TrialResult> result = process.run(fakeCandidate("vanish"), quickly(), 20s);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().exit(), Exit::NoDevice);
  EXPECT_EQ(result.error().id(), "E-DEVICE-NONE");
}

TEST_F(Measure, AClockThatStandsStillOrRunsBackwardsGivesNoTime) {
  for (const char *code : {"double stuck", "double backwards"}) {
    TrialResult result = run(code);
    EXPECT_EQ(result.outcome, Outcome::RunFailed) << code;
    EXPECT_NE(result.cause.find("clock"), std::string::npos) << result.cause;
  }
}

TEST_F(Measure, AClockThatJumpsDoesNotMoveTheMedian) {
  TrialResult result = run("double us=100 jump");
  ASSERT_TRUE(result.ok()) << result.cause;
  EXPECT_GT(*std::max_element(result.samples.begin(), result.samples.end()), 1.0);
  EXPECT_NEAR(result.seconds().median, 100e-6, 1e-6);
}

TEST_F(Measure, PairsAreTakenInTurns) {
  auto both = process.runPair(fakeCandidate("double us=30"), fakeCandidate("double us=20"), quickly(), 20s);
  ASSERT_TRUE(both.ok()) << both.error().message();
  EXPECT_EQ(both->first.samples.size(), both->second.samples.size());
  EXPECT_NEAR(both->first.seconds().median / both->second.seconds().median, 1.5, 1e-6);
  auto bad = process.runPair(fakeCandidate("double"), fakeCandidate("wrong"), quickly(), 20s);
  ASSERT_TRUE(bad.ok());
  EXPECT_EQ(bad->second.outcome, Outcome::Wrong);
}

TEST(MeasureProcess, ReportsADeviceThatIsNotThere) {
  MeasureProcess process("/proc/self/exe", "absent", 1);
  Status status = process.begin(fakeProblem(1));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.exit(), Exit::NoDevice);
  MeasureProcess silent("/bin/true", "fake:0", 1);
  status = silent.begin(fakeProblem(1));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-MEASURE-WORKER");
}

// users.md, acceptance test 12: a rate above the device's limit fails.
TEST(TrialRunner, ARateAboveTheLimitIsWrong) {
  const CardInfo &card = knownCards().front();
  const TargetInfo *target = nullptr;
  for (const TargetInfo &known : knownTargets())
    if (known.architecture == card.architecture)
      target = &known;
  ASSERT_NE(target, nullptr);
  FakeDevice device(std::string(target->vendor), std::string(card.architecture));
  TrialRunner runner(device);
  TrialProblem problem = fakeProblem(5);
  problem.work.bytes = 1e9; // in a microsecond
  ASSERT_TRUE(runner.begin(problem).ok());
  runtime::MeasureOptions options = quickly();
  options.cache = runtime::CacheState::Cold;
  Expected<TrialResult> result = runner.run(fakeCandidate("double us=1"), options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->outcome, Outcome::Wrong);
  EXPECT_NE(result->cause.find("seems to reach"), std::string::npos) << result->cause;
}

TEST(KernelCase, SurvivesBytesAndRefusesDamage) {
  const KernelCase given = fakeProblem(3).cases[1];
  const std::string bytes = writeCase(given);
  Expected<KernelCase> read = readCase(bytes);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(writeCase(*read), bytes);
  for (size_t cut = 0; cut < bytes.size(); cut += 7)
    EXPECT_FALSE(readCase(bytes.substr(0, cut)).ok());
  KernelCase bad = given;
  bad.expected[0].rows = 5; // beyond the output
  Expected<KernelCase> refused = readCase(writeCase(bad));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().id(), "E-BUNDLE-CASE");
}

TEST(Candidate, SurvivesBytesAndRefusesDamage) {
  const std::string bytes = writeCandidate(fakeCandidate(std::string("code\0\n", 6), "fake{tile=4}"));
  Expected<Candidate> read = readCandidate(bytes);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(writeCandidate(*read), bytes);
  for (size_t cut = 0; cut < bytes.size(); cut += 5) {
    Expected<Candidate> damaged = readCandidate(bytes.substr(0, cut));
    ASSERT_FALSE(damaged.ok());
    EXPECT_EQ(damaged.error().id(), "E-BUNDLE-CANDIDATE");
  }
}

TEST(TrialResult, SurvivesJsonAndRefusesWhatIsNoTime) {
  TrialResult result;
  result.samples = {1e-6, 2e-6};
  result.cache = runtime::CacheState::Warm;
  auto parse = [](const std::string &text) {
    Expected<JsonDocument> document = parseJson(text);
    EXPECT_TRUE(document.ok());
    return trialFromJson(document->root());
  };
  const std::string text = writeJson(trialToJson(result));
  Expected<TrialResult> read = parse(text);
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(writeJson(trialToJson(*read)), text);
  for (const char *samples : {"[]", "[0.0]", "[-1e-6]", "[1e-6, 0]"}) {
    Expected<TrialResult> refused =
        parse(std::string(R"({"outcome": "ok", "cache": "cold", "runs_per_sample": 1, "samples": )") +
              samples + "}");
    ASSERT_FALSE(refused.ok()) << samples;
    EXPECT_EQ(refused.error().id(), "E-TRIAL-RESULT");
  }
  EXPECT_FALSE(parse(R"({"outcome": "splendid"})").ok());
}

TEST(TestData, IsTheSameEverywhereAndExact) {
  const DataSpec spread{Pattern::Spread, 3, 0.5};
  EXPECT_EQ(dataValue(spread, 0), dataValue(spread, 0));
  EXPECT_NE(dataValue(spread, 0), dataValue(spread, 1));
  EXPECT_NE(dataValue(spread, 0), dataValue({Pattern::Spread, 4, 0.5}, 0));
  for (uint64_t i = 0; i < 200; ++i) {
    const double whole = dataValue({Pattern::Whole, 9}, i);
    EXPECT_EQ(whole, roundTo("f8E4M3FN", whole));
    EXPECT_LE(std::abs(whole), 4);
    EXPECT_LT(dataValue({Pattern::Indices, 9, 1, 7}, i), 7);
  }
  EXPECT_EQ(makeData(spread, "bf16", 4).size(), 8u);
  EXPECT_FALSE(parsePattern("noise").ok());
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 2 && std::string_view(argv[1]) == measureWorkerArgument)
    return runFakeWorker();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
