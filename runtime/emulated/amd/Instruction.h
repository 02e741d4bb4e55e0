//===- Instruction.h - One decoded machine instruction --------------------===//
//
// The dense form that the execution loop runs: a handler, the operands with their register ranges resolved,
// and the modifiers. It is made once per module (Decoder.h) from what LLVM's disassembler says.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_INSTRUCTION_H
#define QUERN_RUNTIME_EMULATED_AMD_INSTRUCTION_H

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

class Wave;
struct Instruction;
using Handler = void (*)(Wave &, const Instruction &);

/// Places in the scalar register file of a wave; s0..s105 come first.
namespace scalar {
inline constexpr uint16_t FlatScratch = 102, Xnack = 104, Vcc = 106, Ttmp0 = 108, M0 = 124, Exec = 126,
                          Scc = 128, Vccz = 129, Execz = 130, Count = 136;
}
/// First row of the accumulation registers in the vector register file of a wave.
inline constexpr unsigned kAccumulationBase = 256, kVectorRows = 512;

enum class OperandKind : uint8_t { None, Vector, Scalar, Constant };

struct Operand {
  OperandKind kind = OperandKind::None;
  uint16_t index = 0; ///< row of the vector file (accumulation registers from 256), or scalar register
  uint8_t dwords = 1; ///< registers that the operand names
  uint8_t high = 0;   ///< 1: the high half of the register (16-bit operands)
  bool negate = false, absolute = false, signExtend = false;
  bool isFloat = false;   ///< Constant: an inline constant written as a number with a point
  bool isLiteral = false; ///< Constant: a 32-bit literal rather than an inline constant
  uint8_t select = 6;     ///< SDWA: 0..3 byte, 4..5 word, 6 whole register
  uint64_t bits = 0;      ///< Constant, integer: its value, sign-extended unless a literal
  double number = 0;      ///< Constant, float
};

/// Which lane a DPP source comes from, per destination lane; -1 outside.
struct LaneShuffle {
  std::array<int8_t, 64> source;
  uint64_t writable;  ///< lanes that row_mask and bank_mask leave enabled
  bool zeroInvalid;   ///< bound_ctrl: lanes without a source read 0 and are written
  bool readsInactive; ///< fi, and the forms that have no notion of inactive sources
};

enum class Unit : uint8_t { Scalar, Vector, Local, Memory, Control };

struct Instruction {
  Handler handler = nullptr;
  uint64_t address = 0; ///< offset in the code object's address space
  uint32_t next = 0;    ///< index of the following instruction
  uint32_t target = 0;  ///< index of the branch target, or the byte address where it is none of ours
  uint8_t operandCount = 0;
  uint8_t destinations = 0; ///< the first operands are written
  Unit unit = Unit::Vector;
  bool sdwa = false, clamp = false, readsDestination = false, returns = false, d16High = false,
       indexed = false, offsetEnabled = false, secondDwordPairs = false;
  bool preservesHigh = false;
  uint8_t matrixPasses = 0; ///< MFMA: passes of 4 clocks until its result may be read
  bool fullMatrix = false;  ///< MFMA of f32 or f64
  bool waveMatrix = false;  ///< WMMA
  bool relativeRegisters = false, writesLane = false;   ///< v_movrel; v_writelane
  uint8_t waitStates = 1;                               ///< s_nop N: N + 1
  uint8_t outputScale = 0;                              ///< omod: 1 *2, 2 *4, 3 /2
  uint8_t destinationSelect = 6, destinationUnused = 0; ///< SDWA; unused: 0 pad, 1 sign-extend, 2 preserve
  uint8_t destinationHigh = 0;
  uint8_t opSel = 0, opSelHigh = 0, negateLow = 0, negateHigh = 0; ///< VOP3P, one bit per source
  uint8_t byteSelect = 0;
  uint8_t broadcastSize = 0, broadcastBlock = 0, lanePattern = 0; ///< MFMA: cbsz, abid, blgp
  int32_t offset = 0, offset1 = 0;
  uint32_t immediate = 0; ///< handler's own: masks of waits, register field of hwreg, bitop table, ...
  std::array<Operand, 7> operands;
  std::shared_ptr<const LaneShuffle> shuffle;
  std::shared_ptr<const Instruction> second; ///< the other half of a dual-issue instruction
  std::string text;                          ///< as the disassembler prints it
};

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_INSTRUCTION_H
