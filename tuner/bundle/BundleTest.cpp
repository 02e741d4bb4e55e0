//===- BundleTest.cpp -----------------------------------------------------===//
#include "tuner/bundle/MeasureBundle.h"

#include "support/ScratchDirectory.h"
#include "tuner/measure/FakeDevice.h"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <set>
#include <sys/wait.h>
#include <thread>

using namespace quern;
using namespace quern::tuner;
using namespace std::chrono_literals;

namespace {

constexpr const char *theDefault = "linear{tile=5x5x16}";

Measurement theRecord(int64_t rows) {
  Measurement record;
  record.problem = {"linear", {{"K", "256"}, {"N", "96"}}, "bf16", {rows, rows}};
  record.device = {"pci:0:0", "any", 1, "", 0, ""};
  record.toolchain = {"compiler", "cpu:x86-64-v4", "", "0"};
  record.config = theDefault;
  record.tokens = rows;
  return record;
}

/// Two problems of twelve candidates; of each problem one is wrong, one spins.
void writeBundle(const std::string &path) {
  Expected<BundleWriter> writer = BundleWriter::create(path, "cpu:x86-64-v4");
  ASSERT_TRUE(writer.ok());
  for (int64_t rows : {4, 9}) {
    ASSERT_TRUE(writer->addProblem(theRecord(rows), theDefault, fakeProblem(rows)).ok());
    ASSERT_TRUE(writer->addCandidate(fakeCandidate("double us=40 noise=0.02", theDefault), 1e-6).ok());
    for (int i = 1; i < 12; ++i)
      ASSERT_TRUE(
          writer
              ->addCandidate(fakeCandidate(i == 3   ? "wrong"
                                           : i == 7 ? "crash"
                                                    : "double noise=0.02 us=" + std::to_string(30 + i),
                                           "linear{tile=" + std::to_string(i) + "x4x16}"),
                             1e-6 * i)
              .ok());
  }
  ASSERT_TRUE(writer->finish().ok());
}

MeasureBundleOptions quickly() {
  MeasureBundleOptions options;
  options.measure.cache = runtime::CacheState::Warm;
  options.measure.warmUpSeconds = 0;
  options.measure.minimumSamples = 7;
  options.measure.maximumSamples = 9;
  options.deadline = 2000ms;
  options.now = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  return options;
}

const DeviceIdentity theDevice = {"pci:1:2", "fake", 2, "", 0, "a device for tests"};

Expected<MeasureBundleResult> measure(const std::string &path, const std::string &results,
                                      MeasureBundleOptions options = quickly(),
                                      const char *device = "fake:0") {
  QUERN_ASSIGN_OR_RETURN(Bundle bundle, Bundle::open(path));
  MeasureProcess process("/proc/self/exe", device, 1);
  return measureBundle(bundle, process, theDevice, results, options);
}

std::vector<Measurement> readResults(const std::string &path) {
  std::vector<Measurement> all;
  Expected<std::string> text = readFile(path, 1 << 24);
  EXPECT_TRUE(text.ok());
  for (size_t at = 0; at < text->size();) {
    const size_t end = text->find('\n', at);
    if (end == std::string::npos)
      break;
    Expected<JsonDocument> document = parseJson(text->substr(at, end - at));
    EXPECT_TRUE(document.ok());
    Expected<Measurement> record = measurementFromJson(document->root());
    EXPECT_TRUE(record.ok());
    all.push_back(*record);
    at = end + 1;
  }
  return all;
}

TEST(Bundle, IsMeasuredWithoutTheCompiler) {
  ScratchDirectory scratch;
  writeBundle(scratch / "b.qbundle");
  Expected<MeasureBundleResult> result = measure(scratch / "b.qbundle", scratch / "r.jsonl");
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->complete);
  EXPECT_EQ(result->candidates, 24u);
  EXPECT_EQ(result->measured, 24u);
  EXPECT_EQ(result->failed, 4u);
  std::map<Outcome, int> outcomes;
  int pairs = 0;
  for (const Measurement &m : readResults(scratch / "r.jsonl")) {
    ++outcomes[m.outcome];
    pairs += !m.session.empty();
    EXPECT_EQ(m.device, theDevice);
    EXPECT_EQ(m.isDefault, m.config == theDefault);
  }
  EXPECT_EQ(outcomes[Outcome::Wrong], 2);
  EXPECT_EQ(outcomes[Outcome::RunFailed], 2);
  EXPECT_EQ(pairs, 4);
  // Again: nothing to do, and no device is asked.
  const std::string before = *readFile(scratch / "r.jsonl", 1 << 24);
  result = measure(scratch / "b.qbundle", scratch / "r.jsonl", quickly(), "absent");
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_EQ(result->known, 24u);
  EXPECT_EQ(result->measured, 0u);
  EXPECT_EQ(*readFile(scratch / "r.jsonl", 1 << 24), before);
}

TEST(Bundle, EqualCallsGiveEqualBytes) {
  ScratchDirectory scratch;
  writeBundle(scratch / "a.qbundle");
  writeBundle(scratch / "b.qbundle");
  EXPECT_EQ(*readFile(scratch / "a.qbundle", 1 << 24), *readFile(scratch / "b.qbundle", 1 << 24));
}

TEST(Bundle, AFlippedByteIsNeverRun) {
  ScratchDirectory scratch;
  writeBundle(scratch / "b.qbundle");
  const std::string whole = *readFile(scratch / "b.qbundle", 1 << 24);
  size_t refused = 0, tried = 0;
  for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 150) {
    std::string bytes = whole;
    bytes[at] = char(bytes[at] ^ 0x10);
    ASSERT_TRUE(writeFile(scratch / "bad.qbundle", bytes).ok());
    ++tried;
    Expected<Bundle> bundle = Bundle::open(scratch / "bad.qbundle");
    bool found = !bundle.ok();
    if (bundle.ok())
      for (const BundleProblem &problem : bundle->problems()) {
        Expected<TrialProblem> cases = bundle->cases(problem);
        found |= !cases.ok() && cases.error().id() == "E-BUNDLE-DAMAGED";
        for (const BundleCandidate &each : problem.candidates)
          found |= !bundle->candidate(each).ok();
      }
    refused += found;
    EXPECT_TRUE(found) << "a changed byte at " << at << " was not seen";
  }
  EXPECT_EQ(refused, tried);
}

TEST(Bundle, WhatIsNoBundleIsNamed) {
  ScratchDirectory scratch;
  writeBundle(scratch / "b.qbundle");
  const std::string whole = *readFile(scratch / "b.qbundle", 1 << 24);
  auto idOf = [&](const std::string &bytes) {
    EXPECT_TRUE(writeFile(scratch / "x", bytes).ok());
    Expected<Bundle> bundle = Bundle::open(scratch / "x");
    return bundle.ok() ? std::string("read") : bundle.error().id();
  };
  EXPECT_EQ(idOf(""), "E-BUNDLE-NOT-A-BUNDLE");
  EXPECT_EQ(idOf("hello"), "E-BUNDLE-NOT-A-BUNDLE");
  EXPECT_EQ(idOf(whole.substr(0, whole.size() / 2)), "E-BUNDLE-NOT-A-BUNDLE");
  std::string newer = whole;
  newer.replace(newer.rfind("quern-bundle-1"), 14, "quern-bundle-9");
  EXPECT_EQ(idOf(newer), "E-BUNDLE-VERSION");
  EXPECT_FALSE(Bundle::open(scratch / "absent").ok());
}

TEST(Bundle, KilledAtAnyMomentItGoesOnBehindTheLastWholeLine) {
  ScratchDirectory scratch;
  const std::string path = scratch / "b.qbundle", results = scratch / "r.jsonl";
  writeBundle(path);
  auto size = [&] {
    std::error_code absent;
    const uintmax_t bytes = std::filesystem::file_size(results, absent);
    return absent ? 0 : bytes;
  };
  size_t kills = 0;
  for (int turn = 0; turn < 40; ++turn) {
    // Each turn gets at least a piece of a line further, at most a few lines.
    const uintmax_t before = size();
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      execl("/proc/self/exe", "measure", "--measure", path.c_str(), results.c_str(), nullptr);
      _exit(127);
    }
    int status = 0;
    pid_t ended = 0;
    while (size() <= before && (ended = waitpid(child, &status, WNOHANG)) == 0)
      std::this_thread::yield();
    if (ended == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(philoxAt(6, uint64_t(turn))[0] % 1500));
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
    }
    kills += WIFSIGNALED(status);
    if (!WIFSIGNALED(status))
      break; // all is measured
  }
  EXPECT_GT(kills, 4u);
  Expected<MeasureBundleResult> result = measure(path, results);
  ASSERT_TRUE(result.ok()) << result.error().message();
  EXPECT_TRUE(result->complete);
  std::set<std::pair<int64_t, std::string>> alone;
  for (const Measurement &m : readResults(results))
    if (m.session.empty())
      EXPECT_TRUE(alone.insert({m.tokens, m.config}).second) << m.config << " was measured twice";
  EXPECT_EQ(alone.size(), 24u);
}

TEST(Bundle, APieceOfALineIsCutOff) {
  ScratchDirectory scratch;
  writeBundle(scratch / "b.qbundle");
  ASSERT_TRUE(measure(scratch / "b.qbundle", scratch / "r.jsonl").ok());
  const std::string whole = *readFile(scratch / "r.jsonl", 1 << 24);
  ASSERT_TRUE(writeFile(scratch / "r.jsonl", whole.substr(0, whole.size() - 100)).ok());
  Expected<MeasureBundleResult> result = measure(scratch / "b.qbundle", scratch / "r.jsonl");
  ASSERT_TRUE(result.ok()) << result.error().message();
  // The pair whose second half was lost is taken again; its first half stays.
  EXPECT_EQ(readResults(scratch / "r.jsonl").size(), 29u);
}

TEST(Bundle, ResultsOfSomethingElseAreLeftAlone) {
  ScratchDirectory scratch;
  writeBundle(scratch / "b.qbundle");
  for (const char *text : {"hello\n", "a thesis", "{}\n"}) {
    ASSERT_TRUE(writeFile(scratch / "r.jsonl", text).ok());
    Expected<MeasureBundleResult> result = measure(scratch / "b.qbundle", scratch / "r.jsonl");
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().id(), "E-BUNDLE-RESULTS");
    EXPECT_EQ(*readFile(scratch / "r.jsonl", 100), text);
  }
  EXPECT_FALSE(measure(scratch / "b.qbundle", "/nonexistent/r.jsonl").ok());
}

TEST(Bundle, ShardsDivideTheProblems) {
  ScratchDirectory scratch;
  writeBundle(scratch / "b.qbundle");
  std::set<int64_t> tokens[2];
  for (unsigned shard : {0u, 1u}) {
    MeasureBundleOptions options = quickly();
    options.shard = shard;
    options.shards = 2;
    const std::string file = scratch / ("r" + std::to_string(shard));
    Expected<MeasureBundleResult> result = measure(scratch / "b.qbundle", file, options);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->candidates, 12u);
    for (const Measurement &m : readResults(file))
      tokens[shard].insert(m.tokens);
  }
  EXPECT_EQ(tokens[0], std::set<int64_t>{4});
  EXPECT_EQ(tokens[1], std::set<int64_t>{9});
}

TEST(Bundle, ADeviceThatIsNotThereLosesNothing) {
  ScratchDirectory scratch;
  writeBundle(scratch / "b.qbundle");
  Expected<MeasureBundleResult> result =
      measure(scratch / "b.qbundle", scratch / "r.jsonl", quickly(), "absent");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().exit(), Exit::NoDevice);
  EXPECT_TRUE(readResults(scratch / "r.jsonl").empty());
}

} // namespace

int main(int argc, char **argv) {
  if (argc == 2 && std::string_view(argv[1]) == measureWorkerArgument)
    return runFakeWorker();
  if (argc == 4 && std::string_view(argv[1]) == "--measure")
    return measure(argv[2], argv[3]).ok() ? 0 : 1;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
