//===- ProgramTest.cpp - quern-run as a user runs it ------------------------===//
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "tests/runtime/CompiledModel.h"
#include "tests/tools/RunProgram.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

using namespace quern;
using namespace quern::testing;
using quern::tests::RunResult;
using ::testing::HasSubstr;

namespace {

class ProgramTest : public ::testing::Test {
protected:
  static std::string model(const std::string &name, const std::string &target = "cpu") {
    Expected<std::string> artifact = artifactOf(name, target);
    EXPECT_TRUE(artifact.ok()) << artifact.error().message();
    return artifact.ok() ? *artifact : "";
  }
  static RunResult run(std::vector<std::string> arguments, tests::RunOptions options = {}) {
    return tests::runProgram(QUERN_RUN_PROGRAM, std::move(arguments), options);
  }
  static RunResult runLlama(std::vector<std::string> more) {
    std::vector<std::string> arguments = {model("llama"), "--weights-dir", modelDirectory("llama"),
                                          "--device", "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(std::move(arguments));
  }
  static void expectError(const RunResult &result, int exit, const std::string &id) {
    EXPECT_EQ(result.exit, exit) << result.err;
    EXPECT_EQ(result.errorId(), id) << result.err;
    EXPECT_EQ(result.out, "");
  }
  ScratchDirectory directory;
};

TEST_F(ProgramTest, IdsOfTheGolden) {
  Expected<std::vector<GoldenCase>> cases = readGoldens(modelDirectory("llama"));
  ASSERT_TRUE(cases.ok());
  const GoldenCase &golden = (*cases)[1];
  std::string prompt, want;
  for (int32_t id : golden.prompt)
    prompt += (prompt.empty() ? "" : ",") + std::to_string(id);
  for (int32_t id : golden.greedy)
    want += (want.empty() ? "" : ",") + std::to_string(id);
  RunResult result = runLlama({"--ids", prompt, "-n", std::to_string(golden.greedy.size()), "--ignore-stop"});
  EXPECT_EQ(result.exit, 0) << result.err;
  EXPECT_EQ(result.out, want + "\n");
  EXPECT_EQ(result.err, "");
}

/// The same rows in a file, on stdout and as the last one; near those of the reference.
TEST_F(ProgramTest, WritesLogits) {
  Expected<std::vector<GoldenCase>> cases = readGoldens(modelDirectory("llama"));
  ASSERT_TRUE(cases.ok());
  const GoldenCase &golden = (*cases)[1];
  std::string prompt;
  for (int32_t id : golden.prompt)
    prompt += (prompt.empty() ? "" : ",") + std::to_string(id);
  std::string path = directory / "l.safetensors";
  RunResult toFile = runLlama({"--ids", prompt, "--logits", "all", path});
  ASSERT_EQ(toFile.exit, 0) << toFile.err;
  EXPECT_EQ(toFile.out, "");
  Expected<SafetensorsFile> file = SafetensorsFile::open(path);
  ASSERT_TRUE(file.ok()) << file.error().message();
  const StoredTensor *tensor = file->find("logits");
  ASSERT_TRUE(tensor);
  ASSERT_EQ(tensor->shape, (std::vector<uint64_t>{golden.prompt.size(), uint64_t(golden.logits.columns)}));
  Logits got{golden.logits.rows, golden.logits.columns, {}};
  got.values.resize(size_t(got.rows * got.columns));
  std::memcpy(got.values.data(), file->bytes(*tensor).data(), got.values.size() * 4);
  expectWithin(golden.logits, got, kBf16, golden.name);

  RunResult lines = runLlama({"--ids", prompt, "--logits", "all"}),
            last = runLlama({"--ids", prompt, "--logits", "last"});
  ASSERT_EQ(lines.exit, 0) << lines.err;
  std::istringstream in(lines.out);
  int64_t rows = 0;
  std::string line, lastLine;
  for (; std::getline(in, line); ++rows, lastLine = line) {
    Expected<JsonDocument> json = parseJson(line);
    ASSERT_TRUE(json.ok());
    EXPECT_EQ(*json->root().getInt("position"), rows);
    Expected<std::vector<JsonRef>> values = json->root().getArray("logits");
    ASSERT_TRUE(values.ok());
    ASSERT_EQ(int64_t(values->size()), got.columns);
    for (int64_t c = 0; c < got.columns; ++c)
      ASSERT_EQ(float(*(*values)[size_t(c)].asFloat()), got.row(rows)[size_t(c)]);
  }
  EXPECT_EQ(rows, got.rows);
  EXPECT_EQ(last.out, lastLine + "\n");
}

TEST_F(ProgramTest, SpeaksAndSaysWhatItTook) {
  std::string demo = model("demo");
  RunResult text = run(
      {demo, "--weights-dir", modelDirectory("demo"), "-p", "And", "-n", "20", "--stats", "--device", "cpu"});
  EXPECT_EQ(text.exit, 0) << text.err;
  EXPECT_GT(text.out.size(), 20u);
  EXPECT_EQ(text.out.back(), '\n');
  for (const char *word : {"device", "weights", "KV cache", "tokens/s", "steps"})
    EXPECT_THAT(text.err, HasSubstr(word));
  RunResult ahead = run({demo, "--weights-dir", modelDirectory("demo"), "-p", "And", "-n", "20",
                         "--speculate", "--stats", "--device", "cpu"});
  EXPECT_EQ(ahead.out, text.out);
  EXPECT_THAT(ahead.err, HasSubstr("drafts"));
  // The seed belongs to the request: the same tokens again, others with another seed.
  auto sampled = [&](const char *seed) {
    return run({demo, "--weights-dir", modelDirectory("demo"), "-p", "And", "-n", "40", "--temp", "1",
                "--top-p", "0.9", "--top-k", "50", "--seed", seed, "--device", "cpu"})
        .out;
  };
  std::string first = sampled("1");
  EXPECT_EQ(sampled("1"), first);
  EXPECT_NE(sampled("2"), first);
  RunResult chat = run(
      {demo, "--weights-dir", modelDirectory("demo"), "--chat", "-p", "And", "-n", "8", "--device", "cpu"});
  EXPECT_EQ(chat.exit, 0) << chat.err;
  EXPECT_NE(chat.out, text.out.substr(0, chat.out.size()));
}

TEST_F(ProgramTest, RefusesWithCodeAndId) {
  expectError(run({}), 2, "E-USAGE");
  expectError(runLlama({}), 2, "E-RUN-OPTIONS");
  expectError(runLlama({"-p", "a", "--ids", "1"}), 2, "E-RUN-OPTIONS");
  expectError(runLlama({"--ids", "1", "--logits", "some"}), 2, "E-RUN-OPTIONS");
  expectError(runLlama({"-p", "a"}), 2, "E-NO-TOKENIZER");
  expectError(runLlama({"--chat", "-p", "a"}), 2, "E-NO-TOKENIZER");
  expectError(runLlama({"--ids", "1,x"}), 2, "E-TOKEN-IDS");
  expectError(runLlama({"--ids", "1,99999"}), 2, "E-TOKEN-ID-RANGE");
  expectError(runLlama({"--ids", "1,2,3", "--max-context", "2"}), 2, "E-PROMPT-TOO-LONG");
  expectError(runLlama({"--ids", "1", "--max-context", "1000000"}), 2, "E-SESSION-LIMITS");
  expectError(runLlama({"--ids", "1", "--temp", "-1"}), 2, "E-SAMPLING-OPTIONS");
  expectError(runLlama({"--ids", "1", "--logits", "all", directory / "no/such/folder.safetensors"}), 10,
              "E-OUTPUT-NOT-WRITABLE");
  expectError(run({model("llama"), "--ids", "1", "--device", "cpu"}), 2, "E-WEIGHTS-DIRECTORY");
  expectError(
      run({model("llama"), "--ids", "1", "--device", "cpu", "--weights-dir", modelDirectory("qwen2")}), 3,
      "E-WEIGHTS-SOURCE");
  expectError(run({model("llama"), "--ids", "1", "--device", "tpu"}), 2, "E-DEVICE-NAME");
  expectError(run({model("llama", "nvidia:sm_90a"), "--ids", "1", "--device", "cpu"}), 4,
              "E-TARGET-NOT-IN-ARTIFACT");
  expectError(run({directory / "nothing.quern", "--ids", "1"}), 3, "E-FILE-NOT-FOUND");
}

/// Weights whose tensors are exchanged: every byte is there, but not where it was.
TEST_F(ProgramTest, RefusesOtherWeights) {
  std::filesystem::create_directory(directory / "w");
  std::filesystem::copy(modelDirectory("llama") + "/model.safetensors", directory / "w/model.safetensors");
  std::fstream file(directory / "w/model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-100, std::ios::end);
  file.put('\x55');
  file.close();
  expectError(run({model("llama"), "--ids", "1", "--device", "cpu", "--weights-dir", directory / "w"}), 3,
              "E-ARTIFACT-WEIGHT-DIGEST");
}

#ifdef QUERN_WITH_EMULATED
TEST_F(ProgramTest, FindsTheEmulatedDevicesBesideIt) {
  RunResult cpu = runLlama({"--ids", "5,9,200", "-n", "3", "--ignore-stop"});
  RunResult gpu = run({model("llama", "amd:gfx942"), "--weights-dir", modelDirectory("llama"), "--ids",
                       "5,9,200", "-n", "3", "--ignore-stop", "--device", "emulated:amd:gfx942"});
  EXPECT_EQ(gpu.exit, 0) << gpu.err;
  EXPECT_EQ(gpu.out, cpu.out);
}
#endif

TEST_F(ProgramTest, DevicesAndDoctor) {
  EXPECT_THAT(run({"devices"}).out, HasSubstr("cpu"));
  RunResult doctor = run({"doctor", "--format", "json"});
  EXPECT_THAT(doctor.out, HasSubstr("quern.doctor"));
}

} // namespace
