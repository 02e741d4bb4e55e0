//===- OpenClTest.cpp - Code of another compiler's front end ---------------===//
//
// OpenCL C, compiled by clang while the test runs, for all targets: reductions, scans, sorting, products
// through local memory, and the odd corners of code generation (private arrays, 64-bit and double arithmetic,
// divergent loops and switches, atomics, packed and narrow types). Every result is compared with the host's,
// every kernel runs under several seeds, and not one instruction of them is unknown to the machine.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/CodeObject.h"
#include "runtime/emulated/amd/Decoder.h"
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;

const char *kReduction = R"(
KERNEL(256) kernel_sum(global const int *in, global int *out, int n) {
  local int part[256];
  int sum = 0;
  for (int i = BLOCK * 256 + THREAD; i < n; i += 1024)
    sum += in[i];
  part[THREAD] = sum;
  BARRIER();
  for (int step = 128; step > 0; step >>= 1) {
    if (THREAD < step)
      part[THREAD] += part[THREAD + step];
    BARRIER();
  }
  if (THREAD == 0)
    out[BLOCK] = part[0];
}
int lane_of(int value, int lane) { return __builtin_amdgcn_ds_bpermute(lane * 4, value); }
KERNEL(256) kernel_max(global const float *in, global float *out, int n) {
  local float part[8];
  float most = -INFINITY;
  for (int i = THREAD; i < n; i += 256)
    most = __builtin_fmaxf(most, in[i]);
  int lane = THREAD & 31;
  for (int step = 16; step > 0; step >>= 1) {
    int other = lane_of(as_int(most), (__builtin_amdgcn_mbcnt_hi(~0u, __builtin_amdgcn_mbcnt_lo(~0u, 0)) ^ step));
    most = __builtin_fmaxf(most, as_float(other));
  }
  if (lane == 0)
    part[THREAD / 32] = most;
  BARRIER();
  if (THREAD == 0) {
    for (int i = 1; i < 8; ++i)
      most = __builtin_fmaxf(most, part[i]);
    out[0] = most;
  }
})";

const char *kScan = R"(
KERNEL(256) kernel_scan(global const int *in, global int *out) {
  local int a[2][256];
  int which = 0;
  a[0][THREAD] = in[BLOCK * 256 + THREAD];
  BARRIER();
  for (int step = 1; step < 256; step <<= 1) {
    int value = a[which][THREAD];
    if (THREAD >= step)
      value += a[which][THREAD - step];
    a[which ^ 1][THREAD] = value;
    which ^= 1;
    BARRIER();
  }
  out[BLOCK * 256 + THREAD] = a[which][THREAD];
})";

const char *kSort = R"(
KERNEL(256) kernel_sort(global int *data) {
  local int a[512];
  a[THREAD] = data[BLOCK * 512 + THREAD];
  a[THREAD + 256] = data[BLOCK * 512 + THREAD + 256];
  for (int size = 2; size <= 512; size <<= 1)
    for (int stride = size / 2; stride > 0; stride >>= 1) {
      BARRIER();
      int i = 2 * THREAD - (THREAD & (stride - 1));
      int up = (i & size) == 0, x = a[i], y = a[i + stride];
      if ((x > y) == up) {
        a[i] = y;
        a[i + stride] = x;
      }
    }
  BARRIER();
  data[BLOCK * 512 + THREAD] = a[THREAD];
  data[BLOCK * 512 + THREAD + 256] = a[THREAD + 256];
})";

const char *kProduct = R"(
#define T 16
KERNEL(256) kernel_gemm(global const float *a, global const float *b, global float *c, int m, int n, int k, int tilesN) {
  local float left[T][T + 1], right[T][T + 1];
  int row = BLOCK / tilesN * T + THREAD / T, column = BLOCK % tilesN * T + THREAD % T;
  float sum = 0;
  for (int at = 0; at < k; at += T) {
    int ka = at + THREAD % T, kb = at + THREAD / T;
    left[THREAD / T][THREAD % T] = row < m && ka < k ? a[row * k + ka] : 0.0f;
    right[THREAD / T][THREAD % T] = kb < k && column < n ? b[kb * n + column] : 0.0f;
    BARRIER();
    for (int i = 0; i < T; ++i)
      sum = __builtin_fmaf(left[THREAD / T][i], right[i][THREAD % T], sum);
    BARRIER();
  }
  if (row < m && column < n)
    c[row * n + column] = sum;
}
KERNEL(64) kernel_half(global const half2 *a, global const half2 *b, global float *c, int k2) {
  float2 sum = 0;
  half2 packed = 0;
  for (int i = 0; i < k2; ++i) {
    half2 x = a[THREAD * k2 + i], y = b[BLOCK * k2 + i];
    sum += __builtin_convertvector(x, float2) * __builtin_convertvector(y, float2);
    packed = __builtin_elementwise_max(packed, x * y);
  }
  c[BLOCK * 64 + THREAD] = sum.x + sum.y + packed.x;
})";

const char *kCorners = R"(
KERNEL(128) kernel_private(global const int *in, global int *out, int n) {
  int table[24];
  for (int i = 0; i < 24; ++i)
    table[i] = i * in[i];
  int index = in[THREAD] & 15, sum = 0;
  for (int i = 0; i < n; ++i) {
    index = (index * 5 + i) % 24;
    sum += table[index];
    table[(index + 7) % 24] ^= sum;
  }
  out[BLOCK * 128 + THREAD] = sum;
}
KERNEL(128) kernel_wide(global const long *in, global long *out) {
  long x = in[THREAD], y = in[THREAD + 1] | 1;
  ulong u = x, v = y;
  long r = x * y + (x >> (y & 63)) - (u / v) + u % (v >> 3 | 1);
  r ^= x / y + (long)__builtin_popcountl(u) + (x < y ? 3 : -5);
  out[BLOCK * 128 + THREAD] = r + BLOCK;
}
KERNEL(128) kernel_double(global const float *in, global double *out) {
  double x = in[THREAD], y = in[THREAD + 1];
  double r = x / y + __builtin_fma(x, y, 0.5) - __builtin_floor(y);
  r = x > y ? r + (int)x : r - (uint)__builtin_fabs(y);
  out[BLOCK * 128 + THREAD] = r + (double)(long)(x * 1e6);
}
KERNEL(128) kernel_diverge(global const uint *in, global uint *out) {
  uint x = in[THREAD], steps = 0, kind = x % 7;
  while (x != 1 && steps < 200) {
    x = x & 1 ? 3 * x + 1 : x >> 1;
    ++steps;
    if (x % 97 == 13)
      break;
    if (x % 5 == 3)
      continue;
    steps += 2;
  }
  switch (kind) {
  case 0: steps *= 3; break;
  case 1: steps ^= x; break;
  case 2: steps += x << 3; break;
  case 3: for (uint i = 0; i < x % 9; ++i) steps = steps * 31 + i; break;
  case 4: steps = ~steps; break;
  default: steps -= x;
  }
  out[BLOCK * 128 + THREAD] = steps;
}
KERNEL(128) kernel_atomic(global const uint *in, global uint *bins, global float *total, int n) {
  local uint mine[32];
  if (THREAD < 32)
    mine[THREAD] = 0;
  BARRIER();
  for (int i = BLOCK * 128 + THREAD; i < n; i += 512)
    __scoped_atomic_fetch_add(&mine[in[i] & 31], 1u, __ATOMIC_RELAXED, __MEMORY_SCOPE_WRKGRP);
  BARRIER();
  if (THREAD < 32) {
    __scoped_atomic_fetch_add(&bins[THREAD], mine[THREAD], __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
    __scoped_atomic_fetch_max(&bins[32], mine[THREAD], __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
    uint old = bins[33 + THREAD], next;
    do
      next = old * 3 + 1;
    while (!__scoped_atomic_compare_exchange_n(&bins[33 + THREAD], &old, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED,
                                               __MEMORY_SCOPE_DEVICE));
    __scoped_atomic_fetch_add(total, (float)mine[THREAD], __ATOMIC_RELAXED, __MEMORY_SCOPE_DEVICE);
  }
}
KERNEL(128) kernel_narrow(global const uchar4 *in, global short4 *out, global const char *table) {
  uchar4 x = in[THREAD], y = in[THREAD + 1];
  short4 s = __builtin_convertvector(x, short4), t = __builtin_convertvector(y, short4);
  short4 r = s * t - (s >> 1) + __builtin_elementwise_min(s, t);
  r.x += table[x.y];
  r.w = __builtin_elementwise_add_sat(r.w, (short)(r.x * 100));
  r.z = (short)(x.z == y.z ? __builtin_bitreverse8(x.x) : __builtin_clz(x.w | 1));
  out[BLOCK * 128 + THREAD] = r;
}
KERNEL(128) kernel_math(global const float *in, global float *out) {
  float x = in[THREAD], y = __builtin_fabsf(in[THREAD + 1]) + 0.25f;
  float r = __builtin_amdgcn_exp2f(x * 0.125f) + __builtin_amdgcn_logf(y) + __builtin_amdgcn_rcpf(y) + __builtin_sqrtf(y);
  r += __builtin_truncf(x) - __builtin_ceilf(y) + __builtin_rintf(x * y) + x / y;
  r = __builtin_isnan(r) ? 1.0f : __builtin_fminf(__builtin_fmaxf(r, -50.0f), 50.0f);
  out[BLOCK * 128 + THREAD] = __builtin_copysignf(r, x);
})";

class OpenCl : public testing::TestWithParam<std::string> {
protected:
  /// Runs |setup|'s kernel under three seeds; the results of the last run are in it.
  void launch(KernelRun &run, uint32_t blocks, uint32_t threads, size_t result) {
    Words first;
    for (uint64_t seed : {0, 1, 2}) {
      run.options.seed = seed;
      run.expectSuccess(blocks, threads);
      if (seed == 0)
        first = run.words(result);
    }
    EXPECT_EQ(run.words(result), first);
  }
  KernelRun kernel(const char *source, const std::string &name) {
    return KernelRun(loadPrograms(GetParam(), compileOpenCl(GetParam(), source)), name);
  }
  Words random(size_t count, unsigned seed, uint32_t limit = 0) {
    std::mt19937 generator(seed);
    Words words(count);
    for (uint32_t &word : words)
      word = limit ? uint32_t(generator() % limit) : uint32_t(generator());
    return words;
  }
  Words randomFloats(size_t count, unsigned seed) {
    Words words = random(count, seed, 4001);
    for (uint32_t &word : words)
      word = bits((int(word) - 2000) / 64.0f);
    return words;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, OpenCl, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(OpenCl, Reductions) {
  Words in = random(5000, 1);
  KernelRun sum = kernel(kReduction, "kernel_sum");
  sum.buffer(in).buffer(Words(4)).integer(5000);
  launch(sum, 4, 256, 1);
  EXPECT_EQ(sum.words(1)[0] + sum.words(1)[1] + sum.words(1)[2] + sum.words(1)[3],
            std::accumulate(in.begin(), in.end(), 0u));
  Words numbers = randomFloats(3000, 2);
  KernelRun most = kernel(kReduction, "kernel_max");
  most.buffer(numbers).buffer(Words(1)).integer(2999);
  launch(most, 1, 256, 1);
  float expected = -INFINITY;
  for (size_t i = 0; i < 2999; ++i)
    expected = std::max(expected, real(numbers[i]));
  EXPECT_EQ(most.floats(1)[0], expected);
}

TEST_P(OpenCl, Scan) {
  Words in = random(1024, 3);
  KernelRun run = kernel(kScan, "kernel_scan");
  run.buffer(in).buffer(Words(1024));
  launch(run, 4, 256, 1);
  uint32_t sum = 0;
  for (size_t i = 0; i < 1024; ++i) {
    sum = i % 256 ? sum + in[i] : in[i];
    ASSERT_EQ(run.words(1)[i], sum) << i;
  }
}

TEST_P(OpenCl, BitonicSort) {
  Words in = random(1024, 4);
  KernelRun run = kernel(kSort, "kernel_sort");
  run.buffer(in);
  run.expectSuccess(2, 256);
  auto bySign = [](uint32_t a, uint32_t b) { return int32_t(a) < int32_t(b); };
  for (size_t half : {0, 512})
    std::sort(in.begin() + half, in.begin() + half + 512, bySign);
  EXPECT_EQ(run.words(0), in);
}

TEST_P(OpenCl, ProductThroughLocalMemory) {
  const int m = 37, n = 45, k = 50, tilesM = 3, tilesN = 3;
  Words a = randomFloats(m * k, 5), b = randomFloats(k * n, 6);
  KernelRun run = kernel(kProduct, "kernel_gemm");
  run.buffer(a).buffer(b).buffer(Words(m * n, bits(NAN))).integer(m).integer(n).integer(k).integer(tilesN);
  launch(run, tilesM * tilesN, 256, 2);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float sum = 0;
      for (int p = 0; p < k; ++p)
        sum = std::fma(real(a[i * k + p]), real(b[p * n + j]), sum);
      ASSERT_EQ(run.floats(2)[i * n + j], sum) << i << "," << j;
    }
}

TEST_P(OpenCl, HalvesInPairs) {
  const int k2 = 20;
  auto halves = [&](size_t count, unsigned seed) {
    Words words = random(count, seed);
    for (uint32_t &word : words) // two numbers of 1/16 steps between -4 and 4
      word = std::bit_cast<uint16_t>(_Float16((int(word & 127) - 64) / 16.0f)) |
             uint32_t(std::bit_cast<uint16_t>(_Float16((int(word >> 16 & 127) - 64) / 16.0f))) << 16;
    return words;
  };
  Words a = halves(64 * k2, 7), b = halves(3 * k2, 8);
  KernelRun run = kernel(kProduct, "kernel_half");
  run.buffer(a).buffer(b).buffer(Words(192)).integer(k2);
  launch(run, 3, 64, 2);
  auto half = [](uint32_t word) { return float(std::bit_cast<_Float16>(uint16_t(word))); };
  for (int block = 0; block < 3; ++block)
    for (int t = 0; t < 64; ++t) {
      float x = 0, y = 0, most = 0;
      for (int i = 0; i < k2; ++i) {
        uint32_t u = a[t * k2 + i], v = b[block * k2 + i];
        x += half(u) * half(v);
        y += half(u >> 16) * half(v >> 16);
        most = std::max(most, float(_Float16(half(u) * half(v))));
      }
      ASSERT_EQ(run.floats(2)[block * 64 + t], x + y + most);
    }
}

TEST_P(OpenCl, PrivateArrays) {
  Words in = random(128, 9, 1000);
  KernelRun run = kernel(kCorners, "kernel_private");
  run.buffer(in).buffer(Words(256)).integer(100);
  launch(run, 2, 128, 1);
  for (int t = 0; t < 128; ++t) {
    int32_t table[24], index = in[t] & 15;
    uint32_t sum = 0;
    for (int i = 0; i < 24; ++i)
      table[i] = i * int32_t(in[i]);
    for (int i = 0; i < 100; ++i) {
      index = (index * 5 + i) % 24;
      sum += uint32_t(table[index]);
      table[(index + 7) % 24] ^= int32_t(sum);
    }
    ASSERT_EQ(run.words(1)[t], sum) << t;
    ASSERT_EQ(run.words(1)[128 + t], sum) << t;
  }
}

TEST_P(OpenCl, WideIntegers) {
  Words in = random(2 * 129, 10);
  KernelRun run = kernel(kCorners, "kernel_wide");
  run.buffer(in).buffer(Words(512));
  launch(run, 2, 128, 1);
  for (unsigned t = 0; t < 256; ++t) {
    auto at = [&](unsigned i) { return int64_t(in[2 * i] | uint64_t(in[2 * i + 1]) << 32); };
    int64_t x = at(t % 128), y = at(t % 128 + 1) | 1;
    uint64_t u = uint64_t(x), v = uint64_t(y);
    uint64_t r = u * v + uint64_t(x >> (y & 63)) - u / v + u % (v >> 3 | 1);
    r ^= uint64_t(x / y + std::popcount(u) + (x < y ? 3 : -5));
    r += t / 128;
    ASSERT_EQ(run.words(1)[2 * t] | uint64_t(run.words(1)[2 * t + 1]) << 32, r) << t;
  }
}

TEST_P(OpenCl, Doubles) {
  Words in = randomFloats(129, 11);
  for (uint32_t &word : in)
    if (real(word) == 0)
      word = bits(0.5f);
  KernelRun run = kernel(kCorners, "kernel_double");
  run.buffer(in).buffer(Words(256));
  launch(run, 1, 128, 1);
  for (unsigned t = 0; t < 128; ++t) {
    double x = real(in[t]), y = real(in[t + 1]);
    double product = x * y; // clang contracts as the host may not: bound, not equality
    double r = x / y + std::fma(x, y, 0.5) - std::floor(y);
    r = x > y ? r + int(x) : r - unsigned(std::fabs(y));
    r += double(int64_t(x * 1e6));
    double got = std::bit_cast<double>(run.words(1)[2 * t] | uint64_t(run.words(1)[2 * t + 1]) << 32);
    ASSERT_NEAR(got, r, (std::fabs(r) + std::fabs(product) + 1) * 0x1p-48) << t;
  }
}

TEST_P(OpenCl, DivergentLoopsAndSwitches) {
  Words in = random(128, 12, 100000);
  for (uint32_t &word : in)
    word += 1;
  KernelRun run = kernel(kCorners, "kernel_diverge");
  run.buffer(in).buffer(Words(128));
  launch(run, 1, 128, 1);
  for (unsigned t = 0; t < 128; ++t) {
    uint32_t x = in[t], steps = 0, kind = x % 7;
    while (x != 1 && steps < 200) {
      x = x & 1 ? 3 * x + 1 : x >> 1;
      ++steps;
      if (x % 97 == 13)
        break;
      if (x % 5 == 3)
        continue;
      steps += 2;
    }
    if (kind == 0)
      steps *= 3;
    else if (kind == 1)
      steps ^= x;
    else if (kind == 2)
      steps += x << 3;
    else if (kind == 3)
      for (uint32_t i = 0; i < x % 9; ++i)
        steps = steps * 31 + i;
    else if (kind == 4)
      steps = ~steps;
    else
      steps -= x;
    ASSERT_EQ(run.words(1)[t], steps) << in[t];
  }
}

TEST_P(OpenCl, Atomics) {
  Words in = random(3000, 13), bins(65);
  KernelRun run = kernel(kCorners, "kernel_atomic");
  run.buffer(in).buffer(Words(65)).buffer(Words(1)).integer(3000);
  run.expectSuccess(4, 128);
  std::vector<Words> each(4, Words(32));
  for (size_t i = 0; i < in.size(); ++i)
    ++each[i % 512 / 128][in[i] & 31];
  for (unsigned b = 0; b < 32; ++b) {
    for (const Words &block : each) {
      bins[b] += block[b];
      bins[32] = std::max(bins[32], block[b]);
    }
    bins[33 + b] = 40; // 0, 1, 4, 13, 40
  }
  EXPECT_EQ(run.words(1), bins);
  EXPECT_EQ(run.floats(2)[0], 3000.0f);
}

TEST_P(OpenCl, NarrowIntegers) {
  Words in = random(129, 14), table = random(64, 15);
  KernelRun run = kernel(kCorners, "kernel_narrow");
  run.buffer(in).buffer(Words(256)).buffer(table);
  launch(run, 1, 128, 1);
  for (unsigned t = 0; t < 128; ++t) {
    int x[4], y[4];
    int16_t r[4];
    for (unsigned i = 0; i < 4; ++i) {
      x[i] = in[t] >> (8 * i) & 255;
      y[i] = in[t + 1] >> (8 * i) & 255;
      r[i] = int16_t(x[i] * y[i] - (x[i] >> 1) + std::min(x[i], y[i]));
    }
    r[0] = int16_t(r[0] + int8_t(table[x[1] / 4] >> (8 * (x[1] % 4))));
    r[3] = int16_t(std::clamp(int(r[3]) + int16_t(r[0] * 100), -32768, 32767));
    uint32_t reversed = 0;
    for (unsigned i = 0; i < 8; ++i)
      reversed |= uint32_t(x[0] >> i & 1) << (7 - i);
    r[2] = int16_t(x[2] == y[2] ? int(reversed) : std::countl_zero(uint32_t(x[3] | 1)));
    for (unsigned i = 0; i < 4; ++i)
      ASSERT_EQ(int16_t(run.words(1)[2 * t + i / 2] >> (16 * (i % 2))), r[i]) << t << "," << i;
  }
}

TEST_P(OpenCl, Mathematics) {
  Words in = randomFloats(129, 16);
  KernelRun run = kernel(kCorners, "kernel_math");
  run.buffer(in).buffer(Words(128));
  launch(run, 1, 128, 1);
  for (unsigned t = 0; t < 128; ++t) {
    float x = real(in[t]), y = std::fabs(real(in[t + 1])) + 0.25f;
    double r = std::exp2(double(x * 0.125f)) + std::log2(y) + 1.0 / y + std::sqrt(y);
    r += std::trunc(x) - std::ceil(y) + std::rint(x * y) + x / y;
    float expected = std::copysign(float(std::clamp(r, -50.0, 50.0)), x);
    ASSERT_NEAR(run.floats(1)[t], expected, 1e-3 * (1 + std::fabs(x * y)) * 0.1) << t << " " << x << " " << y;
  }
}

TEST_P(OpenCl, NoInstructionIsUnknown) {
  TargetFacts target = *findTarget(GetParam());
  std::set<std::string> unknown;
  size_t count = 0;
  for (const char *source : {kReduction, kScan, kSort, kProduct, kCorners}) {
    std::vector<std::byte> bytes = compileOpenCl(GetParam(), source);
    auto object = readCodeObject(bytes);
    ASSERT_TRUE(object.ok());
    auto code = decode(target, object->text(), object->textAddress);
    ASSERT_TRUE(code.ok());
    for (const Instruction &in : code->instructions) {
      ++count;
      // The padding between kernels is no instruction that is ever reached.
      if (in.text.starts_with("(past") || in.text.starts_with(".long") || in.text.starts_with("s_code_end"))
        continue;
      if (!parseInstruction(target, in.text, 0).handler)
        unknown.insert(in.text.substr(0, in.text.find(' ')));
    }
  }
  EXPECT_GT(count, 2000u);
  for (const std::string &name : unknown)
    ADD_FAILURE() << name;
}

} // namespace
} // namespace quern::runtime::emulated::amd
