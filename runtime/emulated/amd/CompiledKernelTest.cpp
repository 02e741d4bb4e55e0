//===- CompiledKernelTest.cpp - Kernels that LLVM compiles for each target -===//
//
// Small functions in LLVM IR, compiled at -O3 for the five targets and executed; the expected values are host
// loops. Sizes are not multiples of the block, outputs are filled with a sentinel, seeds and worker counts
// vary.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

namespace quern::runtime::emulated::amd {
namespace {

constexpr uint32_t kSentinel = 0xCDCDCDCD;

class Compiled : public testing::TestWithParam<std::string> {
protected:
  std::vector<std::byte> code(const std::string &ir) { return compileKernels(GetParam(), ir); }
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

TEST_P(Compiled, BlockReductionThroughLocalMemoryWithBarriers) {
  auto object = code(R"(
@sums = internal addrspace(3) global [128 x float] undef, align 16
declare void @llvm.amdgcn.s.barrier()
)" + guarded("ptr addrspace(1) noalias %a, ptr addrspace(1) noalias %c",
             R"(  br i1 %in, label %read, label %join
read:
  %pa = getelementptr float, ptr addrspace(1) %a, i64 %w
  %x = load float, ptr addrspace(1) %pa
  br label %join
join:
  %v = phi float [0.0, %0], [%x, %read]
  %pl = getelementptr [128 x float], ptr addrspace(3) @sums, i32 0, i32 %t
  store float %v, ptr addrspace(3) %pl
  fence syncscope("workgroup") release
  call void @llvm.amdgcn.s.barrier()
  fence syncscope("workgroup") acquire
  br label %loop
loop:
  %s = phi i32 [64, %join], [%s1, %next]
  %active = icmp ult i32 %t, %s
  br i1 %active, label %sum, label %next
sum:
  %o = add i32 %t, %s
  %po = getelementptr [128 x float], ptr addrspace(3) @sums, i32 0, i32 %o
  %y = load float, ptr addrspace(3) %po
  %z = load float, ptr addrspace(3) %pl
  %q = fadd float %y, %z
  store float %q, ptr addrspace(3) %pl
  br label %next
next:
  fence syncscope("workgroup") release
  call void @llvm.amdgcn.s.barrier()
  fence syncscope("workgroup") acquire
  %s1 = lshr i32 %s, 1
  %end = icmp eq i32 %s1, 0
  br i1 %end, label %finish, label %loop
finish:
  %first = icmp eq i32 %t, 0
  br i1 %first, label %write, label %done
write:
  %r = load float, ptr addrspace(3) @sums
  %gw = zext i32 %g to i64
  %pc = getelementptr float, ptr addrspace(1) %c, i64 %gw
  store float %r, ptr addrspace(1) %pc
  br label %done
done:
  ret void)"));
  constexpr uint32_t n = 5 * 128 - 31;
  for (uint64_t seed : {0, 3, 11}) {
    KernelRun run(GetParam(), object);
    run.options.seed = seed;
    std::vector<uint32_t> input(n);
    for (uint32_t i = 0; i < n; ++i) // small integers: the sum is exact in any order
      input[i] = bits(float(i % 97) - 31);
    run.buffer(input).buffer(std::vector<uint32_t>(6, kSentinel)).integer(n).expectSuccess(5, 128);
    for (uint32_t block = 0; block < 5; ++block) {
      float sum = 0;
      for (uint32_t i = block * 128; i < std::min(n, block * 128 + 128); ++i)
        sum += real(input[i]);
      EXPECT_EQ(real(run.words(1)[block]), sum);
    }
    EXPECT_EQ(run.words(1)[5], kSentinel);
    EXPECT_EQ(run.counters.barriers, 5u * 8);
  }
}

TEST_P(Compiled, WaveSumByBackwardPermute) {
  // Every lane ends with the sum of its wave: an exchange with lane ^ 1, ^ 2, ...
  unsigned width = isWave32(GetParam()) ? 32 : 64;
  std::string body = R"(
  %pa = getelementptr i32, ptr addrspace(1) %a, i64 %w
  %x0 = load i32, ptr addrspace(1) %pa
  %lo = call i32 @llvm.amdgcn.mbcnt.lo(i32 -1, i32 0)
  %lane = call i32 @llvm.amdgcn.mbcnt.hi(i32 -1, i32 %lo)
)";
  unsigned step = 0;
  for (unsigned distance = 1; distance < width; distance *= 2, ++step) {
    std::string k = std::to_string(step), d = std::to_string(distance);
    body += "  %p" + k + " = xor i32 %lane, " + d + "\n  %q" + k + " = shl i32 %p" + k + ", 2\n  %y" + k +
            " = call i32 @llvm.amdgcn.ds.bpermute(i32 %q" + k + ", i32 %x" + k + ")\n  %x" +
            std::to_string(step + 1) + " = add i32 %x" + k + ", %y" + k + "\n";
  }
  body += "  %pc = getelementptr i32, ptr addrspace(1) %c, i64 %w\n  store i32 %x" + std::to_string(step) +
          ", ptr addrspace(1) %pc\n  ret void";
  auto object =
      code("declare i32 @llvm.amdgcn.ds.bpermute(i32, i32)\ndeclare i32 @llvm.amdgcn.mbcnt.lo(i32, i32)\n"
           "declare i32 @llvm.amdgcn.mbcnt.hi(i32, i32)\n" +
           guarded("ptr addrspace(1) noalias %a, ptr addrspace(1) noalias %c", body));
  KernelRun run(GetParam(), object);
  std::vector<uint32_t> input(256);
  for (uint32_t i = 0; i < 256; ++i)
    input[i] = i * i + 7;
  run.buffer(input).buffer(std::vector<uint32_t>(256, kSentinel)).integer(0).expectSuccess(2, 128);
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t sum = 0;
    for (uint32_t k = i / width * width; k < i / width * width + width; ++k)
      sum += input[k];
    ASSERT_EQ(run.words(1)[i], sum) << i;
  }
}

TEST_P(Compiled, WaveScanByTheCompilersOwnReduction) {
  // A uniform atomic addition: LLVM combines the lanes of a wave by DPP and does one atomic per wave.
  auto object = code(guarded("ptr addrspace(1) noalias %a, ptr addrspace(1) %c", R"(
  br i1 %in, label %work, label %done
work:
  %pa = getelementptr i32, ptr addrspace(1) %a, i64 %w
  %x = load i32, ptr addrspace(1) %pa
  %old = atomicrmw add ptr addrspace(1) %c, i32 %x syncscope("agent") monotonic
  %m = atomicrmw umax ptr addrspace(1) %c, i32 0 syncscope("agent") monotonic
  br label %done
done:
  ret void)"));
  for (uint32_t workers : {1, 2}) {
    constexpr uint32_t n = 1000;
    KernelRun run(GetParam(), object);
    run.options.workers = workers;
    std::vector<uint32_t> input(n);
    uint32_t sum = 5;
    for (uint32_t i = 0; i < n; ++i)
      sum += input[i] = i * 2654435761u;
    run.buffer(input).buffer({5}).integer(n).expectSuccess(8, 128);
    EXPECT_EQ(run.words(1)[0], sum);
  }
}

TEST_P(Compiled, WaveReductionsBallotsAndWholeWaveMode) {
  // Lanes whose number is a multiple of three take part; the others keep the sentinel.
  unsigned width = isWave32(GetParam()) ? 32 : 64;
  std::string wide = "i" + std::to_string(width);
  auto object = code("declare i32 @llvm.amdgcn.wave.reduce.umin.i32(i32, i32)\n"
                     "declare i32 @llvm.amdgcn.wave.reduce.add.i32(i32, i32)\n"
                     "declare i32 @llvm.amdgcn.set.inactive.i32(i32, i32)\n"
                     "declare i32 @llvm.amdgcn.strict.wwm.i32(i32)\n"
                     "declare i32 @llvm.amdgcn.update.dpp.i32(i32, i32, i32, i32, i32, i1)\n"
                     "declare " +
                     wide + " @llvm.amdgcn.ballot." + wide + "(i1)\ndeclare " + wide + " @llvm.ctpop." +
                     wide + "(" + wide + ")\n" +
                     guarded("ptr addrspace(1) noalias %a, ptr addrspace(1) noalias %c",
                             R"(
  %pa = getelementptr i32, ptr addrspace(1) %a, i64 %w
  %x = load i32, ptr addrspace(1) %pa
  %m = urem i32 %t, 3
  %third = icmp eq i32 %m, 0
  br i1 %third, label %work, label %done
work:
  %low = call i32 @llvm.amdgcn.wave.reduce.umin.i32(i32 %x, i32 0)
  %sum = call i32 @llvm.amdgcn.wave.reduce.add.i32(i32 %x, i32 0)
  %even = and i32 %t, 1
  %odd = icmp ne i32 %even, 0
  %vote = call )" + wide + " @llvm.amdgcn.ballot." +
                                 wide + "(i1 %odd)\n  %votes = call " + wide + " @llvm.ctpop." + wide + "(" +
                                 wide + " %vote)\n  %votes32 = " +
                                 (width == 32 ? "add i32 %votes, 0" : "trunc i64 %votes to i32") + R"(
  %all = call i32 @llvm.amdgcn.set.inactive.i32(i32 %x, i32 1000000)
  %left = call i32 @llvm.amdgcn.update.dpp.i32(i32 7, i32 %all, i32 273, i32 15, i32 15, i1 false)
  %neighbour = call i32 @llvm.amdgcn.strict.wwm.i32(i32 %left)
  %c4 = mul i64 %w, 4
  %p0 = getelementptr i32, ptr addrspace(1) %c, i64 %c4
  store i32 %low, ptr addrspace(1) %p0
  %p1 = getelementptr i32, ptr addrspace(1) %p0, i64 1
  store i32 %sum, ptr addrspace(1) %p1
  %p2 = getelementptr i32, ptr addrspace(1) %p0, i64 2
  store i32 %votes32, ptr addrspace(1) %p2
  %p3 = getelementptr i32, ptr addrspace(1) %p0, i64 3
  store i32 %neighbour, ptr addrspace(1) %p3
  br label %done
done:
  ret void)"));
  std::vector<uint32_t> input(128);
  for (uint32_t i = 0; i < 128; ++i)
    input[i] = (i * 2654435761u >> 7) + 5;
  KernelRun run(GetParam(), object);
  run.buffer(input).buffer(std::vector<uint32_t>(512, kSentinel)).integer(0).expectSuccess(1, 128);
  for (uint32_t first = 0; first < 128; first += width) {
    uint32_t low = ~0u, sum = 0, votes = 0;
    for (uint32_t i = first; i < first + width; ++i)
      if (i % 3 == 0)
        low = std::min(low, input[i]), sum += input[i], votes += i & 1;
    for (uint32_t i = first; i < first + width; ++i) {
      const uint32_t *got = &run.words(1)[4 * i];
      if (i % 3) {
        ASSERT_EQ(got[0], kSentinel);
        continue;
      }
      ASSERT_EQ(got[0], low) << i;
      ASSERT_EQ(got[1], sum) << i;
      ASSERT_EQ(got[2], votes) << i;
      // The lane below is inactive here (its number is no multiple of three), or outside the row.
      ASSERT_EQ(got[3], i % 16 ? 1000000u : 7u) << i;
    }
  }
}

TEST_P(Compiled, SoftmaxOfARowInOneWave) {
  // One wave per row of 40 columns, so that lanes stay idle; maximum and sum through butterfly exchanges.
  unsigned width = isWave32(GetParam()) ? 32 : 64;
  std::string body = R"(
  %lo = call i32 @llvm.amdgcn.mbcnt.lo(i32 -1, i32 0)
  %lane = call i32 @llvm.amdgcn.mbcnt.hi(i32 -1, i32 %lo)
  %row = mul i32 %g, 29
  %at = add i32 %row, %t
  %atw = zext i32 %at to i64
  %column = icmp ult i32 %t, 29
  br i1 %column, label %read, label %join
read:
  %pa = getelementptr float, ptr addrspace(1) %a, i64 %atw
  %x = load float, ptr addrspace(1) %pa
  br label %join
join:
  %v = phi float [0xFFF0000000000000, %0], [%x, %read]
  %b0 = bitcast float %v to i32
)";
  auto butterfly = [&](const std::string &name, const std::string &start, const std::string &combine) {
    std::string value = start;
    unsigned step = 0;
    for (unsigned distance = 1; distance < width; distance *= 2, ++step) {
      std::string k = name + std::to_string(step);
      body += "  %" + k + "p = xor i32 %lane, " + std::to_string(distance) + "\n  %" + k + "q = shl i32 %" +
              k + "p, 2\n  %" + k + "i = bitcast float " + value + " to i32\n  %" + k +
              "y = call i32 @llvm.amdgcn.ds.bpermute(i32 %" + k + "q, i32 %" + k + "i)\n  %" + k +
              "f = bitcast i32 %" + k + "y to float\n  %" + k + "r = " + combine + value + ", float %" + k +
              "f" + (combine.find('(') != std::string::npos ? ")" : "") + "\n";
      value = "%" + k + "r";
    }
    return value;
  };
  std::string top = butterfly("m", "%v", "call float @llvm.maxnum.f32(float ");
  body += "  %d = fsub float %v, " + top + "\n  %e0 = fmul float %d, 0x3FF7154760000000\n" +
          "  %e = call float @llvm.exp2.f32(float %e0)\n  %zero = fadd float %e, 0.0\n";
  // fadd has no parentheses: build it as a call to a helper of one instruction.
  body += "  %sum0 = fadd float %e, 0.0\n";
  std::string value = "%sum0";
  unsigned step = 0;
  for (unsigned distance = 1; distance < width; distance *= 2, ++step) {
    std::string k = "s" + std::to_string(step);
    body += "  %" + k + "p = xor i32 %lane, " + std::to_string(distance) + "\n  %" + k + "q = shl i32 %" + k +
            "p, 2\n  %" + k + "i = bitcast float " + value + " to i32\n  %" + k +
            "y = call i32 @llvm.amdgcn.ds.bpermute(i32 %" + k + "q, i32 %" + k + "i)\n  %" + k +
            "f = bitcast i32 %" + k + "y to float\n  %" + k + "r = fadd float " + value + ", %" + k + "f\n";
    value = "%" + k + "r";
  }
  body += "  %quotient = fdiv float %e, " + value + R"(
  br i1 %column, label %write, label %done
write:
  %pc = getelementptr float, ptr addrspace(1) %c, i64 %atw
  store float %quotient, ptr addrspace(1) %pc
  br label %done
done:
  ret void)";
  auto object =
      code("declare i32 @llvm.amdgcn.ds.bpermute(i32, i32)\ndeclare i32 @llvm.amdgcn.mbcnt.lo(i32, i32)\n"
           "declare i32 @llvm.amdgcn.mbcnt.hi(i32, i32)\ndeclare float @llvm.exp2.f32(float)\n"
           "declare float @llvm.maxnum.f32(float, float)\n" +
           guarded("ptr addrspace(1) noalias %a, ptr addrspace(1) noalias %c", body));
  constexpr uint32_t rows = 7, columns = 29;
  auto input = randomFloats(rows * columns, 5, -20, 20);
  KernelRun run(GetParam(), object);
  run.buffer(input)
      .buffer(std::vector<uint32_t>(rows * columns + 3, kSentinel))
      .integer(0)
      .expectSuccess(rows, width);
  for (uint32_t row = 0; row < rows; ++row) {
    double top64 = -INFINITY, sum = 0;
    for (uint32_t k = 0; k < columns; ++k)
      top64 = std::max<double>(top64, real(input[row * columns + k]));
    for (uint32_t k = 0; k < columns; ++k)
      sum += std::exp(real(input[row * columns + k]) - top64);
    for (uint32_t k = 0; k < columns; ++k) {
      double expected = std::exp(real(input[row * columns + k]) - top64) / sum;
      ASSERT_NEAR(real(run.words(1)[row * columns + k]), expected, expected * 4e-6) << row << "," << k;
    }
  }
  EXPECT_EQ(run.words(1)[rows * columns], kSentinel);
}

TEST_P(Compiled, DecodesFp8WeightsByIntegerArithmetic) {
  // E4M3 (OCP) to float: exponent and fraction shifted into place, then a multiplication by 2^120.
  auto object = code(guarded("ptr addrspace(1) noalias %a, ptr addrspace(1) noalias %c", R"(
  br i1 %in, label %work, label %done
work:
  %pa = getelementptr i8, ptr addrspace(1) %a, i64 %w
  %b = load i8, ptr addrspace(1) %pa
  %x = zext i8 %b to i32
  %s = and i32 %x, 128
  %sign = shl i32 %s, 24
  %m = and i32 %x, 127
  %f = shl i32 %m, 20
  %y = or i32 %f, %sign
  %z = bitcast i32 %y to float
  %r = fmul float %z, 0x4770000000000000
  %nan = icmp eq i32 %m, 127
  %v = select i1 %nan, float 0x7FF8000000000000, float %r
  %pc = getelementptr float, ptr addrspace(1) %c, i64 %w
  store float %v, ptr addrspace(1) %pc
  br label %done
done:
  ret void)"));
  std::vector<uint32_t> codes(64);
  for (uint32_t i = 0; i < 256; ++i)
    codes[i / 4] |= i << (8 * (i % 4));
  KernelRun run(GetParam(), object);
  run.buffer(codes).buffer(std::vector<uint32_t>(260, kSentinel)).integer(256).expectSuccess(2, 128);
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t magnitude = i & 127;
    double expected = magnitude < 8 ? magnitude * std::ldexp(1.0, -9)
                                    : (8 + magnitude % 8) * std::ldexp(1.0, int(magnitude / 8) - 10);
    if (magnitude == 127)
      ASSERT_TRUE(std::isnan(real(run.words(1)[i])));
    else
      ASSERT_EQ(real(run.words(1)[i]), i >= 128 ? -expected : expected) << i;
  }
  EXPECT_EQ(run.words(1)[256], kSentinel);
}

TEST_P(Compiled, CallsAFunctionThroughItsAddress) {
  auto object = code(R"(
@table = private addrspace(4) constant [4 x i32] [i32 30, i32 10, i32 40, i32 77]
define i32 @callee(i32 %x) noinline {
  %m = and i32 %x, 3
  %q = getelementptr [4 x i32], ptr addrspace(4) @table, i32 0, i32 %m
  %v = load volatile i32, ptr addrspace(4) %q
  %r = add i32 %v, %x
  ret i32 %r
}
)" + guarded("ptr addrspace(1) %a, ptr addrspace(1) %c", R"(
  %r = call i32 @callee(i32 %t)
  %pc = getelementptr i32, ptr addrspace(1) %c, i64 %w
  store i32 %r, ptr addrspace(1) %pc
  ret void)"));
  KernelRun run(GetParam(), object);
  run.buffer({0}).buffer(std::vector<uint32_t>(256, kSentinel)).integer(0).expectSuccess(2, 128);
  static const uint32_t table[] = {30, 10, 40, 77};
  for (uint32_t i = 0; i < 256; ++i)
    ASSERT_EQ(run.words(1)[i], table[i % 4] + i % 128);
}

TEST_P(Compiled, HiddenArgumentsTellTheShape) {
  auto object = code(R"(
declare ptr addrspace(4) @llvm.amdgcn.implicitarg.ptr()
declare ptr addrspace(4) @llvm.amdgcn.dispatch.ptr()
)" + guarded("ptr addrspace(1) %c", R"(
  %p = call ptr addrspace(4) @llvm.amdgcn.implicitarg.ptr()
  %blocks = load i32, ptr addrspace(4) %p
  %q = getelementptr i8, ptr addrspace(4) %p, i64 12
  %size = load i16, ptr addrspace(4) %q
  %size32 = zext i16 %size to i32
  %d = call ptr addrspace(4) @llvm.amdgcn.dispatch.ptr()
  %dg = getelementptr i8, ptr addrspace(4) %d, i64 12
  %grid = load i32, ptr addrspace(4) %dg
  store i32 %blocks, ptr addrspace(1) %c
  %c1 = getelementptr i32, ptr addrspace(1) %c, i64 1
  store i32 %size32, ptr addrspace(1) %c1
  %c2 = getelementptr i32, ptr addrspace(1) %c, i64 2
  store i32 %grid, ptr addrspace(1) %c2
  ret void)"));
  KernelRun run(GetParam(), object);
  run.buffer(std::vector<uint32_t>(3, kSentinel)).integer(0).expectSuccess(9, 128);
  EXPECT_EQ(run.words(0), (std::vector<uint32_t>{9, 128, 9 * 128}));
}

class Gfx9Compiled : public Compiled {};
INSTANTIATE_TEST_SUITE_P(Targets, Gfx9Compiled, testing::Values("gfx90a", "gfx942", "gfx950"),
                         [](const auto &info) { return info.param; });

TEST_P(Gfx9Compiled, PreloadedArgumentsArriveInRegisters) {
  auto object = code(guarded("ptr addrspace(1) inreg %c, i32 inreg %k", R"(
  %pc = getelementptr i32, ptr addrspace(1) %c, i64 %w
  %v = add i32 %k, %t
  store i32 %v, ptr addrspace(1) %pc
  ret void)"));
  KernelRun run(GetParam(), object);
  run.buffer(std::vector<uint32_t>(256, kSentinel)).integer(70000).integer(0).expectSuccess(2, 128);
  for (uint32_t i = 0; i < 256; ++i)
    ASSERT_EQ(run.words(0)[i], 70000 + i % 128);
}

} // namespace
} // namespace quern::runtime::emulated::amd
