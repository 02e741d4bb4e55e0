//===- TranslateInteger.cpp - Integer and logic instructions --------------===//
//
// PTX ISA 9.7.1 (integer arithmetic), 9.7.2 (extended precision), 9.7.8 (logic and shift), 9.7.9.7 (prmt).
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/IR/Intrinsics.h"

namespace quern::runtime::emulated::nvidia {

using llvm::Intrinsic::ID;

bool FunctionTranslator::integerArithmetic() {
  auto found = types();
  if (found.empty() || operands().size() < 2)
    return false;
  NumberType type = found[0];
  if (!type.isInteger())
    return floatArithmetic();
  if (has("cc"))
    return carryArithmetic();
  unsigned sources = static_cast<unsigned>(operands().size()) - 1;
  std::vector<std::vector<Value *>> values;
  for (unsigned i = 0; i < sources; ++i) {
    Value *value = load(operand(i + 1), type.width());
    if (!value)
      return false;
    values.push_back(split(value, type.bits, type.lanes));
  }
  std::vector<Value *> results;
  for (unsigned lane = 0; lane < type.lanes; ++lane) {
    Value *a = values[0][lane], *result = nullptr;
    if (current->opcode == "neg" && sources == 1)
      result = builder.CreateNeg(a);
    else if (current->opcode == "abs" && sources == 1)
      result = builder.CreateBinaryIntrinsic(llvm::Intrinsic::abs, a, builder.getInt1(false));
    else if (sources != 2)
      return false;
    else if (current->opcode == "add" && has("sat"))
      result = builder.CreateBinaryIntrinsic(llvm::Intrinsic::sadd_sat, a, values[1][lane]);
    else if (current->opcode == "add")
      result = builder.CreateAdd(a, values[1][lane]);
    else if (current->opcode == "sub" && has("sat"))
      result = builder.CreateBinaryIntrinsic(llvm::Intrinsic::ssub_sat, a, values[1][lane]);
    else if (current->opcode == "sub")
      result = builder.CreateSub(a, values[1][lane]);
    else
      return false;
    results.push_back(result);
  }
  store(operand(0), join(results, type.bits), type.isSigned());
  return true;
}

/// add.cc, addc, sub.cc, subc, mad.cc, madc: the carry flag in and out (PTX ISA 9.7.2). Subtraction keeps the
/// borrow in it.
bool FunctionTranslator::carryArithmetic() {
  auto found = types();
  if (found.size() != 1 || !found[0].isInteger() || found[0].lanes != 1)
    return false;
  unsigned bits = found[0].bits;
  const std::string &op = current->opcode;
  bool isMad = op.starts_with("mad"), in = op.ends_with("c");
  if (operands().size() != (isMad ? 4u : 3u))
    return false;
  Value *a = load(operand(1), bits), *b = load(operand(2), bits);
  if (!a || !b)
    return false;
  if (isMad) {
    Value *third = load(operand(3), bits);
    if (!third)
      return false;
    auto *wide = intType(2 * bits);
    Value *x = found[0].isSigned() ? builder.CreateSExt(a, wide) : builder.CreateZExt(a, wide);
    Value *y = found[0].isSigned() ? builder.CreateSExt(b, wide) : builder.CreateZExt(b, wide);
    Value *product = builder.CreateMul(x, y);
    if (has("hi"))
      product = builder.CreateLShr(product, bits);
    else if (!has("lo"))
      return false;
    a = builder.CreateTrunc(product, intType(bits));
    b = third;
  }
  auto *wide = intType(bits + 1);
  Value *x = builder.CreateZExt(a, wide), *y = builder.CreateZExt(b, wide);
  bool subtract = op.starts_with("sub");
  Value *sum = subtract ? builder.CreateSub(x, y) : builder.CreateAdd(x, y);
  if (in) {
    Value *flag = builder.CreateZExt(builder.CreateLoad(builder.getInt1Ty(), carry), wide);
    sum = subtract ? builder.CreateSub(sum, flag) : builder.CreateAdd(sum, flag);
  }
  if (has("cc"))
    builder.CreateStore(builder.CreateTrunc(builder.CreateLShr(sum, bits), builder.getInt1Ty()), carry);
  store(operand(0), builder.CreateTrunc(sum, intType(bits)));
  return true;
}

/// mul.{hi,lo,wide}, mul24.{hi,lo}.
bool FunctionTranslator::multiply() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 3)
    return found.empty() ? false : floatArithmetic();
  NumberType type = found[0];
  if (!type.isInteger())
    return floatArithmetic();
  if (type.lanes != 1)
    return false;
  Value *a = load(operand(1), type.bits), *b = load(operand(2), type.bits);
  if (!a || !b)
    return false;
  auto *wide = intType(2u * type.bits);
  auto extend = [&](Value *value) {
    return type.isSigned() ? builder.CreateSExt(value, wide) : builder.CreateZExt(value, wide);
  };
  if (current->opcode == "mul24") {
    auto low24 = [&](Value *value) {
      Value *high = builder.CreateShl(value, 8);
      return type.isSigned() ? builder.CreateAShr(high, 8) : builder.CreateLShr(high, 8);
    };
    Value *product = builder.CreateMul(extend(low24(a)), extend(low24(b)));
    if (has("hi"))
      product = builder.CreateLShr(product, 16);
    store(operand(0), builder.CreateTrunc(product, intType(type.bits)));
    return true;
  }
  if (has("lo")) {
    store(operand(0), builder.CreateMul(a, b), type.isSigned());
    return true;
  }
  Value *product = builder.CreateMul(extend(a), extend(b));
  if (has("wide"))
    store(operand(0), product, type.isSigned());
  else if (has("hi"))
    store(operand(0), builder.CreateTrunc(builder.CreateLShr(product, type.bits), intType(type.bits)),
          type.isSigned());
  else
    return false;
  return true;
}

/// mad.{hi,lo,wide}{.sat}, mad24; mad of floating point is fma.
bool FunctionTranslator::multiplyAdd() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 4)
    return false;
  NumberType type = found[0];
  if (!type.isInteger())
    return floatArithmetic();
  if (has("cc"))
    return carryArithmetic();
  if (type.lanes != 1)
    return false;
  bool isWide = has("wide");
  unsigned resultBits = isWide ? 2u * type.bits : type.bits;
  Value *a = load(operand(1), type.bits), *b = load(operand(2), type.bits), *c = load(operand(3), resultBits);
  if (!a || !b || !c)
    return false;
  auto *wide = intType(2u * type.bits);
  auto extend = [&](Value *value) {
    return type.isSigned() ? builder.CreateSExt(value, wide) : builder.CreateZExt(value, wide);
  };
  Value *product = nullptr;
  if (current->opcode == "mad24") {
    auto low24 = [&](Value *value) {
      Value *high = builder.CreateShl(value, 8);
      return type.isSigned() ? builder.CreateAShr(high, 8) : builder.CreateLShr(high, 8);
    };
    product = builder.CreateMul(extend(low24(a)), extend(low24(b)));
    if (has("hi"))
      product = builder.CreateLShr(product, 16);
    product = builder.CreateTrunc(product, intType(type.bits));
  } else if (isWide) {
    product = builder.CreateMul(extend(a), extend(b));
  } else if (has("lo")) {
    product = builder.CreateMul(a, b);
  } else if (has("hi")) {
    product = builder.CreateTrunc(builder.CreateLShr(builder.CreateMul(extend(a), extend(b)), type.bits),
                                  intType(type.bits));
  } else {
    return false;
  }
  Value *sum = has("sat") ? builder.CreateBinaryIntrinsic(llvm::Intrinsic::sadd_sat, product, c)
                          : builder.CreateAdd(product, c);
  store(operand(0), sum, type.isSigned());
  return true;
}

bool FunctionTranslator::minMaxInteger() {
  auto found = types();
  if (found.empty() || operands().size() < 3)
    return false;
  NumberType type = found[0];
  if (!type.isInteger())
    return floatArithmetic();
  Value *a = load(operand(1), type.width()), *b = load(operand(2), type.width());
  if (!a || !b || operands().size() != 3)
    return false;
  std::vector<Value *> x = split(a, type.bits, type.lanes), y = split(b, type.bits, type.lanes), results;
  bool isMin = current->opcode == "min";
  ID id = type.isSigned() ? (isMin ? llvm::Intrinsic::smin : llvm::Intrinsic::smax)
                          : (isMin ? llvm::Intrinsic::umin : llvm::Intrinsic::umax);
  for (unsigned lane = 0; lane < type.lanes; ++lane) {
    Value *result = builder.CreateBinaryIntrinsic(id, x[lane], y[lane]);
    if (has("relu"))
      result = builder.CreateBinaryIntrinsic(llvm::Intrinsic::smax, result, constant(type.bits, 0));
    results.push_back(result);
  }
  store(operand(0), join(results, type.bits), type.isSigned());
  return true;
}

/// div and rem. Division by zero is left open by the manual; here it gives all ones, and the remainder the
/// dividend.
bool FunctionTranslator::divide() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 3)
    return false;
  NumberType type = found[0];
  if (!type.isInteger())
    return current->opcode == "div" && divideFloat();
  Value *a = load(operand(1), type.bits), *b = load(operand(2), type.bits);
  if (!a || !b || type.lanes != 1)
    return false;
  Value *zero = constant(type.bits, 0), *one = constant(type.bits, 1);
  Value *isZero = builder.CreateICmpEQ(b, zero), *safe = builder.CreateSelect(isZero, one, b);
  bool isDiv = current->opcode == "div";
  Value *result = nullptr;
  if (type.isSigned()) {
    // The most negative value over -1 wraps.
    Value *isMinusOne = builder.CreateICmpEQ(b, llvm::ConstantInt::getAllOnesValue(b->getType()));
    safe = builder.CreateSelect(isMinusOne, one, safe);
    result = isDiv ? builder.CreateSDiv(a, safe) : builder.CreateSRem(a, safe);
    result = builder.CreateSelect(isMinusOne, isDiv ? builder.CreateNeg(a) : zero, result);
  } else {
    result = isDiv ? builder.CreateUDiv(a, safe) : builder.CreateURem(a, safe);
  }
  Value *byZero = isDiv ? llvm::ConstantInt::getAllOnesValue(a->getType()) : a;
  store(operand(0), builder.CreateSelect(isZero, byZero, result), type.isSigned());
  return true;
}

bool FunctionTranslator::logic() {
  auto found = types();
  if (found.size() != 1 || operands().size() < 2)
    return false;
  unsigned bits = found[0].width();
  const std::string &op = current->opcode;
  Value *a = load(operand(1), bits);
  if (!a)
    return false;
  if (op == "not" || op == "cnot") {
    Value *result = op == "not"
                        ? builder.CreateNot(a)
                        : builder.CreateZExt(builder.CreateICmpEQ(a, constant(bits, 0)), intType(bits));
    store(operand(0), result);
    return operands().size() == 2;
  }
  Value *b = operands().size() == 3 ? load(operand(2), bits) : nullptr;
  if (!b)
    return false;
  store(operand(0), op == "and"  ? builder.CreateAnd(a, b)
                    : op == "or" ? builder.CreateOr(a, b)
                                 : builder.CreateXor(a, b));
  return true;
}

/// shl, shr: amounts are unsigned 32-bit numbers, clamped to the width.
bool FunctionTranslator::shift() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 3)
    return false;
  unsigned bits = found[0].width();
  Value *a = load(operand(1), bits), *amount = load(operand(2), 32);
  if (!a || !amount)
    return false;
  Value *tooFar = builder.CreateICmpUGE(amount, builder.getInt32(bits));
  if (current->opcode == "shr" && found[0].isSigned()) {
    Value *clamped = builder.CreateSelect(tooFar, builder.getInt32(bits - 1), amount);
    store(operand(0), builder.CreateAShr(a, builder.CreateZExtOrTrunc(clamped, intType(bits))), true);
    return true;
  }
  Value *safe =
      builder.CreateZExtOrTrunc(builder.CreateSelect(tooFar, builder.getInt32(0), amount), intType(bits));
  Value *shifted = current->opcode == "shl" ? builder.CreateShl(a, safe) : builder.CreateLShr(a, safe);
  store(operand(0), builder.CreateSelect(tooFar, constant(bits, 0), shifted));
  return true;
}

bool FunctionTranslator::funnelShift() {
  if (operands().size() != 4 || !has("b32"))
    return false;
  Value *a = load(operand(1), 32), *b = load(operand(2), 32), *c = load(operand(3), 32);
  if (!a || !b || !c)
    return false;
  Value *amount = nullptr;
  if (has("wrap"))
    amount = builder.CreateAnd(c, 31);
  else if (has("clamp"))
    amount = builder.CreateBinaryIntrinsic(llvm::Intrinsic::umin, c, builder.getInt32(32));
  else
    return false;
  Value *wide = builder.CreateZExt(amount, builder.getInt64Ty());
  Value *both = join({a, b}, 32);
  Value *shifted = nullptr;
  if (has("l"))
    shifted = builder.CreateLShr(builder.CreateShl(both, wide), 32);
  else if (has("r"))
    shifted = builder.CreateLShr(both, wide);
  else
    return false;
  store(operand(0), builder.CreateTrunc(shifted, builder.getInt32Ty()));
  return true;
}

/// bfe, bfi, bmsk, szext.
bool FunctionTranslator::bitField() {
  auto found = types();
  if (found.size() != 1)
    return false;
  unsigned bits = found[0].bits;
  auto *type = intType(bits);
  Value *zero = constant(bits, 0), *all = llvm::ConstantInt::getAllOnesValue(type), *one = constant(bits, 1);
  // 1 << n without the undefined case; the caller gives n as 32 bits.
  auto shiftLeft = [&](Value *value, Value *amount) {
    Value *tooFar = builder.CreateICmpUGE(amount, builder.getInt32(bits));
    Value *safe = builder.CreateZExtOrTrunc(builder.CreateSelect(tooFar, builder.getInt32(0), amount), type);
    return builder.CreateSelect(tooFar, zero, builder.CreateShl(value, safe));
  };
  auto shiftRight = [&](Value *value, Value *amount) {
    Value *tooFar = builder.CreateICmpUGE(amount, builder.getInt32(bits));
    Value *safe = builder.CreateZExtOrTrunc(builder.CreateSelect(tooFar, builder.getInt32(0), amount), type);
    return builder.CreateSelect(tooFar, zero, builder.CreateLShr(value, safe));
  };
  auto lowMask = [&](Value *length) { return builder.CreateSub(shiftLeft(one, length), one); };
  const std::string &op = current->opcode;
  if (op == "bfe" && operands().size() == 4) {
    Value *a = load(operand(1), bits), *b = load(operand(2), 32), *c = load(operand(3), 32);
    if (!a || !b || !c)
      return false;
    Value *position = builder.CreateAnd(b, 255), *length = builder.CreateAnd(c, 255);
    Value *mask = lowMask(length);
    Value *field = builder.CreateAnd(shiftRight(a, position), mask);
    if (found[0].isSigned()) {
      Value *last = builder.CreateSub(builder.CreateAdd(position, length), builder.getInt32(1));
      last = builder.CreateBinaryIntrinsic(llvm::Intrinsic::umin, last, builder.getInt32(bits - 1));
      Value *sign = builder.CreateTrunc(builder.CreateLShr(a, builder.CreateZExtOrTrunc(last, type)),
                                        builder.getInt1Ty());
      sign = builder.CreateAnd(sign, builder.CreateICmpNE(length, builder.getInt32(0)));
      Value *valid = builder.CreateAnd(mask, shiftRight(all, position));
      field = builder.CreateSelect(sign, builder.CreateOr(field, builder.CreateNot(valid)), field);
    }
    store(operand(0), field);
    return true;
  }
  if (op == "bfi" && operands().size() == 5) {
    Value *a = load(operand(1), bits), *b = load(operand(2), bits), *c = load(operand(3), 32),
          *d = load(operand(4), 32);
    if (!a || !b || !c || !d)
      return false;
    Value *position = builder.CreateAnd(c, 255), *length = builder.CreateAnd(d, 255);
    Value *mask = shiftLeft(lowMask(length), position);
    Value *field = builder.CreateAnd(shiftLeft(a, position), mask);
    store(operand(0), builder.CreateOr(builder.CreateAnd(b, builder.CreateNot(mask)), field));
    return true;
  }
  if (bits != 32 || operands().size() != 3)
    return false;
  Value *a = load(operand(1), 32), *b = load(operand(2), 32);
  if (!a || !b)
    return false;
  Value *b1 = builder.CreateAnd(b, 31);
  if (op == "bmsk") {
    Value *a1 = builder.CreateAnd(a, 31);
    Value *mask0 = builder.CreateShl(all, a1), *sum = builder.CreateAdd(a1, b1);
    Value *overflow = builder.CreateICmpUGE(sum, builder.getInt32(32));
    if (has("clamp")) {
      Value *beyond = builder.CreateICmpUGE(a, builder.getInt32(32));
      mask0 = builder.CreateSelect(beyond, zero, mask0);
      overflow = builder.CreateOr(overflow,
                                  builder.CreateOr(beyond, builder.CreateICmpUGE(b, builder.getInt32(32))));
    }
    Value *mask1 = builder.CreateSelect(builder.CreateICmpEQ(b1, zero), all, shiftLeft(all, sum));
    mask1 = builder.CreateSelect(overflow, zero, mask1);
    store(operand(0), builder.CreateAnd(mask0, builder.CreateNot(mask1)));
    return true;
  }
  if (op == "szext") {
    Value *tooLarge = has("clamp") ? builder.CreateICmpUGE(b, builder.getInt32(32))
                                   : static_cast<Value *>(builder.getInt1(false));
    Value *mask = builder.CreateSelect(tooLarge, zero, builder.CreateShl(all, b1));
    Value *result = builder.CreateAnd(a, builder.CreateNot(mask));
    if (found[0].isSigned()) {
      Value *position = builder.CreateAnd(builder.CreateSub(b1, one), 31);
      Value *sign = builder.CreateTrunc(builder.CreateLShr(a, position), builder.getInt1Ty());
      Value *none = builder.CreateOr(tooLarge, builder.CreateICmpEQ(b1, zero));
      sign = builder.CreateAnd(sign, builder.CreateNot(none));
      result = builder.CreateSelect(sign, builder.CreateOr(result, mask), result);
    }
    store(operand(0), result);
    return true;
  }
  return false;
}

/// popc, clz, brev, bfind, fns.
bool FunctionTranslator::bitCount() {
  auto found = types();
  const std::string &op = current->opcode;
  if (op == "fns" && operands().size() == 4) {
    Value *mask = load(operand(1), 32), *base = load(operand(2), 32), *offset = load(operand(3), 32);
    if (!mask || !base || !offset)
      return false;
    store(operand(0), callOut("quernFindNthSet", builder.getInt32Ty(), {mask, base, offset}));
    return true;
  }
  if (found.size() != 1 || operands().size() != 2)
    return false;
  unsigned bits = found[0].bits;
  Value *a = load(operand(1), bits);
  if (!a)
    return false;
  auto *i32 = builder.getInt32Ty();
  auto leadingZeros = [&](Value *value) {
    return builder.CreateTrunc(
        builder.CreateBinaryIntrinsic(llvm::Intrinsic::ctlz, value, builder.getInt1(false)), i32);
  };
  if (op == "popc") {
    store(operand(0), builder.CreateTrunc(builder.CreateUnaryIntrinsic(llvm::Intrinsic::ctpop, a), i32));
  } else if (op == "clz") {
    store(operand(0), leadingZeros(a));
  } else if (op == "brev") {
    store(operand(0), builder.CreateUnaryIntrinsic(llvm::Intrinsic::bitreverse, a));
  } else if (op == "bfind") {
    if (found[0].isSigned())
      a = builder.CreateSelect(builder.CreateICmpSLT(a, constant(bits, 0)), builder.CreateNot(a), a);
    Value *zeros = leadingZeros(a);
    Value *result = has("shiftamt") ? zeros : builder.CreateSub(builder.getInt32(bits - 1), zeros);
    Value *none = builder.CreateICmpEQ(a, constant(bits, 0));
    store(operand(0), builder.CreateSelect(none, builder.getInt32(~0u), result));
  } else {
    return false;
  }
  return true;
}

bool FunctionTranslator::permute() {
  if (operands().size() != 4)
    return false;
  Value *a = load(operand(1), 32), *b = load(operand(2), 32), *c = load(operand(3), 32);
  if (!a || !b || !c)
    return false;
  static constexpr std::pair<const char *, uint32_t> modes[] = {{"f4e", 1}, {"b4e", 2}, {"rc8", 3},
                                                                {"ecl", 4}, {"ecr", 5}, {"rc16", 6}};
  uint32_t mode = 0;
  for (auto [name, number] : modes)
    if (has(name))
      mode = number;
  auto *selector = llvm::dyn_cast<llvm::ConstantInt>(c);
  if (mode != 0 || !selector) {
    store(operand(0), callOut("quernPermute", builder.getInt32Ty(), {a, b, c, builder.getInt32(mode)}));
    return true;
  }
  Value *both = join({a, b}, 32);
  std::vector<Value *> bytes;
  for (unsigned i = 0; i < 4; ++i) {
    uint64_t nibble = selector->getZExtValue() >> (4 * i) & 15;
    Value *byte = builder.CreateTrunc(builder.CreateLShr(both, 8 * (nibble & 7)), builder.getInt8Ty());
    if (nibble & 8) // the sign of the byte, replicated
      byte = builder.CreateAShr(byte, 7);
    bytes.push_back(byte);
  }
  store(operand(0), join(bytes, 8));
  return true;
}

/// lop3: the table's bit at index a*4 + b*2 + c, for every bit position.
bool FunctionTranslator::lop3() {
  size_t first = operands().size() == 6 ? 1 : 0; // lop3.and/or with a predicate in and out
  if (operands().size() != 5 && !first)
    return false;
  const Operand &table = operand(4);
  Value *inputs[3];
  for (unsigned i = 0; i < 3; ++i)
    if (inputs[i] = load(operand(i + 1), 32); !inputs[i])
      return false;
  if (table.kind != Operand::Integer)
    return false;
  Value *result = builder.getInt32(0);
  for (unsigned i = 0; i < 8; ++i) {
    if (!(table.value >> i & 1))
      continue;
    Value *term = builder.getInt32(~0u);
    for (unsigned j = 0; j < 3; ++j)
      term = builder.CreateAnd(term, i >> (2 - j) & 1 ? inputs[j] : builder.CreateNot(inputs[j]));
    result = builder.CreateOr(result, term);
  }
  if (!first) {
    store(operand(0), result);
    return true;
  }
  const Operand &pair = operand(0);
  Value *q = loadPredicate(operand(5));
  if (pair.kind != Operand::Pair || !q)
    return false;
  Value *any = builder.CreateICmpNE(result, builder.getInt32(0));
  store(pair.parts[0], result);
  store(pair.parts[1], has("or") ? builder.CreateOr(any, q) : builder.CreateAnd(any, q));
  return true;
}

/// dp4a.atype.btype, dp2a.{lo,hi}.atype.btype: sums wrap in 32 bits.
bool FunctionTranslator::dotProduct() {
  auto found = types();
  if (found.size() != 2 || operands().size() != 4)
    return false;
  Value *a = load(operand(1), 32), *b = load(operand(2), 32), *sum = load(operand(3), 32);
  if (!a || !b || !sum)
    return false;
  auto *i32 = builder.getInt32Ty();
  auto extend = [&](Value *value, bool isSigned) {
    return isSigned ? builder.CreateSExt(value, i32) : builder.CreateZExt(value, i32);
  };
  bool isFour = current->opcode == "dp4a";
  unsigned lanes = isFour ? 4 : 2;
  std::vector<Value *> x = split(a, 32 / lanes, lanes), y = split(b, 8, 4);
  for (unsigned i = 0; i < lanes; ++i) {
    unsigned j = isFour || has("lo") ? i : i + 2;
    sum = builder.CreateAdd(
        sum, builder.CreateMul(extend(x[i], found[0].isSigned()), extend(y[j], found[1].isSigned())));
  }
  store(operand(0), sum);
  return true;
}

/// sad: c + |a - b|.
bool FunctionTranslator::sumOfDifferences() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 4)
    return false;
  unsigned bits = found[0].bits;
  Value *a = load(operand(1), bits), *b = load(operand(2), bits), *c = load(operand(3), bits);
  if (!a || !b || !c)
    return false;
  Value *less = found[0].isSigned() ? builder.CreateICmpSLT(a, b) : builder.CreateICmpULT(a, b);
  Value *difference = builder.CreateSelect(less, builder.CreateSub(b, a), builder.CreateSub(a, b));
  store(operand(0), builder.CreateAdd(c, difference));
  return true;
}

} // namespace quern::runtime::emulated::nvidia
