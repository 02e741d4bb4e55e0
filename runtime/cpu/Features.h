//===- Features.h - What this processor can execute -----------------------===//
//
// Reads CPUID and XCR0. A feature counts only where the operating system saves its registers. Levels are
// those of the x86-64 psABI, section 3.1.1; feature names are LLVM's.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CPU_FEATURES_H
#define QUERN_RUNTIME_CPU_FEATURES_H

#include <cstdint>
#include <string>
#include <vector>

namespace quern::runtime::cpu {

/// The registers that decide, so that the decision can be tested with those of another processor.
struct CpuidFacts {
  uint32_t leaf1Ecx = 0;
  uint32_t leaf7Ebx = 0, leaf7Ecx = 0, leaf7Edx = 0; ///< subleaf 0
  uint32_t leaf7s1Eax = 0;                           ///< subleaf 1
  uint32_t extended1Ecx = 0;                         ///< leaf 0x80000001
  uint64_t xcr0 = 0;                                 ///< 0 without OSXSAVE
  std::string brand;                                 ///< leaves 0x80000002 to 4, trimmed
};

struct Features {
  std::string level;                 ///< "x86-64", "x86-64-v2", "x86-64-v3" or "x86-64-v4"
  std::vector<std::string> features; ///< beyond the level, sorted: "avx512bf16", "avx512fp16", "avxvnni", ...
};

/// The facts of the processor that runs this; all zero on another architecture.
CpuidFacts readCpuid();

Features decideFeatures(const CpuidFacts &facts);

} // namespace quern::runtime::cpu

#endif // QUERN_RUNTIME_CPU_FEATURES_H
