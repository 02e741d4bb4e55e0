//===- HostPeaksTest.cpp --------------------------------------------------===//
#include "runtime/measure/HostPeaks.h"

#include <gtest/gtest.h>

using namespace quern::runtime;

// Times are not tested; that the loops run, and that a unit which the processor lacks is not made up, is.
TEST(HostPeaks, UnitsOfThisProcessor) {
  std::optional<Estimate> narrow = hostPeak(HostUnit::Fma256, 1), wide = hostPeak(HostUnit::Fma512, 1),
                          dot = hostPeak(HostUnit::Bf16Dot512, 1);
  EXPECT_EQ(narrow.has_value(), bool(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
  EXPECT_EQ(wide.has_value(), bool(__builtin_cpu_supports("avx512f")));
  EXPECT_EQ(dot.has_value(), bool(__builtin_cpu_supports("avx512bf16")));
  for (const std::optional<Estimate> &peak : {narrow, wide, dot})
    if (peak) {
      EXPECT_GT(peak->median, 0);
      EXPECT_GT(peak->samples, 5u);
    }
}

TEST(HostPeaks, Bandwidth) { EXPECT_GT(hostReadBandwidth(1, size_t(1) << 20).median, 0); }
