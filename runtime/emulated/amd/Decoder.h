//===- Decoder.h - Machine code to the dense form -------------------------===//
//
// LLVM's MC disassembler decodes; its text (the vendor's assembly syntax) is what this file reads, once per
// module. What the disassembler does not know, and what no handler executes, becomes an instruction that
// reports itself when it is reached.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_DECODER_H
#define QUERN_RUNTIME_EMULATED_AMD_DECODER_H

#include "runtime/emulated/amd/Instruction.h"
#include "runtime/emulated/amd/Target.h"
#include "support/Status.h"

#include <span>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

struct DecodedCode {
  std::vector<Instruction> instructions;
  bool comparesAndSwapsLocal = false; ///< there is a ds_cmpst: loads may be the atomic loads of its loop
  bool hasGlobalAtomics = false;      ///< its blocks may be ordered by them
  unsigned vectorRows = 1;            ///< rows of the vector file that the instructions name
  std::vector<int32_t> indexByDword;  ///< per dword of the section: the instruction that starts there, or -1
};

/// Decodes a code section that is linked at |address|.
Expected<DecodedCode> decode(const TargetFacts &target, std::span<const uint8_t> code, uint64_t address);

/// One instruction from its text. |immediate| is the last constant operand as the disassembler holds it
/// (branch distance, swizzle pattern, hardware register). Null handler: not modelled.
Instruction parseInstruction(const TargetFacts &target, const std::string &text, int64_t immediate);

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_DECODER_H
