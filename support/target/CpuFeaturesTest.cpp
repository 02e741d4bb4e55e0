//===- CpuFeaturesTest.cpp ------------------------------------------------===//
#include "support/target/CpuFeatures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

using namespace quern;

namespace {

CpuidFacts withAll() {
  CpuidFacts facts;
  facts.leaf1Ecx = facts.leaf7Ebx = facts.leaf7Ecx = facts.leaf7Edx = facts.leaf7s1Eax = facts.extended1Ecx =
      ~0u;
  facts.xcr0 = ~uint64_t(0);
  return facts;
}

bool has(const CpuFeatures &features, const char *name) {
  return std::find(features.features.begin(), features.features.end(), name) != features.features.end();
}

TEST(CpuFeaturesTest, LevelsFollowTheAbi) {
  EXPECT_EQ(decideCpuFeatures({}).level, "x86-64");
  CpuidFacts facts = withAll();
  EXPECT_EQ(decideCpuFeatures(facts).level, "x86-64-v4");
  EXPECT_TRUE(has(decideCpuFeatures(facts), "avx512bf16"));
  facts.leaf7Ebx &= ~(1u << 31); // without AVX512VL
  EXPECT_EQ(decideCpuFeatures(facts).level, "x86-64-v3");
  EXPECT_FALSE(has(decideCpuFeatures(facts), "avx512bf16"));
  facts.leaf1Ecx &= ~(1u << 12); // without FMA
  EXPECT_EQ(decideCpuFeatures(facts).level, "x86-64-v2");
  facts.leaf1Ecx &= ~(1u << 23); // without POPCNT
  EXPECT_EQ(decideCpuFeatures(facts).level, "x86-64");
}

TEST(CpuFeaturesTest, CountOnlyWhereTheSystemSavesTheRegisters) {
  CpuidFacts facts = withAll();
  facts.xcr0 = 0x7; // no AVX-512 state
  EXPECT_EQ(decideCpuFeatures(facts).level, "x86-64-v3");
  facts.xcr0 = 0x3; // SSE only
  EXPECT_EQ(decideCpuFeatures(facts).level, "x86-64-v2");
  facts.xcr0 = 0xE7; // no tile state
  EXPECT_EQ(decideCpuFeatures(facts).level, "x86-64-v4");
  EXPECT_FALSE(has(decideCpuFeatures(facts), "amx-tile"));
}

TEST(CpuFeaturesTest, HardwareIsMakerFamilyModelStepping) {
  CpuidFacts facts;
  facts.maker = "GenuineIntel";
  facts.leaf1Eax = 0x000806F8;
  EXPECT_EQ(cpuHardware(facts), "cpu:GenuineIntel-6-143-8");
  facts.maker = "AuthenticAMD";
  facts.leaf1Eax = 0x00A10F11;
  EXPECT_EQ(cpuHardware(facts), "cpu:AuthenticAMD-25-17-1");
  EXPECT_EQ(cpuHardware({}), "cpu:unknown-0-0-0");
}

TEST(CpuFeaturesTest, EachBitMatters) {
  auto without = [](uint32_t CpuidFacts::*word, unsigned bit) {
    CpuidFacts facts = withAll();
    facts.*word &= ~(1u << bit);
    return decideCpuFeatures(facts);
  };
  for (unsigned bit : {28u, 29u, 22u, 27u}) // AVX, F16C, MOVBE, OSXSAVE
    EXPECT_EQ(without(&CpuidFacts::leaf1Ecx, bit).level, "x86-64-v2") << bit;
  for (unsigned bit : {3u, 5u, 8u}) // BMI1, AVX2, BMI2
    EXPECT_EQ(without(&CpuidFacts::leaf7Ebx, bit).level, "x86-64-v2") << bit;
  for (unsigned bit : {16u, 17u, 28u, 30u, 31u}) // F, DQ, CD, BW, VL
    EXPECT_EQ(without(&CpuidFacts::leaf7Ebx, bit).level, "x86-64-v3") << bit;
  EXPECT_EQ(without(&CpuidFacts::extended1Ecx, 5).level, "x86-64-v2"); // LZCNT
  EXPECT_EQ(without(&CpuidFacts::extended1Ecx, 0).level, "x86-64");    // LAHF
  EXPECT_FALSE(has(without(&CpuidFacts::leaf7s1Eax, 5), "avx512bf16"));
  EXPECT_FALSE(has(without(&CpuidFacts::leaf7Edx, 23), "avx512fp16"));
}

/// The kernel's own reading of the same registers.
TEST(CpuFeaturesTest, AgreeWithTheKernel) {
  std::ifstream file("/proc/cpuinfo");
  std::string line, flags;
  while (std::getline(file, line) && flags.empty())
    if (line.starts_with("flags"))
      flags = line + " ";
  if (flags.empty())
    GTEST_SKIP() << "no flags in /proc/cpuinfo";
  auto kernelHas = [&](const char *name) {
    return flags.find(std::string(" ") + name + " ") != std::string::npos;
  };
  CpuFeatures features = decideCpuFeatures(readCpuid());
  bool v3 =
      kernelHas("avx2") && kernelHas("fma") && kernelHas("bmi2") && kernelHas("movbe") && kernelHas("abm");
  bool v4 = v3 && kernelHas("avx512f") && kernelHas("avx512vl") && kernelHas("avx512bw") &&
            kernelHas("avx512dq") && kernelHas("avx512cd");
  EXPECT_EQ(features.level == "x86-64-v4", v4);
  EXPECT_EQ(features.level >= "x86-64-v3", v3);
  EXPECT_EQ(has(features, "avx512bf16"), v4 && kernelHas("avx512_bf16"));
  EXPECT_FALSE(readCpuid().brand.empty());
}

TEST(CpuFeaturesTest, TakesTheHighestCodeThatFits) {
  const std::vector<std::string> all = {"x86-64-v4+avx512bf16", "x86-64-v3", "x86-64-v4"};
  EXPECT_EQ(chooseCpuCode({"x86-64-v4", {"avx512bf16", "avx512vnni"}}, all), 0);
  EXPECT_EQ(chooseCpuCode({"x86-64-v4", {"avx512vnni"}}, all), 2);
  EXPECT_EQ(chooseCpuCode({"x86-64-v3", {"avxvnni"}}, all), 1);
  EXPECT_EQ(chooseCpuCode({"x86-64-v2", {}}, all), -1);
  EXPECT_EQ(chooseCpuCode({"x86-64-v4", {}}, std::vector<std::string>{}), -1);
}

TEST(CpuFeaturesTest, NeverTakesUnknownNamesOrFeatures) {
  const CpuFeatures best{"x86-64-v4", {"avx512bf16"}};
  EXPECT_EQ(chooseCpuCode(best, std::vector<std::string>{"aarch64", "x86-64-v5", ""}), -1);
  EXPECT_EQ(
      chooseCpuCode(best, std::vector<std::string>{"x86-64-v4+avx512bf16+amx-tile", "x86-64-v4,avx512bf16"}),
      1);
}

TEST(CpuFeaturesTest, NativeIsTheHighestMemberThatFits) {
  auto resolved = [](std::string_view text, const CpuFeatures &own) {
    Expected<TargetSpec> spec = resolveNative(*parseTarget(text), own);
    return spec.ok() ? spec->text() : spec.error().id();
  };
  EXPECT_EQ(resolved("cpu:native", {"x86-64-v4", {"avx512bf16", "avx512vnni"}}), "cpu:x86-64-v4+avx512bf16");
  EXPECT_EQ(resolved("cpu:native", {"x86-64-v4", {"avx512vnni"}}), "cpu:x86-64-v4");
  EXPECT_EQ(resolved("cpu:native", {"x86-64-v3", {}}), "cpu:x86-64-v3");
  EXPECT_EQ(resolved("cpu:native", {"x86-64-v2", {}}), "E-TARGET-NATIVE");
  EXPECT_EQ(resolved("cpu", {"x86-64-v2", {}}), "cpu");
  EXPECT_EQ(resolved("h100", {"x86-64-v2", {}}), "nvidia:sm_90a");
}

} // namespace
