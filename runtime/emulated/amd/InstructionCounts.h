//===- InstructionCounts.h - What executed instructions are counted as ----===//
//
// A wave executes one instruction for all its lanes, so counting is one addition for each instruction; what
// the counts mean is worked out from the text of the instructions when the launch has ended.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_INSTRUCTIONCOUNTS_H
#define QUERN_RUNTIME_EMULATED_AMD_INSTRUCTIONCOUNTS_H

#include "runtime/emulated/Counters.h"
#include "runtime/emulated/amd/Instruction.h"
#include "runtime/emulated/amd/Target.h"

namespace quern::runtime::emulated::amd {

/// The counters of the blocks that one host thread runs.
class InstructionCounts {
public:
  InstructionCounts(const TargetFacts &target, const std::vector<Instruction> &code);

  void issue(uint32_t instruction, unsigned lanes) {
    ++issued[instruction];
    active[instruction] += lanes;
  }
  Counters counters;
  /// Puts the instructions' counts into |counters|: once, when the launch has ended.
  void close();

private:
  const TargetFacts &target;
  const std::vector<Instruction> &code;
  std::vector<uint64_t> issued, active; ///< by index of the instruction
};

/// "buffer_load_dwordx4 ... lds" is counted as "buffer_load_dwordx4_lds"; else the mnemonic.
std::string countedName(const Instruction &in);
InstructionClass classOf(const Instruction &in);

/// How |target| serves accesses. Sources: measurements published with HipKittens (128-bit reads of gfx942 and
/// gfx950, 64-bit accesses of gfx950) and with Composable Kernel (128-bit writes of gfx942); the other widths
/// are by analogy. Cache lines of 128 bytes (CDNA3 and RDNA manuals, "Memory hierarchy").
const MemoryRules &memoryRules(const TargetFacts &target);

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_INSTRUCTIONCOUNTS_H
