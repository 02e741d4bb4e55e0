//===- RuleTest.cpp - Schedules that do not fit a kernel are refused ------===//
//
// Each rule is a tile.require of the kernel text; without it the code would be wrong for some shape.
//
//===----------------------------------------------------------------------===//
#include "tests/kernels/KernelHarness.h"

using namespace quern;
using namespace quern::test;

namespace {

Status refusal(const std::string &kernel, Parameters parameters, std::vector<int32_t> tile) {
  lowering::KernelRequest request{kernel, std::move(parameters), {kernel, std::move(tile), 1}};
  auto targets = lowering::codeTargets("nvidia:sm_90a");
  EXPECT_TRUE(targets.ok());
  auto compiled = lowering::compileKernel(request, targets->front());
  return compiled.ok() ? Status::success() : compiled.takeError();
}

void expectRefusal(const Status &status, const std::string &id, const std::string &cause) {
  ASSERT_FALSE(status.ok()) << cause;
  EXPECT_EQ(status.id(), id) << status.message();
  EXPECT_EQ(status.exit(), Exit::CompileFailed);
  EXPECT_NE(status.message().find(cause), std::string::npos) << status.message();
}

Parameters linear(bool scales, bool experts) {
  return {{"N", 128},       {"K", 384},           {"E", 2},      {"SHARE", 1},
          {"XS", 384},      {"YS", 128},          {"X", "bf16"}, {"W", scales ? "f8E4M3FN" : "bf16"},
          {"B", "bf16"},    {"Y", "bf16"},        {"BIAS", 0},   {"SCALES", scales},
          {"QUANTIZED", 0}, {"EXPERTS", experts}, {"GROUPED", 0}};
}

TEST(RuleTest, StepsOfScaledProductsLieInOneBlock) {
  EXPECT_TRUE(refusal("linear", linear(true, false), {2, 8, 128}).ok());
  expectRefusal(refusal("linear", linear(true, false), {2, 8, 192}), "E-KERNEL-SPECIALIZE",
                "needs a size that divides 128, got 192");
  EXPECT_TRUE(refusal("linear", linear(false, false), {2, 8, 192}).ok());
}

TEST(RuleTest, ABlockOfExpertsHasOneRow) {
  EXPECT_TRUE(refusal("linear", linear(false, true), {1, 8, 128}).ok());
  expectRefusal(refusal("linear", linear(false, true), {2, 8, 128}), "E-KERNEL-SPECIALIZE",
                "needs a size that divides 1, got 2");
}

TEST(RuleTest, TilesOfHeadMatricesLieInOneBlock) {
  auto parameters = [](bool transposed) {
    return Parameters{{"H", 2},
                      {"N", 192},
                      {"K", 192},
                      {"ROWS", 192},
                      {"ROW0", 0},
                      {"COLUMNS", 192},
                      {"XS", 384},
                      {"HS", 192},
                      {"X", "bf16"},
                      {"W", "f8E4M3FN"},
                      {"Y", "f32"},
                      {"SCALES", 1},
                      {"TRANSPOSED", transposed},
                      {"SPLIT", 0}};
  };
  expectRefusal(refusal("head_linear", parameters(true), {4, 96, 16}), "E-KERNEL-SPECIALIZE",
                "needs a size that divides 128, got 96");
  expectRefusal(refusal("head_linear", parameters(false), {4, 8, 96}), "E-KERNEL-SPECIALIZE",
                "needs a size that divides 128, got 96");
}

TEST(RuleTest, TilesOfPositionsLieInOnePage) {
  Parameters heads = {{"HKV", 1},     {"G", 2},          {"D", 64},           {"DV", 64},      {"XS", 128},
                      {"HS", 64},     {"X", "bf16"},     {"scale_log2", 1.0}, {"WINDOWED", 0}, {"WINDOW", 1},
                      {"SOFTCAP", 0}, {"cap_log2", 1.0}, {"inv_cap2", 1.0}};
  Parameters latent = {{"H", 4},   {"L", 64},     {"R", 16},          {"XS", 64},
                       {"HS", 16}, {"X", "bf16"}, {"scale_log2", 1.0}};
  expectRefusal(refusal("attention", heads, {48}), "E-KERNEL-SPECIALIZE",
                "needs a size that divides 64, got 48");
  expectRefusal(refusal("attention", heads, {128}), "E-KERNEL-SPECIALIZE",
                "needs a size that divides 64, got 128");
  expectRefusal(refusal("latent_attention", latent, {4, 24, 64}), "E-KERNEL-SPECIALIZE",
                "needs a size that divides 64, got 24");
}

TEST(RuleTest, RequestsThatDoNotFitTheText) {
  expectRefusal(refusal("no_such_kernel", {}, {}), "E-KERNEL-UNKNOWN", "no kernel text `no_such_kernel`");
  expectRefusal(refusal("linear", linear(false, false), {4, 8}), "E-KERNEL-SCHEDULE",
                "3 tile sizes, the schedule 2");
  expectRefusal(refusal("gather_rows", {{"N", 8}, {"X", "bf16"}}, {8}), "E-KERNEL-SPECIALIZE",
                "names the parameter `XS`");
  expectRefusal(refusal("gather_rows", {{"N", 8}, {"XS", 8}}, {8}), "E-KERNEL-SPECIALIZE",
                "a size or element has no parameter");
}

} // namespace
