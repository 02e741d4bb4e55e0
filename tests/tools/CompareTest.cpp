//===- CompareTest.cpp - `quern bench model` and `quern compare` as a user runs them ----===//
#include "support/Files.h"
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "tests/tools/RunProgram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace quern;
using namespace quern::tests;
using testing::HasSubstr;
using testing::Not;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/deepseek_v3_fp8";

class Compare : public testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = new ScratchDirectory;
    RunResult compiled = quern({"compile", model, "-o", *shared / "m.quern", "--target", "cpu:x86-64-v3",
                                "--target", "nvidia:sm_90a", "--target", "amd:gfx942"});
    ASSERT_EQ(compiled.exit, 0) << compiled.err;
    artifact = *shared / "m.quern";
    write("a.json", results({{"k", 10}, {"l", 20}}));
    write("slow.json", results({{"k", 15}, {"l", 20}}));
    write("less.json", results({{"k", 10}}));
  }
  static void TearDownTestSuite() {
    delete shared;
    shared = nullptr;
  }
  static RunResult quern(std::vector<std::string> arguments) {
    RunOptions options;
    options.environment["QUERN_CACHE_DIR"] = *shared / "cache";
    return runProgram(QUERN_PROGRAM, std::move(arguments), options);
  }
  static JsonDocument json(const RunResult &run) {
    EXPECT_EQ(run.exit, 0) << run.err;
    Expected<JsonDocument> document = parseJson(run.out);
    EXPECT_TRUE(document.ok()) << document.error().message();
    return document.ok() ? *std::move(document) : JsonDocument("none", Json::object());
  }
  static void write(const std::string &name, const std::string &text) {
    ASSERT_TRUE(writeFile(*shared / name, text).ok());
  }
  /// Google Benchmark's form, nine samples for each name, around so many microseconds.
  static std::string results(std::vector<std::pair<std::string, int>> rows) {
    Json root = Json::object(), list = Json::array();
    root.set("context", Json::object());
    for (const auto &[name, time] : rows) {
      Json &row = list.push(Json::object());
      row.set("name", name);
      row.set("run_type", "iteration");
      row.set("real_time", time);
      row.set("time_unit", "us");
      Json samples = Json::array();
      for (int i = -4; i <= 4; ++i)
        samples.push(time + 0.01 * i);
      row.set("samples", std::move(samples));
    }
    root.set("benchmarks", std::move(list));
    return writeJson(root);
  }
  static std::string faster(const JsonDocument &document, const std::string &name) {
    for (const Json &pair : document.value().find("pairs")->items())
      if (pair.find("name")->string() == name)
        return pair.find("faster")->string();
    return "no such result";
  }

  static ScratchDirectory *shared;
  static std::string artifact;
};

ScratchDirectory *Compare::shared = nullptr;
std::string Compare::artifact;

TEST_F(Compare, filesAreComparedAndTheGateIsTheExitCode) {
  const std::string a = *shared / "a.json", slow = *shared / "slow.json";
  JsonDocument document = json(quern({"compare", a, slow, "--format", "json"}));
  EXPECT_EQ(faster(document, "k"), "A");
  EXPECT_EQ(faster(document, "l"), "no winner");
  EXPECT_EQ(*document.value().find("taken_in_turns"), Json(false));
  EXPECT_EQ(quern({"compare", a, slow, "--gate", "p50_regress<51%"}).exit, 0);
  RunResult failed = quern({"compare", a, slow, "--gate", "p50_regress<3%"});
  EXPECT_EQ(failed.exit, 8);
  EXPECT_EQ(failed.errorId(), "E-GATE-FAILED");
  EXPECT_THAT(failed.err, HasSubstr("`k` +50.0 %"));
  EXPECT_THAT(failed.out, HasSubstr("no winner")) << "the comparison is printed in any case";
  EXPECT_EQ(quern({"compare", slow, a, "--gate", "p50_regress<3%"}).exit, 0);
  RunResult lost = quern({"compare", a, *shared / "less.json", "--gate", "geomean_regress<3%"});
  EXPECT_EQ(lost.exit, 8);
  EXPECT_THAT(lost.err, HasSubstr("B lacks 1 of A's results, `l` first"));
  RunResult nonsense = quern({"compare", a, slow, "--gate", "speed>3"});
  EXPECT_EQ(nonsense.exit, 2);
  EXPECT_EQ(nonsense.errorId(), "E-GATE-FORM");
}

TEST_F(Compare, badResultsAreRefusedByName) {
  write("unit.json", R"({"benchmarks": [{"name": "k", "real_time": 1, "time_unit": "days"}]})");
  write("newer.json", R"({"schema": "quern.bench.model", "schema_version": 9, "rows": []})");
  write("cut.json", R"({"benchmarks": [{"name": "k", )");
  write("other.json", results({{"else", 10}}));
  for (const auto &[file, id] : {std::pair("unit.json", "E-RESULTS-UNIT"),
                                 {"newer.json", "E-RESULTS-NEWER"},
                                 {"cut.json", "E-JSON-SYNTAX"},
                                 {"none.json", "E-JSON-CANNOT-READ"},
                                 {"other.json", "E-COMPARE-NOTHING"}}) {
    RunResult run = quern({"compare", *shared / "a.json", *shared / file});
    EXPECT_EQ(run.exit, 3) << run.err;
    EXPECT_EQ(run.errorId(), id) << run.err;
    EXPECT_EQ(run.out, "");
  }
  for (std::vector<std::string> arguments :
       {std::vector<std::string>{},
        {*shared / "a.json"},
        {*shared / "a.json", artifact},
        {artifact},
        {artifact, "--target", "cpu"},
        {artifact, "--device", "cpu"},
        {artifact, "--device", "cpu", "--device", "emulated:nvidia:sm_90a"}}) {
    arguments.insert(arguments.begin(), "compare");
    RunResult run = quern(arguments);
    EXPECT_EQ(run.exit, 2) << run.err;
    EXPECT_EQ(run.errorId(), "E-COMPARE-OPTIONS") << run.err;
  }
}

/// One artifact against itself, in turns: whatever the verdicts are, they follow from the intervals.
TEST_F(Compare, takesTurnsOnDevicesAndCanBeRunAgain) {
  const std::string saved = *shared / "saved";
  JsonDocument document = json(quern({"compare",
                                      artifact,
                                      "--device",
                                      "cpu",
                                      "--device",
                                      "cpu",
                                      "--rounds",
                                      "7",
                                      "--tokens",
                                      "2",
                                      "-p",
                                      "9",
                                      "-n",
                                      "3",
                                      "--warm-cache",
                                      "--save",
                                      saved,
                                      "--html",
                                      *shared / "page.html",
                                      "--format",
                                      "json"}));
  EXPECT_EQ(*document.value().find("taken_in_turns"), Json(true));
  std::set<std::string> groups;
  for (const Json &pair : document.value().find("pairs")->items()) {
    groups.insert(pair.find("group")->string());
    EXPECT_EQ(pair.find("interval")->string(), "pairs");
    const Json &ratio = *pair.find("ratio");
    EXPECT_EQ(ratio.find("samples")->integer(), 7);
    const bool holdsOne = ratio.find("low")->number() <= 1 && ratio.find("high")->number() >= 1;
    EXPECT_EQ(pair.find("faster")->string() == "no winner", holdsOne);
  }
  EXPECT_EQ(groups, (std::set<std::string>{"kernel", "model"}));
  std::map<std::string, std::string> states;
  for (const Json &line : document.value().find("ledger")->find("lines")->items())
    states[line.find("name")->string()] = line.find("state")->string();
  for (const char *equal :
       {"compiler (sources, kernels, LLVM)", "module before any vendor", "code of the plan", "device",
        "precision rung", "cache state", "order", "rounds", "runs left out"})
    EXPECT_EQ(states[equal], "equal") << equal;
  // The same code on the same data.
  Expected<JsonDocument> a = readJsonFile(saved + "/a.json");
  ASSERT_TRUE(a.ok()) << a.error().message();
  EXPECT_EQ(a->value().find("context")->find("logits_difference")->number(), 0);
  EXPECT_EQ(*readFile(saved + "/report.html", 1 << 24), *readFile(*shared / "page.html", 1 << 24));

  RunResult again = quern({"compare", "--replay", saved, "--save", *shared / "second"});
  EXPECT_EQ(again.exit, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("linear/"));
  EXPECT_THAT(again.out, HasSubstr("pp9"));
  Expected<JsonDocument> first = readJsonFile(saved + "/command.json"),
                         second = readJsonFile(*shared / "second/command.json");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->value(), second->value());

  std::string command = *readFile(saved + "/command.json", 1 << 20);
  const size_t digest = command.find("\"digests\": [") + 12;
  command[command.find('"', digest) + 1] ^= 1;
  ASSERT_TRUE(writeFile(saved + "/command.json", command).ok());
  RunResult changed = quern({"compare", "--replay", saved});
  EXPECT_EQ(changed.exit, 3) << changed.err;
  EXPECT_EQ(changed.errorId(), "E-REPLAY-CHANGED");
}

#ifdef QUERN_DRIVER_SHIM
/// A test-only driver that loses its device in the middle: the rounds that were complete are kept.
TEST_F(Compare, aDeviceThatDisappearsLosesNothingThatWasMeasured) {
  JsonDocument inspected =
      json(quern({"inspect", artifact, "--target", "nvidia:sm_90a", "--format", "json"}));
  int64_t launches = 0;
  for (const Json &kernel : inspected.value().find("targets")->items()[0].find("kernels")->items())
    launches += kernel.find("launches")->integer();
  const std::string saved = *shared / "lost";
  RunOptions options;
  options.environment = {{"QUERN_CACHE_DIR", *shared / "cache"},
                         {"LD_LIBRARY_PATH", QUERN_DRIVER_SHIM},
                         // Two rounds of warm-up, four that count, and a part of the fifth.
                         {"QUERN_SHIM_LOST_AFTER", std::to_string(6 * launches + launches / 2)}};
  std::vector<std::string> command = {"compare", artifact,   "--device", "cpu",    "--device",
                                      "cuda:0",  "--rounds", "9",        "--save", saved};
  RunResult run = runProgram(QUERN_PROGRAM, command, options);
  EXPECT_EQ(run.exit, 9) << run.err;
  EXPECT_EQ(run.errorId(), "E-COMPARE-ENDED") << run.err;
  EXPECT_THAT(run.err, HasSubstr("E-DEVICE-FAULT"));
  Expected<JsonDocument> b = readJsonFile(saved + "/b.json");
  ASSERT_TRUE(b.ok()) << b.error().message();
  for (const Json &row : b->value().find("benchmarks")->items())
    EXPECT_EQ(row.find("samples")->size(), 4u);
  EXPECT_THAT(writeJson(*b->value().find("context")->find("discarded")), HasSubstr("not complete"));
  EXPECT_EQ(b->value().find("context")->find("conditions_source")->string(), "libnvidia-ml.so.1");
  EXPECT_LT(b->value().find("context")->find("logits_difference")->number(), 1e-2);
  // Before anything is complete there is nothing to save.
  options.environment["QUERN_SHIM_LOST_AFTER"] = std::to_string(launches / 2);
  RunResult early = runProgram(QUERN_PROGRAM, command, options);
  EXPECT_EQ(early.exit, 1) << early.err;
  EXPECT_EQ(early.errorId(), "E-DEVICE-FAULT");
}
#endif

TEST_F(Compare, aReplayOfFilesComesOutTheSame) {
  const std::string saved = *shared / "files";
  ASSERT_EQ(quern({"compare", *shared / "a.json", *shared / "slow.json", "--save", saved}).exit, 0);
  EXPECT_EQ(quern({"compare", "--replay", saved}).exit, 0);
  std::string b = *readFile(saved + "/b.json", 1 << 20);
  b.replace(b.find("15"), 2, "16");
  ASSERT_TRUE(writeFile(saved + "/b.json", b).ok());
  std::string samples = b;
  samples.replace(samples.find("14.96"), 5, "16.96");
  ASSERT_TRUE(writeFile(saved + "/b.json", samples).ok());
  RunResult changed = quern({"compare", "--replay", saved});
  EXPECT_EQ(changed.exit, 3) << changed.err;
  EXPECT_EQ(changed.errorId(), "E-REPLAY-CHANGED");
  ASSERT_TRUE(writeFile(saved + "/command.json", "{}").ok());
  EXPECT_EQ(quern({"compare", "--replay", saved}).exit, 3);
}

TEST_F(Compare, targetsWithoutHardwareAreModelledAndNeverFaster) {
  for (const char *flag : {"--target", "--device"}) {
    const std::string prefix = std::string(flag) == "--target" ? "" : "emulated:";
    RunResult run = quern({"compare", artifact, flag, prefix + "nvidia:sm_90a", flag, prefix + "amd:gfx942",
                           "--tokens", "64", "--format", "json", "--html", *shared / "modelled.html"});
    JsonDocument document = json(run);
    EXPECT_EQ(*document.value().find("measured"), Json(false));
    EXPECT_THAT(run.out, Not(HasSubstr("faster")));
    size_t floors = 0;
    for (const char *side : {"a", "b"}) {
      EXPECT_FALSE(document.value().find(side)->find("card")->string().empty());
      for (const Json &kernel : document.value().find(side)->find("kernels")->items())
        floors += kernel.find("floor_us")->number() > 0;
    }
    EXPECT_GT(floors, 20u);
    // Devices that are named run, and are counted.
    const bool counts = run.out.find("\"counts\"") != std::string::npos;
    EXPECT_EQ(counts, !prefix.empty());
    if (counts)
      for (const char *count :
           {"\"matrix\"", "\"global load\"", "\"modelled us of a step\"", "\"bytes moved\""})
        EXPECT_THAT(run.out, HasSubstr(count));
    const std::string page = *readFile(*shared / "modelled.html", 1 << 24);
    EXPECT_THAT(page, HasSubstr("Modelled, not measured."));
    EXPECT_THAT(page, Not(HasSubstr("A faster")));
  }
  RunResult text = quern({"compare", artifact, "--target", "nvidia:sm_90a", "--target", "amd:gfx942"});
  EXPECT_EQ(text.exit, 0);
  EXPECT_THAT(text.out, HasSubstr("modelled, not measured"));
  RunResult gate = quern({"compare", artifact, "--target", "nvidia:sm_90a", "--target", "amd:gfx942",
                          "--gate", "p50_regress<3%"});
  EXPECT_EQ(gate.exit, 2);
  RunResult absent = quern({"compare", artifact, "--target", "nvidia:sm_90a", "--target", "amd:gfx1201"});
  EXPECT_EQ(absent.exit, 4);
  EXPECT_EQ(absent.errorId(), "E-TARGET-NOT-IN-ARTIFACT");
}

TEST_F(Compare, benchModelGivesRowsAsLlamaBenchDoes) {
  const std::vector<std::string> command = {"bench", "model", artifact, "--device", "cpu", "-p", "5,9", "-n",
                                            "3",     "--pg",  "4,2",    "-d",       "0,6", "-r", "3"};
  auto with = [&](const char *format) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--format", format});
    return quern(arguments);
  };
  JsonDocument document = json(with("json"));
  EXPECT_EQ(*document.value().find("schema"), Json("quern.bench.model"));
  std::vector<std::string> tests;
  for (const Json &row : document.value().find("rows")->items()) {
    tests.push_back(row.find("test")->string());
    EXPECT_EQ(row.find("samples_ns")->size(), 3u);
    EXPECT_EQ(row.find("samples_ts")->size(), 3u);
    for (const char *key : {"avg_ns", "avg_ts", "median_ns", "low_ns", "high_ns"})
      EXPECT_GT(row.find(key)->number(), 0) << key;
    for (const char *key :
         {"n_prompt", "n_gen", "n_depth", "stddev_ns", "stddev_ts", "device", "model_filename"})
      EXPECT_NE(row.find(key), nullptr) << key;
  }
  EXPECT_EQ(tests, (std::vector<std::string>{"pp5", "pp9", "tg3", "pp4+tg2", "pp5 @ d6", "pp9 @ d6",
                                             "tg3 @ d6", "pp4+tg2 @ d6"}));
  RunResult md = with("md"), csv = with("csv"), lines = with("jsonl"), text = with("text");
  EXPECT_THAT(md.out, HasSubstr("| model | size | device | threads | test | t/s |"));
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 9);
  EXPECT_THAT(csv.out, HasSubstr("n_prompt,n_gen,n_depth,test"));
  EXPECT_EQ(std::count(lines.out.begin(), lines.out.end(), '\n'), 10);
  EXPECT_THAT(text.out, HasSubstr("peaks"));
  // What it writes can be compared.
  write("m1.json", with("json").out);
  write("m2.jsonl", lines.out);
  JsonDocument compared =
      json(quern({"compare", *shared / "m1.json", *shared / "m2.jsonl", "--format", "json"}));
  EXPECT_EQ(compared.value().find("pairs")->size(), 8u);
  EXPECT_EQ(faster(compared, "pp5"), "too few samples");

  RunResult pair = quern({"bench", "model", artifact, "--pg", "5"});
  EXPECT_EQ(pair.exit, 2);
  EXPECT_EQ(pair.errorId(), "E-BENCH-TESTS");
  RunResult emulated = quern({"bench", "model", artifact, "--device", "emulated:amd:gfx942", "-p", "4"});
  EXPECT_EQ(emulated.exit, 4) << emulated.err;
  EXPECT_EQ(emulated.errorId(), "E-DEVICE-NO-TIME");
}

} // namespace
