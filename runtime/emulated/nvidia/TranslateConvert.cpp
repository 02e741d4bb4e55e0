//===- TranslateConvert.cpp - Conversions ---------------------------------===//
//
// PTX ISA 9.7.9.21 (cvt) and 9.7.9.22 (cvt.pack). Out-of-range values of float-to-integer conversions clamp
// to the destination; NaN gives 0, or the value with only the top bit set where the source is f64 or the
// destination has 64 bits.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/IR/Intrinsics.h"

namespace quern::runtime::emulated::nvidia {

namespace {

/// Numbers of `quernEncode` and `quernDecode`; -1 for other types.
int formatNumber(NumberType type) {
  switch (type.kind) {
  case NumberType::Float:
    return type.bits == 16 ? 0 : -1;
  case NumberType::BFloat:
    return 1;
  case NumberType::E4M3:
    return 2;
  case NumberType::E5M2:
    return 3;
  case NumberType::E2M1:
    return 4;
  case NumberType::E2M3:
    return 5;
  case NumberType::E3M2:
    return 6;
  case NumberType::TF32:
    return 7;
  case NumberType::UE8M0:
    return 8;
  default:
    return -1;
  }
}

bool hasIntegerRounding(const Instruction &instruction) {
  return instruction.has("rni") || instruction.has("rzi") || instruction.has("rmi") || instruction.has("rpi");
}

} // namespace

/// A small format as f32; exact.
FunctionTranslator::Value *FunctionTranslator::widen(NumberType from, Value *bits) {
  if (from.kind == NumberType::BFloat) {
    Value *wide = builder.CreateShl(builder.CreateZExt(bits, builder.getInt32Ty()), 16);
    return builder.CreateBitCast(wide, builder.getFloatTy());
  }
  if (from.isFloat(16) && hostHasF16C)
    return builder.CreateFPExt(builder.CreateBitCast(bits, builder.getHalfTy()), builder.getFloatTy());
  Value *number = builder.getInt32(static_cast<uint32_t>(formatNumber(from)));
  Value *code = builder.CreateZExtOrTrunc(bits, builder.getInt32Ty());
  return builder.CreateFPTrunc(callOut("quernDecode", builder.getDoubleTy(), {code, number}),
                               builder.getFloatTy());
}

FunctionTranslator::Value *FunctionTranslator::saturateInteger(NumberType to, NumberType from, Value *value) {
  // In a width that holds both ranges with a sign bit to spare.
  unsigned bits = std::max<unsigned>(to.bits, from.bits) + 1;
  auto *type = intType(bits);
  Value *wide = from.isSigned() ? builder.CreateSExt(value, type) : builder.CreateZExt(value, type);
  llvm::APInt low = to.isSigned() ? llvm::APInt::getSignedMinValue(to.bits).sext(bits) : llvm::APInt(bits, 0);
  llvm::APInt high = to.isSigned() ? llvm::APInt::getSignedMaxValue(to.bits).sext(bits)
                                   : llvm::APInt::getMaxValue(to.bits).zext(bits);
  wide = builder.CreateBinaryIntrinsic(llvm::Intrinsic::smax, wide, llvm::ConstantInt::get(type, low));
  wide = builder.CreateBinaryIntrinsic(llvm::Intrinsic::smin, wide, llvm::ConstantInt::get(type, high));
  return builder.CreateTrunc(wide, intType(to.bits));
}

FunctionTranslator::Value *FunctionTranslator::integerToFloat(NumberType to, NumberType from, Value *value) {
  auto *i64 = builder.getInt64Ty();
  Value *wide = from.isSigned() ? builder.CreateSExt(value, i64) : builder.CreateZExt(value, i64);
  Value *isSigned = builder.getInt1(from.isSigned());
  Rounding mode = rounding(Rounding::Nearest);
  if (to.isHalf()) {
    // To f64 with a sticky last bit, then once to the format.
    Value *exact = callOut("quernIntToOdd64", builder.getDoubleTy(), {wide, isSigned});
    uint32_t flags = static_cast<uint32_t>(mode) | (has("sat") ? 0x400u : 0u);
    return builder.CreateTrunc(
        callOut("quernEncode", builder.getInt32Ty(),
                {exact, builder.getInt32(static_cast<uint32_t>(formatNumber(to))), builder.getInt32(flags)}),
        builder.getInt16Ty());
  }
  llvm::Type *type = floatType(to);
  Value *result = nullptr;
  if (mode == Rounding::Nearest)
    result = from.isSigned() ? builder.CreateSIToFP(value, type) : builder.CreateUIToFP(value, type);
  else
    result = callOut(to.bits == 32 ? "quernIntToFloat32" : "quernIntToFloat64", type,
                     {wide, isSigned, builder.getInt32(static_cast<uint32_t>(mode))});
  return toInteger(has("sat") ? saturate(result) : result);
}

FunctionTranslator::Value *FunctionTranslator::floatToInteger(NumberType to, NumberType from, Value *value) {
  Value *source = from.isHalf() ? widen(from, value) : builder.CreateBitCast(value, floatType(from));
  if (from.isFloat(32) && has("ftz"))
    source = flush(source);
  llvm::Intrinsic::ID id = llvm::Intrinsic::trunc;
  switch (rounding(Rounding::Zero)) {
  case Rounding::Nearest:
    id = llvm::Intrinsic::roundeven;
    break;
  case Rounding::Down:
    id = llvm::Intrinsic::floor;
    break;
  case Rounding::Up:
    id = llvm::Intrinsic::ceil;
    break;
  default:
    break;
  }
  source = builder.CreateUnaryIntrinsic(id, source);
  auto convert = to.isSigned() ? llvm::Intrinsic::fptosi_sat : llvm::Intrinsic::fptoui_sat;
  Value *result = builder.CreateIntrinsic(convert, {intType(to.bits), source->getType()}, {source});
  if (to.bits == 64 || from.bits == 64) {
    Value *isNan = builder.CreateFCmpUNO(source, source);
    result = builder.CreateSelect(isNan, constant(to.bits, uint64_t(1) << (to.bits - 1)), result);
  }
  return result;
}

FunctionTranslator::Value *FunctionTranslator::floatToFloat(NumberType to, NumberType from, Value *value) {
  bool fromWide = from.kind == NumberType::Float && from.bits >= 32;
  Value *source = fromWide ? builder.CreateBitCast(value, floatType(from)) : widen(from, value);
  if (from.isFloat(32) && has("ftz"))
    source = flush(source);
  Rounding mode = rounding(Rounding::Nearest);
  if (hasIntegerRounding(*current)) {
    auto id = mode == Rounding::Nearest ? llvm::Intrinsic::roundeven
              : mode == Rounding::Down  ? llvm::Intrinsic::floor
              : mode == Rounding::Up    ? llvm::Intrinsic::ceil
                                        : llvm::Intrinsic::trunc;
    source = builder.CreateUnaryIntrinsic(id, source);
    mode = Rounding::Nearest;
  }
  if (to.kind == NumberType::Float && to.bits >= 32) {
    Value *result = source;
    if (to.bits == 64 && source->getType()->isFloatTy())
      result = builder.CreateFPExt(source, builder.getDoubleTy());
    else if (to.bits == 32 && source->getType()->isDoubleTy())
      result = mode == Rounding::Nearest ? builder.CreateFPTrunc(source, builder.getFloatTy())
                                         : callOut("quernNarrow32", builder.getFloatTy(),
                                                   {source, builder.getInt32(static_cast<uint32_t>(mode))});
    if (to.bits == 32 && has("ftz"))
      result = flush(result);
    if (has("sat"))
      return toInteger(saturate(result));
    // A bf16 value is the upper half of its f32 value, NaNs included.
    return toInteger(from.kind == NumberType::BFloat ? result : canonicalNan(result));
  }
  int number = formatNumber(to);
  if (number < 0)
    return nullptr;
  bool plain = mode == Rounding::Nearest && !has("satfinite") && !has("relu") && !has("sat");
  if (plain && to.kind == NumberType::BFloat && source->getType()->isFloatTy()) {
    Value *bits = toInteger(source);
    Value *even = builder.CreateAnd(builder.CreateLShr(bits, 16), 1);
    Value *rounded = builder.CreateAdd(bits, builder.CreateAdd(even, builder.getInt32(0x7FFF)));
    Value *code = builder.CreateTrunc(builder.CreateLShr(rounded, 16), builder.getInt16Ty());
    return builder.CreateSelect(builder.CreateFCmpUNO(source, source), builder.getInt16(0x7FFF), code);
  }
  if (plain && to.isFloat(16) && hostHasF16C && source->getType()->isFloatTy()) {
    Value *code = toInteger(builder.CreateFPTrunc(source, builder.getHalfTy()));
    return builder.CreateSelect(builder.CreateFCmpUNO(source, source), builder.getInt16(0x7FFF), code);
  }
  uint32_t flags = static_cast<uint32_t>(mode) | (has("satfinite") ? 0x100u : 0u) |
                   (has("relu") ? 0x200u : 0u) | (has("sat") ? 0x400u : 0u);
  if (source->getType()->isFloatTy())
    source = builder.CreateFPExt(source, builder.getDoubleTy());
  Value *code = callOut("quernEncode", builder.getInt32Ty(),
                        {source, builder.getInt32(static_cast<uint32_t>(number)), builder.getInt32(flags)});
  return builder.CreateTrunc(code, intType(to.bits));
}

/// One element from |from| to |to|; |value| and the result are integers of the types' widths.
FunctionTranslator::Value *FunctionTranslator::convertOne(NumberType to, NumberType from, Value *value) {
  if (to.isInteger() && from.isInteger()) {
    if (has("sat"))
      return saturateInteger(to, from, value);
    return from.isSigned() ? builder.CreateSExtOrTrunc(value, intType(to.bits))
                           : builder.CreateZExtOrTrunc(value, intType(to.bits));
  }
  if (from.isInteger())
    return to.kind == NumberType::Float || to.kind == NumberType::BFloat ? integerToFloat(to, from, value)
                                                                         : nullptr;
  if (to.isInteger())
    return from.kind == NumberType::Float || from.kind == NumberType::BFloat ? floatToInteger(to, from, value)
                                                                             : nullptr;
  return floatToFloat(to, from, value);
}

bool FunctionTranslator::convert() {
  if (has("pack"))
    return convertPack();
  auto found = types();
  if (found.size() != 2 || operands().size() < 2)
    return false;
  NumberType to = found[0], from = found[1];
  std::vector<Value *> sources;
  if (to.lanes == 2 && from.lanes == 1) {
    // d, a, b: a goes to the upper half.
    if (operands().size() != 3)
      return false;
    sources = {load(operand(2), from.bits), load(operand(1), from.bits)};
    if (!sources[0] || !sources[1])
      return false;
  } else {
    if (operands().size() != 2 || to.lanes != from.lanes || to.lanes > 2)
      return false;
    Value *value = load(operand(1), from.width());
    if (!value)
      return false;
    sources = split(value, from.bits, from.lanes);
  }
  std::vector<Value *> results;
  for (Value *value : sources) {
    Value *result = convertOne(to.element(), from.element(), value);
    if (!result)
      return false;
    if (checks.smallNans && (to.kind == NumberType::E4M3 || to.kind == NumberType::E5M2)) {
      // NaN is 0x7F of e4m3, everything above 0x7C of e5m2, with either sign (OFP8).
      uint64_t last = to.kind == NumberType::E4M3 ? 0x7E : 0x7C;
      Value *magnitude = builder.CreateAnd(result, constant(8, 0x7F));
      faultIf(builder.CreateICmpUGT(magnitude, constant(8, last)), "quernSmallNan", {thread, site()});
    }
    results.push_back(result);
  }
  store(operand(0), join(results, to.bits), to.isSigned());
  return true;
}

/// cvt.pack.sat.ctype.s32{.b32} d, a, b{, c}: a and b saturated side by side, b low; with c shifted in above.
bool FunctionTranslator::convertPack() {
  unsigned bits = 0;
  bool isSigned = false;
  for (const std::string &modifier : current->modifiers) {
    if ((modifier[0] != 's' && modifier[0] != 'u') || modifier == "sat")
      continue;
    bits = static_cast<unsigned>(std::stoul(modifier.substr(1)));
    isSigned = modifier[0] == 's';
    break;
  }
  if (bits == 0 || bits > 16 || operands().size() < 3 || !has("s32"))
    return false;
  NumberType to{isSigned ? NumberType::Signed : NumberType::Unsigned, static_cast<uint8_t>(bits), 1};
  NumberType from{NumberType::Signed, 32, 1};
  Value *a = load(operand(1), 32), *b = load(operand(2), 32);
  if (!a || !b)
    return false;
  Value *packed = builder.CreateZExt(join({saturateInteger(to, from, b), saturateInteger(to, from, a)}, bits),
                                     builder.getInt32Ty());
  if (operands().size() == 4) {
    Value *c = load(operand(3), 32);
    if (!c || bits > 8)
      return false;
    packed = builder.CreateOr(packed, builder.CreateShl(c, 2 * bits));
  }
  store(operand(0), packed);
  return true;
}

} // namespace quern::runtime::emulated::nvidia
