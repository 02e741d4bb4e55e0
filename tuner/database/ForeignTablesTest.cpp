//===- ForeignTablesTest.cpp ----------------------------------------------===//
#include "tuner/database/ForeignTables.h"
#include "tuner/database/TestRecords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::tuner;
using testing::HasSubstr;

namespace {

constexpr const char *row16 =
    R"({"BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": 64, "BLOCK_SIZE_K": 128, "GROUP_SIZE_M": 1, "num_warps": 4, "num_stages": 3})";
constexpr const char *row64 =
    R"({"BLOCK_SIZE_M": 64, "BLOCK_SIZE_N": 128, "BLOCK_SIZE_K": 128, "GROUP_SIZE_M": 16, "num_warps": 8, "num_stages": 4})";

std::string table() {
  return std::string("{\"triton_version\": \"3.4.0\", \"64\": ") + row64 + ", \"1\": " + row16 +
         ", \"8\": " + row16 + "}";
}

std::string idOf(const std::string &text, const std::string &name) {
  Expected<ForeignSeeds> seeds = readForeignTable(text, name);
  return seeds.ok() ? "" : seeds.error().id();
}

TEST(ForeignTables, BlockScaledProducts) {
  const std::string name =
      "configs/N=1536,K=7168,device_name=NVIDIA_H100_80GB_HBM3,dtype=fp8_w8a8,block_shape=[128, 128].json";
  Expected<ForeignSeeds> table_ = readForeignTable(table(), name);
  ASSERT_TRUE(table_.ok()) << table_.error().message();
  ASSERT_EQ(table_->seeds.size(), 3u);
  const Seed &first = table_->seeds[0], &second = table_->seeds[1], &last = table_->seeds[2];
  EXPECT_EQ(first.config, "linear{tile=16x64x128 warps=4 stages=3}");
  EXPECT_EQ(last.config, "linear{tile=64x128x128 warps=8 stages=4 raster=m16}");
  EXPECT_EQ(first.device, "NVIDIA_H100_80GB_HBM3");
  EXPECT_EQ(first.problem.dtype, "f8E4M3FN");
  EXPECT_EQ(first.problem.parameters.at("N"), "1536");
  EXPECT_EQ(first.problem.parameters.at("K"), "7168");
  EXPECT_EQ(first.problem.parameters.at("SCALES"), "1");
  EXPECT_THAT(first.source, testing::StartsWith("N=1536"));
  // The nearest number is taken; beyond the last one nothing is claimed.
  EXPECT_EQ(first.problem.tokens, (TokenRange{1, 4}));
  EXPECT_EQ(second.problem.tokens, (TokenRange{5, 36}));
  EXPECT_EQ(last.problem.tokens, (TokenRange{37, 64}));
  for (const Seed &seed : table_->seeds)
    EXPECT_TRUE(check(seed).ok());
}

TEST(ForeignTables, Mixtures) {
  Expected<ForeignSeeds> both =
      readForeignTable(table(), "E=8,N=14336,device_name=NVIDIA_A100-SXM4-80GB.json");
  ASSERT_TRUE(both.ok()) << both.error().message();
  ASSERT_EQ(both->seeds.size(), 6u);
  EXPECT_EQ(both->seeds[0].problem.text(), "linear E=8 N=28672 dtype=bf16 T=1..4");
  EXPECT_EQ(both->seeds[1].problem.text(), "linear E=8 K=14336 dtype=bf16 T=1..4");
  Expected<ForeignSeeds> down =
      readForeignTable(table(), "E=8,N=14336,device_name=X,dtype=fp8_w8a8_down.json");
  ASSERT_TRUE(down.ok()) << down.error().message();
  ASSERT_EQ(down->seeds.size(), 3u);
  EXPECT_EQ(down->seeds[0].problem.text(), "linear E=8 K=14336 dtype=f8E4M3FN T=1..4");
}

TEST(ForeignTables, SeedsFitProblemsThatSayTheSame) {
  Expected<ForeignSeeds> both = readForeignTable(table(), "E=8,N=256,device_name=X.json");
  ASSERT_TRUE(both.ok());
  Problem first{"linear", {{"E", "8"}, {"K", "1024"}, {"N", "512"}, {"SHARE", "2"}}, "bf16", {1, 1}};
  EXPECT_TRUE(fits(both->seeds[0], first));
  EXPECT_FALSE(fits(both->seeds[1], first));
  first.tokens = {5, 5};
  EXPECT_FALSE(fits(both->seeds[0], first));
  first.tokens = {1, 1};
  first.dtype = "f8E4M3FN";
  EXPECT_FALSE(fits(both->seeds[0], first));
}

TEST(ForeignTables, KernelLists) {
  const std::string text = "gfx,cu_num,M,N,K,kernelId,splitK,us,kernelName,tflops,bw,errRatio\n"
                           "gfx942,304,16,1536,7168,8,0,19.3027,a8w8_blockscale_1x128x128_256x16x64x256_"
                           "16x16_16x16_intrawave_v1,18.25,578.88,0.0\r\n"
                           "gfx942,304,64,1536,7168,8,1,18.7,a8w8_blockscale_1x128x128_256x32x64x128_8x32x1_"
                           "intrawave_v1,75.26,622.97,0.0\n"
                           "gfx942,304,64,512,7168,9,0,17.8,a_name_without_sizes,26.25,234.35,0.0\n";
  Expected<ForeignSeeds> list = readForeignTable(text, "x/a8w8_blockscale_tuned_gemm.csv");
  ASSERT_TRUE(list.ok()) << list.error().message();
  ASSERT_EQ(list->seeds.size(), 2u);
  EXPECT_EQ(list->seeds[0].config, "linear{tile=16x64x256 warps=4}");
  EXPECT_EQ(list->seeds[0].problem.text(), "linear E=1 K=7168 N=1536 SCALES=1 dtype=f8E4M3FN T=1..16");
  EXPECT_EQ(list->seeds[0].device, "gfx942 units=304");
  EXPECT_NEAR(list->seeds[0].seconds, 19.3027e-6, 1e-12);
  EXPECT_EQ(list->seeds[1].config, "linear{tile=32x64x128 warps=4 split=2:last_block}");
  EXPECT_EQ(list->seeds[1].problem.tokens, (TokenRange{17, 64}));
  ASSERT_EQ(list->skipped.size(), 1u);
  EXPECT_THAT(list->skipped[0], HasSubstr("line 4"));
}

TEST(ForeignTables, BadTables) {
  const std::string good = "N=64,K=64,device_name=X,dtype=fp8_w8a8,block_shape=[128,128].json";
  EXPECT_EQ(idOf(table(), good), "");
  EXPECT_EQ(idOf(table(), "something.json"), "E-TUNING-TABLE");
  EXPECT_EQ(idOf(table(), "N=64,device_name=X.json"), "E-TUNING-TABLE");
  EXPECT_EQ(idOf(table(), "E=0,N=64,device_name=X.json"), "E-TUNING-TABLE");
  EXPECT_EQ(idOf(table(), "E=99999999999999999999,N=64,device_name=X.json"), "E-TUNING-TABLE");
  EXPECT_EQ(idOf(table(), "table.txt"), "E-TUNING-TABLE");
  EXPECT_EQ(idOf(table(), "N=64,K=64,device_name=X,dtype=int8_w8a8.json"), "E-TUNING-TABLE-TYPE");
  EXPECT_EQ(idOf("[]", good), "E-JSON-TYPE");
  EXPECT_EQ(idOf("{\"1\": {}}", good), "E-JSON-MISSING");
  EXPECT_EQ(idOf("{\"one\": {}}", good), "E-TUNING-TABLE");
  EXPECT_EQ(idOf("{\"1\": {\"BLOCK_SIZE_M\": \"16\"}}", good), "E-JSON-TYPE");
  // Sizes that no Schedule has are left out and named.
  Expected<ForeignSeeds> odd = readForeignTable(
      R"({"1": {"BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": 64, "BLOCK_SIZE_K": 0}, "2": {"BLOCK_SIZE_M": 16, "BLOCK_SIZE_N": 64, "BLOCK_SIZE_K": 64, "num_warps": 3}})",
      good);
  ASSERT_TRUE(odd.ok());
  EXPECT_EQ(odd->seeds.size(), 0u);
  EXPECT_EQ(odd->skipped.size(), 2u);

  const std::string csv = "a8w8_tuned_gemm.csv";
  EXPECT_EQ(idOf("", csv), "E-TUNING-TABLE");
  EXPECT_EQ(idOf("a,b,c\n", csv), "E-TUNING-TABLE");
  EXPECT_EQ(idOf("cu_num,M,N,K,us,kernelName\n304,16\n", csv), "E-TUNING-TABLE");
  EXPECT_EQ(idOf("cu_num,M,N,K,us,kernelName\n304,x,1,1,1,a\n", csv), "E-TUNING-TABLE");
  EXPECT_EQ(idOf("cu_num,M,N,K,us,kernelName\n304,1,1,1,nan,a\n", csv), "E-TUNING-TABLE");
  EXPECT_EQ(idOf("cu_num,M,N,K,us,kernelName\n", "list.csv"), "E-TUNING-TABLE-TYPE");
}

TEST(ForeignTables, WhatIsWrittenReadsBack) {
  constexpr const char *standard = "linear{tile=4x8x64 warps=4}",
                       *best = "linear{tile=16x64x128 warps=8 stages=3 raster=m8}";
  std::vector<Measurement> all;
  for (auto [config, seconds] : {std::pair(standard, 2e-5), std::pair(best, 1e-5)}) {
    Measurement m = testMeasurement(config, seconds);
    m.isDefault = config == standard;
    m.problem.dtype = "f8E4M3FN";
    m.problem.parameters["SCALES"] = "1";
    all.push_back(m);
    m.problem.tokens = {17, 32};
    m.tokens = 32;
    if (config == standard) // nothing beat it there
      all.push_back(m);
  }
  Lookup lookup(all, {});
  std::vector<ForeignFile> files = writeBlockTables(lookup);
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].name, "N=512,K=4096,device_name=Example_80,dtype=fp8_w8a8,block_shape=[128,128].json");
  Expected<ForeignSeeds> back = readForeignTable(files[0].text, files[0].name);
  ASSERT_TRUE(back.ok()) << back.error().message();
  ASSERT_EQ(back->seeds.size(), 2u);
  EXPECT_EQ(back->seeds[0].config, best);
  EXPECT_EQ(back->seeds[1].config, "linear{tile=4x8x64 warps=4 stages=1}");

  std::vector<ForeignFile> lists = writeKernelLists(lookup);
  ASSERT_EQ(lists.size(), 1u);
  EXPECT_EQ(lists[0].name, "a8w8_blockscale_tuned_gemm.csv");
  back = readForeignTable(lists[0].text, lists[0].name);
  ASSERT_TRUE(back.ok()) << back.error().message();
  ASSERT_EQ(back->seeds.size(), 2u);
  EXPECT_EQ(back->seeds[0].config, best);
  EXPECT_NEAR(back->seeds[0].seconds, 1e-5, 1e-9);
  EXPECT_EQ(back->seeds[1].config, standard);
}

} // namespace
