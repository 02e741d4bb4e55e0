//===- TuningTest.cpp - `db`, `explain` and `compile --tuning`, run as a user does ----===//
#include "support/Files.h"
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "tests/tools/RunProgram.h"
#include "tuner/database/Database.h"
#include "tuner/database/KernelKey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

using namespace quern;
using namespace quern::tests;
using namespace quern::tuner;
using testing::HasSubstr;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/deepseek_v3_fp8";
constexpr const char *tuned = "linear{tile=2x4x8}";

/// A database in which |tuned| takes half of the default's time for one product of the model, on some card of
/// the level that the code is for.
class Tuning : public testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = new ScratchDirectory;
    RunResult plain = compile({}, "plain.quern");
    ASSERT_EQ(plain.exit, 0) << plain.err;
    Expected<JsonDocument> document =
        parseJson(quern({"inspect", *shared / "plain.quern", "--format", "json"}).out);
    ASSERT_TRUE(document.ok());
    Expected<std::vector<JsonRef>> targets = document->root().getArray("targets");
    ASSERT_TRUE(targets.ok());
    Expected<std::vector<JsonRef>> kernels = targets->front().getArray("kernels");
    ASSERT_TRUE(kernels.ok());
    for (JsonRef kernel : *kernels) {
      std::string text(*kernel.getString("text"));
      if (text.starts_with("linear{") && text.find("EXPERTS=0") != std::string::npos && kernelText.empty())
        kernelText = text;
    }
    ASSERT_NE(kernelText, "");
    Expected<std::string> space = readFile(QUERN_SOURCE_DIR "/kernels/linear/space.json", 1 << 20);
    ASSERT_TRUE(space.ok());
    Expected<KernelKey> key = KernelKey::parse(*space, "linear", "space.json");
    ASSERT_TRUE(key.ok());
    Expected<Database> database = Database::open(*shared / "t.db");
    ASSERT_TRUE(database.ok());
    for (auto [config, seconds] : {std::pair(std::string(scheduleOfText(kernelText)), 2e-5), {tuned, 1e-5}}) {
      Measurement m;
      m.problem = key->problem(parametersOfText(kernelText), {1, 512});
      m.device = {"cpu:Example-6-1-1", "x86-64-v3", 8, "", 0, "Example CPU"};
      m.toolchain = {"c0ffee", "cpu:x86-64-v3", "", "0.1.0"};
      m.config = config;
      m.tokens = 512;
      m.isDefault = config != tuned;
      for (int i = 0; i < 11; ++i)
        m.samples.push_back(seconds * (1 + 0.001 * (i % 3)));
      deviceKey = m.device.key();
      problemKey = m.problem.familyKey();
      Status status = database->insert(m);
      ASSERT_TRUE(status.ok()) << status.message();
    }
  }
  static void TearDownTestSuite() { delete shared; }

  static RunResult quern(std::vector<std::string> arguments) {
    RunOptions options;
    options.environment["QUERN_CACHE_DIR"] = *shared / "cache";
    options.environment["QUERN_DB"] = "";
    return runProgram(QUERN_PROGRAM, std::move(arguments), options);
  }
  static RunResult compile(std::vector<std::string> more, const std::string &output) {
    std::vector<std::string> arguments = {"compile",        model,      "-o",
                                          *shared / output, "--target", "cpu:x86-64-v3"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return quern(std::move(arguments));
  }
  static std::string bytesOf(const std::string &name) {
    Expected<std::string> bytes = readFile(*shared / name, 1 << 28);
    return bytes.ok() ? *bytes : bytes.error().message();
  }
  /// "found" of the tuned product, and its configuration.
  static std::pair<std::string, std::string> explained(const std::string &artifact) {
    Expected<JsonDocument> document =
        parseJson(quern({"explain", *shared / artifact, "--kernel", "linear", "--format", "json"}).out);
    EXPECT_TRUE(document.ok());
    std::pair<std::string, std::string> result;
    Expected<std::vector<JsonRef>> kernels = document->root().getArray("kernels");
    EXPECT_TRUE(kernels.ok());
    for (JsonRef kernel : *kernels)
      if (*kernel.getString("found") != "default")
        result = {std::string(*kernel.getString("found")), std::string(*kernel.getString("config"))};
    return result;
  }

  static ScratchDirectory *shared;
  static std::string kernelText, deviceKey, problemKey;
};

ScratchDirectory *Tuning::shared = nullptr;
std::string Tuning::kernelText, Tuning::deviceKey, Tuning::problemKey;

TEST_F(Tuning, theSliceIsFrozenAndExplained) {
  RunResult near = compile({"--tuning", *shared / "t.db"}, "near.quern");
  ASSERT_EQ(near.exit, 0) << near.err;
  EXPECT_THAT(near.err, HasSubstr(" near, "));
  EXPECT_EQ(explained("near.quern"), std::pair(std::string("near"), std::string(tuned)));
  RunResult exact =
      compile({"--tuning", *shared / "t.db", "--tuning-device", deviceKey.substr(0, 8)}, "exact.quern");
  ASSERT_EQ(exact.exit, 0) << exact.err;
  EXPECT_EQ(explained("exact.quern"), std::pair(std::string("exact"), std::string(tuned)));
  RunResult strict = compile({"--tuning", *shared / "t.db", "--tuning-exact"}, "strict.quern");
  ASSERT_EQ(strict.exit, 0) << strict.err;
  EXPECT_EQ(explained("strict.quern").first, "");

  RunResult text = quern({"explain", *shared / "exact.quern"});
  EXPECT_EQ(text.exit, 0);
  EXPECT_THAT(text.out, HasSubstr("beats the default by 50.0 %; measured on this device, Example CPU"));
  EXPECT_THAT(text.out, HasSubstr("improve quern tune "));
  RunResult plain = quern({"explain", *shared / "plain.quern"});
  EXPECT_THAT(plain.out, HasSubstr("compiled without --tuning"));
  EXPECT_EQ(quern({"explain", *shared / "plain.quern", "--kernel", "nothing"}).errorId(), "E-INSPECT-KERNEL");
}

TEST_F(Tuning, equalSlicesGiveEqualBytesWhereverTheDatabaseIs) {
  ASSERT_EQ(compile({"--tuning", *shared / "t.db"}, "one.quern").exit, 0);
  std::filesystem::create_directory(*shared / "elsewhere");
  std::filesystem::copy_file(*shared / "t.db", *shared / "elsewhere/other.db");
  ASSERT_EQ(compile({"--tuning", *shared / "elsewhere/other.db"}, "two.quern").exit, 0);
  EXPECT_EQ(bytesOf("one.quern"), bytesOf("two.quern"));
  EXPECT_NE(bytesOf("one.quern"), bytesOf("plain.quern"));
}

TEST_F(Tuning, aTunedArtifactVerifies) {
  ASSERT_EQ(compile({"--tuning", *shared / "t.db"}, "verified.quern").exit, 0);
  RunResult verify = quern({"verify", *shared / "verified.quern"});
  EXPECT_EQ(verify.exit, 0) << verify.err;
}

TEST_F(Tuning, devicesThatAreNoneAreRefused) {
  EXPECT_EQ(compile({"--tuning", *shared / "t.db", "--tuning-device", "nothing"}, "x.quern").errorId(),
            "E-TUNING-DEVICE");
  EXPECT_EQ(compile({"--tuning", *shared / "none.db"}, "x.quern").errorId(), "E-DATABASE-NOT-FOUND");
  EXPECT_EQ(compile({"--tuning-exact"}, "x.quern").exit, 2);
}

TEST_F(Tuning, theDatabaseIsShownMergedTakenBackAndExported) {
  const std::string copy = *shared / "copy.db";
  ASSERT_EQ(quern({"db", "merge", copy, *shared / "t.db"}).exit, 0);
  RunResult again = quern({"db", "merge", copy, *shared / "t.db"});
  EXPECT_THAT(again.err, HasSubstr("0 of them are new"));
  EXPECT_EQ(quern({"db", "export", copy}).out, quern({"db", "export", *shared / "t.db"}).out);
  RunResult show = quern({"db", "show", copy});
  EXPECT_THAT(show.out, HasSubstr(std::string(tuned) + ": beats the default by 50.0 %"));
  EXPECT_THAT(quern({"db", "query", copy, "--schedule", tuned, "--format", "csv"}).out, HasSubstr(",ok,"));
  EXPECT_EQ(quern({"db", "check", copy}).exit, 0);
  EXPECT_THAT(quern({"db", "export", "--as", "vllm", copy}).out, HasSubstr("\"BLOCK_SIZE_M\": 2"));

  EXPECT_EQ(quern({"db", "revert", copy}).exit, 2);
  RunResult revert = quern({"db", "revert", copy, "--problem", problemKey.substr(0, 8), "--note", "slower"});
  EXPECT_EQ(revert.exit, 0) << revert.err;
  EXPECT_THAT(quern({"db", "show", copy}).out, HasSubstr("default: no configuration beat the default"));
  EXPECT_THAT(quern({"db", "diff", *shared / "t.db", copy}).out,
              HasSubstr("taken back by `quern db revert`"));
  EXPECT_EQ(quern({"db", "revert", copy, "--problem", problemKey.substr(0, 8)}).errorId(),
            "E-TUNING-NO-CHOICE");
  EXPECT_EQ(quern({"db", "restore", copy, "--problem", problemKey.substr(0, 8)}).exit, 0);
  EXPECT_THAT(quern({"db", "diff", *shared / "t.db", copy}).out, testing::IsEmpty());

  EXPECT_EQ(quern({"db", "show"}).errorId(), "E-USAGE");
  EXPECT_EQ(quern({"db", "show", *shared / "none.db"}).errorId(), "E-DATABASE-NOT-FOUND");
  ASSERT_TRUE(writeFile(*shared / "text.db", std::string(9000, 'x')).ok());
  EXPECT_EQ(quern({"db", "show", *shared / "text.db"}).errorId(), "E-DATABASE-CORRUPT");
}

} // namespace
