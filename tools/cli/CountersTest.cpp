//===- CountersTest.cpp - Reports of counters, and the time modelled from them -===//
#include "tools/cli/Counters.h"
#include "tools/cli/ModelledTime.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tools;
using namespace quern::runtime;

namespace {

/// One launch of 264 blocks of 128 threads: a product of bf16 on the matrix unit with what surrounds it.
KernelCounters sample() {
  KernelCounters c;
  c.launches = 1;
  c.blocks = 264;
  c.warps = 264 * 4;
  c.sectorBytes = 32;
  c.opcodes["wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16"] = {InstructionClass::Matrix,
                                                                        264 * 4 * 64, 264 * 4 * 64 * 32};
  c.opcodes["add.s32"] = {InstructionClass::Integer, 100000, 3200000};
  c.opcodes["bar.sync"] = {InstructionClass::Barrier, 2000, 64000};
  c.matrix["wgmma.m64n128k16.bf16"] = {264 * 64, uint64_t(264) * 64 * 64 * 128 * 16};
  c.sharedLoads = {1000, 2000, 1000, 128000};
  c.sharedStores = {500, 500, 500, 64000};
  c.globalLoads = {1000, 16000, 8000, 256000};
  c.globalStores = {100, 1600, 1600, 51200};
  c.operandBytes = 1 << 20;
  c.readBytes = 300000;
  c.writtenBytes = 51200;
  c.barriers = 264;
  c.resources = {128, 32, 128, 0, 100000, 0};
  return c;
}

TEST(Counters, JsonHasEveryField) {
  CounterReport report{"emulated:nvidia:sm_90a", {{"kernel_1", 264, sample()}}, nullptr};
  const Json json = countersJson(report);
  EXPECT_EQ(json.find("schema")->string(), "quern.counters");
  EXPECT_EQ(json.find("schema_version")->integer(), 1);
  EXPECT_EQ(json.find("device")->string(), "emulated:nvidia:sm_90a");
  ASSERT_EQ(json.find("kernels")->items().size(), 1u);
  const Json &kernel = json.find("kernels")->items()[0];
  for (const char *name : {"symbol",
                           "blocks",
                           "launches",
                           "warps",
                           "issued",
                           "lanes",
                           "mix",
                           "opcodes",
                           "matrix",
                           "matrix_multiply_adds",
                           "ordinary_multiply_adds",
                           "shared_loads",
                           "shared_stores",
                           "global_loads",
                           "global_stores",
                           "sector_bytes",
                           "operand_bytes",
                           "memory_read_bytes",
                           "memory_written_bytes",
                           "barriers",
                           "incomplete",
                           "resources",
                           "occupancy",
                           "modelled"})
    EXPECT_TRUE(kernel.find(name)) << name;
  EXPECT_EQ(kernel.find("mix")->size(), numInstructionClasses);
  const Json *add = kernel.find("opcodes")->find("add.s32");
  ASSERT_TRUE(add);
  EXPECT_EQ(add->find("class")->string(), "integer");
  EXPECT_EQ(add->find("issued")->integer(), 100000);
  EXPECT_EQ(add->find("lanes")->integer(), 3200000);
  const Json *product = kernel.find("matrix")->find("wgmma.m64n128k16.bf16");
  ASSERT_TRUE(product);
  EXPECT_EQ(product->find("operations")->integer(), 264 * 64);
  EXPECT_EQ(product->find("multiply_adds")->integer(), int64_t(264) * 64 * 64 * 128 * 16);
  EXPECT_EQ(kernel.find("shared_loads")->find("wavefronts")->integer(), 2000);
  EXPECT_EQ(kernel.find("global_loads")->find("ideal_sectors")->integer(), 8000);
  // What is read back is what was written.
  Expected<JsonDocument> again = parseJson(writeJson(json, {.indent = 2}), {});
  ASSERT_TRUE(again.ok()) << again.error().message();
}

TEST(Counters, TableNamesModelAndKernel) {
  CounterReport report{"emulated:nvidia:sm_90a", {{"kernel_1", 264, sample()}}, nullptr};
  const std::string text = countersText(report, true);
  EXPECT_NE(text.find("kernel_1"), std::string::npos) << text;
  EXPECT_NE(text.find("modelled"), std::string::npos) << text;
  EXPECT_NE(text.find("not measured"), std::string::npos) << text;
  EXPECT_NE(text.find("limited by shared memory"), std::string::npos) << text;
  EXPECT_EQ(countersRows(report).size(), 3u);
}

TEST(Counters, ModelledTimeIsTheLargestTerm) {
  const TargetInfo &target = *findTarget("nvidia", "sm_90a");
  KernelCounters c = sample();
  std::optional<ModelledTime> time = modelledTime(c, target);
  ASSERT_TRUE(time);
  // 264 blocks on 132 units: two of them each; 64 products of 64 x 128 x 16 at 2048 a clock.
  const double clock = 0.875 * 1830e6;
  EXPECT_NEAR(time->matrix, 2 * 64 * 64.0 * 128 * 16 / 2048 / clock, 1e-12);
  EXPECT_EQ(time->bound, "matrix");
  EXPECT_NEAR(time->seconds, time->matrix + time->launch, 1e-12);
  EXPECT_TRUE(time->assumedRates.empty());
  // Two launches of the same take the same time each.
  KernelCounters twice = c;
  twice.add(c);
  EXPECT_EQ(twice.launches, 2u);
  EXPECT_NEAR(modelledTime(twice, target)->seconds, time->seconds, 1e-12);
  // One block uses one unit: half of the busiest unit's work, of which there were two blocks.
  c.blocks = 1;
  EXPECT_NEAR(modelledTime(c, target)->matrix, 264 * 64 * 64.0 * 128 * 16 / 2048 / clock, 1e-9);
  // Bytes alone.
  KernelCounters memory;
  memory.launches = 1;
  memory.blocks = 1000;
  memory.sectorBytes = 32;
  memory.readBytes = 2'830'000'000;
  memory.globalLoads.sectors = memory.readBytes / 32;
  time = modelledTime(memory, target);
  EXPECT_EQ(time->bound, "memory");
  EXPECT_NEAR(time->memory, 1e-3, 1e-6) << "2.83 TB/s is the measured bandwidth of the card";
  memory.matrix["mma.m1n1k1.odd"] = {1, 1};
  EXPECT_EQ(modelledTime(memory, target)->assumedRates, std::vector<std::string>{"mma.m1n1k1.odd"});
  EXPECT_FALSE(modelledTime(c, *findTarget("cpu", "x86-64-v4")));
  EXPECT_FALSE(modelledTime(KernelCounters(), target)) << "nothing has run";
}

TEST(Counters, OccupancyNamesItsLimit) {
  const TargetInfo &target = *findTarget("nvidia", "sm_90a");
  KernelResources resources{128, 32, 0, 0, 0, 0};
  EXPECT_EQ(occupancy(resources, target)->blocks, 16u);
  EXPECT_EQ(occupancy(resources, target)->limit, "threads");
  EXPECT_DOUBLE_EQ(occupancy(resources, target)->warps, 1.0);
  resources.registers = 168;
  EXPECT_EQ(occupancy(resources, target)->limit, "registers");
  EXPECT_EQ(occupancy(resources, target)->blocks, 3u);
  resources.sharedBytes = 120000;
  EXPECT_EQ(occupancy(resources, target)->limit, "shared memory");
  EXPECT_EQ(occupancy(resources, target)->blocks, 1u);
  EXPECT_FALSE(occupancy(KernelResources(), target));
}

TEST(Counters, OnlyEmulatedDevicesCount) {
  EXPECT_TRUE(checkCountersDevice("emulated:amd:gfx942").ok());
  EXPECT_EQ(checkCountersDevice("cpu").id(), "E-COUNTERS-DEVICE");
  EXPECT_EQ(checkCountersDevice("").exit(), Exit::Usage);
}

} // namespace
