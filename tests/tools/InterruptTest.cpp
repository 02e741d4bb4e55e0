//===- InterruptTest.cpp - Ctrl-C in the middle of each verb --------------===//
//
// Exit code 130, one line on stderr, no file that was not there before.
//
//===----------------------------------------------------------------------===//
#include "support/Files.h"
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "tests/tools/RunProgram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

using namespace quern;
using namespace quern::tests;
using testing::ElementsAre;
using testing::EndsWith;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/deepseek_v3_fp8";

class Interrupt : public testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = new ScratchDirectory;
    RunResult run = quern({"compile", model, "-o", *shared / "m.quern", "--target", "cpu:x86-64-v3", "-q"});
    ASSERT_EQ(run.exit, 0) << run.err;
  }
  static void TearDownTestSuite() {
    delete shared;
    shared = nullptr;
  }
  static RunResult quern(std::vector<std::string> arguments, RunOptions options = {}) {
    options.environment["QUERN_CACHE_DIR"] = *shared / "cache";
    return runProgram(QUERN_PROGRAM, std::move(arguments), options);
  }
  static void expectInterrupted(const RunResult &run) {
    EXPECT_EQ(run.exit, 130) << run.err;
    EXPECT_EQ(run.errorId(), "E-INTERRUPTED") << run.err;
  }
  static ScratchDirectory *shared;
  ScratchDirectory scratch;
};

ScratchDirectory *Interrupt::shared = nullptr;

/// What was said until then stays, and its line ends.
TEST_F(Interrupt, run) {
  RunOptions options;
  options.interruptAt = ",";
  RunResult run =
      quern({"run", *shared / "m.quern", "--device", "cpu", "--ids", "5,9", "-n", "4000", "--ignore-stop"},
            options);
  expectInterrupted(run);
  EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
  EXPECT_THAT(run.out, EndsWith("\n"));
  EXPECT_LT(std::count(run.out.begin(), run.out.end(), ','), 3999);
}

TEST_F(Interrupt, runThatWritesLogits) {
  std::string prompt = "1";
  for (int i = 0; i < 6000; ++i)
    prompt += "," + std::to_string(i % 300);
  ASSERT_TRUE(writeFile(scratch / "logits", "previous").ok());
  RunOptions options;
  options.interruptAtFileIn = scratch.path();
  options.interruptBeyond = 1;
  RunResult run = quern(
      {"run", *shared / "m.quern", "--device", "cpu", "--ids", prompt, "--logits", "all", scratch / "logits"},
      options);
  expectInterrupted(run);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(scratch.entries(), ElementsAre("logits"));
  EXPECT_EQ(*readFile(scratch / "logits", 1 << 20), "previous");
}

TEST_F(Interrupt, verify) {
  RunOptions options;
  options.interruptAt = "verify steps";
  RunResult run = quern(
      {"verify", *shared / "m.quern", "--device", "cpu", "--steps", "512", "--progress", "json"}, options);
  expectInterrupted(run);
  EXPECT_EQ(run.out, "") << "no report of what was not verified";
}

/// The tiny checkpoint with a dense layer of 2^20 rows, which nobody has written: its file is a hole. A scan
/// of its codes takes long enough.
TEST_F(Interrupt, import) {
  Expected<JsonDocument> config = readJsonFile(model + "/config.json");
  ASSERT_TRUE(config.ok());
  Json changed = config->value();
  const int64_t wide = int64_t(1) << 20;
  changed.set("intermediate_size", wide);
  std::filesystem::create_directories(scratch / "m");
  ASSERT_TRUE(writeFile(scratch / "m/config.json", writeJson(changed)).ok());
  std::ifstream file(model + "/model.safetensors", std::ios::binary);
  uint64_t size = 0;
  file.read(reinterpret_cast<char *>(&size), 8);
  std::string text(size, ' ');
  file.read(text.data(), std::streamsize(size));
  Expected<JsonDocument> header = parseJson(text);
  ASSERT_TRUE(header.ok());
  Json out = Json::object();
  uint64_t at = 0;
  for (const Json::Member &member : header->value().members()) {
    if (member.key == "__metadata__")
      continue;
    std::vector<Json> shape = member.value.find("shape")->items();
    const std::string type = member.value.find("dtype")->string();
    const std::string layer = "model.layers.0.mlp.";
    const bool scales = member.key.ends_with("_scale_inv");
    if (member.key.starts_with(layer))
      shape[member.key.starts_with(layer + "down_proj") ? 1 : 0] = Json(scales ? wide / 128 : wide);
    uint64_t bytes = type == "BF16" ? 2 : type == "F32" ? 4 : 1;
    for (const Json &extent : shape)
      bytes *= uint64_t(extent.integer());
    Json entry = Json::object();
    entry.set("dtype", type);
    entry.set("shape", Json::array(std::move(shape)));
    entry.set("data_offsets", Json::array({Json(at), Json(at + bytes)}));
    out.set(member.key, std::move(entry));
    at += bytes;
  }
  text = writeJson(out);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  size = text.size();
  std::string start(8, '\0');
  std::memcpy(start.data(), &size, 8);
  ASSERT_TRUE(writeFile(scratch / "m/model.safetensors", start + text).ok());
  std::filesystem::resize_file(scratch / "m/model.safetensors", 8 + size + at);

  ASSERT_TRUE(writeFile(scratch / "report", "previous").ok());
  RunOptions options;
  options.interruptAt = "scan fp8 codes";
  RunResult run =
      quern({"import", scratch / "m", "--codes", "-o", scratch / "report", "--progress", "json"}, options);
  expectInterrupted(run);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(scratch.entries(), ElementsAre("m", "report"));
  EXPECT_EQ(*readFile(scratch / "report", 1 << 20), "previous");
}

} // namespace
