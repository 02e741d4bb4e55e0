//===- CpuFeatures.h - What this processor can execute --------------------===//
//
// Reads CPUID and XCR0. A feature counts only where the operating system saves its registers. Levels are
// those of the x86-64 psABI, section 3.1.1; feature names are LLVM's.
//
// Code for a CPU is named by a level, then the features that it uses beyond the level: "x86-64-v3",
// "x86-64-v4", "x86-64-v4+avx512bf16" (a comma may stand for the plus).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_TARGET_CPUFEATURES_H
#define QUERN_SUPPORT_TARGET_CPUFEATURES_H

#include "support/target/TargetSpec.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace quern {

/// The registers that decide, so that the decision can be tested with those of another processor.
struct CpuidFacts {
  uint32_t leaf1Ecx = 0;
  uint32_t leaf7Ebx = 0, leaf7Ecx = 0, leaf7Edx = 0; ///< subleaf 0
  uint32_t leaf7s1Eax = 0;                           ///< subleaf 1
  uint32_t extended1Ecx = 0;                         ///< leaf 0x80000001
  uint64_t xcr0 = 0;                                 ///< 0 without OSXSAVE
  std::string brand;                                 ///< leaves 0x80000002 to 4, trimmed
  std::string maker;                                 ///< leaf 0: "GenuineIntel"
  uint32_t leaf1Eax = 0;                             ///< family, model and stepping
};

struct CpuFeatures {
  std::string level;                 ///< "x86-64", "x86-64-v2", "x86-64-v3" or "x86-64-v4"
  std::vector<std::string> features; ///< beyond the level, sorted: "avx512bf16", "avx512fp16", "avxvnni", ...
};

/// "cpu:GenuineIntel-6-143-8": maker, family, model and stepping, as the makers' manuals put them together
/// from leaf 1.
std::string cpuHardware(const CpuidFacts &facts);

/// The facts of the processor that runs this; all zero on another architecture.
CpuidFacts readCpuid();

CpuFeatures decideCpuFeatures(const CpuidFacts &facts);

/// Index of the highest level in |names| that |own| reaches, of those the one with most features, all of
/// which |own| has; -1 where none fits.
ptrdiff_t chooseCpuCode(const CpuFeatures &own, std::span<const std::string> names);

/// `cpu:native` becomes the highest member of the fixed set that |own| executes, every other target stays as
/// it is. Exit::Unsupported "E-TARGET-NATIVE" where not even the lowest member fits.
Expected<TargetSpec> resolveNative(TargetSpec spec, const CpuFeatures &own);

} // namespace quern

#endif // QUERN_SUPPORT_TARGET_CPUFEATURES_H
