//===- CompiledKernelTest.cpp - Kernels that LLVM compiles for each target -===//
//
// Small functions in LLVM IR, compiled at -O3 for the five targets and executed; the expected values are host
// loops. Sizes are not multiples of the block, outputs are filled with a sentinel, seeds and worker counts
// vary.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace quern::runtime::emulated::amd {
namespace {

constexpr uint32_t kSentinel = 0xCDCDCDCD;

const char *kPrelude = R"(
declare i32 @llvm.amdgcn.workitem.id.x()
declare i32 @llvm.amdgcn.workgroup.id.x()
)";

const char *kAttributes = R"(
attributes #0 = { "amdgpu-flat-work-group-size"="128,128" }
)";

class Compiled : public testing::TestWithParam<std::string> {
protected:
  std::vector<std::byte> code(const std::string &ir) {
    return compileIr(GetParam(), kPrelude + ir + kAttributes);
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, Compiled, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

std::vector<uint32_t> randomFloats(size_t count, uint32_t seed, float low = -4, float high = 4) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> distribution(low, high);
  std::vector<uint32_t> words(count);
  for (uint32_t &word : words)
    word = bits(distribution(random));
  return words;
}

TEST_P(Compiled, VectorAddOfANonMultipleSize) {
  auto object = code(R"(
define amdgpu_kernel void @kernel(ptr addrspace(1) noalias %a, ptr addrspace(1) noalias %b, ptr addrspace(1) noalias %c, i32 %n) #0 {
  %t = call i32 @llvm.amdgcn.workitem.id.x()
  %g = call i32 @llvm.amdgcn.workgroup.id.x()
  %base = mul i32 %g, 128
  %i = add i32 %base, %t
  %in = icmp ult i32 %i, %n
  br i1 %in, label %work, label %done
work:
  %w = zext i32 %i to i64
  %pa = getelementptr float, ptr addrspace(1) %a, i64 %w
  %pb = getelementptr float, ptr addrspace(1) %b, i64 %w
  %pc = getelementptr float, ptr addrspace(1) %c, i64 %w
  %x = load float, ptr addrspace(1) %pa
  %y = load float, ptr addrspace(1) %pb
  %s = fadd float %x, %y
  store float %s, ptr addrspace(1) %pc
  br label %done
done:
  ret void
})");
  for (uint64_t seed : {0, 1, 7})
    for (uint32_t workers : {1, 2}) {
      constexpr uint32_t n = 1000;
      KernelRun run(GetParam(), object);
      run.options.seed = seed;
      run.options.workers = workers;
      run.buffer(randomFloats(n, 1))
          .buffer(randomFloats(n, 2))
          .buffer(std::vector<uint32_t>(n + 24, kSentinel))
          .integer(n);
      run.expectSuccess(8, 128);
      for (uint32_t i = 0; i < n; ++i)
        ASSERT_EQ(real(run.words(2)[i]), real(run.words(0)[i]) + real(run.words(1)[i])) << i;
      for (uint32_t i = n; i < n + 24; ++i)
        ASSERT_EQ(run.words(2)[i], kSentinel);
      EXPECT_EQ(run.counters.globalStoreBytes, n * 4);
      EXPECT_GT(run.counters.threadInstructions, n * 4);
    }
}

} // namespace
} // namespace quern::runtime::emulated::amd
