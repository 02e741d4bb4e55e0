//===- CountPlan.cpp - What is counted in one kernel ----------------------===//
#include "runtime/emulated/nvidia/CountPlan.h"

#include <algorithm>
#include <cstdlib>

namespace quern::runtime::emulated::nvidia {

namespace {

bool isOneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool hasFloatType(const Instruction &instruction) {
  for (const std::string &word : instruction.modifiers)
    if (isOneOf(word, {"f16", "f16x2", "f32", "f32x2", "f64", "bf16", "bf16x2"}))
      return true;
  return false;
}

/// The space that the words name; generic accesses are taken as global ones.
char spaceOf(const Instruction &instruction) {
  for (std::string_view word : instruction.modifiers) {
    if (word.starts_with("shared"))
      return 's';
    if (word == "local")
      return 'l';
    if (word.starts_with("param") || word == "const")
      return 'c';
  }
  return 'g';
}

/// "m16n8k16" into |m|, |n| and |k|.
bool readShape(std::string_view text, uint64_t &m, uint64_t &n, uint64_t &k) {
  size_t atN = text.find('n'), atK = text.find('k');
  if (text.empty() || text[0] != 'm' || atN == std::string_view::npos || atK == std::string_view::npos ||
      atK < atN)
    return false;
  auto number = [&](size_t from) {
    return std::strtoull(std::string(text.substr(from, 8)).c_str(), nullptr, 10);
  };
  m = number(1);
  n = number(atN + 1);
  k = number(atK + 1);
  return m && n && k;
}

/// Name and size of mma.sync and wgmma: both name shape, result, A and B in this order.
void describeMatrix(const Instruction &instruction, SiteCount &count) {
  bool isGroup = instruction.opcode == "wgmma";
  if (!(instruction.opcode == "mma" || (isGroup && instruction.has("mma_async"))))
    return;
  uint64_t m = 0, n = 0, k = 0;
  std::string shape;
  std::vector<std::string> types;
  for (const std::string &word : instruction.modifiers) {
    if (shape.empty()) {
      if (readShape(word, m, n, k))
        shape = word;
    } else if (isOneOf(word, {"f16", "bf16", "f32", "tf32", "e4m3", "e5m2", "e2m3", "e3m2", "e2m1", "s8",
                              "u8", "s4", "u4", "s32"})) {
      types.push_back(word);
    }
  }
  if (shape.empty() || types.size() < 3)
    return;
  count.matrix =
      instruction.opcode + "." + shape + "." + types[1] + (types[2] == types[1] ? "" : "." + types[2]);
  if (instruction.has("block_scale"))
    count.matrix += ".b32";
  count.multiplyAdds = m * n * k;
  count.issuers = isGroup ? 4 : 1;
  if (isGroup) {
    // B, and A where it is not in registers; every element type here has whole bytes.
    uint64_t bytes = types[2] == "tf32" ? 4 : types[2].ends_with("f16") ? 2 : 1;
    bool inRegisters = instruction.operands.size() > 1 && instruction.operands[1].kind == Operand::Vector;
    count.operandBytes = (n + (inRegisters ? 0 : m)) * k * bytes;
  }
}

/// Fused multiply-adds of one lane by the instruction.
uint32_t laneMultiplyAdds(const Instruction &instruction) {
  if (instruction.opcode == "dp4a")
    return 4;
  if (instruction.opcode == "dp2a")
    return 2;
  if (!isOneOf(instruction.opcode, {"fma", "mad"}) || !hasFloatType(instruction))
    return 0;
  return instruction.has("f16x2") || instruction.has("bf16x2") || instruction.has("f32x2") ? 2 : 1;
}

/// Threads may leave the straight line behind it.
bool endsSegment(const Instruction &instruction) {
  return isOneOf(instruction.opcode, {"bra", "brx", "ret", "exit", "trap", "brkpt", "call"});
}

} // namespace

InstructionClass classOf(const Instruction &instruction) {
  using enum InstructionClass;
  std::string_view opcode = instruction.opcode;
  if (isOneOf(opcode, {"ld", "ldu"}))
    switch (spaceOf(instruction)) {
    case 's':
      return SharedLoad;
    case 'l':
      return LocalMemory;
    case 'c':
      return Move;
    default:
      return GlobalLoad;
    }
  if (opcode == "st") {
    if (instruction.has("async"))
      return AsyncCopy;
    switch (spaceOf(instruction)) {
    case 's':
      return SharedStore;
    case 'l':
      return LocalMemory;
    case 'c':
      return Move;
    default:
      return GlobalStore;
    }
  }
  if (isOneOf(opcode, {"atom", "red"}))
    return Atomic;
  if (opcode == "cp") {
    if (instruction.has("wait_group") || instruction.has("wait_all"))
      return Wait;
    if (instruction.has("commit_group") || instruction.has("arrive"))
      return Barrier;
    return AsyncCopy;
  }
  if (isOneOf(opcode, {"mma", "wgmma"})) {
    if (opcode == "mma" || instruction.has("mma_async"))
      return Matrix;
    return instruction.has("wait_group") ? Wait : Barrier;
  }
  if (opcode == "tcgen05") {
    if (instruction.has("mma"))
      return Matrix;
    if (instruction.has("ld") || instruction.has("st") || instruction.has("cp"))
      return MatrixMove;
    return std::any_of(instruction.modifiers.begin(), instruction.modifiers.end(),
                       [](const std::string &word) { return word.starts_with("wait"); })
               ? Wait
               : Barrier;
  }
  if (isOneOf(opcode, {"ldmatrix", "stmatrix"}))
    return MatrixMove;
  if (opcode == "mbarrier")
    return instruction.has("test_wait") || instruction.has("try_wait") ? Wait : Barrier;
  if (isOneOf(opcode, {"bar", "barrier", "fence", "membar"}))
    return Barrier;
  if (isOneOf(opcode, {"nanosleep", "griddepcontrol"}))
    return Wait;
  if (isOneOf(opcode, {"bra", "brx", "call", "ret", "exit", "trap", "brkpt"}))
    return Branch;
  if (isOneOf(opcode, {"shfl", "vote", "match", "redux", "activemask", "elect", "movmatrix"}))
    return Exchange;
  if (opcode == "cvt")
    return Conversion;
  if (isOneOf(opcode, {"rcp", "sqrt", "rsqrt", "sin", "cos", "lg2", "ex2", "tanh"}) ||
      (opcode == "div" && hasFloatType(instruction)))
    return Special;
  if (isOneOf(opcode, {"mov", "cvta", "mapa", "getctarank"}))
    return Move;
  if (isOneOf(opcode, {"prefetch", "prefetchu", "applypriority", "discard", "createpolicy", "setmaxnreg",
                       "pmevent", "tensormap"}))
    return Other;
  return hasFloatType(instruction) ? Float : Integer;
}

CountPlan::CountPlan(const KernelImage &image) {
  sites.resize(image.sites.size());
  for (const Function *function : image.functions) {
    uint32_t first = image.firstSite.at(function), outer = 0;
    bool fresh = true;
    for (uint32_t i = 0; i < function->instructions.size(); ++i) {
      const Instruction &instruction = function->instructions[i];
      SiteCount &count = sites[first + i];
      count.kind = classOf(instruction);
      count.name = instruction.opcode;
      for (const std::string &word : instruction.modifiers)
        count.name += "." + word;
      describeMatrix(instruction, count);
      count.laneMultiplyAdds = laneMultiplyAdds(instruction);
      if (fresh || function->isTarget[i]) {
        count.opensOuter = true;
        outer = segments++;
      }
      count.outer = outer;
      count.inner = instruction.guard >= 0 ? segments++ : outer;
      fresh = endsSegment(instruction);
      if (isOneOf(instruction.opcode, {"ld", "ldu", "st", "atom", "red", "cp", "ldmatrix", "stmatrix"})) {
        count.access = static_cast<int32_t>(accesses);
        accesses += 2;
      }
    }
  }
}

const MemoryRules &memoryRules() {
  static const MemoryRules rules = {32,
                                    32,
                                    {{false, 4, 32, {1, 2, 4, 8, 16}},
                                     {false, 8, 32, {1, 2, 4, 8}},
                                     {false, 16, 32, {1, 2, 4}},
                                     {true, 4, 32, {1, 2, 4, 8, 16}},
                                     {true, 8, 32, {1, 2, 4, 8}},
                                     {true, 16, 32, {1, 2, 4}}}};
  return rules;
}

} // namespace quern::runtime::emulated::nvidia
