//===- TranslateAtomic.cpp - Atomic operations ----------------------------===//
//
// PTX ISA 9.7.13.5 (atom) and 9.7.13.7 (red). Host atomics give each operation on global memory, so that
// blocks on several host threads see one order. Floating-point additions to global f32 flush subnormals,
// those to shared memory do not; the 16-bit forms are .noftz.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/Translate.h"

namespace quern::runtime::emulated::nvidia {

using llvm::AtomicRMWInst;

FunctionTranslator::Value *FunctionTranslator::atomicInteger(std::string_view op, NumberType type,
                                                             Value *pointer, Value *a, Value *b) {
  unsigned bytes = type.bits / 8;
  auto order = llvm::AtomicOrdering::SequentiallyConsistent;
  if (op == "cas") {
    Value *both = builder.CreateAtomicCmpXchg(pointer, a, b, llvm::Align(bytes), order, order);
    return builder.CreateExtractValue(both, 0);
  }
  static constexpr std::pair<std::string_view, AtomicRMWInst::BinOp> names[] = {
      {"add", AtomicRMWInst::Add},     {"and", AtomicRMWInst::And},   {"or", AtomicRMWInst::Or},
      {"xor", AtomicRMWInst::Xor},     {"exch", AtomicRMWInst::Xchg}, {"inc", AtomicRMWInst::UIncWrap},
      {"dec", AtomicRMWInst::UDecWrap}};
  if (op == "min" || op == "max") {
    bool isMin = op == "min";
    auto kind = type.isSigned() ? (isMin ? AtomicRMWInst::Min : AtomicRMWInst::Max)
                                : (isMin ? AtomicRMWInst::UMin : AtomicRMWInst::UMax);
    return builder.CreateAtomicRMW(kind, pointer, a, llvm::Align(bytes), order);
  }
  for (auto [name, kind] : names)
    if (name == op)
      return builder.CreateAtomicRMW(kind, pointer, a, llvm::Align(bytes), order);
  return nullptr;
}

bool FunctionTranslator::atomic() {
  if (has("async"))
    return storeAsync();
  auto found = types();
  if (found.size() != 1)
    return false;
  NumberType type = found[0];
  std::string_view op;
  for (const std::string &modifier : current->modifiers)
    for (std::string_view name : {"add", "min", "max", "and", "or", "xor", "exch", "cas", "inc", "dec"})
      if (modifier == name)
        op = name;
  bool isRed = current->opcode == "red", isCas = op == "cas";
  size_t first = isRed ? 0 : 1, wanted = first + (isCas ? 3 : 2);
  // A cache policy may follow.
  if (op.empty() || operands().size() < wanted || operands().size() > wanted + 1)
    return false;
  Space space = spaceOfAccess();
  if (space != Space::Global && space != Space::Shared && space != Space::Generic)
    return false;
  unsigned lanes = vectorOfAccess(), element = type.width() / 8, bytes = element * lanes;
  if (type.width() < 16 || type.width() > 128 || bytes > 16)
    return false;
  const Operand &value = operand(first + 1);
  if (lanes > 1 && (value.kind != Operand::Vector || value.parts.size() != lanes))
    return false;
  needDefined(value);
  std::vector<Value *> sources;
  for (unsigned i = 0; i < lanes; ++i) {
    Value *source = load(lanes == 1 ? value : value.parts[i], type.width());
    if (!source)
      return false;
    sources.push_back(source);
  }
  Value *second = isCas ? load(operand(first + 2), type.width()) : nullptr;
  if (isCas && !second)
    return false;
  bool isFloat = type.kind == NumberType::Float || type.kind == NumberType::BFloat;
  if (isFloat && op != "add" && op != "min" && op != "max")
    return false;
  // min and max exist for vectors of 16-bit values only.
  if (isFloat && op != "add" && (!type.isHalf() || lanes == 1))
    return false;
  if (!isFloat && !type.isInteger())
    return false;
  if (type.bits == 128 && op != "exch" && !isCas)
    return false;
  Value *where = address(operand(first));
  if (!where)
    return false;
  if (space == Space::Shared) {
    count(sharedLoads, bytes);
    count(sharedStores, bytes);
  } else {
    count(globalLoads, bytes);
  }
  Value *pointer = hostPointer(space, where, bytes, AccessWrite | AccessStrong | AccessAtomic);
  std::vector<Value *> old;
  for (unsigned i = 0; i < lanes; ++i) {
    Value *place = at(pointer, uint64_t(i) * element), *result = nullptr;
    if (isFloat) {
      uint32_t kind = type.isFloat(64) ? 1 : type.kind == NumberType::BFloat ? 3 : type.isFloat(16) ? 2 : 0;
      uint32_t which = op == "add" ? 0 : op == "min" ? 1 : 2;
      bool ftz = kind == 0 && space == Space::Global;
      uint32_t flags = kind | which << 4 | (type.lanes == 2 ? 0x100u : 0u) | (ftz ? 0x200u : 0u);
      Value *wide = builder.CreateZExt(sources[i], builder.getInt64Ty());
      result = builder.CreateTrunc(
          callOut("quernAtomicFloat", builder.getInt64Ty(), {place, wide, builder.getInt32(flags)}),
          intType(type.width()));
    } else {
      result = atomicInteger(op, type, place, sources[i], second);
    }
    if (!result)
      return false;
    old.push_back(result);
  }
  if (!isRed)
    for (unsigned i = 0; i < lanes; ++i)
      store(lanes == 1 ? operand(0) : operand(0).parts.at(i), old[i], type.isSigned());
  return true;
}

} // namespace quern::runtime::emulated::nvidia
