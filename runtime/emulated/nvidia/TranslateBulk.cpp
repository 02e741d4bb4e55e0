//===- TranslateBulk.cpp - Bulk copies and tensor maps --------------------===//
//
// PTX ISA 9.7.9.25 (cp.async.bulk, cp.reduce.async.bulk, groups), 9.7.9.26 (cp.async.bulk.tensor), 9.7.9.12
// (st.async), 9.7.13.8 (red.async), 9.7.9.27 (tensormap.replace). Tile mode; im2col and gather modes are not
// modelled.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/BulkForm.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/Translate.h"

#include <bit>

namespace quern::runtime::emulated::nvidia {

namespace {

std::optional<BulkForm::Type> reductionType(NumberType type) {
  if (type.lanes != 1)
    return std::nullopt;
  switch (type.kind) {
  case NumberType::Bits:
  case NumberType::Unsigned:
    return type.bits == 32   ? std::optional(BulkForm::U32)
           : type.bits == 64 ? std::optional(BulkForm::U64)
                             : std::nullopt;
  case NumberType::Signed:
    return type.bits == 32   ? std::optional(BulkForm::S32)
           : type.bits == 64 ? std::optional(BulkForm::S64)
                             : std::nullopt;
  case NumberType::Float:
    return type.bits == 16 ? BulkForm::F16 : type.bits == 32 ? BulkForm::F32 : BulkForm::F64;
  case NumberType::BFloat:
    return BulkForm::BF16;
  default:
    return std::nullopt;
  }
}

} // namespace

uint8_t FunctionTranslator::reductionWord() const {
  static constexpr std::pair<std::string_view, BulkForm::Reduction> names[] = {
      {"add", BulkForm::Add}, {"min", BulkForm::Min}, {"max", BulkForm::Max}, {"inc", BulkForm::Inc},
      {"dec", BulkForm::Dec}, {"and", BulkForm::And}, {"or", BulkForm::Or},   {"xor", BulkForm::Xor}};
  for (auto [name, reduction] : names)
    if (has(name))
      return reduction;
  return BulkForm::None;
}

bool FunctionTranslator::bulkCopy() {
  auto *i64 = builder.getInt64Ty();
  if (has("commit_group") && operands().empty()) {
    callOut("quernBulkCommit", builder.getVoidTy(), {thread});
    return true;
  }
  if (has("wait_group")) {
    Value *newest = operands().size() == 1 ? load(operand(0), 32) : nullptr;
    if (!newest)
      return false;
    callOut("quernBulkWait", builder.getVoidTy(), {thread, newest, builder.getInt1(has("read"))});
    return true;
  }
  if (has("prefetch"))
    return true; // changes no result
  BulkForm form;
  for (uint8_t rank = 1; rank <= 5; ++rank)
    if (has(std::to_string(rank) + "d"))
      form.rank = rank;
  if (has("tensor") != (form.rank != 0))
    return false;
  bool signals = has("mbarrier::complete_tx::bytes");
  if (signals == has("bulk_group"))
    return false;
  // The first of the two spaces is where the copy goes.
  std::vector<std::string_view> spaces;
  for (const std::string &modifier : current->modifiers)
    if (modifier == "global" || modifier == "shared::cta" || modifier == "shared::cluster")
      spaces.push_back(modifier);
  if (spaces.size() != 2)
    return false;
  bool toGlobal = spaces[0] == "global", fromGlobal = spaces[1] == "global";
  if ((toGlobal && fromGlobal) || toGlobal == signals || (!fromGlobal && spaces[1] != "shared::cta"))
    return false;
  form.way = toGlobal     ? BulkForm::SharedToGlobal
             : fromGlobal ? BulkForm::GlobalToShared
                          : BulkForm::SharedToShared;
  form.ownBlock = spaces[0] == "shared::cta";
  form.multicast = has("multicast::cluster");
  form.pair = has("cta_group::2");
  if (has("reduce")) {
    form.reduction = static_cast<BulkForm::Reduction>(reductionWord());
    auto found = types();
    if (form.reduction == BulkForm::None || (found.size() != 1) == (form.rank == 0))
      return false;
    if (form.rank == 0) {
      auto type = reductionType(found[0]);
      if (!type)
        return false;
      form.type = *type;
    }
  } else if (!types().empty()) {
    return false;
  }
  // Operands: destination, source, size of plain copies, mbarrier, mask, cache policy.
  size_t next = 2;
  bool hasPolicy = has("L2::cache_hint");
  size_t wanted = 2 + (form.rank == 0) + signals + form.multicast + hasPolicy;
  if (operands().size() != wanted)
    return false;
  const Operand &tensor = operand(toGlobal ? 0 : 1), &other = operand(toGlobal ? 1 : 0);
  llvm::AllocaInst *place = makeAlloca(llvm::ArrayType::get(i64, sizeof(BulkOperands) / 8), 8);
  auto put = [&](size_t offset, Value *value) {
    if (value)
      builder.CreateStore(builder.CreateZExtOrTrunc(value, i64), at(place, offset));
    return value != nullptr;
  };
  size_t tensorOffset = toGlobal ? offsetof(BulkOperands, to) : offsetof(BulkOperands, from);
  size_t otherOffset = toGlobal ? offsetof(BulkOperands, from) : offsetof(BulkOperands, to);
  if (!put(otherOffset, address(other)))
    return false;
  if (form.rank == 0) {
    if (!put(tensorOffset, address(tensor)) || !put(offsetof(BulkOperands, bytes), load(operand(next++), 32)))
      return false;
  } else {
    if (tensor.kind != Operand::Address || tensor.parts.size() != 2 ||
        tensor.parts[1].kind != Operand::Vector || tensor.parts[1].parts.size() != form.rank)
      return false;
    Operand map = tensor;
    map.parts.resize(1);
    if (!put(tensorOffset, address(map)))
      return false;
    for (size_t i = 0; i < form.rank; ++i) {
      Value *coordinate = load(tensor.parts[1].parts[i], 32);
      if (!coordinate)
        return false;
      builder.CreateStore(builder.CreateSExt(coordinate, i64),
                          at(place, offsetof(BulkOperands, coordinates) + 8 * i));
    }
  }
  if (signals && !put(offsetof(BulkOperands, mbarrier), address(operand(next++))))
    return false;
  if (form.multicast && !put(offsetof(BulkOperands, mask), load(operand(next++), 16)))
    return false;
  callOut("quernBulkCopy", builder.getVoidTy(),
          {thread, site(), builder.getInt64(std::bit_cast<uint64_t>(form)), place});
  return true;
}

/// st.async{.vec}.type [a], b, [mbar]; red.async.op.type [a], b, [mbar].
bool FunctionTranslator::storeAsync() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 3 || !has("mbarrier::complete_tx::bytes") ||
      !has("shared::cluster"))
    return false;
  BulkForm form;
  form.way = BulkForm::SharedToShared;
  unsigned lanes = vectorOfAccess(), bytes = found[0].width() / 8 * lanes;
  if (current->opcode == "red") {
    auto type = reductionType(found[0]);
    form.reduction = static_cast<BulkForm::Reduction>(reductionWord());
    if (!type || form.reduction == BulkForm::None || lanes != 1)
      return false;
    form.type = *type;
  }
  if (bytes != 4 && bytes != 8 && bytes != 16)
    return false;
  Value *to = address(operand(0)), *value = load(operand(1), bytes * 8), *mbarrier = address(operand(2));
  if (!to || !value || !mbarrier)
    return false;
  auto *i64 = builder.getInt64Ty();
  Value *low = builder.CreateZExtOrTrunc(value, i64);
  Value *high = bytes == 16 ? builder.CreateTrunc(builder.CreateLShr(value, 64), i64) : builder.getInt64(0);
  callOut("quernStoreAsync", builder.getVoidTy(),
          {thread, site(), builder.getInt64(std::bit_cast<uint64_t>(form)), to, mbarrier, low, high,
           builder.getInt32(bytes)});
  return true;
}

/// tensormap.replace.tile.field{.ss}.b1024.type [addr], {ord,} value; tensormap.cp_fenceproxy [to], [from],
/// 128.
bool FunctionTranslator::tensorMap() {
  constexpr unsigned mapBytes = 128;
  auto pointer = [&](const Operand &operand, bool isShared, uint32_t flags) -> Value * {
    Value *where = address(operand);
    if (!where)
      return nullptr;
    return isShared ? sharedPointer(where, mapBytes, flags, nullptr) : globalPointer(where, mapBytes, flags);
  };
  if (has("cp_fenceproxy")) {
    if (operands().size() != 3 || !has("shared::cta"))
      return false;
    Value *from = pointer(operand(1), true, 0), *to = pointer(operand(0), false, AccessWrite);
    if (!from || !to)
      return false;
    callOut("quernMapCopy", builder.getVoidTy(), {thread, to, from});
    return true;
  }
  static constexpr std::pair<std::string_view, MapField> names[] = {
      {"global_address", MapField::GlobalAddress},
      {"rank", MapField::Rank},
      {"box_dim", MapField::BoxDim},
      {"global_dim", MapField::GlobalDim},
      {"global_stride", MapField::GlobalStride},
      {"element_stride", MapField::ElementStride},
      {"elemtype", MapField::ElementType},
      {"interleave_layout", MapField::InterleaveLayout},
      {"swizzle_mode", MapField::SwizzleMode},
      {"fill_mode", MapField::FillMode},
      {"swizzle_atomicity", MapField::SwizzleAtomicity}};
  std::optional<MapField> field;
  for (auto [name, value] : names)
    if (has(name))
      field = value;
  if (!field || !has("replace") || !has("tile") || !has("b1024"))
    return false;
  bool hasOrdinal = *field == MapField::BoxDim || *field == MapField::GlobalDim ||
                    *field == MapField::GlobalStride || *field == MapField::ElementStride;
  if (operands().size() != (hasOrdinal ? 3u : 2u))
    return false;
  Value *value = load(operands().back(), has("b64") ? 64 : 32);
  Value *ordinal = hasOrdinal ? load(operand(1), 32) : builder.getInt32(0);
  Value *place = pointer(operand(0), has("shared::cta"), AccessWrite);
  if (!value || !ordinal || !place)
    return false;
  callOut("quernMapReplace", builder.getVoidTy(),
          {thread, site(), place, builder.getInt32(static_cast<uint32_t>(*field)), ordinal,
           builder.CreateZExt(value, builder.getInt64Ty())});
  return true;
}

} // namespace quern::runtime::emulated::nvidia
