//===- ReportTest.cpp - Unit tests of memory plans and the import report ------===//
#include "lowering/import/Report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::import;
using testing::HasSubstr;

namespace {

ImportedModel read(const std::string &name) {
  Expected<ImportedModel> model = readModel(std::string(QUERN_SOURCE_DIR) + "/tests/models/" + name);
  EXPECT_TRUE(model.ok()) << model.error().message();
  return *std::move(model);
}

MemoryPlan plan(const ImportedModel &model, const std::string &target, MemoryLimits limits = {}) {
  Expected<TargetSpec> spec = parseTarget(target);
  EXPECT_TRUE(spec.ok()) << spec.error().message();
  return planMemory(model, *spec, limits);
}

TEST(MemoryPlan, WeightsFollowTheRung) {
  ImportedModel model = read("configs/v3");
  // 684.5e9 parameters with the prediction layer, of which about 2 % are bf16.
  MemoryPlan fp8 = plan(model, "nvidia:sm_90a");
  EXPECT_EQ(fp8.rung, Rung::Fp8);
  EXPECT_NEAR(static_cast<double>(fp8.weightBytes), 684.5e9, 3e9);
  EXPECT_EQ(fp8.cacheBytesPerToken, 71424u);
  EXPECT_EQ(fp8.context, 4096);
  EXPECT_GT(fp8.activationBytes, 2048u * 7168 * 2);
  EXPECT_EQ(fp8.tokensThatFit(), 0u);
  MemoryPlan weights = plan(model, "nvidia:sm_80");
  EXPECT_EQ(weights.rung, Rung::Fp8Weights);
  EXPECT_EQ(weights.weightBytes, fp8.weightBytes);
}

TEST(MemoryPlan, CapacityBoundsTheCache) {
  ImportedModel model = read("configs/distill_1_5b");
  MemoryPlan small = plan(model, "nvidia:sm_90a,mem=4GiB", {.context = 1000, .sequences = 2});
  EXPECT_EQ(small.rung, Rung::Bf16);
  EXPECT_EQ(small.capacity, uint64_t{4} << 30);
  EXPECT_EQ(small.weightBytes, 2 * model.census().parameters.total);
  EXPECT_EQ(small.cacheBytes(), 28672u * 2000);
  EXPECT_EQ(small.totalBytes(), small.weightBytes + small.cacheBytes() + small.activationBytes);
  EXPECT_EQ(*small.tokensThatFit(), (small.capacity - small.weightBytes - small.activationBytes) / 28672);
  EXPECT_FALSE(plan(model, "cpu").tokensThatFit().has_value());
}

TEST(ImportReport, TextOfAConfigurationAlone) {
  ImportedModel model = read("configs/v3");
  std::string text = importText(model, {plan(model, "nvidia:sm_90a"), plan(model, "cpu")});
  for (const char *part : {"layers: 0-2 dense, 3-60 experts, 1 for prediction\n", "671.026 B", "36.626 B",
                           "cache: 70272 bytes per token, 71424 with prediction layers\n",
                           "quantisation: fp8 e4m3, 128x128 blocks, scales fp32\n", "configuration alone",
                           "nvidia:sm_90a", "memory for 1 x 4096 tokens:\n"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(ImportReport, EveryTensorOfACheckpoint) {
  ImportedModel model = read("demo");
  ASSERT_TRUE(model.census().status().ok()) << model.census().status().message();
  std::string text = importText(model, {}, true);
  EXPECT_THAT(text, HasSubstr("model.embed_tokens.weight"));
  EXPECT_THAT(text, HasSubstr("files"));
  Json json = importJson(model, {plan(model, "cpu")}, true);
  EXPECT_EQ(json.find("schema")->string(), "quern.import");
  const Json &tensors = *json.find("tensors");
  EXPECT_EQ(tensors.find("list")->size(), model.checkpoint()->tensors().size());
  EXPECT_EQ(tensors.find("unknown")->find("count")->integer(), 0);
  EXPECT_EQ(json.find("faults")->size(), 0u);
  EXPECT_EQ(json.find("memory")->items()[0].find("target")->string(), "cpu");
}

} // namespace
