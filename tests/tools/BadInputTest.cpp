//===- BadInputTest.cpp - What goes wrong ends with its code and its id ---===//
//
// Each case: what is wrong, the exit code, the id, one line on stderr, and nothing left behind.
//
//===----------------------------------------------------------------------===//
#include "support/Files.h"
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "tests/tools/RunProgram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <unistd.h>

using namespace quern;
using namespace quern::tests;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/llama";

std::string fileText(const std::string &path) {
  Expected<std::string> text = readFile(path, uint64_t(1) << 30);
  EXPECT_TRUE(text.ok()) << path;
  return text.ok() ? *text : "";
}

void write(const std::string &path, const std::string &text) {
  Status status = writeFile(path, text);
  ASSERT_TRUE(status.ok()) << status.message();
}

/// One artifact for all tests, of one CPU level; kernels come from one cache.
class BadInput : public testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = new ScratchDirectory;
    RunResult run =
        quern({"compile", model, "-o", *shared / "good.quern", "--target", "cpu:x86-64-v3", "-q"});
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

  static void expectError(const RunResult &run, int exit, const std::string &id) {
    EXPECT_EQ(run.exit, exit) << run.err;
    EXPECT_EQ(run.errorId(), id) << run.err;
    EXPECT_EQ(std::count(run.err.begin(), run.err.end(), '\n'), 1) << run.err;
    EXPECT_EQ(run.err.rfind("error: ", 0), 0u) << run.err;
  }

  /// Compiles the model with |change| made to its config.json.
  RunResult compileWith(const std::string &key, Json value) {
    Expected<JsonDocument> config = readJsonFile(model + "/config.json");
    EXPECT_TRUE(config.ok());
    Json changed = config->value();
    changed.set(key, std::move(value));
    std::filesystem::create_directories(scratch / "m");
    std::filesystem::copy_file(model + "/model.safetensors", scratch / "m/model.safetensors",
                               std::filesystem::copy_options::overwrite_existing);
    write(scratch / "m/config.json", writeJson(changed));
    return compile(scratch / "m");
  }
  /// Compiles |name|'s configuration with one change, on random weights.
  RunResult compileFrom(const std::string &name, const std::string &key, Json value,
                        std::vector<std::string> more = {}) {
    Expected<JsonDocument> config = readJsonFile(QUERN_SOURCE_DIR "/tests/models/" + name + "/config.json");
    EXPECT_TRUE(config.ok());
    Json changed = config->value();
    changed.set(key, std::move(value));
    std::filesystem::create_directories(scratch / "c");
    write(scratch / "c/config.json", writeJson(changed));
    more.insert(more.end(), {"--weights", "random"});
    return compile(scratch / "c", std::move(more));
  }
  RunResult compile(const std::string &directory, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"compile",           directory,    "-o",
                                          scratch / "m.quern", "--progress", "none"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return quern(arguments);
  }

  static ScratchDirectory *shared;
  ScratchDirectory scratch;
};

ScratchDirectory *BadInput::shared = nullptr;

TEST_F(BadInput, usage) {
  expectError(quern({"frobnicate"}), 2, "E-VERB-UNKNOWN");
  expectError(quern({}), 2, "E-USAGE");
  expectError(quern({"compile"}), 2, "E-USAGE");
  expectError(quern({"compile", model, "--no-such-flag"}), 2, "E-USAGE");
  expectError(quern({"compile", model, "--weights", "sideways"}), 2, "E-USAGE");
  expectError(quern({"compile", model, "--jobs", "many"}), 2, "E-USAGE");
  expectError(quern({"devices", "--format", "yaml"}), 2, "E-USAGE");
  expectError(quern({"inspect", *shared / "good.quern", "--stage", "tile"}), 2, "E-USAGE");
}

TEST_F(BadInput, directories) {
  expectError(compile(scratch / "nowhere"), 3, "E-DIRECTORY-NOT-FOUND");
  expectError(quern({"import", scratch / "nowhere"}), 3, "E-DIRECTORY-NOT-FOUND");
  std::filesystem::create_directories(scratch / "empty");
  expectError(compile(scratch / "empty"), 3, "E-CONFIG-NOT-FOUND");
  std::filesystem::create_directories(scratch / "alone");
  std::filesystem::copy(model + "/config.json", scratch / "alone/config.json");
  expectError(compile(scratch / "alone"), 3, "E-COMPILE-NO-WEIGHTS");
}

TEST_F(BadInput, configurations) {
  expectError(compileWith("hidden_size", nullptr), 3, "E-CONFIG-MISSING");
  expectError(compileWith("num_hidden_layers", -2), 3, "E-CONFIG-RANGE");
  expectError(compileWith("vocab_size", int64_t(1) << 40), 3, "E-CONFIG-RANGE");
  expectError(compileWith("hidden_size", "many"), 3, "E-CONFIG-TYPE");
  expectError(compileWith("hidden_act", "sinusoid"), 4, "E-CONFIG-VALUE");
  expectError(compileWith("model_type", "no_such_family"), 4, "E-FAMILY-UNKNOWN");
  expectError(compileWith("attention_multiplier", 3.0), 4, "E-CONFIG-SEMANTIC-KEY");
  Json rope = Json::object();
  rope.set("rope_type", "spiral");
  rope.set("factor", 2.0);
  expectError(compileWith("rope_scaling", std::move(rope)), 4, "E-CONFIG-ROPE-KIND");
  expectError(compileWith("intermediate_size", 192), 3, "E-TENSOR-SHAPE");
  expectError(compileWith("num_hidden_layers", 3), 3, "E-TENSOR-MISSING");
  expectError(compileWith("num_hidden_layers", 1), 3, "E-TENSOR-UNKNOWN");
  write(scratch / "m/config.json", "{\"model_type\": ");
  expectError(compile(scratch / "m"), 3, "E-JSON-SYNTAX");
  EXPECT_FALSE(std::filesystem::exists(scratch / "m.quern"));
}

/// A family of one's own may say that a model is fine, but not for this program.
TEST_F(BadInput, familiesThatRuleSomethingOut) {
  write(scratch / "own.json",
        R"({"format": 1, "name": "own", "summary": "Small vocabularies only", "extends": "llama",
            "matches": {"model_type": ["llama"], "architectures": ["LlamaForCausalLM"]},
            "require": {"small": {"that": "vocab_size < 100", "say": "the vocabulary is large",
                                  "remedy": "take another", "unsupported": true}}})");
  RunResult run = compile(model, {"--family", scratch / "own.json"});
  expectError(run, 4, "E-CONFIG-REQUIREMENT");
  EXPECT_THAT(run.err, HasSubstr("the vocabulary is large"));
  EXPECT_THAT(run.err, HasSubstr("vocab_size < 100"));
}

/// The families that ship refuse a second prediction layer by its range; one that allows it meets the limit
/// of what can be built.
TEST_F(BadInput, moreThanOnePredictionLayer) {
  write(scratch / "own.json",
        R"({"format": 1, "name": "own", "summary": "Two prediction layers", "extends": "deepseek_v3",
            "matches": {"model_type": ["deepseek_v3"], "architectures": ["DeepseekV3ForCausalLM"]},
            "config": {"num_nextn_predict_layers": {"type": "int", "min": 0, "max": 4, "default": 0}}})");
  expectError(compileFrom("deepseek_v3", "num_nextn_predict_layers", 2), 3, "E-CONFIG-RANGE");
  expectError(compileFrom("deepseek_v3", "num_nextn_predict_layers", 2, {"--family", scratch / "own.json"}),
              4, "E-CONFIG-PREDICTION");
}

TEST_F(BadInput, chatWithoutATemplate) {
  const std::string demo = QUERN_SOURCE_DIR "/tests/models/demo";
  std::filesystem::copy(demo, scratch / "m");
  Expected<JsonDocument> config = readJsonFile(demo + "/tokenizer_config.json");
  ASSERT_TRUE(config.ok());
  Json plain = Json::object();
  for (const Json::Member &member : config->value().members())
    if (member.key != "chat_template")
      plain.set(member.key, member.value);
  write(scratch / "m/tokenizer_config.json", writeJson(plain));
  ASSERT_EQ(
      quern({"compile", scratch / "m", "-o", scratch / "m.quern", "--target", "cpu:x86-64-v3", "-q"}).exit,
      0);
  expectError(quern({"run", scratch / "m.quern", "--device", "cpu", "--chat", "-p", "And"}), 2,
              "E-NO-CHAT-TEMPLATE");
  EXPECT_EQ(quern({"run", scratch / "m.quern", "--device", "cpu", "-p", "And", "-n", "1"}).exit, 0);
}

#ifdef QUERN_OLD_DRIVER
/// A driver that is too old is a fault of the machine; that there is none would not be.
TEST_F(BadInput, aMachineThatIsNotWell) {
  RunOptions options;
  options.environment["LD_LIBRARY_PATH"] = QUERN_OLD_DRIVER;
  RunResult run = quern({"doctor", "--format", "csv"}, options);
  expectError(run, 5, "E-DOCTOR-FAILED");
  EXPECT_THAT(run.out, HasSubstr("\ncuda.driver,failed,"));
}
#endif

TEST_F(BadInput, weights) {
  const std::string good = fileText(model + "/model.safetensors");
  std::filesystem::create_directories(scratch / "m");
  std::filesystem::copy(model + "/config.json", scratch / "m/config.json");
  const std::string path = scratch / "m/model.safetensors";
  write(path, good.substr(0, good.size() - 7));
  expectError(compile(scratch / "m"), 3, "E-SAFETENSORS-TRUNCATED");
  write(path, good + "more");
  expectError(compile(scratch / "m"), 3, "E-SAFETENSORS-TRAILING");
  write(path, std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8) + good.substr(8));
  expectError(compile(scratch / "m"), 3, "E-SAFETENSORS-HEADER-SIZE");
  std::string other = good;
  other[9] = '!';
  write(path, other);
  expectError(compile(scratch / "m"), 3, "E-SAFETENSORS-HEADER-JSON");
  write(path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n");
  expectError(compile(scratch / "m"), 3, "E-SAFETENSORS-LFS-POINTER");
  EXPECT_THAT(scratch.entries(), ElementsAre("m"));
}

TEST_F(BadInput, targetsAndOptions) {
  expectError(compile(model, {"--target", "abacus"}), 4, "E-TARGET-UNKNOWN");
  expectError(compile(model, {"--target", "cpu:x86-64-v3", "--target", "nvidia:sm_1"}), 4,
              "E-TARGET-UNKNOWN");
  expectError(compile(model, {"--target", "nvidia:sm_90a,wheels=4"}), 2, "E-TARGET-OPTION");
  expectError(compile(model, {"--precision", "fp3"}), 2, "E-PRECISION-UNKNOWN");
  expectError(compile(model, {"--compile-to", "lunch"}), 2, "E-PHASE-UNKNOWN");
  expectError(compile(model, {"--family", scratch / "none.json"}), 3, "E-JSON-CANNOT-READ");
  EXPECT_TRUE(scratch.entries().empty());
}

TEST_F(BadInput, outputs) {
  std::filesystem::create_directories(scratch / "directory");
  expectError(quern({"compile", model, "-o", scratch / "no/such/place.quern", "-q"}), 10,
              "E-OUTPUT-NOT-WRITABLE");
  expectError(quern({"compile", model, "-o", scratch / "directory", "-q"}), 10, "E-OUTPUT-NOT-A-FILE");
  if (geteuid() != 0) { // who may write everywhere is never refused
    std::filesystem::permissions(scratch / "directory", std::filesystem::perms::owner_read);
    expectError(quern({"compile", model, "-o", scratch / "directory/m.quern", "-q"}), 10,
                "E-OUTPUT-NOT-WRITABLE");
    std::filesystem::permissions(scratch / "directory", std::filesystem::perms::owner_all);
  }
}

/// A previous output stays as it was, and nothing stands beside it.
TEST_F(BadInput, previousOutputStays) {
  write(scratch / "m.quern", "previous");
  expectError(compile(model, {"--target", "cpu:486"}), 4, "E-TARGET-UNKNOWN");
  RunOptions full;
  full.fileBytes = 64 << 10;
  expectError(quern({"compile", model, "-o", scratch / "m.quern", "--target", "cpu:x86-64-v3", "-q"}, full),
              10, "E-OUTPUT-DISK-FULL");
  EXPECT_EQ(fileText(scratch / "m.quern"), "previous");
  EXPECT_THAT(scratch.entries(), ElementsAre("m.quern"));
}

/// A file system that is really full: /dev/full where a program writes to its standard output, and a small
/// tmpfs, where this user may mount one, for files.
TEST_F(BadInput, fullStandardOutput) {
  if (access("/dev/full", W_OK) != 0)
    GTEST_SKIP() << "no /dev/full";
  const std::string good = *shared / "good.quern";
  for (const std::string &verb :
       {std::string("devices"), "import " + model, "inspect " + good, "inspect --format csv " + good,
        "run --device cpu --ids 1,2 -n 3 " + good, "verify --device cpu -q --tokens 2 --steps 0 " + good}) {
    RunResult run = runProgram("/bin/sh", {"-c", std::string(QUERN_PROGRAM) + " " + verb + " > /dev/full"});
    expectError(run, 10, "E-OUTPUT-NOT-WRITABLE");
  }
}

TEST_F(BadInput, fullDisk) {
  const std::string disk = scratch / "disk", good = *shared / "good.quern";
  std::filesystem::create_directories(disk);
  const std::string mount = "mount -t tmpfs -o size=128k quern-test " + disk + " && ";
  auto inSmallDisk = [&](const std::string &script) {
    RunOptions options;
    options.environment["QUERN_CACHE_DIR"] = *shared / "cache";
    return runProgram("/usr/bin/env", {"unshare", "-Urm", "sh", "-c", mount + script}, options);
  };
  if (inSmallDisk("true").exit != 0)
    GTEST_SKIP() << "this user may not mount a file system in a namespace of its own";
  const std::string program = QUERN_PROGRAM, previous = "printf previous > " + disk + "/out; ",
                    report = "; code=$?; ls -A " + disk + "; cat " + disk + "/out; exit $code";
  std::string prompt = "1";
  for (int i = 0; i < 200; ++i)
    prompt += "," + std::to_string(i);
  for (const std::string &command :
       {" compile " + model + " --target cpu:x86-64-v3 -q -o " + disk + "/out",
        " run --device cpu --ids " + prompt + " --logits all " + disk + "/out " + good,
        "; dd if=/dev/zero of=" + disk + "/filler bs=1k count=1000 2>/dev/null; " + program + " import " +
            model + " --tensors --format json -o " + disk + "/out; code=$?; rm " + disk +
            "/filler; (exit $code)"}) {
    const bool filled = command[0] == ';';
    RunResult run = inSmallDisk(previous + (filled ? "true" : program) + command + report);
    expectError(run, 10, "E-OUTPUT-DISK-FULL");
    EXPECT_EQ(run.out, "out\nprevious") << command;
  }
  RunResult run = inSmallDisk(program + " inspect -q --extract-weights " + disk + " " + good +
                              "; code=$?; ls -A " + disk + "; exit $code");
  expectError(run, 10, "E-OUTPUT-DISK-FULL");
  EXPECT_EQ(run.out, "");
}

TEST_F(BadInput, interruptedCompilation) {
  write(scratch / "m.quern", "previous");
  RunOptions options;
  options.interruptAt = "compile kernels";
  RunResult run = quern({"compile", model, "-o", scratch / "m.quern", "--target", "cpu", "--target",
                         "nvidia:sm_90a", "--no-cache", "--progress", "json", "-j", "1"},
                        options);
  EXPECT_EQ(run.exit, 130) << run.err;
  EXPECT_EQ(run.errorId(), "E-INTERRUPTED") << run.err;
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(fileText(scratch / "m.quern"), "previous");
  EXPECT_THAT(scratch.entries(), ElementsAre("m.quern"));
}

TEST_F(BadInput, artifacts) {
  const std::string good = fileText(*shared / "good.quern");
  const std::string path = scratch / "m.quern";
  expectError(quern({"inspect", path}), 3, "E-FILE-NOT-FOUND");
  write(path, "not an artifact at all");
  expectError(quern({"inspect", path}), 3, "E-ARTIFACT-NOT-AN-ARTIFACT");
  write(path, good.substr(0, good.size() / 2));
  expectError(quern({"inspect", path}), 3, "E-ARTIFACT-TRUNCATED");
  std::string newer = good;
  size_t version = newer.find("\"version\": \"0.");
  ASSERT_NE(version, std::string::npos);
  newer[version + 12] = '7';
  write(path, newer);
  EXPECT_EQ(quern({"inspect", path}).exit, 3);
  expectError(quern({"inspect", *shared / "good.quern", "--target", "amd:gfx942"}), 4,
              "E-TARGET-NOT-IN-ARTIFACT");
  expectError(quern({"inspect", *shared / "good.quern", "--kernel", "no_such"}), 2, "E-INSPECT-KERNEL");
  expectError(quern({"inspect", *shared / "good.quern", "--kernel", "linear", "--stage", "tile"}), 2,
              "E-INSPECT-KERNEL");
}

TEST_F(BadInput, runs) {
  const std::string good = *shared / "good.quern";
  expectError(quern({"run", scratch / "none.quern", "--ids", "1"}), 3, "E-FILE-NOT-FOUND");
  expectError(quern({"run", good}), 2, "E-RUN-OPTIONS");
  expectError(quern({"run", good, "--ids", "1", "-p", "text"}), 2, "E-RUN-OPTIONS");
  expectError(quern({"run", good, "--ids", "1,two"}), 2, "E-TOKEN-IDS");
  expectError(quern({"run", good, "--ids", "1,320"}), 2, "E-TOKEN-ID-RANGE");
  expectError(quern({"run", good, "--ids", "1,2,3,4,5", "--max-context", "4"}), 2, "E-PROMPT-TOO-LONG");
  expectError(quern({"run", good, "-p", "text"}), 2, "E-NO-TOKENIZER");
  expectError(quern({"run", good, "--ids", "1", "--device", "abacus"}), 2, "E-DEVICE-NAME");
  expectError(quern({"run", good, "--ids", "1", "--device", "cpu:3"}), 2, "E-DEVICE-NAME");
  EXPECT_EQ(quern({"run", good, "--ids", "1", "--device", "cuda:99"}).exit, 5);
  expectError(quern({"run", good, "--ids", "1", "--device", "emulated:amd:gfx942"}), 4,
              "E-TARGET-NOT-IN-ARTIFACT");
  expectError(quern({"run", good, "--ids", "1", "--temp", "-1"}), 2, "E-SAMPLING-OPTIONS");
}

/// One changed byte anywhere is found by a full check.
TEST_F(BadInput, flippedBytes) {
  const std::string good = fileText(*shared / "good.quern");
  EXPECT_EQ(quern({"inspect", *shared / "good.quern", "--check"}).exit, 0);
  for (size_t i = 1; i <= 12; ++i) {
    std::string bad = good;
    size_t at = (good.size() - 1) * i / 12;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    write(scratch / "m.quern", bad);
    RunResult run = quern({"inspect", scratch / "m.quern", "--check", "--progress", "none"});
    EXPECT_EQ(run.exit, 3) << "byte " << at << ": " << run.err;
    EXPECT_EQ(run.errorId().rfind("E-ARTIFACT-", 0), 0u) << run.err;
  }
}

} // namespace
