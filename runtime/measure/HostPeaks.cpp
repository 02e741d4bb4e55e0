//===- HostPeaks.cpp ------------------------------------------------------===//
#include "runtime/measure/HostPeaks.h"

#include <barrier>
#include <chrono>
#include <functional>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <vector>

namespace quern::runtime {

namespace {

constexpr unsigned repetitions = 15;
/// Of the loops below: some milliseconds, so that waking the other threads is a small part of them.
constexpr uint64_t iterations = 2000000;

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

/// The processors that this process may use, in order.
std::vector<int> allowedProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> list;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set))
        list.push_back(cpu);
  return list;
}

/// Rates over |repetitions| runs of |work| by |threads| threads that begin together. Each stays on a
/// processor of its own: threads that were just started may otherwise share one for a while.
Estimate rates(unsigned threads, double amount, const std::function<void(unsigned)> &work) {
  const std::vector<int> processors = allowedProcessors();
  std::vector<double> samples;
  std::barrier together{ptrdiff_t(threads)};
  auto run = [&](unsigned index) {
    if (index < processors.size()) {
      cpu_set_t own;
      CPU_ZERO(&own);
      CPU_SET(processors[index], &own);
      pthread_setaffinity_np(pthread_self(), sizeof(own), &own); // without it the rate is a lower bound
    }
    for (unsigned i = 0; i <= repetitions; ++i) {
      together.arrive_and_wait();
      auto begin = std::chrono::steady_clock::now();
      work(index);
      together.arrive_and_wait();
      std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
      if (index == 0 && i != 0) // the first one warms up
        samples.push_back(amount / taken.count());
    }
  };
  {
    std::vector<std::jthread> all;
    for (unsigned index = 0; index < threads; ++index)
      all.emplace_back(run, index);
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
  return rates(threads, 2 * lanes * 12 * double(iterations) * threads, [&](unsigned) { loop(iterations); });
}

Estimate hostReadBandwidth(unsigned threads, size_t bytes) {
  const size_t words = bytes / sizeof(uint64_t), share = words / threads;
  std::vector<uint64_t> memory(words, 1);
  return rates(threads, double(share) * threads * sizeof(uint64_t), [&](unsigned index) {
    const uint64_t *from = memory.data() + index * share;
    uint64_t sum = 0;
    for (size_t i = 0; i < share; ++i)
      sum += from[i];
    asm volatile("" : : "r"(sum)); // the sum is used
  });
}

} // namespace quern::runtime
