//===- HostPeaks.cpp ------------------------------------------------------===//
#include "runtime/measure/HostPeaks.h"

#include "support/Threads.h"

#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

namespace quern::runtime {

namespace {

constexpr unsigned repetitions = 15;
constexpr uint64_t iterations = 200000; // of the loops below: about a millisecond

// Twelve accumulators cover the latency (4 or 5 clocks) of two units. Registers are named so that the loop is
// what it says, whatever the compiler would make of it; all values are zero and stay so.
#define QUERN_LOOP(INSTRUCTION, REGISTER)                                                                    \
  asm volatile("vzeroall\n"                                                                                  \
               "1:\n"                                                                                        \
               ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n" INSTRUCTION " %%" REGISTER "14, %%" REGISTER \
               "15, %%" REGISTER "\\n\n"                                                                     \
               ".endr\n"                                                                                     \
               "dec %0\n"                                                                                    \
               "jnz 1b\n"                                                                                    \
               "vzeroupper\n"                                                                                \
               : "+r"(count)                                                                                 \
               :                                                                                             \
               : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",       \
                 "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15")

void fma256(uint64_t count) { QUERN_LOOP("vfmadd231ps", "ymm"); }
void fma512(uint64_t count) { QUERN_LOOP("vfmadd231ps", "zmm"); }
void bf16Dot512(uint64_t count) { QUERN_LOOP("vdpbf16ps", "zmm"); }

double secondsOf(const std::function<void()> &work) {
  auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Rates over |repetitions| runs of |work| by all threads of |pool|.
Estimate rates(ThreadPool &pool, double amount, const std::function<void(unsigned)> &work) {
  std::vector<double> samples;
  for (unsigned i = 0; i <= repetitions; ++i) {
    double seconds = secondsOf([&] {
      pool.parallelFor(0, pool.size(), 1, [&](uint64_t piece, uint64_t, unsigned) { work(unsigned(piece)); });
    });
    if (i != 0) // the first one warms up
      samples.push_back(amount / seconds);
  }
  return estimate(samples);
}

} // namespace

std::optional<Estimate> hostPeak(HostUnit unit, unsigned threads) {
  void (*loop)(uint64_t) = nullptr;
  double lanes = 0; // multiply-adds of one instruction
  switch (unit) {
  case HostUnit::Fma256:
    loop = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? fma256 : nullptr;
    lanes = 8;
    break;
  case HostUnit::Fma512:
    loop = __builtin_cpu_supports("avx512f") ? fma512 : nullptr;
    lanes = 16;
    break;
  case HostUnit::Bf16Dot512:
    loop = __builtin_cpu_supports("avx512bf16") ? bf16Dot512 : nullptr;
    lanes = 32;
    break;
  }
  if (!loop)
    return std::nullopt;
  ThreadPool pool(threads);
  return rates(pool, 2 * lanes * 12 * double(iterations) * pool.size(), [&](unsigned) { loop(iterations); });
}

Estimate hostReadBandwidth(unsigned threads, size_t bytes) {
  ThreadPool pool(threads);
  const size_t words = bytes / sizeof(uint64_t), share = words / pool.size();
  std::vector<uint64_t> memory(words, 1);
  std::vector<uint64_t> sums(pool.size() * 8); // one cache line each
  return rates(pool, double(share) * pool.size() * sizeof(uint64_t), [&](unsigned piece) {
    const uint64_t *from = memory.data() + piece * share;
    uint64_t sum = 0;
    for (size_t i = 0; i < share; ++i)
      sum += from[i];
    asm volatile("" : : "r"(sum));
    sums[piece * 8] = sum;
  });
}

} // namespace quern::runtime
