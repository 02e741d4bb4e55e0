//===- TranslateFloat.cpp - Floating-point arithmetic ---------------------===//
//
// PTX ISA 9.7.3 (floating point), 9.7.4 (half precision), 9.7.5 (mixed precision). Results that are NaN are
// the canonical NaN of the type for .f32 (0x7FFFFFFF), .f16 and .bf16 (0x7FFF). .ftz replaces subnormal
// inputs and results by zeros of the same sign; .sat clamps to [0, 1] and makes NaN +0. Rounding other than
// to nearest, and all 16-bit arithmetic, is done by the functions of Arithmetic.cpp, which round the exact
// result once.
//
// The approximate instructions give what is close to the correctly rounded result; their stated error bounds
// hold, hardware differs in the last bits.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/IR/Intrinsics.h"

namespace quern::runtime::emulated::nvidia {

FunctionTranslator::Value *FunctionTranslator::flush(Value *value) {
  Value *magnitude = builder.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, value);
  Value *small = builder.CreateFCmpOLT(magnitude, llvm::ConstantFP::get(value->getType(), 0x1p-126));
  Value *zero = builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign,
                                              llvm::ConstantFP::get(value->getType(), 0.0), value);
  return builder.CreateSelect(small, zero, value);
}

FunctionTranslator::Value *FunctionTranslator::saturate(Value *value) {
  Value *zero = llvm::ConstantFP::get(value->getType(), 0.0),
        *one = llvm::ConstantFP::get(value->getType(), 1.0);
  // NaN fails the first comparison and becomes +0, and so does -0.
  value = builder.CreateSelect(builder.CreateFCmpOGT(value, zero), value, zero);
  return builder.CreateSelect(builder.CreateFCmpOLT(value, one), value, one);
}

/// On integers: LLVM does not promise which NaN a floating-point expression gives.
FunctionTranslator::Value *FunctionTranslator::canonicalNan(Value *value) {
  if (!value->getType()->isFloatTy())
    return value;
  Value *bits = toInteger(value);
  Value *isNan = builder.CreateICmpUGT(builder.CreateAnd(bits, 0x7FFFFFFF), builder.getInt32(0x7F800000));
  bits = builder.CreateSelect(isNan, builder.getInt32(0x7FFFFFFF), bits);
  return builder.CreateBitCast(bits, value->getType());
}

/// One f32 or f64 operation; |values| are its inputs as floating point.
FunctionTranslator::Value *FunctionTranslator::singleOperation(std::string_view op, NumberType type,
                                                               std::vector<Value *> &values) {
  bool isSingle = type.bits == 32, ftz = isSingle && has("ftz");
  if (ftz)
    for (Value *&value : values)
      value = flush(value);
  Rounding mode = rounding(Rounding::Nearest);
  Value *result = nullptr;
  if (op == "neg") {
    return builder.CreateFNeg(values[0]);
  } else if (op == "abs") {
    return builder.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, values[0]);
  } else if (op == "min" || op == "max") {
    // -0 is less than +0. One NaN: the other operand, or NaN with .NaN; two: NaN.
    bool isMin = op == "min", nan = has("NaN");
    auto id = nan ? (isMin ? llvm::Intrinsic::minimum : llvm::Intrinsic::maximum)
                  : (isMin ? llvm::Intrinsic::minimumnum : llvm::Intrinsic::maximumnum);
    Value *sign = nullptr;
    if (has("xorsign")) {
      sign = builder.CreateXor(toInteger(values[0]), toInteger(values[1]));
      for (Value *&value : values)
        value = builder.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, value);
    }
    result = builder.CreateBinaryIntrinsic(id, values[0], values[1]);
    if (values.size() == 3)
      result = builder.CreateBinaryIntrinsic(id, result, values[2]);
    if (sign) {
      Value *floatSign = builder.CreateBitCast(sign, result->getType());
      result = builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, result, floatSign);
    }
    return canonicalNan(result);
  } else if (mode != Rounding::Nearest) {
    static constexpr std::pair<std::string_view, uint32_t> numbers[] = {
        {"add", 0}, {"sub", 1}, {"mul", 2}, {"fma", 3}};
    for (auto [name, number] : numbers)
      if (name == op) {
        Value *third = values.size() > 2 ? values[2] : llvm::ConstantFP::get(values[0]->getType(), 0.0);
        result = callOut(isSingle ? "quernRounded32" : "quernRounded64", values[0]->getType(),
                         {values[0], values[1], third, builder.getInt32(number),
                          builder.getInt32(static_cast<uint32_t>(mode))});
      }
  } else if (op == "add") {
    result = builder.CreateFAdd(values[0], values[1]);
  } else if (op == "sub") {
    result = builder.CreateFSub(values[0], values[1]);
  } else if (op == "mul") {
    result = builder.CreateFMul(values[0], values[1]);
  } else if (op == "fma") {
    result = builder.CreateIntrinsic(llvm::Intrinsic::fma, {values[0]->getType()},
                                     {values[0], values[1], values[2]});
  }
  if (!result)
    return nullptr;
  if (ftz)
    result = flush(result);
  if (has("sat"))
    return saturate(result);
  return canonicalNan(result);
}

/// One f16 or bf16 operation on 16-bit integers.
FunctionTranslator::Value *FunctionTranslator::halfOperation(std::string_view op, NumberType type,
                                                             std::vector<Value *> &values) {
  static constexpr std::pair<std::string_view, uint32_t> numbers[] = {
      {"add", 0}, {"sub", 1}, {"mul", 2}, {"fma", 3}, {"min", 4}, {"max", 5}, {"neg", 6}, {"abs", 7}};
  for (auto [name, number] : numbers) {
    if (name != op)
      continue;
    if (op == "neg" || op == "abs") {
      Value *value = values[0];
      if (has("ftz"))
        value = callOut("quernFlush16", builder.getInt16Ty(),
                        {value, builder.getInt1(type.kind == NumberType::BFloat)});
      return op == "neg" ? builder.CreateXor(value, 0x8000) : builder.CreateAnd(value, 0x7FFF);
    }
    // Flags as Arithmetic.h numbers them.
    uint32_t flags = number | (type.kind == NumberType::BFloat ? 0x100u : 0u) | (has("ftz") ? 0x200u : 0u) |
                     (has("sat") ? 0x400u : 0u) | (has("relu") ? 0x800u : 0u) | (has("NaN") ? 0x1000u : 0u) |
                     (has("xorsign") ? 0x2000u : 0u);
    Value *zero = builder.getInt16(0);
    return callOut("quernHalf", builder.getInt16Ty(),
                   {builder.getInt32(flags), values[0], values.size() > 1 ? values[1] : zero,
                    values.size() > 2 ? values[2] : zero});
  }
  return nullptr;
}

FunctionTranslator::Value *FunctionTranslator::floatOperation(std::string_view op, NumberType type,
                                                              std::vector<Value *> values) {
  if (type.isHalf())
    return halfOperation(op, type, values);
  if (type.kind != NumberType::Float)
    return nullptr;
  for (Value *&value : values)
    value = builder.CreateBitCast(value, floatType(type));
  Value *result = singleOperation(op, type, values);
  return result ? toInteger(result) : nullptr;
}

bool FunctionTranslator::elementwise(NumberType type, unsigned sources, std::string_view op) {
  if (operands().size() != sources + 1)
    return false;
  std::vector<std::vector<Value *>> values;
  for (unsigned i = 0; i < sources; ++i) {
    Value *value = load(operand(i + 1), type.width());
    if (!value)
      return false;
    values.push_back(split(value, type.bits, type.lanes));
  }
  std::vector<Value *> results;
  for (unsigned lane = 0; lane < type.lanes; ++lane) {
    std::vector<Value *> inputs;
    for (auto &value : values)
      inputs.push_back(value[lane]);
    Value *result = floatOperation(op, type, inputs);
    if (!result)
      return false;
    results.push_back(result);
  }
  store(operand(0), join(results, type.bits));
  return true;
}

bool FunctionTranslator::floatArithmetic() {
  auto found = types();
  if (found.empty() || found.size() > 2)
    return false;
  const std::string &op = current->opcode;
  std::string_view name = op == "mad" ? "fma" : std::string_view(op);
  if (found.size() == 2) {
    // Mixed precision: add, sub, fma of f32 with 16-bit sources (PTX ISA 9.7.5). The sources widen exactly.
    if (!found[0].isFloat(32) || !found[1].isHalf() || found[1].lanes != 1)
      return false;
    unsigned narrow = name == "fma" ? 2 : 1;
    std::vector<Value *> values;
    for (unsigned i = 1; i < operands().size(); ++i) {
      Value *value = i <= narrow ? load(operand(i), 16) : loadFloat(operand(i), 32);
      if (!value)
        return false;
      values.push_back(i <= narrow ? widen(found[1], value) : value);
    }
    if (values.size() != (name == "fma" ? 3u : 2u))
      return false;
    Value *result = singleOperation(name, found[0], values);
    if (result)
      storeFloat(operand(0), result);
    return result != nullptr;
  }
  unsigned sources = name == "fma" ? 3 : name == "neg" || name == "abs" ? 1 : 2;
  if ((name == "min" || name == "max") && operands().size() == 4)
    sources = 3;
  return elementwise(found[0], sources, name);
}

/// div.{rn,rz,rm,rp,approx,full}{.ftz}.{f32,f64}
bool FunctionTranslator::divideFloat() {
  NumberType type = types()[0];
  if (type.kind != NumberType::Float || type.bits < 32 || type.lanes != 1)
    return false;
  Value *a = loadFloat(operand(1), type.bits), *b = loadFloat(operand(2), type.bits);
  if (!a || !b)
    return false;
  bool ftz = has("ftz") && type.bits == 32;
  if (ftz) {
    a = flush(a);
    b = flush(b);
  }
  Rounding mode = rounding(Rounding::Nearest);
  Value *result = nullptr;
  if (mode == Rounding::Nearest)
    result = builder.CreateFDiv(a, b);
  else
    result = callOut(type.bits == 32 ? "quernRounded32" : "quernRounded64", a->getType(),
                     {a, b, b, builder.getInt32(4), builder.getInt32(static_cast<uint32_t>(mode))});
  if (has("approx") && type.bits == 32) {
    // The approximate quotient is zero for divisors in (2^126, 2^128) (PTX ISA, "div").
    Value *magnitude = builder.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, b);
    Value *large =
        builder.CreateAnd(builder.CreateFCmpOGT(magnitude, llvm::ConstantFP::get(b->getType(), 0x1p126)),
                          builder.CreateFCmpONE(magnitude, llvm::ConstantFP::getInfinity(b->getType())));
    Value *infinite = builder.CreateFCmpOEQ(builder.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, a),
                                            llvm::ConstantFP::getInfinity(a->getType()));
    Value *zero =
        builder.CreateFMul(llvm::ConstantFP::get(b->getType(), 0.0),
                           builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign,
                                                         llvm::ConstantFP::get(b->getType(), 1.0), b));
    zero =
        builder.CreateFMul(zero, builder.CreateBinaryIntrinsic(llvm::Intrinsic::copysign,
                                                               llvm::ConstantFP::get(b->getType(), 1.0), a));
    // Infinity over such a divisor is NaN: the reciprocal is zero.
    Value *special = builder.CreateSelect(infinite, llvm::ConstantFP::getNaN(a->getType()), zero);
    Value *isNan = builder.CreateFCmpUNO(a, b);
    result = builder.CreateSelect(builder.CreateAnd(large, builder.CreateNot(isNan)), special, result);
  }
  if (ftz)
    result = flush(result);
  storeFloat(operand(0), canonicalNan(result));
  return true;
}

/// rcp, sqrt, rsqrt, sin, cos, lg2, ex2, tanh.
bool FunctionTranslator::approximate() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 2)
    return false;
  NumberType type = found[0];
  // Numbers as Arithmetic.h gives them.
  static constexpr std::pair<std::string_view, uint32_t> numbers[] = {
      {"sin", 0}, {"cos", 1}, {"lg2", 2}, {"ex2", 3}, {"tanh", 4}, {"rsqrt", 5}, {"rcp", 6}, {"sqrt", 7}};
  const std::string &op = current->opcode;
  uint32_t number = 0;
  for (auto [name, n] : numbers)
    if (name == op)
      number = n;
  Value *raw = load(operand(1), type.width());
  if (!raw)
    return false;
  if (type.isHalf()) {
    if (op != "ex2" && op != "tanh")
      return false;
    // ex2.approx.ftz.bf16 and the others of 16 bits: through f32, rounded once more.
    std::vector<Value *> results;
    for (Value *lane : split(raw, 16, type.lanes))
      results.push_back(
          callOut("quernApproximate16", builder.getInt16Ty(),
                  {lane, builder.getInt32(number | (type.kind == NumberType::BFloat ? 0x100u : 0u) |
                                          (has("ftz") ? 0x200u : 0u))}));
    store(operand(0), join(results, 16));
    return true;
  }
  if (type.kind != NumberType::Float || type.lanes != 1)
    return false;
  Value *a = builder.CreateBitCast(raw, floatType(type));
  Rounding mode = rounding(Rounding::Nearest);
  if (type.bits == 64) {
    Value *result = nullptr;
    if (op == "rcp" && has("approx"))
      result = callOut("quernReciprocalHigh64", a->getType(), {a});
    else if (op == "rsqrt" && has("approx"))
      result = callOut(has("ftz") ? "quernRootHigh64" : "quernReciprocalRoot64", a->getType(), {a});
    else if ((op == "rcp" || op == "sqrt") && mode != Rounding::Nearest)
      result =
          callOut("quernRounded64", a->getType(),
                  {op == "rcp" ? llvm::ConstantFP::get(a->getType(), 1.0) : a, a, a,
                   builder.getInt32(op == "rcp" ? 4 : 5), builder.getInt32(static_cast<uint32_t>(mode))});
    else if (op == "rcp")
      result = builder.CreateFDiv(llvm::ConstantFP::get(a->getType(), 1.0), a);
    else if (op == "sqrt")
      result = builder.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a);
    if (!result)
      return false;
    storeFloat(operand(0), result);
    return true;
  }
  bool ftz = has("ftz");
  if (ftz)
    a = flush(a);
  Value *result = nullptr;
  if ((op == "rcp" || op == "sqrt") && mode != Rounding::Nearest)
    result = callOut("quernRounded32", a->getType(),
                     {op == "rcp" ? llvm::ConstantFP::get(a->getType(), 1.0) : a, a, a,
                      builder.getInt32(op == "rcp" ? 4 : 5), builder.getInt32(static_cast<uint32_t>(mode))});
  else if (op == "rcp")
    result = builder.CreateFDiv(llvm::ConstantFP::get(a->getType(), 1.0), a);
  else if (op == "sqrt")
    result = builder.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, a);
  else
    result = callOut("quernApproximate32", a->getType(), {a, builder.getInt32(number)});
  if (ftz)
    result = flush(result);
  storeFloat(operand(0), canonicalNan(result));
  return true;
}

/// copysign.type d, a, b: the sign of a on the magnitude of b.
bool FunctionTranslator::copySign() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 3)
    return false;
  unsigned bits = found[0].bits;
  Value *a = load(operand(1), bits), *b = load(operand(2), bits);
  if (!a || !b)
    return false;
  Value *sign = constant(bits, uint64_t(1) << (bits - 1));
  store(operand(0),
        builder.CreateOr(builder.CreateAnd(a, sign), builder.CreateAnd(b, builder.CreateNot(sign))));
  return true;
}

} // namespace quern::runtime::emulated::nvidia
