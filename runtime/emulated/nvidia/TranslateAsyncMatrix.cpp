//===- TranslateAsyncMatrix.cpp - Warpgroup matrix operations -------------===//
//
// PTX ISA 9.7.15 (wgmma). The registers that an asynchronous operation uses are never held in host registers:
// the operation keeps their addresses. With the sanitizer every other use of them is checked.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AsyncMatrix.h"
#include "runtime/emulated/nvidia/Translate.h"

#include <bit>
#include <charconv>

namespace quern::runtime::emulated::nvidia {

namespace {

bool usesAsyncRegisters(const Instruction &instruction) {
  return (instruction.opcode == "wgmma" && instruction.has("mma_async")) ||
         (instruction.opcode == "tcgen05" && instruction.has("ld"));
}

std::optional<MatrixType> matrixType(std::string_view word) {
  static constexpr std::pair<std::string_view, MatrixType> names[] = {
      {"f16", MatrixType::F16},   {"bf16", MatrixType::BF16}, {"tf32", MatrixType::TF32},
      {"e4m3", MatrixType::E4M3}, {"e5m2", MatrixType::E5M2}, {"s8", MatrixType::S8},
      {"u8", MatrixType::U8}};
  for (auto [name, type] : names)
    if (name == word)
      return type;
  return std::nullopt;
}

} // namespace

void FunctionTranslator::declareAsyncRegisters() {
  asyncIndex.assign(source.registers.size(), -1);
  for (const Instruction &instruction : source.instructions)
    if (usesAsyncRegisters(instruction))
      for (const Operand &operand : instruction.operands)
        if (operand.kind == Operand::Vector)
          for (const Operand &part : operand.parts)
            if (part.kind == Operand::Register && asyncIndex[part.index] < 0)
              asyncIndex[part.index] = static_cast<int32_t>(asyncCount++);
  if (asyncCount == 0)
    return;
  asyncStates = builder.CreateAlloca(llvm::ArrayType::get(builder.getInt8Ty(), asyncCount));
  afterRegisters =
      builder.CreateMemSet(asyncStates, builder.getInt8(RegisterTouched), asyncCount, llvm::MaybeAlign(1));
}

void FunctionTranslator::touchRegister(uint32_t index) {
  if (!sanitize || asyncCount == 0 || asyncIndex[index] < 0)
    return;
  Value *place = at(asyncStates, static_cast<uint64_t>(asyncIndex[index]));
  Value *state = builder.CreateLoad(builder.getInt8Ty(), place);
  faultIf(builder.CreateICmpEQ(state, builder.getInt8(RegisterInFlight)), "quernRegisterInFlight",
          {thread, site()});
  builder.CreateStore(builder.getInt8(RegisterTouched), place);
}

FunctionTranslator::Value *FunctionTranslator::asyncRegisters(const Operand &vector) {
  std::vector<uint32_t> list;
  if (vector.kind != Operand::Vector)
    return nullptr;
  for (const Operand &part : vector.parts) {
    if (part.kind != Operand::Register || source.registers[part.index].type.bits != 32)
      return nullptr;
    list.push_back(part.index);
  }
  llvm::AllocaInst *&made = asyncLists[list];
  if (made)
    return made;
  // Filled once, behind the registers; every use sees it.
  llvm::Type *pointer = builder.getPtrTy();
  made = makeAlloca(llvm::ArrayType::get(pointer, 2 * list.size()), 8);
  llvm::IRBuilder<> inEntry(afterRegisters->getNextNode() ? afterRegisters->getNextNode()->getParent()
                                                          : entry,
                            std::next(afterRegisters->getIterator()));
  auto put = [&](uint64_t offset, Value *value) {
    inEntry.CreateStore(value, inEntry.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), made, offset));
  };
  for (size_t i = 0; i < list.size(); ++i) {
    put(i * sizeof(AsyncRegister), registers[list[i]]);
    put(i * sizeof(AsyncRegister) + offsetof(AsyncRegister, state),
        inEntry.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), asyncStates,
                                           static_cast<uint64_t>(asyncIndex[list[i]])));
  }
  return made;
}

bool FunctionTranslator::warpgroupMatrix() {
  llvm::Type *none = builder.getVoidTy();
  if (!has("sync") || !has("aligned"))
    return false;
  if (has("mma_async"))
    return warpgroupMultiply();
  if (has("fence") && operands().empty()) {
    if (asyncCount)
      callOut("quernWarpgroupFence", none, {asyncStates, builder.getInt32(asyncCount)});
    return true;
  }
  if (has("commit_group") && operands().empty()) {
    callOut("quernWarpgroupCommit", none, {thread, site()});
    return true;
  }
  if (has("wait_group") && operands().size() == 1 && operand(0).kind == Operand::Integer) {
    callOut("quernWarpgroupWait", none, {thread, site(), load(operand(0), 32)});
    return true;
  }
  return false;
}

/// wgmma.mma_async.sync.aligned.shape.d.a.b{.satfinite} d, a, b, scale-d{, scale-a, scale-b{, trans-a}{,
/// trans-b}}
bool FunctionTranslator::warpgroupMultiply() {
  const std::vector<std::string> &words = current->modifiers;
  size_t shape = 0;
  while (shape < words.size() && !words[shape].starts_with("m64n"))
    ++shape;
  if (shape + 4 > words.size() || words.size() > shape + 5 || operands().size() < 4)
    return false;
  WarpgroupForm form{};
  std::string_view text(words[shape]);
  uint32_t n = 0, k = 0;
  size_t cut = text.find('k');
  if (cut == std::string_view::npos)
    return false;
  std::from_chars(text.data() + 4, text.data() + cut, n);
  std::from_chars(text.data() + cut + 1, text.data() + text.size(), k);
  auto a = matrixType(words[shape + 2]), b = matrixType(words[shape + 3]);
  if (!a || !b)
    return false;
  bool isInteger = *a == MatrixType::S8 || *a == MatrixType::U8;
  bool isByte = chunkElements(*a) == 16, isHalf = chunkElements(*a) == 8;
  // 9.7.15.5.2: the factors are of one kind; n goes by 8, for integers by 16 from 32 on.
  if (chunkElements(*a) != chunkElements(*b) || (!isByte && *a != *b) ||
      isInteger != (*b == MatrixType::S8 || *b == MatrixType::U8) || k != 2 * chunkElements(*a) || n < 8 ||
      n > 256 || n % 8 || (isInteger && n > 32 && n % 16))
    return false;
  const std::string &result = words[shape + 1];
  if (isInteger ? result != "s32"
                : result != "f32" && (result != "f16" || *a == MatrixType::BF16 || *a == MatrixType::TF32))
    return false;
  form.a = *a;
  form.b = *b;
  form.d = isInteger ? WarpgroupForm::S32 : result == "f16" ? WarpgroupForm::F16 : WarpgroupForm::F32;
  form.n = static_cast<uint16_t>(n);
  form.k = static_cast<uint16_t>(k);
  if (words.size() == shape + 5) {
    if (words.back() != "satfinite" || !isInteger)
      return false;
    form.flags |= WarpgroupForm::Saturate;
  }
  bool inRegisters = operand(1).kind == Operand::Vector;
  if (inRegisters)
    form.flags |= WarpgroupForm::RegistersA;
  // Immediates: scales -1 or 1 of the floating-point kinds, transpositions 0 or 1 of the 16-bit ones.
  size_t wanted = 4 + (isInteger ? 0 : 2) + (isHalf ? (inRegisters ? 1 : 2) : 0);
  if (operands().size() != wanted)
    return false;
  for (size_t i = 4; i < wanted; ++i) {
    uint64_t value = operand(i).value;
    if (operand(i).kind != Operand::Integer)
      return false;
    if (i < 6) {
      if (value != 1 && value != ~uint64_t(0))
        return false;
      if (value != 1)
        form.flags |= i == 4 ? WarpgroupForm::NegateA : WarpgroupForm::NegateB;
    } else {
      if (value > 1)
        return false;
      bool isB = i == wanted - 1;
      if (value)
        form.flags |= isB ? WarpgroupForm::TransposeB : WarpgroupForm::TransposeA;
    }
  }
  size_t registersOfD = form.d == WarpgroupForm::F16 ? n / 4 : n / 2;
  if (operand(0).kind != Operand::Vector || operand(0).parts.size() != registersOfD ||
      (inRegisters && operand(1).parts.size() != 4))
    return false;
  Value *null = llvm::ConstantPointerNull::get(builder.getPtrTy());
  Value *d = asyncRegisters(operand(0)), *registersOfA = inRegisters ? asyncRegisters(operand(1)) : null;
  Value *first = inRegisters ? builder.getInt64(0) : load(operand(1), 64), *second = load(operand(2), 64);
  Value *keep = loadPredicate(operand(3));
  if (!d || !registersOfA || !first || !second || !keep)
    return false;
  callOut("quernWarpgroupMultiply", builder.getVoidTy(),
          {thread, site(), builder.getInt64(std::bit_cast<uint64_t>(form)), first, second, keep, d,
           registersOfA});
  return true;
}

} // namespace quern::runtime::emulated::nvidia
