//===- TargetTest.cpp -----------------------------------------------------===//
#include "runtime/cpu/Target.h"

#include <gtest/gtest.h>

using namespace quern::runtime;

namespace {

DeviceInfo processor(std::string level, std::vector<std::string> features) {
  DeviceInfo info;
  info.vendor = info.name = "cpu";
  info.architecture = std::move(level);
  info.features = std::move(features);
  return info;
}

TEST(CpuTarget, TakesTheHighestThatFits) {
  const std::vector<std::string> all = {"x86-64-v4+avx512bf16", "x86-64-v3", "x86-64-v4"};
  EXPECT_EQ(cpu::chooseCode(processor("x86-64-v4", {"avx512bf16", "avx512vnni"}), all), 0);
  EXPECT_EQ(cpu::chooseCode(processor("x86-64-v4", {"avx512vnni"}), all), 2);
  EXPECT_EQ(cpu::chooseCode(processor("x86-64-v3", {"avxvnni"}), all), 1);
  EXPECT_EQ(cpu::chooseCode(processor("x86-64-v2", {}), all), -1);
  EXPECT_EQ(cpu::chooseCode(processor("x86-64-v4", {}), std::vector<std::string>{}), -1);
}

TEST(CpuTarget, NeverTakesUnknownNamesOrFeatures) {
  DeviceInfo best = processor("x86-64-v4", {"avx512bf16"});
  EXPECT_EQ(cpu::chooseCode(best, std::vector<std::string>{"aarch64", "x86-64-v5", ""}), -1);
  EXPECT_EQ(cpu::chooseCode(
                best, std::vector<std::string>{"x86-64-v4+avx512bf16+amx-tile", "x86-64-v4,avx512bf16"}),
            1);
}

} // namespace
