//===- TranslateCompare.cpp - Comparison and selection --------------------===//
//
// PTX ISA 9.7.6 (set, setp, selp, slct), 9.7.7 (half precision), 9.7.3.1 (testp).
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/IR/Intrinsics.h"

namespace quern::runtime::emulated::nvidia {

using llvm::CmpInst;

namespace {

CmpInst::Predicate integerPredicate(std::string_view how, bool isSigned) {
  if (how == "eq")
    return CmpInst::ICMP_EQ;
  if (how == "ne")
    return CmpInst::ICMP_NE;
  if (how == "lt")
    return isSigned ? CmpInst::ICMP_SLT : CmpInst::ICMP_ULT;
  if (how == "le")
    return isSigned ? CmpInst::ICMP_SLE : CmpInst::ICMP_ULE;
  if (how == "gt")
    return isSigned ? CmpInst::ICMP_SGT : CmpInst::ICMP_UGT;
  if (how == "ge")
    return isSigned ? CmpInst::ICMP_SGE : CmpInst::ICMP_UGE;
  if (how == "lo")
    return CmpInst::ICMP_ULT;
  if (how == "ls")
    return CmpInst::ICMP_ULE;
  if (how == "hi")
    return CmpInst::ICMP_UGT;
  if (how == "hs")
    return CmpInst::ICMP_UGE;
  return CmpInst::BAD_ICMP_PREDICATE;
}

/// The ordered forms are false when an operand is NaN, the forms with "u" true.
CmpInst::Predicate floatPredicate(std::string_view how) {
  static constexpr std::pair<std::string_view, CmpInst::Predicate> table[] = {
      {"eq", CmpInst::FCMP_OEQ},  {"ne", CmpInst::FCMP_ONE},  {"lt", CmpInst::FCMP_OLT},
      {"le", CmpInst::FCMP_OLE},  {"gt", CmpInst::FCMP_OGT},  {"ge", CmpInst::FCMP_OGE},
      {"equ", CmpInst::FCMP_UEQ}, {"neu", CmpInst::FCMP_UNE}, {"ltu", CmpInst::FCMP_ULT},
      {"leu", CmpInst::FCMP_ULE}, {"gtu", CmpInst::FCMP_UGT}, {"geu", CmpInst::FCMP_UGE},
      {"num", CmpInst::FCMP_ORD}, {"nan", CmpInst::FCMP_UNO}};
  for (auto [name, predicate] : table)
    if (name == how)
      return predicate;
  return CmpInst::BAD_FCMP_PREDICATE;
}

} // namespace

/// Compares two elements given as integers; null where the comparison does not exist for the type.
FunctionTranslator::Value *FunctionTranslator::compare(std::string_view how, NumberType type, Value *a,
                                                       Value *b, bool flushSubnormals) {
  if (type.isInteger()) {
    CmpInst::Predicate predicate = integerPredicate(how, type.isSigned());
    return predicate == CmpInst::BAD_ICMP_PREDICATE ? nullptr : builder.CreateICmp(predicate, a, b);
  }
  CmpInst::Predicate predicate = floatPredicate(how);
  if (predicate == CmpInst::BAD_FCMP_PREDICATE)
    return nullptr;
  Value *x = nullptr, *y = nullptr;
  if (type.isHalf()) {
    if (flushSubnormals) {
      a = callOut("quernFlush16", builder.getInt16Ty(),
                  {a, builder.getInt1(type.kind == NumberType::BFloat)});
      b = callOut("quernFlush16", builder.getInt16Ty(),
                  {b, builder.getInt1(type.kind == NumberType::BFloat)});
    }
    x = widen(type, a);
    y = widen(type, b);
  } else if (type.kind == NumberType::Float) {
    x = builder.CreateBitCast(a, floatType(type));
    y = builder.CreateBitCast(b, floatType(type));
    if (flushSubnormals && type.bits == 32) {
      x = flush(x);
      y = flush(y);
    }
  } else {
    return nullptr;
  }
  return builder.CreateFCmp(predicate, x, y);
}

/// The optional "and|or|xor with predicate c" of set and setp; |predicate| unchanged where the instruction
/// has none.
FunctionTranslator::Value *FunctionTranslator::combine(Value *predicate) {
  if (operands().size() != 4)
    return predicate;
  Value *c = loadPredicate(operand(3));
  if (!c)
    return nullptr;
  if (has("and"))
    return builder.CreateAnd(predicate, c);
  if (has("or"))
    return builder.CreateOr(predicate, c);
  if (has("xor"))
    return builder.CreateXor(predicate, c);
  return nullptr;
}

/// setp.cmp{.bool}{.ftz}.type p{|q}, a, b{, {!}c}; the packed types write one predicate per half.
bool FunctionTranslator::setPredicate() {
  auto found = types();
  if (found.size() != 1 || operands().size() < 3 || current->modifiers.empty())
    return false;
  NumberType type = found[0];
  std::string_view how = current->modifiers[0];
  Value *a = load(operand(1), type.width()), *b = load(operand(2), type.width());
  if (!a || !b)
    return false;
  std::vector<Value *> x = split(a, type.bits, type.lanes), y = split(b, type.bits, type.lanes);
  const Operand &to = operand(0);
  Value *first = compare(how, type, x[0], y[0], has("ftz"));
  if (!first)
    return false;
  if (type.lanes == 2) {
    Value *second = compare(how, type, x[1], y[1], has("ftz"));
    if (to.kind != Operand::Pair)
      return false;
    first = combine(first);
    second = combine(second);
    if (!first || !second)
      return false;
    store(to.parts[0], first);
    store(to.parts[1], second);
    return true;
  }
  if (to.kind == Operand::Pair) {
    // p = (a cmp b) bool c, q = !(a cmp b) bool c
    Value *p = combine(first), *q = combine(builder.CreateNot(first));
    if (!p || !q)
      return false;
    store(to.parts[0], p);
    store(to.parts[1], q);
    return true;
  }
  Value *p = combine(first);
  if (!p || to.kind != Operand::Register)
    return false;
  store(to, p);
  return true;
}

/// set.cmp{.bool}{.ftz}.dtype.stype d, a, b{, {!}c}: all ones or 1.0 where it holds.
bool FunctionTranslator::set() {
  auto found = types();
  if (found.size() != 2 || operands().size() < 3)
    return false;
  NumberType to = found[0], from = found[1];
  Value *a = load(operand(1), from.width()), *b = load(operand(2), from.width());
  if (!a || !b)
    return false;
  std::vector<Value *> x = split(a, from.bits, from.lanes), y = split(b, from.bits, from.lanes), results;
  unsigned bits = to.width() / from.lanes;
  for (unsigned lane = 0; lane < from.lanes; ++lane) {
    Value *holds = compare(current->modifiers[0], from, x[lane], y[lane], has("ftz"));
    if (holds)
      holds = combine(holds);
    if (!holds)
      return false;
    uint64_t one = to.isFloat(32)                  ? 0x3F800000
                   : to.isFloat(16)                ? 0x3C00
                   : to.kind == NumberType::BFloat ? 0x3F80
                                                   : ~uint64_t(0);
    one &= bits == 64 ? ~uint64_t(0) : (uint64_t(1) << bits) - 1;
    results.push_back(builder.CreateSelect(holds, constant(bits, one), constant(bits, 0)));
  }
  store(operand(0), join(results, bits));
  return true;
}

bool FunctionTranslator::select() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 4)
    return false;
  Value *a = load(operand(1), found[0].width()), *b = load(operand(2), found[0].width()),
        *p = loadPredicate(operand(3));
  if (!a || !b || !p)
    return false;
  store(operand(0), builder.CreateSelect(p, a, b), found[0].isSigned());
  return true;
}

/// slct.dtype.{s32,f32} d, a, b, c: a if c >= 0; -0 counts as zero and NaN takes b.
bool FunctionTranslator::selectBySign() {
  auto found = types();
  if (found.size() != 2 || operands().size() != 4)
    return false;
  Value *a = load(operand(1), found[0].bits), *b = load(operand(2), found[0].bits), *c = load(operand(3), 32);
  if (!a || !b || !c)
    return false;
  Value *holds = compare("ge", found[1], c, builder.getInt32(0), has("ftz"));
  if (!holds)
    return false;
  store(operand(0), builder.CreateSelect(holds, a, b), found[0].isSigned());
  return true;
}

bool FunctionTranslator::testProperty() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 2 || found[0].kind != NumberType::Float || found[0].bits < 32)
    return false;
  Value *value = loadFloat(operand(1), found[0].bits);
  if (!value)
    return false;
  // The zeros count as normal.
  static constexpr std::pair<const char *, llvm::FPClassTest> tests[] = {
      {"finite", llvm::fcFinite},
      {"infinite", llvm::fcInf},
      {"number", static_cast<llvm::FPClassTest>(llvm::fcFinite | llvm::fcInf)},
      {"notanumber", llvm::fcNan},
      {"normal", static_cast<llvm::FPClassTest>(llvm::fcNormal | llvm::fcZero)},
      {"subnormal", llvm::fcSubnormal}};
  for (auto [name, mask] : tests)
    if (has(name)) {
      store(operand(0), builder.createIsFPClass(value, mask));
      return true;
    }
  return false;
}

} // namespace quern::runtime::emulated::nvidia
