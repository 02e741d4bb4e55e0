//===- CompileTest.cpp - `quern compile` and where its options come from --===//
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "support/target/CpuFeatures.h"
#include "tests/tools/RunProgram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace quern;
using namespace quern::tests;
using testing::AllOf;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Not;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/deepseek_v3_fp8";

class Compile : public testing::Test {
protected:
  RunResult quern(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
    RunOptions options;
    options.environment = std::move(environment);
    options.environment.try_emplace("QUERN_CACHE_DIR", scratch / "cache");
    return runProgram(QUERN_PROGRAM, std::move(arguments), options);
  }
  RunResult compile(const std::string &directory, std::vector<std::string> more,
                    std::map<std::string, std::string> environment = {}) {
    std::vector<std::string> arguments = {"compile",           directory,    "-o",
                                          scratch / "m.quern", "--progress", "none"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return quern(std::move(arguments), std::move(environment));
  }
  std::vector<std::string> filesBelow(const std::string &directory) {
    std::vector<std::string> files;
    for (const auto &entry : std::filesystem::recursive_directory_iterator(directory))
      if (entry.is_regular_file())
        files.push_back(entry.path());
    return files;
  }
  static void write(const std::string &path, const std::string &text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  static std::string text(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  ScratchDirectory scratch;
};

/// No phase behind the one that is named runs: what its text would be is not there, and no artifact is.
TEST_F(Compile, stopsAfterThePhase) {
  const std::vector<std::string> phases = {"import", "model",  "tile", "layouts",
                                           "rings",  "target", "llvm", "code"};
  for (size_t last = 0; last < phases.size(); ++last) {
    const std::string dump = scratch / phases[last];
    const std::string target = last % 2 ? "cpu:x86-64-v3" : "nvidia:sm_90a";
    RunResult run = compile(model, {"--target", target, "--compile-to", phases[last], "--dump-to", dump});
    ASSERT_EQ(run.exit, 0) << run.err;
    std::vector<std::string> folders;
    for (const auto &entry : std::filesystem::directory_iterator(dump))
      folders.push_back(entry.path().filename());
    std::vector<std::string> expected(phases.begin(), phases.begin() + long(last) + 1);
    EXPECT_THAT(folders, testing::UnorderedElementsAreArray(expected));
    for (const std::string &file : filesBelow(dump))
      EXPECT_GT(std::filesystem::file_size(file), 0u) << file;
    const bool wrote = std::filesystem::exists(scratch / "m.quern");
    EXPECT_EQ(wrote, phases[last] == "code");
    if (!wrote) {
      EXPECT_THAT(run.err, HasSubstr("stopped after the phase `" + phases[last] + "`"));
    }
  }
}

/// What an earlier phase gives does not depend on where the way ends; the cache is neither asked nor filled.
TEST_F(Compile, anEarlierEndChangesNoText) {
  for (const char *last : {"layouts", "rings", "llvm"}) {
    RunResult run =
        compile(model, {"--target", "amd:gfx942", "--compile-to", last, "--dump-to", scratch / last});
    ASSERT_EQ(run.exit, 0) << run.err;
  }
  std::vector<std::string> files = filesBelow(scratch / "layouts");
  EXPECT_GT(files.size(), 40u);
  for (const std::string &file : files)
    for (const char *other : {"rings", "llvm"})
      EXPECT_EQ(text(file), text((scratch / other) + file.substr((scratch / "layouts").size()))) << file;
  EXPECT_EQ(compile(model, {"--target", "amd:gfx942", "--compile-to", "tile"}).exit, 0);
  EXPECT_FALSE(std::filesystem::exists(scratch / "cache/kernels") &&
               !std::filesystem::is_empty(scratch / "cache/kernels"));
}

TEST_F(Compile, nativeIsNamedByWhatItStandsFor) {
  Expected<TargetSpec> here = resolveNative(*parseTarget("cpu:native"), decideCpuFeatures(readCpuid()));
  RunResult run = compile(model, {"--target", "cpu:native"});
  if (!here.ok()) {
    EXPECT_EQ(run.exit, 4);
    EXPECT_EQ(run.errorId(), "E-TARGET-NATIVE");
    return;
  }
  ASSERT_EQ(run.exit, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("cpu:native is " + here->name() + " on this machine"));
  EXPECT_THAT(run.out, AllOf(HasSubstr(here->name() + " (fp8-weights)"), Not(HasSubstr("native"))));
  const std::string native = text(scratch / "m.quern");
  // The same bytes as by that name, and once where both are asked for.
  for (std::vector<std::string> same : {std::vector<std::string>{"--target", here->name()},
                                        {"--target", here->name(), "--target", "cpu:native"}}) {
    ASSERT_EQ(compile(model, same).exit, 0);
    EXPECT_TRUE(text(scratch / "m.quern") == native);
  }
  EXPECT_EQ(compile(model, {"--target", "cpu", "--target", "cpu:native"}).exit, 0);
}

TEST_F(Compile, verboseTellsMore) {
  const std::vector<std::string> target = {"--target", "cpu:x86-64-v3"};
  auto with = [&](std::vector<std::string> flags, std::map<std::string, std::string> environment = {}) {
    flags.insert(flags.end(), target.begin(), target.end());
    RunResult run = compile(model, std::move(flags), std::move(environment));
    EXPECT_EQ(run.exit, 0) << run.err;
    return run.err;
  };
  EXPECT_THAT(with({"-v"}), AllOf(HasSubstr("debug: config.json: `initializer_range` is not used"),
                                  HasSubstr("debug: router_"), HasSubstr("wrote `")));
  EXPECT_THAT(with({}), AllOf(Not(HasSubstr("debug: ")), HasSubstr("wrote `")));
  EXPECT_THAT(with({"-vv"}), HasSubstr("from the cache"));
  EXPECT_THAT(with({}, {{"QUERN_LOG", "trace"}}), HasSubstr("from the cache"));
  EXPECT_EQ(with({}, {{"QUERN_LOG", "error"}}), "");
  EXPECT_THAT(with({"-v"}, {{"QUERN_LOG", "error"}}), HasSubstr("debug: "));
}

//===----------------------------------------------------------------------===//
// Where options come from
//===----------------------------------------------------------------------===//

TEST_F(Compile, optionsComeFromFlagEnvironmentFileDefault) {
  write(
      scratch / "home/quern/config.json",
      R"({"compile": {"jobs": 3, "target": ["cpu:x86-64-v3", "h100"], "no-cache": true, "quiet": true, "seed": 5},
            "run": {"anything": {}}})");
  const std::map<std::string, std::string> home = {{"XDG_CONFIG_HOME", scratch / "home"},
                                                   {"QUERN_LOG", "debug"}};
  const std::string file = scratch / "home/quern/config.json";
  RunResult run = quern({"compile", model, "--print-config", "--jobs", "2"}, home);
  ASSERT_EQ(run.exit, 0) << run.err;
  auto row = [](const std::string &name, const std::string &value, const std::string &source) {
    return HasSubstr("\n" + name + std::string(18 - name.size(), ' ') + value + "  (" + source + ")\n");
  };
  EXPECT_THAT(run.out, AllOf(row("jobs", "2", "flag"), row("verbose", "true", "QUERN_LOG"),
                             row("target", "cpu:x86-64-v3 h100", file), row("no-cache", "true", file),
                             row("seed", "5", file), row("precision", "auto", "default"),
                             row("cache directory", scratch / "cache", "QUERN_CACHE_DIR")));
  EXPECT_FALSE(std::filesystem::exists("deepseek_v3_fp8.quern"));
  // What is printed is what is done.
  run = compile(model, {"--compile-to", "tile"}, {{"XDG_CONFIG_HOME", scratch / "home"}});
  EXPECT_EQ(run.exit, 0) << run.err;
  EXPECT_EQ(run.out + run.err, "");
  run = compile(model, {"--compile-to", "tile"}, home);
  EXPECT_THAT(run.out, AllOf(HasSubstr("cpu:x86-64-v3"), HasSubstr("nvidia:sm_90a")));
  // As JSON, and another file by name.
  write(scratch / "other.json", R"({"devices": {"format": "json"}})");
  run = quern({"devices", "--print-config", "--config", scratch / "other.json"}, {{"OMP_NUM_THREADS", "3"}});
  Expected<JsonDocument> json = parseJson(run.out);
  ASSERT_TRUE(json.ok()) << run.out;
  EXPECT_EQ(json->value().find("schema")->string(), "quern.configuration");
  EXPECT_THAT(quern({"run", "m.quern", "-p", "x", "--print-config"}, {{"OMP_NUM_THREADS", "3"}}).out,
              row("threads", "3", "OMP_NUM_THREADS"));
}

TEST_F(Compile, badConfigurationsAreRefused) {
  auto refused = [&](const std::string &text, int exit, const std::string &id) {
    write(scratch / "c.json", text);
    RunResult run = quern({"compile", model, "--print-config", "--config", scratch / "c.json"});
    EXPECT_EQ(run.exit, exit) << text << run.err;
    EXPECT_EQ(run.errorId(), id) << text << run.err;
    EXPECT_EQ(run.out, "");
  };
  refused(R"({"compile": {"jops": 3}})", 2, "E-CONFIGURATION-OPTION");
  refused(R"({"compile": {"DIR": "x"}})", 2, "E-CONFIGURATION-OPTION");
  refused(R"({"compile": {"help": true}})", 2, "E-CONFIGURATION-OPTION");
  refused(R"({"compile": {"no-cache": 1}})", 2, "E-CONFIGURATION-OPTION");
  refused(R"({"compile": {"target": {}}})", 2, "E-CONFIGURATION-OPTION");
  refused(R"({"compile": {"jobs": "many"}})", 2, "E-USAGE");
  refused(R"({"compile": {"weights": "sideways"}})", 2, "E-USAGE");
  refused(R"({"compile": 3})", 3, "E-JSON-TYPE");
  refused(R"({"compile": )", 3, "E-JSON-SYNTAX");
  RunResult run = quern({"compile", model, "--print-config", "--config", scratch / "none.json"});
  EXPECT_EQ(run.errorId(), "E-JSON-CANNOT-READ") << run.err;
  run = quern({"compile", model, "--print-config"}, {{"QUERN_LOG", "loud"}});
  EXPECT_EQ(run.exit, 2);
  EXPECT_EQ(run.errorId(), "E-CONFIGURATION-LOG") << run.err;
}

//===----------------------------------------------------------------------===//
// The tokenizer's size
//===----------------------------------------------------------------------===//

/// A vocabulary of 320 with a tokenizer of 16: the other logits are -inf, never win and are no input.
TEST_F(Compile, paddedTokensNeverWin) {
  write(scratch / "padded/config.json", text(model + "/config.json"));
  std::string vocabulary;
  for (char c = 'a'; c < 'a' + 16; ++c)
    vocabulary += std::string(vocabulary.empty() ? "" : ", ") + "\"" + c + "\": " + std::to_string(c - 'a');
  write(scratch / "padded/tokenizer.json",
        R"({"version": "1.0", "added_tokens": [], "normalizer": null, "post_processor": null,
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
            "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
            "model": {"type": "BPE", "vocab": {)" +
            vocabulary + R"(}, "merges": []}})");
  RunResult run = compile(scratch / "padded",
                          {"--weights", "random", "--target", "cpu:native", "--dump-to", scratch / "dump"});
  ASSERT_EQ(run.exit, 0) << run.err;
  EXPECT_THAT(text(scratch / "dump/import/model.mlir"), HasSubstr("valid 16 "));
  // Logits that are -inf are null in JSON.
  run = quern({"run", scratch / "m.quern", "--ids", "1,15,7", "--logits", "all"});
  ASSERT_EQ(run.exit, 0) << run.err;
  std::istringstream rows(run.out);
  int count = 0;
  for (std::string line; std::getline(rows, line); ++count) {
    Expected<JsonDocument> row = parseJson(line);
    ASSERT_TRUE(row.ok()) << line;
    const std::vector<Json> &logits = row->value().find("logits")->items();
    ASSERT_EQ(logits.size(), 320u);
    for (size_t i = 0; i < logits.size(); ++i)
      EXPECT_EQ(logits[i].isNull(), i >= 16) << i;
  }
  EXPECT_EQ(count, 3);
  // Drawn at a temperature at which all are about equally likely.
  run = quern({"run", scratch / "m.quern", "--ids", "1,15,7", "-n", "40", "--temp", "1000", "--ignore-stop"});
  ASSERT_EQ(run.exit, 0) << run.err;
  std::istringstream ids(run.out);
  count = 0;
  for (std::string id; std::getline(ids, id, ','); ++count)
    EXPECT_LT(std::stoi(id), 16);
  EXPECT_EQ(count, 40);
  EXPECT_EQ(quern({"run", scratch / "m.quern", "--ids", "1,16"}).errorId(), "E-TOKEN-ID-RANGE");
  // A tokenizer that cannot be used is found now, not when the model is to speak.
  write(scratch / "padded/tokenizer.json", R"({"model": {"type": "Unigram"}})");
  run = compile(scratch / "padded", {"--weights", "random", "--target", "cpu:x86-64-v3"});
  EXPECT_NE(run.exit, 0);
  EXPECT_EQ(run.errorId().rfind("E-TOKENIZER-", 0), 0u) << run.err;
}

//===----------------------------------------------------------------------===//
// Models that no checkpoint here has
//===----------------------------------------------------------------------===//

/// K = 320 and K = 192 on the fp8 rung: the last block of 128 is short, and every launch still gives what the
/// interpreter gives from the same bytes.
TEST_F(Compile, shortScaleBlocksKeepTheRung) {
  Expected<JsonDocument> config = readJsonFile(model + "/config.json");
  ASSERT_TRUE(config.ok());
  Json changed = config->value();
  changed.set("hidden_size", 320);
  changed.set("q_lora_rank", 192);
  changed.set("num_nextn_predict_layers", 0);
  write(scratch / "ragged/config.json", writeJson(changed));
  RunResult run = compile(scratch / "ragged", {"--weights", "random", "--target", "nvidia:sm_90a", "-v"});
  ASSERT_EQ(run.exit, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("nvidia:sm_90a (fp8)"));
  run = quern({"verify", scratch / "m.quern", "--device", "emulated:nvidia:sm_90a"});
  EXPECT_EQ(run.exit, 0) << run.out << run.err;
  // No product with codes reads rows that stayed bf16.
  run = quern({"inspect", scratch / "m.quern", "--kernel", "linear"});
  std::istringstream lines(run.out);
  int products = 0;
  for (std::string line; std::getline(lines, line);)
    if (line.find("SCALES=1") != std::string::npos) {
      ++products;
      EXPECT_THAT(line, HasSubstr("QUANTIZED=1"));
    }
  EXPECT_GE(products, 6);
}

/// The experts of a layer stand in the file as the CPU's kernels read them: nearly nothing is copied.
TEST_F(Compile, weightsStayInTheFile) {
  RunResult run = compile(QUERN_SOURCE_DIR "/tests/models/demo", {"--target", "cpu:native", "-q"});
  ASSERT_EQ(run.exit, 0) << run.err;
  run = quern(
      {"run", scratch / "m.quern", "--ids", "5,9", "-n", "2", "--temp", "0", "--device", "cpu", "--stats"});
  ASSERT_EQ(run.exit, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("7.15 MiB (7.14 MiB where they are in the file)"));
  EXPECT_THAT(run.err, testing::ContainsRegex("memory +[0-9.]+ KiB on the device"));
}

/// A family of the user's own whose layers have a norm with mean and bias.
TEST_F(Compile, layerNormOfAFamily) {
  std::string family = text(QUERN_SOURCE_DIR "/lowering/import/families/mixtral.json");
  const std::string before = "rms_norm(x, weight: @input_layernorm,";
  ASSERT_NE(family.find(before), std::string::npos);
  family.replace(family.find(before), before.size(),
                 "layer_norm(x, weight: @input_layernorm, bias: @post_attention_layernorm,");
  write(scratch / "family.json", family);
  RunResult run =
      compile(QUERN_SOURCE_DIR "/tests/models/mixtral",
              {"--family", scratch / "family.json", "--weights", "random", "--target", "cpu:native"});
  ASSERT_EQ(run.exit, 0) << run.err;
  run = quern({"verify", scratch / "m.quern", "--device", "cpu"});
  EXPECT_EQ(run.exit, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("layer_norm_"));
}

} // namespace
