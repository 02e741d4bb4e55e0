//===- TargetTest.cpp -----------------------------------------------------===//
#include "runtime/cuda/Target.h"

#include <gtest/gtest.h>

using namespace quern::runtime;

namespace {

ptrdiff_t choose(const char *architecture, std::vector<std::string> targets) {
  DeviceInfo info;
  info.architecture = architecture;
  return cuda::chooseCode(info, targets);
}

TEST(CudaTarget, ExactBeforeFamilyBeforePlain) {
  EXPECT_EQ(choose("sm_90", {"sm_80", "sm_90", "sm_90a"}), 2);
  EXPECT_EQ(choose("sm_90", {"sm_80", "sm_90"}), 1);
  EXPECT_EQ(choose("sm_103", {"sm_100f", "sm_103", "sm_100a"}), 0);
  EXPECT_EQ(choose("sm_103", {"sm_100f", "sm_103a"}), 1);
  EXPECT_EQ(choose("sm_90", {"sm_90a,sms=44,mem=26GiB"}), 0);
}

TEST(CudaTarget, ArchitectureSpecificCodeRunsNowhereElse) {
  EXPECT_EQ(choose("sm_100", {"sm_90a"}), -1);
  EXPECT_EQ(choose("sm_90", {"sm_100a", "sm_90f"}), 1);
  EXPECT_EQ(choose("sm_120", {"sm_100f", "sm_90a", "sm_80"}), 2);
}

TEST(CudaTarget, HighestPlainNotAbove) {
  EXPECT_EQ(choose("sm_100", {"sm_80", "sm_89", "sm_120", "sm_90a"}), 1);
  EXPECT_EQ(choose("sm_86", {"sm_89", "sm_80"}), 1);
  EXPECT_EQ(choose("sm_80", {"sm_89"}), -1);
  EXPECT_EQ(choose("sm_120", {"sm_100", "sm_90"}), 0); // numbers, not text
  EXPECT_EQ(choose("sm_90", {}), -1);
}

TEST(CudaTarget, NeverTakesNamesThatItDoesNotKnow) {
  EXPECT_EQ(choose("sm_90", {"sm_", "sm_x", "sm_80b", "sm_80aa", "gfx942", "80", ""}), -1);
}

TEST(CudaTarget, NamesWhatToCompileFor) {
  DeviceInfo info;
  info.architecture = "sm_90";
  EXPECT_EQ(cuda::targetFor(info), "sm_90a");
  info.architecture = "sm_89";
  EXPECT_EQ(cuda::targetFor(info), "sm_89");
  info.architecture = "sm_120";
  EXPECT_EQ(cuda::targetFor(info), "sm_120a");
}

} // namespace
