//===- TranslateDefined.cpp - Registers that nothing has written ----------===//
//
// With Checks::registers, a register that some path may read before any instruction has written it carries a
// flag, and so do those that are computed from it; all others, in most kernels all of them, cost nothing. A
// flag follows the value through arithmetic. It is looked at where the value takes effect: in an address, a
// guard, a store to shared or global memory, an operand of a matrix instruction. Packing and bit selection
// keep a value that is written in part, as compilers leave unused lanes unwritten.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

#include <algorithm>
#include <string_view>

namespace quern::runtime::emulated::nvidia {

namespace {

bool isOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Does operand 0 of the instruction name what it writes?
bool writesFirstOperand(const Instruction &instruction) {
  if (instruction.operands.empty() || instruction.operands[0].kind == Operand::Address)
    return false;
  return !isOneOf(instruction.opcode,
                  {"st",        "red",        "bar",     "barrier",  "bra",   "brx",     "call",
                   "ret",       "exit",       "cp",      "stmatrix", "wgmma", "tcgen05", "mbarrier",
                   "nanosleep", "setmaxnreg", "pmevent", "trap",     "fence", "membar"}) ||
         instruction.has("red");
}

/// The value is defined if all inputs are.
bool needsAllInputs(std::string_view opcode) {
  return isOneOf(opcode, {"add",  "sub",   "mul",  "mad",  "fma",  "div",   "rem",   "min",     "max", "neg",
                          "abs",  "cvt",   "setp", "set",  "rcp",  "sqrt",  "rsqrt", "sin",     "cos", "lg2",
                          "ex2",  "tanh",  "cvta", "not",  "popc", "clz",   "bfind", "brev",    "sad", "dp4a",
                          "dp2a", "testp", "addc", "subc", "madc", "mul24", "mad24", "copysign"});
}

/// The value is defined if some input is.
bool needsSomeInput(std::string_view opcode) {
  return isOneOf(
      opcode, {"mov", "and", "or", "xor", "shl", "shr", "shf", "prmt", "lop3", "bfe", "bfi", "selp", "slct"});
}

template <typename Visit> void forRegisters(const Operand &operand, Visit visit) {
  if (operand.kind == Operand::Register)
    visit(operand.index);
  for (const Operand &part : operand.parts)
    forRegisters(part, visit);
}

template <typename Visit> void forRead(const Instruction &instruction, Visit visit) {
  if (instruction.guard >= 0)
    visit(static_cast<uint32_t>(instruction.guard));
  for (size_t i = writesFirstOperand(instruction) ? 1 : 0; i < instruction.operands.size(); ++i)
    forRegisters(instruction.operands[i], visit);
}

bool endsPath(const Instruction &instruction) {
  return instruction.guard < 0 && isOneOf(instruction.opcode, {"bra", "brx", "ret", "exit", "trap"});
}

/// By register: true if some path from the start reads it before any instruction has written it.
std::vector<bool> maybeUnwritten(const Function &source) {
  size_t count = source.instructions.size(), registers = source.registers.size();
  // Registers that all paths have written when they come to an instruction; no path has come to it yet:
  // empty.
  std::vector<std::vector<bool>> written(count + 1);
  std::vector<bool> found(registers, false);
  std::vector<uint32_t> work{0};
  written[0].assign(registers, false);
  auto join = [&](uint32_t to, const std::vector<bool> &state) {
    std::vector<bool> &there = written[to];
    bool changed = there.empty();
    if (changed)
      there = state;
    else
      for (size_t i = 0; i < registers; ++i)
        if (there[i] && !state[i]) {
          there[i] = false;
          changed = true;
        }
    if (changed)
      work.push_back(to);
  };
  while (!work.empty()) {
    uint32_t at = work.back();
    work.pop_back();
    std::vector<bool> state = written[at];
    for (bool fellThrough = true; fellThrough && at < count;) {
      const Instruction &instruction = source.instructions[at];
      forRead(instruction, [&](uint32_t index) { found[index] = found[index] || !state[index]; });
      if (writesFirstOperand(instruction) && instruction.guard < 0)
        forRegisters(instruction.operands[0], [&](uint32_t index) { state[index] = true; });
      if (instruction.opcode == "bra" && !instruction.operands.empty() &&
          instruction.operands[0].kind == Operand::Label)
        join(instruction.operands[0].index, state);
      if (instruction.opcode == "brx")
        for (const BranchTable &table : source.branchTables)
          for (uint32_t target : table.targets)
            join(target, state);
      if (endsPath(instruction))
        break;
      ++at;
      if (at < count && source.isTarget[at]) {
        join(at, state);
        fellThrough = false;
      }
    }
  }
  return found;
}

} // namespace

/// Makes the flags.
void FunctionTranslator::trackRegisters() {
  definedFlags.assign(source.registers.size(), nullptr);
  if (!checks.registers)
    return;
  std::vector<bool> tracked = maybeUnwritten(source);
  bool changed = std::find(tracked.begin(), tracked.end(), true) != tracked.end();
  while (changed) {
    changed = false;
    for (const Instruction &instruction : source.instructions) {
      if (!needsAllInputs(instruction.opcode) && !needsSomeInput(instruction.opcode))
        continue;
      bool reads = false;
      forRead(instruction, [&](uint32_t index) { reads |= tracked[index]; });
      if (reads && writesFirstOperand(instruction))
        forRegisters(instruction.operands[0], [&](uint32_t index) {
          changed |= !tracked[index];
          tracked[index] = true;
        });
    }
  }
  for (size_t i = 0; i < tracked.size(); ++i)
    if (tracked[i]) {
      definedFlags[i] = builder.CreateAlloca(builder.getInt1Ty());
      builder.CreateStore(builder.getInt1(false), definedFlags[i]);
    }
}

void FunctionTranslator::noteRead(uint32_t index) {
  Value *flag = definedFlags[index] ? builder.CreateLoad(builder.getInt1Ty(), definedFlags[index])
                                    : static_cast<Value *>(builder.getInt1(true));
  allDefined = allDefined ? builder.CreateAnd(allDefined, flag) : flag;
  someDefined = someDefined ? builder.CreateOr(someDefined, flag) : flag;
}

void FunctionTranslator::noteWrite(uint32_t index) {
  if (!definedFlags[index])
    return;
  Value *flag = builder.getInt1(true);
  if (needsAllInputs(current->opcode) && allDefined)
    flag = allDefined;
  else if (needsSomeInput(current->opcode) && someDefined)
    flag = someDefined;
  builder.CreateStore(flag, definedFlags[index]);
}

/// What is written without `store`: results that come later.
void FunctionTranslator::noteLateWrites() {
  if (isOneOf(current->opcode, {"wgmma", "tcgen05"}))
    for (const Operand &operand : operands())
      forRegisters(operand, [&](uint32_t index) {
        if (definedFlags[index])
          builder.CreateStore(builder.getInt1(true), definedFlags[index]);
      });
}

void FunctionTranslator::needRegister(uint32_t index) {
  if (!definedFlags[index])
    return;
  Value *flag = builder.CreateLoad(builder.getInt1Ty(), definedFlags[index]);
  faultIf(builder.CreateNot(flag), "quernUndefinedRegister",
          {thread, site(), builder.CreateGlobalString(source.registers[index].name)});
}

/// All registers of |operand| have been written.
void FunctionTranslator::needDefined(const Operand &operand) {
  if (checks.registers)
    forRegisters(operand, [&](uint32_t index) { needRegister(index); });
}

} // namespace quern::runtime::emulated::nvidia
