//===- Target.h - Facts of the emulated AMD targets -----------------------===//
//
// What differs between the targets that the machine executes. Sources: "AMD Instinct MI200 / MI300
// Instruction Set Architecture", "AMD Instinct CDNA4 Instruction Set Architecture", "RDNA3 / RDNA4
// Instruction Set Architecture", and the AMDGPU usage guide of LLVM (kernel descriptor, initial register
// state, memory model).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_TARGET_H
#define QUERN_RUNTIME_EMULATED_AMD_TARGET_H

#include <cstdint>
#include <optional>
#include <string>

namespace quern::runtime::emulated::amd {

enum class Generation : uint8_t { Gfx90a, Gfx942, Gfx950, Gfx11, Gfx12 };

struct TargetFacts {
  std::string name; ///< "gfx942"
  Generation generation;
  unsigned waveSize;          ///< lanes of one wave; the descriptor must agree
  uint32_t localBytes;        ///< LDS of one block at most
  bool zeroesHigh16;          ///< most 16-bit results clear the high half of the register
  bool fp8IsFnuz;             ///< fp8 and bf8 codes of conversions: FNUZ, else OCP
  bool separateStoreCounter;  ///< stores count in vscnt/storecnt, else in vmcnt together with loads
  bool architectedIds;        ///< block indices arrive in ttmp registers
  uint8_t largestMemoryCount; ///< of vmcnt (loadcnt): the wave stalls before more are outstanding
  uint8_t largestLocalCount;  ///< of lgkmcnt (dscnt)
  bool d16ClearsOther;        ///< 16-bit loads clear the other half (register files with ECC)

  bool wave32() const { return waveSize == 32; }
  bool atLeast(Generation other) const { return generation >= other; }
  bool isGfx9() const { return generation <= Generation::Gfx950; }
};

/// The facts of |name|, or nothing where the machine does not model it.
inline std::optional<TargetFacts> findTarget(const std::string &name) {
  static const TargetFacts targets[] = {
      {"gfx90a", Generation::Gfx90a, 64, 65536, true, true, false, false, 63, 15, true},
      {"gfx942", Generation::Gfx942, 64, 65536, true, true, false, false, 63, 15, true},
      {"gfx950", Generation::Gfx950, 64, 163840, true, false, false, false, 63, 15, true},
      {"gfx1100", Generation::Gfx11, 32, 65536, false, false, true, false, 63, 63, false},
      {"gfx1201", Generation::Gfx12, 32, 65536, false, false, true, true, 63, 63, false},
  };
  for (const TargetFacts &target : targets)
    if (target.name == name)
      return target;
  return std::nullopt;
}

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_TARGET_H
