//===- TranslateTensorCore.cpp - tcgen05 ----------------------------------===//
//
// PTX ISA 9.7.16: tensor memory (alloc, dealloc, ld, st, wait), cp, mma, commit and fences. Not modelled:
// .ws, sparse forms, shift, packing loads and stores, cp with a change of format, cp.4x256b.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AsyncMatrix.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/TensorForm.h"
#include "runtime/emulated/nvidia/Translate.h"

#include <bit>
#include <charconv>

namespace quern::runtime::emulated::nvidia {

bool FunctionTranslator::tensorCore() {
  llvm::Type *none = builder.getVoidTy();
  auto *i32 = builder.getInt32Ty();
  if (has("ws") || has("sp") || has("shift") || has("ashift"))
    return false;
  if (has("fence::before_thread_sync") || has("fence::after_thread_sync"))
    return operands().empty(); // the order is that of the barrier between them
  if (has("wait::ld") || has("wait::st")) {
    callOut("quernTensorWait", none, {thread, site(), builder.getInt1(has("wait::ld"))});
    return operands().empty();
  }
  if (has("relinquish_alloc_permit")) {
    callOut("quernTensorRelinquish", none, {thread});
    return operands().empty();
  }
  if (has("alloc")) {
    // The address of the columns goes to shared memory.
    Value *where = operands().size() == 2 ? address(operand(0)) : nullptr;
    Value *columns = where ? load(operand(1), 32) : nullptr;
    if (!columns || !has("b32") || !has("aligned"))
      return false;
    Value *allocated = callOut("quernTensorAllocate", i32, {thread, site(), columns});
    llvm::AllocaInst *stored = makeAlloca(i32, 4);
    builder.CreateStore(allocated, stored);
    Value *place = hostPointer(spaceOfAccess(), where, 4, AccessWrite, sanitize ? stored : nullptr);
    builder.CreateStore(allocated, place);
    return true;
  }
  if (has("dealloc")) {
    Value *where = operands().size() == 2 ? load(operand(0), 32) : nullptr;
    Value *columns = where ? load(operand(1), 32) : nullptr;
    if (!columns)
      return false;
    callOut("quernTensorRelease", none, {thread, site(), where, columns});
    return true;
  }
  if (has("commit")) {
    bool multicast = has("multicast::cluster");
    if (!has("mbarrier::arrive::one") || !has("b64") || operands().size() != (multicast ? 2u : 1u))
      return false;
    Value *where = address(operand(0)), *mask = multicast ? load(operand(1), 32) : builder.getInt32(0);
    if (!where || !mask)
      return false;
    callOut("quernTensorCommit", none,
            {thread, site(), where, builder.getInt1(spaceOfAccess() == Space::Generic), mask,
             builder.getInt1(multicast)});
    return true;
  }
  if (has("cp")) {
    static constexpr std::pair<std::string_view, TensorForm::CopyShape> shapes[] = {
        {"128x256b", TensorForm::C128x256b},
        {"128x128b", TensorForm::C128x128b},
        {"64x128b", TensorForm::C64x128bA},
        {"32x128b", TensorForm::C32x128b}};
    TensorForm form;
    bool found = false;
    for (auto [name, shape] : shapes)
      if (has(name)) {
        form.shape = shape;
        found = true;
      }
    if (has("64x128b") && has("warpx2::01_23"))
      form.shape = TensorForm::C64x128bB;
    form.pair = has("cta_group::2");
    Value *where = found && operands().size() == 2 ? address(operand(0)) : nullptr;
    Value *descriptor = where ? load(operand(1), 64) : nullptr;
    for (const std::string &word : current->modifiers)
      if (word.find("_p") != std::string::npos)
        return false; // a change of format
    if (!descriptor)
      return false;
    callOut("quernTensorCopy", none,
            {thread, site(), builder.getInt64(std::bit_cast<uint64_t>(form)), builder.CreateTrunc(where, i32),
             descriptor});
    return true;
  }
  if (has("ld") || has("st"))
    return tensorLoadStore();
  return has("mma") && tensorMultiply();
}

/// tcgen05.ld.sync.aligned.shape.num.b32 r, [taddr]{, split}; tcgen05.st.sync.aligned.shape.num.b32 [taddr]{,
/// split}, r.
bool FunctionTranslator::tensorLoadStore() {
  static constexpr std::tuple<std::string_view, TensorForm::Shape, uint32_t> shapes[] = {
      {"32x32b", TensorForm::L32x32b, 1},
      {"16x64b", TensorForm::L16x64b, 1},
      {"16x128b", TensorForm::L16x128b, 2},
      {"16x256b", TensorForm::L16x256b, 4},
      {"16x32bx2", TensorForm::L16x32bx2, 1}};
  TensorForm form;
  uint32_t registersOfOne = 0, repetitions = 0;
  for (auto [name, shape, count] : shapes)
    if (has(name)) {
      form.shape = shape;
      registersOfOne = count;
    }
  for (const std::string &word : current->modifiers)
    if (word[0] == 'x')
      std::from_chars(word.data() + 1, word.data() + word.size(), repetitions);
  bool isLoad = has("ld"), isSplit = form.shape == TensorForm::L16x32bx2;
  uint32_t count = registersOfOne * repetitions;
  if (count == 0 || count > 128 || has("pack::16b") || has("unpack::16b") || !has("b32") || !has("aligned") ||
      operands().size() != (isSplit ? 3u : 2u))
    return false;
  const Operand &registersGiven = isLoad ? operand(0) : operands().back();
  Value *where = address(operand(isLoad ? 1 : 0));
  Value *split = isSplit ? load(operand(isLoad ? 2 : 1), 32) : builder.getInt32(0);
  // One register may stand without braces.
  Operand vector = registersGiven;
  if (vector.kind == Operand::Register) {
    vector = Operand();
    vector.kind = Operand::Vector;
    vector.parts.push_back(registersGiven);
  }
  if (!where || !split || vector.kind != Operand::Vector || vector.parts.size() != count)
    return false;
  Value *bits = builder.getInt64(std::bit_cast<uint64_t>(form));
  where = builder.CreateTrunc(where, builder.getInt32Ty());
  if (isLoad) {
    Value *list = asyncRegisters(vector);
    if (!list)
      return false;
    callOut("quernTensorLoad", builder.getVoidTy(),
            {thread, site(), bits, where, split, list, builder.getInt32(count)});
    return true;
  }
  llvm::AllocaInst *values = makeAlloca(llvm::ArrayType::get(builder.getInt32Ty(), count), 4);
  for (uint32_t i = 0; i < count; ++i) {
    Value *value = load(vector.parts[i], 32);
    if (!value)
      return false;
    builder.CreateStore(value, at(values, uint64_t(i) * 4));
  }
  callOut("quernTensorStore", builder.getVoidTy(),
          {thread, site(), bits, where, split, values, builder.getInt32(count)});
  return true;
}

/// tcgen05.mma.cta_group.kind{.block_scale{.size}} [d], a, b, i{, [scale-a], [scale-b]}{, {disabled}},
/// enable{, scale-d}
bool FunctionTranslator::tensorMultiply() {
  static constexpr std::pair<std::string_view, TensorForm::Kind> kinds[] = {
      {"kind::f16", TensorForm::F16},           {"kind::tf32", TensorForm::TF32},
      {"kind::f8f6f4", TensorForm::F8F6F4},     {"kind::i8", TensorForm::I8},
      {"kind::mxf8f6f4", TensorForm::MXF8F6F4}, {"kind::mxf4", TensorForm::MXF4},
      {"kind::mxf4nvf4", TensorForm::MXF4NVF4}};
  TensorForm form;
  bool found = false;
  for (auto [name, kind] : kinds)
    if (has(name)) {
      form.kind = kind;
      found = true;
    }
  form.pair = has("cta_group::2");
  if (!found || form.pair == has("cta_group::1") || operands().size() < 5)
    return false;
  if (has("block_scale")) {
    // One scale for 32 elements, or for 16 of NVFP4.
    bool by16 = has("scale_vec::4X") || has("block16");
    switch (form.kind) {
    case TensorForm::MXF8F6F4:
      form.scaleBlocks = 1;
      break;
    case TensorForm::MXF4:
      form.scaleBlocks = 2;
      break;
    case TensorForm::MXF4NVF4:
      form.scaleBlocks = by16 ? 4 : 2;
      if (!by16 && !has("scale_vec::2X") && !has("block32"))
        return false;
      break;
    default:
      return false;
    }
    if (by16 && form.kind != TensorForm::MXF4NVF4)
      return false;
  } else if (form.kind >= TensorForm::MXF8F6F4) {
    return false;
  }
  form.aInTensor = operand(1).kind == Operand::Address;
  auto *i64 = builder.getInt64Ty();
  llvm::AllocaInst *place = makeAlloca(llvm::ArrayType::get(i64, sizeof(TensorOperands) / 8), 8);
  auto put = [&](size_t offset, Value *value) {
    if (value)
      builder.CreateStore(builder.CreateZExtOrTrunc(value, i64), at(place, offset));
    return value != nullptr;
  };
  for (size_t i = 0; i < 8; ++i)
    put(offsetof(TensorOperands, disabled) + 8 * i, builder.getInt64(0));
  put(offsetof(TensorOperands, shift), builder.getInt64(0));
  size_t next = 4;
  if (!put(offsetof(TensorOperands, d), address(operand(0))) ||
      !put(offsetof(TensorOperands, a), form.aInTensor ? address(operand(1)) : load(operand(1), 64)) ||
      !put(offsetof(TensorOperands, b), load(operand(2), 64)) ||
      !put(offsetof(TensorOperands, instruction), load(operand(3), 32)))
    return false;
  if (form.scaleBlocks) {
    if (operands().size() != 7 || !put(offsetof(TensorOperands, scaleA), address(operand(next++))) ||
        !put(offsetof(TensorOperands, scaleB), address(operand(next++))))
      return false;
  } else if (operand(next).kind == Operand::Vector) {
    const Operand &lanes = operand(next++);
    if (lanes.parts.size() != (form.pair ? 8u : 4u))
      return false;
    for (size_t i = 0; i < lanes.parts.size(); ++i)
      if (!put(offsetof(TensorOperands, disabled) + 8 * i, load(lanes.parts[i], 32)))
        return false;
  }
  if (next >= operands().size() || !put(offsetof(TensorOperands, keep), loadPredicate(operand(next++))))
    return false;
  if (next < operands().size()) {
    const Operand &shift = operand(next++);
    if (shift.kind != Operand::Integer || shift.value > 15 ||
        (form.kind != TensorForm::F16 && form.kind != TensorForm::TF32))
      return false;
    put(offsetof(TensorOperands, shift), builder.getInt64(shift.value));
  }
  if (next != operands().size())
    return false;
  callOut("quernTensorMultiply", builder.getVoidTy(),
          {thread, site(), builder.getInt64(std::bit_cast<uint64_t>(form)), place});
  return true;
}

} // namespace quern::runtime::emulated::nvidia
