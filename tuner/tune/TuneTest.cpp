//===- TuneTest.cpp - Tuning on a device that does as it is told ----------===//
//
// The acceptance tests of tuning by their numbers in the requirements: see the names.
//
//===----------------------------------------------------------------------===//
#include "support/ScratchDirectory.h"
#include "tuner/measure/FakeDevice.h"
#include "tuner/tune/TuneProblem.h"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <set>
#include <sys/wait.h>
#include <thread>

using namespace quern;
using namespace quern::tuner;
using namespace std::chrono_literals;

namespace {

KernelProblem theProblem() {
  KernelProblem problem{"linear", {{"N", "96"}, {"K", "256"}}, 16};
  EXPECT_EQ(standardParameters("linear", problem.parameters), "");
  return problem;
}

constexpr const char *theDefault = "linear{tile=5x5x16 raster=n4}";

KernelSpace theSpace() {
  Expected<KernelSpace> space = spaceOf(theProblem(), {"cpu:x86-64-v4", 16, true, 1, false}, theDefault);
  EXPECT_TRUE(space.ok());
  return *std::move(space);
}

/// Microseconds of a configuration: the model's opinion, bent.
double trueTime(const SearchPoint &point) {
  return 1e6 * point.modelled * std::exp(0.3 * std::sin(double(point.axes[0]) + 0.5 * double(point.axes[1])));
}

/// Everything that a tune needs, over one database file.
struct Bench {
  explicit Bench(const std::string &path, const std::string &device = "fake:0")
      : space(theSpace()), process("/proc/self/exe", device, 1) {
    Expected<Database> opened = Database::open(path);
    EXPECT_TRUE(opened.ok()) << opened.error().message();
    database.emplace(*std::move(opened));
    for (const SearchPoint &point : space.points)
      times[point.config] = trueTime(point);
    context.compile = [this](unsigned, const KernelProblem &,
                             const std::string &schedule) -> Expected<Candidate> {
      ++compiles;
      if (auto it = codes.find(schedule); it != codes.end()) {
        if (it->second == "uncompilable")
          return Status::error(Exit::CompileFailed, "E-KERNEL-CRASH", "the code generator failed")
              .cause("its process ended with signal 6");
        return fakeCandidate(it->second, schedule);
      }
      return fakeCandidate(
          "double us=" + std::to_string(times.at(schedule)) + " noise=" + std::to_string(noise), schedule);
    };
    context.device = &process;
    context.database = &*database;
    context.identity = {"pci:1:2", "fake", 2, "", 0, "a device for tests"};
    context.toolchain = {"compiler", "cpu:x86-64-v4", "", "0"};
    context.now = [this] { return ++clock; };
    context.told = [this](const std::string &config, const TrialResult &) { trials.push_back(config); };
    options.trials = 16;
    options.workers = 2;
    options.measure.cache = runtime::CacheState::Warm;
    options.measure.warmUpSeconds = 0;
    options.measure.minimumSamples = 7;
    options.measure.maximumSamples = 15;
  }

  Expected<TuneResult> tune() {
    compiles = 0;
    trials.clear();
    return tuneProblem(theProblem(), space, fakeProblem(16), context, options);
  }

  KernelSpace space;
  std::optional<Database> database;
  MeasureProcess process;
  TuneContext context;
  TuneOptions options;
  std::map<std::string, double> times;
  std::map<std::string, std::string> codes;
  std::vector<std::string> trials;
  std::atomic<int> compiles = 0;
  int64_t clock = 1;
  double noise = 0.02;
};

TEST(Tune, FindsWhatIsFasterThanTheDefault) {
  ScratchDirectory scratch;
  Bench bench(scratch / "t.db");
  Expected<TuneResult> result = bench.tune();
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->complete);
  EXPECT_EQ(bench.trials.front(), theDefault);
  EXPECT_GE(result->tried, 16u);
  ASSERT_TRUE(result->choice.config.has_value()) << result->choice.why;
  EXPECT_LT(bench.times[*result->choice.config], bench.times[theDefault]);
  EXPECT_LT(result->choice.ratio.high, 1);
}

TEST(Tune, Acceptance01SecondTuneDoesNothing) {
  ScratchDirectory scratch;
  std::string first;
  {
    Bench bench(scratch / "t.db");
    Expected<TuneResult> result = bench.tune();
    ASSERT_TRUE(result.ok());
    EXPECT_GE(result->compiles, 16u);
    EXPECT_GE(result->measurements, 17u);
    first = result->choice.config.value_or("");
  }
  Bench again(scratch / "t.db", "absent"); // there is no device to ask
  Expected<TuneResult> result = again.tune();
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->complete);
  EXPECT_EQ(result->compiles, 0u);
  EXPECT_EQ(result->measurements, 0u);
  EXPECT_EQ(again.compiles, 0);
  EXPECT_EQ(again.process.starts(), 0u);
  EXPECT_EQ(result->choice.config.value_or(""), first);
  // More trials are more work, on top of what is there.
  Bench more(scratch / "t.db");
  more.options.trials = 24;
  result = more.tune();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->tried, 24u);
  EXPECT_LT(result->compiles, 24u);
}

/// Every configuration once by itself: what is measured is never measured again.
void expectNoRepeats(const Database &database) {
  Expected<std::vector<Measurement>> all = database.measurements();
  ASSERT_TRUE(all.ok());
  std::map<std::string, std::set<size_t>> seen;
  for (const Measurement &m : *all)
    if (m.session.empty())
      EXPECT_TRUE(seen[m.config].insert(m.samples.size()).second)
          << m.config << " was measured twice with " << m.samples.size() << " samples";
}

TEST(Tune, Acceptance02KilledAtAnyMomentItLosesAndRepeatsNothing) {
  ScratchDirectory scratch;
  const std::string path = scratch / "t.db";
  size_t kept = 0, kills = 0;
  for (int turn = 0; turn < 100; ++turn) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      execl("/proc/self/exe", "tune", "--tune", path.c_str(), nullptr);
      _exit(127);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(philoxAt(5, uint64_t(turn))[0] % 60000));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    kills += WIFSIGNALED(status);
    Expected<Database> database = Database::open(path);
    ASSERT_TRUE(database.ok()) << database.error().message();
    ASSERT_TRUE(database->verify().ok());
    Expected<Database::Counts> counts = database->counts();
    ASSERT_TRUE(counts.ok());
    EXPECT_GE(counts->measurements, kept) << "turn " << turn;
    kept = counts->measurements;
  }
  EXPECT_GT(kills, 10u);
  Bench bench(path);
  bench.options.trials = 64;
  Expected<TuneResult> result = bench.tune();
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->complete);
  EXPECT_GE(result->tried, 64u);
  expectNoRepeats(*bench.database);
}

TEST(Tune, Acceptance03ASpinningCandidateIsNeverTriedAgain) {
  ScratchDirectory scratch;
  Bench bench(scratch / "t.db");
  bench.options.deadline = 300ms;
  for (const SearchPoint &point : bench.space.points)
    if (point.axes[1] % 3 == 0 && point.config != theDefault)
      bench.codes[point.config] = point.axes[0] % 2 ? "spin" : point.axes[0] % 4 ? "crash" : "uncompilable";
  Expected<TuneResult> result = bench.tune();
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_GT(result->failed, 0u);
  std::map<Outcome, int> outcomes;
  Expected<std::vector<Measurement>> all = bench.database->measurements();
  ASSERT_TRUE(all.ok());
  for (const Measurement &m : *all)
    ++outcomes[m.outcome];
  EXPECT_GT(outcomes[Outcome::Ok], 5);
  EXPECT_EQ(outcomes[Outcome::Hung] + outcomes[Outcome::RunFailed] + outcomes[Outcome::CompileFailed],
            int(result->failed));
  Bench more(scratch / "t.db");
  more.options.deadline = 300ms;
  more.codes = bench.codes;
  more.options.trials = 32;
  result = more.tune();
  ASSERT_TRUE(result.ok());
  std::set<std::string> before(bench.trials.begin(), bench.trials.end());
  for (const std::string &config : more.trials)
    EXPECT_FALSE(more.codes.count(config) && before.count(config)) << config << " was tried again";
}

TEST(Tune, Acceptance04FiftyReplaysChooseTheSame) {
  std::set<std::string> chosen;
  for (int replay = 0; replay < 50; ++replay) {
    ScratchDirectory scratch;
    Bench bench(scratch / "t.db");
    bench.noise = 0.3;
    bench.options.trials = 10;
    bench.options.workers = 1 + replay % 3; // compiled in other orders
    Expected<TuneResult> result = bench.tune();
    ASSERT_TRUE(result.ok());
    chosen.insert(result->choice.config.value_or(theDefault));
  }
  EXPECT_EQ(chosen.size(), 1u);
}

TEST(Tune, Acceptance06AnotherDeviceHasItsOwnMeasurements) {
  ScratchDirectory scratch;
  Bench bench(scratch / "t.db");
  ASSERT_TRUE(bench.tune().ok());
  Bench other(scratch / "t.db");
  other.context.identity.hardware = "pci:1:3"; // name, architecture and units are equal
  Expected<TuneResult> result = other.tune();
  ASSERT_TRUE(result.ok());
  EXPECT_GE(result->measurements, 17u);
  Bench compiler(scratch / "t.db");
  compiler.context.toolchain.compiler = "another";
  result = compiler.tune();
  ASSERT_TRUE(result.ok());
  EXPECT_GE(result->measurements, 17u);
}

TEST(Tune, NeverChoosesWhatIsWithinTheNoise) {
  ScratchDirectory scratch;
  Bench bench(scratch / "t.db");
  bench.noise = 0.5;
  for (auto &[config, time] : bench.times)
    time = 20; // all the same
  Expected<TuneResult> result = bench.tune();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->choice.config, std::nullopt) << result->choice.why;
}

TEST(Tune, ABudgetOfZeroMeasuresNothingAndSaysSo) {
  ScratchDirectory scratch;
  Bench bench(scratch / "t.db");
  bench.options.end = std::chrono::steady_clock::now();
  Expected<TuneResult> result = bench.tune();
  ASSERT_TRUE(result.ok());
  EXPECT_FALSE(result->complete);
  EXPECT_EQ(result->measurements, 0u);
  EXPECT_EQ(result->choice.config, std::nullopt);
}

TEST(Tune, ADeviceThatDisappearsKeepsWhatWasMeasured) {
  ScratchDirectory scratch;
  Bench bench(scratch / "t.db");
  for (const SearchPoint &point : bench.space.points)
    if (point.axes[1] % 4 == 1)
      bench.codes[point.config] = "vanish";
  Expected<TuneResult> result = bench.tune();
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().exit(), Exit::NoDevice);
  Expected<Database::Counts> counts = bench.database->counts();
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->measurements, bench.trials.size());
  EXPECT_GT(counts->measurements, 0u);
  bench.codes.clear(); // it is back
  result = bench.tune();
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->complete);
}

TEST(Tune, WhereNothingRunsTheDefaultStays) {
  ScratchDirectory scratch;
  Bench bench(scratch / "t.db");
  for (const SearchPoint &point : bench.space.points)
    bench.codes[point.config] = "wrong";
  bench.options.trials = 6;
  Expected<TuneResult> result = bench.tune();
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->choice.config, std::nullopt);
  EXPECT_TRUE(result->complete);
  Expected<TuneResult> again = bench.tune();
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->measurements, 0u);
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 2 && std::string_view(argv[1]) == measureWorkerArgument)
    return runFakeWorker();
  if (argc == 3 && std::string_view(argv[1]) == "--tune") {
    Bench bench(argv[2]);
    bench.clock = int64_t(time(nullptr)) * 1000 + getpid();
    bench.options.trials = 64;
    return bench.tune().ok() ? 0 : 1;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
