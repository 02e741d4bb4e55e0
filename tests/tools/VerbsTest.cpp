//===- VerbsTest.cpp - The verbs of `quern`, run as a user does -----------===//
#include "support/Files.h"
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "support/safetensors/Checkpoint.h"
#include "tests/tools/RunProgram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

using namespace quern;
using namespace quern::tests;
using testing::HasSubstr;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/deepseek_v3_fp8";

class Verbs : public testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = new ScratchDirectory;
    compiled = quern({"compile", model, "-o", *shared / "m.quern", "--target", "cpu:x86-64-v3", "--target",
                      "nvidia:sm_90a", "--progress", "json"});
    ASSERT_EQ(compiled.exit, 0) << compiled.err;
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
    return document.ok() ? *std::move(document) : JsonDocument("none", Json());
  }

  static ScratchDirectory *shared;
  static RunResult compiled;
};

ScratchDirectory *Verbs::shared = nullptr;
RunResult Verbs::compiled;

TEST_F(Verbs, helpAndVersionGoToStdout) {
  RunResult help = quern({"--help"});
  EXPECT_EQ(help.exit, 0);
  EXPECT_EQ(help.err, "");
  for (const char *verb : {"import", "compile", "inspect", "run", "devices", "doctor"}) {
    EXPECT_THAT(help.out, HasSubstr(verb));
    RunResult own = quern({verb, "--help"});
    EXPECT_EQ(own.exit, 0);
    EXPECT_THAT(own.out, HasSubstr("--progress"));
    EXPECT_EQ(own.err, "");
  }
  EXPECT_THAT(quern({"compile", "--help"}).out, HasSubstr("=embed"));
  RunResult version = quern({"--version"});
  EXPECT_EQ(version.exit, 0);
  EXPECT_THAT(version.out, testing::StartsWith("quern "));
}

TEST_F(Verbs, compilePrintsTheTableToStdout) {
  EXPECT_THAT(compiled.out, HasSubstr("cpu:x86-64-v3 (fp8-weights)"));
  EXPECT_THAT(compiled.out, HasSubstr("nvidia:sm_90a (fp8)"));
  EXPECT_THAT(compiled.out, HasSubstr("router"));
  EXPECT_THAT(compiled.err, HasSubstr("\"task\":\"compile kernels\""));
}

TEST_F(Verbs, dryRunListsKernelsAndWritesNothing) {
  RunResult run =
      quern({"compile", model, "-o", *shared / "dry.quern", "--target", "amd:gfx942", "--dry-run"});
  EXPECT_EQ(run.exit, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("amd:gfx942 (fp8)"));
  EXPECT_THAT(run.out, HasSubstr("latent_attention"));
  EXPECT_THAT(shared->entries(), testing::Not(testing::Contains("dry.quern")));
}

TEST_F(Verbs, quietIsQuiet) {
  RunResult run = quern({"compile", model, "-o", *shared / "q.quern", "--target", "cpu:x86-64-v3", "-q"});
  EXPECT_EQ(run.exit, 0);
  EXPECT_EQ(run.out + run.err, "");
}

TEST_F(Verbs, importAccountsForEveryTensor) {
  RunResult text = quern({"import", model});
  EXPECT_EQ(text.exit, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("tokenizer: "));
  JsonDocument report = json(quern({"import", model, "--format", "json", "--tensors", "--target", "h100"}));
  EXPECT_EQ(report.value().find("schema")->string(), "quern.import");
  Expected<Checkpoint> checkpoint = Checkpoint::open(model);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().message();
  for (const Checkpoint::Tensor &tensor : checkpoint->tensors())
    EXPECT_NE(writeJson(report.value()).find("\"" + tensor.name() + "\""), std::string::npos)
        << tensor.name();
}

TEST_F(Verbs, inspectShowsTargetsAndKernels) {
  EXPECT_THAT(quern({"inspect", *shared / "m.quern"}).out, HasSubstr("nvidia:sm_90a: rung fp8"));
  JsonDocument report = json(quern({"inspect", *shared / "m.quern", "--format", "json"}));
  Expected<std::vector<JsonRef>> targets = report.root().getArray("targets");
  ASSERT_TRUE(targets.ok());
  ASSERT_EQ(targets->size(), 2u);
  for (JsonRef target : *targets) {
    Expected<std::vector<JsonRef>> kernels = target.getArray("kernels");
    ASSERT_TRUE(kernels.ok());
    EXPECT_GE(kernels->size(), 10u);
    for (JsonRef kernel : *kernels) {
      EXPECT_GT(*kernel.getInt("code_bytes"), 0);
      EXPECT_GT(*kernel.getInt("threads"), 0);
    }
  }
}

/// Every verb that reports gives rows on demand: the same in each form.
TEST_F(Verbs, reportsAsRows) {
  for (const std::vector<std::string> &verb :
       std::vector<std::vector<std::string>>{{"inspect", *shared / "m.quern"},
                                             {"inspect", *shared / "m.quern", "--kernel", "router"},
                                             {"import", model},
                                             {"devices"},
                                             {"doctor"},
                                             {"verify", *shared / "m.quern", "--device", "cpu", "-q"}}) {
    auto lines = [&](const std::string &format) {
      std::vector<std::string> arguments = verb;
      arguments.insert(arguments.end(), {"--format", format});
      RunResult run = quern(arguments);
      EXPECT_EQ(run.exit, 0) << verb[0] << ": " << run.err;
      return std::count(run.out.begin(), run.out.end(), '\n');
    };
    const auto rows = lines("csv") - 1;
    EXPECT_GE(rows, 2) << verb[0];
    EXPECT_EQ(lines("md"), rows + 2) << verb[0];
    EXPECT_EQ(lines("jsonl"), rows + 2) << verb[0];
  }
  RunResult kernels = quern({"inspect", *shared / "m.quern", "--format", "csv", "--target", "nvidia:sm_90a"});
  EXPECT_THAT(kernels.out, testing::StartsWith("target,rung,symbol,text,member,launches,threads,"));
  EXPECT_THAT(kernels.out, HasSubstr("\nnvidia:sm_90a,fp8,router_"));
  RunResult tensors = quern({"import", model, "--format", "csv"});
  EXPECT_THAT(tensors.out, HasSubstr("\nlm_head.weight,BF16,320 128,used,lm_head\n"));
}

TEST_F(Verbs, importWritesItsReportToAFile) {
  RunResult shown = quern({"import", model, "--format", "json"}),
            run = quern({"import", model, "--format", "json", "-o", *shared / "report.json"});
  EXPECT_EQ(run.exit, 0) << run.err;
  EXPECT_EQ(run.out + run.err, "");
  Expected<std::string> written = readFile(*shared / "report.json", 1 << 20);
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(*written, shown.out);
}

/// Each stage of one kernel shows what its phase has made.
TEST_F(Verbs, inspectShowsEveryStage) {
  JsonDocument report = json(quern({"inspect", *shared / "m.quern", "--kernel", "router", "--target",
                                    "nvidia:sm_90a", "--format", "json"}));
  const std::string symbol(*(*report.root().getArray("kernels"))[0].getString("symbol"));
  auto stage = [&](const std::string &name) {
    RunResult run = quern(
        {"inspect", *shared / "m.quern", "--target", "nvidia:sm_90a", "--kernel", symbol, "--stage", name});
    EXPECT_EQ(run.exit, 0) << run.err;
    return run.out;
  };
  EXPECT_THAT(stage("tile"), HasSubstr("tile.kernel"));
  EXPECT_THAT(stage("tile"), testing::Not(HasSubstr("layout<")));
  EXPECT_THAT(stage("layouts"), HasSubstr("layout"));
  EXPECT_THAT(stage("target"), HasSubstr("llvm.func"));
  EXPECT_THAT(stage("llvm"), HasSubstr("define"));
  EXPECT_THAT(stage("code"), HasSubstr(".entry " + symbol));
}

/// What `compile` stored comes out again, byte for byte.
TEST_F(Verbs, inspectExtractsTheWeights) {
  RunResult run = quern({"inspect", *shared / "m.quern", "--extract-weights", *shared / "weights", "-q"});
  ASSERT_EQ(run.exit, 0) << run.err;
  Expected<Checkpoint> before = Checkpoint::open(model), after = Checkpoint::open(*shared / "weights");
  ASSERT_TRUE(before.ok());
  ASSERT_TRUE(after.ok()) << after.error().message();
  size_t compared = 0;
  for (const Checkpoint::Tensor &tensor : before->tensors())
    for (const Checkpoint::Tensor &other : after->tensors())
      if (tensor.name() == other.name()) {
        ++compared;
        EXPECT_EQ(tensor.shape(), other.shape());
        EXPECT_TRUE(std::ranges::equal(tensor.bytes(), other.bytes())) << tensor.name();
      }
  EXPECT_EQ(compared, after->tensors().size());
  EXPECT_GT(compared, 20u);
}

/// The same ids from run to run and from thread count to thread count, on stdout alone.
TEST_F(Verbs, runWritesIdsToStdout) {
  auto ids = [&](const std::string &threads) {
    RunResult run = quern({"run", *shared / "m.quern", "--ids", "5,9,2", "-n", "12", "--temp", "0",
                           "--ignore-stop", "--device", "cpu", "--threads", threads});
    EXPECT_EQ(run.exit, 0) << run.err;
    EXPECT_EQ(run.err, "");
    return run.out;
  };
  const std::string one = ids("1");
  EXPECT_EQ(std::count(one.begin(), one.end(), ','), 11) << one;
  EXPECT_EQ(ids("2"), one);
}

TEST_F(Verbs, benchTimesEachKernelOfAStep) {
  JsonDocument document = json(quern({"bench", "kernel", *shared / "m.quern", "--device", "cpu", "--tokens",
                                      "1,5", "--max-time", "0.001", "--warm-cache", "--format", "json"}));
  JsonRef context = *document.root().get("context");
  EXPECT_EQ(*context.getString("device"), "cpu");
  EXPECT_EQ(*context.getString("cache_state"), "warm");
  Expected<std::vector<JsonRef>> rows = document.root().getArray("benchmarks");
  ASSERT_TRUE(rows.ok());
  std::set<std::string> names;
  for (JsonRef row : *rows) {
    const double time = *row.getFloat("real_time");
    EXPECT_GT(time, 0);
    EXPECT_LE(*row.getFloat("real_time_low"), time);
    EXPECT_GE(*row.getFloat("real_time_high"), time);
    EXPECT_EQ(*row.getString("time_unit"), "us");
    EXPECT_TRUE(names.insert(std::string(*row.getString("name"))).second);
  }
  for (const char *kernel : {"linear/", "rms_norm/", "router/"})
    for (const char *tokens : {"/tokens:1", "/tokens:5"})
      EXPECT_TRUE(std::any_of(names.begin(), names.end(),
                              [&](const std::string &name) {
                                return name.starts_with(kernel) && name.find(tokens) != std::string::npos;
                              }))
          << kernel << tokens;

  RunResult router = quern({"bench", "kernel", *shared / "m.quern", "--device", "cpu", "--tokens", "3",
                            "--kernel", "router{", "--max-time", "0.001"});
  EXPECT_EQ(router.exit, 0) << router.err;
  EXPECT_THAT(router.out, HasSubstr("caches cold"));
  EXPECT_THAT(router.out, HasSubstr("router_"));
  EXPECT_THAT(router.out, testing::Not(HasSubstr("rms_norm_")));
}

TEST_F(Verbs, benchRefusesWhatItCannotTime) {
  RunResult emulated = quern({"bench", "kernel", *shared / "m.quern", "--device", "emulated:nvidia:sm_90a"});
  EXPECT_EQ(emulated.exit, 4) << emulated.err;
  EXPECT_THAT(emulated.err, HasSubstr("E-DEVICE-NO-TIME"));
  RunResult none = quern({"bench", "kernel", *shared / "m.quern", "--device", "cpu", "--kernel", "nothing"});
  EXPECT_EQ(none.exit, 2);
  EXPECT_THAT(none.err, HasSubstr("E-BENCH-KERNEL"));
  RunResult many = quern({"bench", "kernel", *shared / "m.quern", "--device", "cpu", "--tokens", "1000000"});
  EXPECT_EQ(many.exit, 2) << many.err;
}

/// Nothing is found in code of ours, whatever is looked for, and the tokens are the same.
TEST_F(Verbs, sanitizeTakesSetsOfChecks) {
  auto run = [&](const char *checks) {
    return quern({"run", *shared / "m.quern", "--device", "emulated:nvidia:sm_90a", "--ids", "5,6,7", "-n",
                  "3", "--temp", "0", "--sanitize", checks});
  };
  RunResult all = run("all"), none = run("none");
  EXPECT_EQ(all.exit, 0) << all.err;
  EXPECT_EQ(none.exit, 0) << none.err;
  EXPECT_EQ(all.out, none.out);
  RunResult unknown = run("memory,race");
  EXPECT_EQ(unknown.exit, 2);
  EXPECT_THAT(unknown.err, HasSubstr("no emulated device looks for `race`"));
  EXPECT_THAT(unknown.err, HasSubstr("global-races"));
}

TEST_F(Verbs, devicesAndDoctor) {
  JsonDocument devices = json(quern({"devices", "--format", "json"}));
  EXPECT_EQ(devices.value().find("schema")->string(), "quern.devices");
  std::string names = writeJson(devices.value());
  EXPECT_THAT(names, HasSubstr("\"cpu\""));
  EXPECT_THAT(names, HasSubstr("emulated:amd:gfx942"));
  EXPECT_THAT(quern({"devices"}).out, HasSubstr("cpu"));
  JsonDocument doctor = json(quern({"doctor", "--format", "json"}));
  EXPECT_EQ(doctor.value().find("schema")->string(), "quern.doctor");
  EXPECT_THAT(writeJson(doctor.value()), HasSubstr("host.memory"));
}

} // namespace
