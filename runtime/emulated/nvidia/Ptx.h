//===- Ptx.h - PTX text as a tree -----------------------------------------===//
//
// What the parser makes of one PTX module: variables, functions and their instructions. Names are resolved as
// far as scopes go (PTX ISA 5.2 "State spaces", 4.4 "Identifiers"): a register or variable operand is an
// index into its function, a label operand an index into the function's instructions. An instruction whose
// operands the parser cannot read is kept with `readable = false`; it is an error only when a thread reaches
// it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_PTX_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_PTX_H

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime::emulated::nvidia {

enum class Space : uint8_t { Generic, Register, Global, Shared, Local, Param, Const };

/// A fundamental type (PTX ISA 5.2.1): kind 'b', 'u', 's', 'f' or 'p' (predicate, 1 bit).
struct ScalarType {
  char kind = 'b';
  uint16_t bits = 32;
  bool operator==(const ScalarType &) const = default;
};

struct Operand {
  enum Kind : uint8_t {
    Register, ///< |index| in Function::registers
    Special,  ///< special register |name|, e.g. "%tid.x"
    Integer,  ///< |value|, two's complement
    Float,    ///< |value| holds the bits of a binary32 or binary64, see |floatBits|
    Variable, ///< address of Function::variables[index] plus |value|
    Global,   ///< address of Module::variables[index] plus |value|
    Label,    ///< instruction |index| of the function
    Name,     ///< another name: a function, a prototype, a table of branch targets
    Address,  ///< [parts[0] + value]; more parts where the instruction takes them
    Vector,   ///< {a, b, ...}
    List,     ///< (a, b, ...), in calls
    Pair,     ///< a|b
    Sink,     ///< _
  };
  Kind kind = Sink;
  bool negated = false; ///< "!" before a predicate
  uint8_t floatBits = 0;
  uint32_t index = 0;
  uint64_t value = 0;
  std::string name;
  std::vector<Operand> parts;
};

struct Instruction {
  std::string opcode;                 ///< first word, e.g. "ld"
  std::vector<std::string> modifiers; ///< the rest, e.g. "global", "L1::no_allocate", "v4", "b32"
  std::vector<Operand> operands;
  int32_t guard = -1; ///< index of the predicate register, or -1
  bool guardNegated = false;
  bool readable = true;
  uint32_t line = 0;       ///< line of the PTX text, from 1
  uint32_t sourceFile = 0; ///< .loc in force, 0 = none
  uint32_t sourceLine = 0;
  std::string text; ///< as written, blanks collapsed

  bool has(std::string_view modifier) const {
    for (const std::string &m : modifiers)
      if (m == modifier)
        return true;
    return false;
  }
};

struct RegisterInfo {
  std::string name;
  ScalarType type;
};

/// A relocated word of an initialiser: bytes [offset, offset + 8) hold the address of |symbol| plus the
/// addend.
struct Relocation {
  uint64_t offset = 0, addend = 0;
  std::string symbol;
};

struct Variable {
  std::string name;
  Space space = Space::Global;
  ScalarType type;
  uint32_t vector = 1;
  uint64_t bytes = 0; ///< 0 for an extern array without a size: dynamic shared memory
  uint32_t align = 1;
  bool isExtern = false;
  bool isPointer = false; ///< a parameter with .ptr
  std::vector<uint8_t> init;
  std::vector<Relocation> relocations;
};

struct BranchTable {
  std::string name;
  std::vector<uint32_t> targets; ///< instruction indices
};

struct Function {
  std::string name;
  bool isEntry = false;
  bool isDefined = false;
  std::vector<uint32_t> parameters; ///< in |variables|
  std::vector<uint32_t> results;
  std::vector<RegisterInfo> registers;
  std::vector<Variable> variables;
  std::vector<Instruction> instructions;
  std::vector<bool> isTarget; ///< per instruction (and one past the end): some label stands before it
  std::vector<BranchTable> branchTables;
  uint32_t requiredThreads[3] = {0, 0, 0}; ///< .reqntid, zero where absent
  uint32_t maximumThreads = 0;             ///< product of .maxntid, zero where absent
  uint32_t clusterBlocks = 0;              ///< product of .reqnctapercluster, zero where absent
  bool clusterIsFlat = true;               ///< .reqnctapercluster extends along x alone
};

struct Module {
  uint32_t versionMajor = 0, versionMinor = 0;
  std::string target;             ///< "sm_90a"
  std::vector<std::string> files; ///< by .file number
  std::vector<Variable> variables;
  std::vector<std::unique_ptr<Function>> functions;

  const Function *find(std::string_view name) const {
    const Function *declared = nullptr;
    for (const auto &function : functions)
      if (function->name == name) {
        if (function->isDefined)
          return function.get();
        declared = function.get();
      }
    return declared;
  }
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_PTX_H
