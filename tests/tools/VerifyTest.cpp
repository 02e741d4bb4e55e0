//===- VerifyTest.cpp - `quern verify` passes good kernels and finds bad ones ---===//
#include "runtime/artifact/Artifact.h"
#include "runtime/artifact/ArtifactWriter.h"
#include "runtime/plan/Plan.h"
#include "support/Json.h"
#include "support/ScratchDirectory.h"
#include "tests/tools/RunProgram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

using namespace quern;
using namespace quern::runtime;
using namespace quern::tests;
using testing::HasSubstr;

namespace {

const std::string model = QUERN_SOURCE_DIR "/tests/models/llama";

class Verify : public testing::Test {
protected:
  static void SetUpTestSuite() {
    shared = new ScratchDirectory;
    RunResult run = quern({"compile", model, "-o", *shared / "good.quern", "--target", "cpu:x86-64-v3",
                           "--target", "amd:gfx942", "-q"});
    ASSERT_EQ(run.exit, 0) << run.err;
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

  /// The good artifact with other contents of one member, all digests made again.
  static Status writeWith(const std::string &path, const std::string &member, const std::string &contents,
                          const std::string &good = "good.quern") {
    QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(*shared / good));
    QUERN_ASSIGN_OR_RETURN(ArtifactWriter writer, ArtifactWriter::create(path));
    for (size_t i = 0; i < artifact.weights().size(); ++i) {
      Weight weight = artifact.weights()[i];
      WeightBytes bytes;
      QUERN_RETURN_IF_ERROR(artifact.readWeight(weight, bytes));
      WeightSpec spec{std::string(weight.name), weight.type, {weight.shape().begin(), weight.shape().end()}};
      QUERN_RETURN_IF_ERROR(writer.addWeight(spec, bytes.span()));
    }
    for (const ZipMember &one : artifact.members()) {
      if (one.name == manifestMemberName || one.name.starts_with("weights/"))
        continue;
      QUERN_ASSIGN_OR_RETURN(std::string_view text, artifact.readText(one.name));
      QUERN_RETURN_IF_ERROR(writer.addMember(one.name, one.name == member ? contents : std::string(text)));
    }
    return writer.finish(artifact.manifest());
  }

  static ScratchDirectory *shared;
  ScratchDirectory scratch;
};

ScratchDirectory *Verify::shared = nullptr;

TEST_F(Verify, goodKernelsPassOnProcessorAndEmulatedDevice) {
  for (const char *device : {"cpu", "emulated:amd:gfx942"}) {
    RunResult run = quern({"verify", *shared / "good.quern", "--device", device, "--format", "json",
                           "--tokens", "5", "--steps", "2", "--progress", "none"});
    EXPECT_EQ(run.exit, 0) << device << ": " << run.err;
    Expected<JsonDocument> report = parseJson(run.out);
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_TRUE(report->value().find("passed")->boolean());
    EXPECT_GE(report->value().find("compared")->integer(), 60);
    EXPECT_EQ(report->value().find("unchecked_launches")->integer(), 0);
    EXPECT_EQ(report->value().find("positions")->integer(), 7);
  }
}

/// The epsilon of one norm, an immediate in its code, is another one: 1.0 in place of 1e-5.
TEST_F(Verify, findsOneChangedImmediate) {
  Expected<Artifact> artifact = Artifact::open(*shared / "good.quern");
  ASSERT_TRUE(artifact.ok());
  std::string member, code;
  const std::string epsilon("\xac\xc5\x27\x37", 4), one("\x00\x00\x80\x3f", 4);
  for (const ZipMember &each : artifact->members())
    if (each.name.starts_with("kernels/cpu-x86-64-v3/rms_norm_") && member.empty()) {
      Expected<std::string_view> text = artifact->readText(each.name);
      ASSERT_TRUE(text.ok());
      member = each.name;
      code = *text;
    }
  size_t changed = 0;
  for (size_t at; (at = code.find(epsilon)) != std::string::npos; ++changed)
    code.replace(at, 4, one);
  ASSERT_EQ(changed, 1u) << member;
  Status written = writeWith(scratch / "bad.quern", member, code);
  ASSERT_TRUE(written.ok()) << written.message();

  EXPECT_EQ(quern({"inspect", scratch / "bad.quern", "--check", "-q"}).exit, 0);
  const std::string symbol = member.substr(member.rfind('/') + 1, member.rfind('.') - member.rfind('/') - 1);
  RunResult run =
      quern({"verify", scratch / "bad.quern", "--device", "cpu", "--format", "json", "--progress", "none"});
  EXPECT_EQ(run.exit, 7) << run.err;
  EXPECT_EQ(run.errorId(), "E-VERIFY-KERNEL") << run.err;
  EXPECT_THAT(run.err, HasSubstr("`" + symbol + "`"));
  EXPECT_THAT(run.err, HasSubstr("rms_norm"));
  // The kernels that read its results are not to blame.
  Expected<JsonDocument> report = parseJson(run.out);
  ASSERT_TRUE(report.ok()) << report.error().message();
  for (const Json &kernel : report->value().find("kernels")->items())
    EXPECT_EQ(kernel.find("failed")->integer() != 0, kernel.find("kernel")->string() == symbol)
        << kernel.find("kernel")->string();
}

/// The artifact of a model with a draft head and routers, made on first use.
class VerifyDraft : public Verify {
protected:
  void SetUp() override {
    if (std::ifstream(*shared / "draft.quern"))
      return;
    RunResult run =
        quern({"compile", QUERN_SOURCE_DIR "/tests/models/deepseek_v3_fp8", "-o", *shared / "draft.quern",
               "--target", "cpu:x86-64-v3", "--target", "nvidia:sm_90a", "--target", "amd:gfx942", "-q"});
    ASSERT_EQ(run.exit, 0) << run.err;
  }
};

TEST_F(VerifyDraft, goodKernelsPassWithTheDraftHead) {
  for (const char *device : {"cpu", "emulated:nvidia:sm_90a", "emulated:amd:gfx942"}) {
    RunResult run = quern({"verify", *shared / "draft.quern", "--device", device, "--format", "json",
                           "--tokens", "5", "--steps", "1", "--progress", "none"});
    EXPECT_EQ(run.exit, 0) << device << ": " << run.err;
    Expected<JsonDocument> report = parseJson(run.out);
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_EQ(report->value().find("positions")->integer(), 6);
    EXPECT_EQ(report->value().find("draft_positions")->integer(), 6);
    EXPECT_EQ(report->value().find("unchecked_launches")->integer(), 0);
    EXPECT_EQ(report->value().find("sampled")->integer(), 0) << "small products are compared whole";
    // Each kernel of the plan has run and was compared: those of the head alone are among them.
    bool concat = false;
    for (const Json &kernel : report->value().find("kernels")->items()) {
      EXPECT_GT(kernel.find("compared")->integer(), 0) << kernel.find("kernel")->string();
      concat |= kernel.find("operators")->string() == "concat";
    }
    EXPECT_TRUE(concat);
  }
}

/// Above the limit only some rows of products are compared; a bound of 0 samples all of them.
TEST_F(VerifyDraft, samplesTheRowsOfLargeProducts) {
  RunResult run = quern({"verify", *shared / "draft.quern", "--device", "cpu", "--format", "json", "--tokens",
                         "17", "--steps", "1", "--sample-above", "0", "--progress", "none"});
  EXPECT_EQ(run.exit, 0) << run.err;
  Expected<JsonDocument> report = parseJson(run.out);
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_GT(report->value().find("sampled")->integer(), 20);
  EXPECT_LT(report->value().find("sampled")->integer(), report->value().find("compared")->integer());
}

/// Where |immediate| stands in `cmp r64, imm32`: opcode 3d for rax, 81 /7 for the others.
static std::vector<size_t> comparedWith(const std::string &code, const std::string &immediate) {
  std::vector<size_t> places;
  for (size_t at = code.find(immediate); at != std::string::npos; at = code.find(immediate, at + 1)) {
    auto byte = [&](size_t back) { return at >= back ? uint8_t(code[at - back]) : 0; };
    bool accumulator = byte(2) == 0x48 && byte(1) == 0x3d;
    bool other = (byte(3) == 0x48 || byte(3) == 0x49) && byte(2) == 0x81 && byte(1) >= 0xf8;
    if (accumulator || other)
      places.push_back(at);
  }
  return places;
}

/// A product that only the draft head has, of twice the hidden size, sums over half of its depth: the end of
/// its loop, an immediate in its code, is another one.
TEST_F(VerifyDraft, findsOneChangedImmediateOfTheHead) {
  Expected<Artifact> artifact = Artifact::open(*shared / "draft.quern");
  ASSERT_TRUE(artifact.ok());
  Expected<std::string_view> text = artifact->readText("plan/cpu-x86-64-v3.json");
  ASSERT_TRUE(text.ok());
  Expected<Plan> plan = readPlan(*text);
  ASSERT_TRUE(plan.ok());
  std::string symbol;
  for (const PlanStep &step : plan->findEntry("mtp")->steps)
    if (step.launch && step.launch->note == "eh_proj")
      symbol = plan->kernels[size_t(step.launch->kernel)].symbol;
  const std::string member = "kernels/cpu-x86-64-v3/" + symbol + ".so";
  Expected<std::string_view> read = artifact->readText(member);
  ASSERT_TRUE(read.ok()) << member;
  std::string code(*read);
  // The eight lanes step by 8 to the last 8 of 256.
  std::vector<size_t> ends = comparedWith(code, std::string("\xf8\x00\x00\x00", 4));
  ASSERT_EQ(ends.size(), 1u);
  code.replace(ends[0], 4, std::string("\x78\x00\x00\x00", 4));
  Status written = writeWith(scratch / "bad.quern", member, code, "draft.quern");
  ASSERT_TRUE(written.ok()) << written.message();

  for (const char *sample : {"2e9", "0"}) {
    RunResult run = quern({"verify", scratch / "bad.quern", "--device", "cpu", "--format", "json",
                           "--sample-above", sample, "--progress", "none"});
    EXPECT_EQ(run.exit, 7) << run.err;
    EXPECT_EQ(run.errorId(), "E-VERIFY-KERNEL") << run.err;
    EXPECT_THAT(run.err, HasSubstr("`" + symbol + "`"));
    EXPECT_THAT(run.err, HasSubstr("eh_proj"));
    Expected<JsonDocument> report = parseJson(run.out);
    ASSERT_TRUE(report.ok()) << report.error().message();
    for (const Json &kernel : report->value().find("kernels")->items())
      EXPECT_EQ(kernel.find("failed")->integer() != 0, kernel.find("kernel")->string() == symbol)
          << kernel.find("kernel")->string();
  }
}

/// The head's router is given another layer's bias, and so takes experts that are not near the right ones.
TEST_F(VerifyDraft, findsARouterThatChoosesWrongly) {
  Expected<Artifact> artifact = Artifact::open(*shared / "draft.quern");
  ASSERT_TRUE(artifact.ok());
  const std::string member = "plan/cpu-x86-64-v3.json";
  Expected<std::string_view> text = artifact->readText(member);
  ASSERT_TRUE(text.ok());
  Expected<Plan> plan = readPlan(*text);
  ASSERT_TRUE(plan.ok());
  int changed = 0;
  for (PlanEntry &entry : plan->entries)
    for (PlanStep &step : entry.steps)
      if (entry.name == "mtp" && step.launch)
        for (LaunchArgument &argument : step.launch->arguments)
          if (argument.name == "router_bias") {
            ASSERT_EQ(argument.layer.offset, 2);
            argument.layer.offset = 1;
            ++changed;
          }
  ASSERT_EQ(changed, 1);
  Status written = writeWith(scratch / "router.quern", member, writePlan(*plan), "draft.quern");
  ASSERT_TRUE(written.ok()) << written.message();
  RunResult run = quern({"verify", scratch / "router.quern", "--device", "cpu", "--progress", "none"});
  EXPECT_EQ(run.exit, 7) << run.err;
  EXPECT_EQ(run.errorId(), "E-VERIFY-KERNEL") << run.err;
  EXPECT_THAT(run.err, HasSubstr("the kernel `router_"));
}

/// A plan whose kernels are not those that this compiler would choose cannot be laid beside the module.
TEST_F(Verify, refusesThePlanOfAnotherCompiler) {
  Expected<Artifact> artifact = Artifact::open(*shared / "good.quern");
  ASSERT_TRUE(artifact.ok());
  Expected<std::string_view> plan = artifact->readText("plan/cpu-x86-64-v3.json");
  ASSERT_TRUE(plan.ok());
  std::string changed(*plan);
  size_t at = changed.find("rms_norm{tile=");
  ASSERT_NE(at, std::string::npos);
  changed[at + 14] = '9';
  Status written = writeWith(scratch / "other.quern", "plan/cpu-x86-64-v3.json", changed);
  ASSERT_TRUE(written.ok()) << written.message();
  RunResult run = quern({"verify", scratch / "other.quern", "--device", "cpu", "--progress", "none"});
  EXPECT_EQ(run.exit, 4) << run.err;
  EXPECT_EQ(run.errorId(), "E-VERIFY-COMPILER") << run.err;
}

TEST_F(Verify, refusesADamagedModule) {
  Status written = writeWith(scratch / "m.quern", "model.mlir", "module {");
  ASSERT_TRUE(written.ok()) << written.message();
  RunResult run = quern({"verify", scratch / "m.quern", "--device", "cpu", "--progress", "none"});
  EXPECT_EQ(run.exit, 3) << run.err;
  EXPECT_EQ(run.errorId(), "E-VERIFY-MODULE") << run.err;
}

} // namespace
