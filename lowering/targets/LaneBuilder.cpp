//===- LaneBuilder.cpp ----------------------------------------------------===//
#include "lowering/targets/LaneBuilder.h"

using namespace mlir;

namespace quern::lowering {

Type LaneBuilder::laneType(Type element) const {
  return simd() ? Type(VectorType::get({simdLanes}, element)) : element;
}

Type LaneBuilder::elementType(Value v) {
  auto vector = llvm::dyn_cast<VectorType>(v.getType());
  return vector ? vector.getElementType() : v.getType();
}

Type LaneBuilder::like(Value v, Type element) {
  auto vector = llvm::dyn_cast<VectorType>(v.getType());
  return vector ? Type(VectorType::get(vector.getShape(), element)) : element;
}

static Value constantOf(OpBuilder &builder, Location loc, Type type, TypedAttr element) {
  if (auto vector = llvm::dyn_cast<VectorType>(type))
    return LLVM::ConstantOp::create(builder, loc, type, DenseElementsAttr::get(vector, Attribute(element)));
  return LLVM::ConstantOp::create(builder, loc, type, element);
}

Value LaneBuilder::constantLike(Value like, int64_t value) {
  Type element = elementType(like);
  return constantOf(*this, loc, like.getType(), getIntegerAttr(element, value));
}

Value LaneBuilder::constantLike(Value like, double value) {
  return constantOf(*this, loc, like.getType(), getFloatAttr(elementType(like), value));
}

Value LaneBuilder::i32(int32_t value) {
  return LLVM::ConstantOp::create(*this, loc, getI32IntegerAttr(value));
}
Value LaneBuilder::i64(int64_t value) {
  return LLVM::ConstantOp::create(*this, loc, getI64IntegerAttr(value));
}
Value LaneBuilder::f32(float value) { return LLVM::ConstantOp::create(*this, loc, getF32FloatAttr(value)); }
Value LaneBuilder::i1(bool value) { return LLVM::ConstantOp::create(*this, loc, getBoolAttr(value)); }
Value LaneBuilder::zero(Type type) { return LLVM::ZeroOp::create(*this, loc, type); }

Value LaneBuilder::laneConstants(ArrayRef<int32_t> values) {
  auto type = VectorType::get({int64_t(values.size())}, getI32Type());
  return LLVM::ConstantOp::create(*this, loc, type, DenseElementsAttr::get(type, values));
}

Value LaneBuilder::spread(Value scalar) {
  if (!simd() || isVector(scalar))
    return scalar;
  auto type = VectorType::get({simdLanes}, scalar.getType());
  Value undefined = LLVM::PoisonOp::create(*this, loc, type);
  Value one = LLVM::InsertElementOp::create(*this, loc, undefined, scalar, i32(0));
  SmallVector<int32_t> mask(simdLanes, 0);
  return LLVM::ShuffleVectorOp::create(*this, loc, one, undefined, mask);
}

Value LaneBuilder::first(Value lanes) {
  return isVector(lanes) ? Value(LLVM::ExtractElementOp::create(*this, loc, lanes, i32(0))) : lanes;
}

void LaneBuilder::match(Value &a, Value &b) {
  if (isVector(a) != isVector(b)) {
    a = spread(a);
    b = spread(b);
  }
}

Value LaneBuilder::add(Value a, Value b) {
  match(a, b);
  return LLVM::AddOp::create(*this, loc, a, b);
}
Value LaneBuilder::sub(Value a, Value b) {
  match(a, b);
  return LLVM::SubOp::create(*this, loc, a, b);
}
Value LaneBuilder::mul(Value a, Value b) {
  match(a, b);
  return LLVM::MulOp::create(*this, loc, a, b);
}
Value LaneBuilder::andI(Value a, Value b) {
  match(a, b);
  return LLVM::AndOp::create(*this, loc, a, b);
}
Value LaneBuilder::orI(Value a, Value b) {
  match(a, b);
  return LLVM::OrOp::create(*this, loc, a, b);
}
Value LaneBuilder::xorI(Value a, Value b) {
  match(a, b);
  return LLVM::XOrOp::create(*this, loc, a, b);
}
Value LaneBuilder::udiv(Value a, Value b) {
  match(a, b);
  return LLVM::UDivOp::create(*this, loc, a, b);
}
Value LaneBuilder::urem(Value a, Value b) {
  match(a, b);
  return LLVM::URemOp::create(*this, loc, a, b);
}
Value LaneBuilder::shl(Value a, int64_t bits) {
  return LLVM::ShlOp::create(*this, loc, a, constantLike(a, bits));
}
Value LaneBuilder::lshr(Value a, int64_t bits) {
  return LLVM::LShrOp::create(*this, loc, a, constantLike(a, bits));
}

// Products and sums may be contracted to a fused multiply-add: the accumulation contract is f32 with one
// rounding per step at least.
static constexpr auto contract = LLVM::FastmathFlags::contract;

Value LaneBuilder::fadd(Value a, Value b) {
  match(a, b);
  return LLVM::FAddOp::create(*this, loc, a, b, contract);
}
Value LaneBuilder::fsub(Value a, Value b) {
  match(a, b);
  return LLVM::FSubOp::create(*this, loc, a, b, contract);
}
Value LaneBuilder::fmul(Value a, Value b) {
  match(a, b);
  return LLVM::FMulOp::create(*this, loc, a, b, contract);
}
Value LaneBuilder::fdiv(Value a, Value b) {
  match(a, b);
  return LLVM::FDivOp::create(*this, loc, a, b);
}
Value LaneBuilder::fma(Value a, Value b, Value c) {
  match(a, b);
  match(a, c);
  match(b, c);
  return LLVM::FMAOp::create(*this, loc, a, b, c);
}

Value LaneBuilder::icmp(LLVM::ICmpPredicate predicate, Value a, Value b) {
  match(a, b);
  return LLVM::ICmpOp::create(*this, loc, predicate, a, b);
}
Value LaneBuilder::fcmp(LLVM::FCmpPredicate predicate, Value a, Value b) {
  match(a, b);
  return LLVM::FCmpOp::create(*this, loc, predicate, a, b);
}
Value LaneBuilder::select(Value condition, Value a, Value b) {
  match(a, b);
  if (isVector(condition))
    match(condition, a), match(condition, b);
  return LLVM::SelectOp::create(*this, loc, condition, a, b);
}

Value LaneBuilder::zext(Value v, Type element) {
  return LLVM::ZExtOp::create(*this, loc, like(v, element), v);
}
Value LaneBuilder::sext(Value v, Type element) {
  return LLVM::SExtOp::create(*this, loc, like(v, element), v);
}
Value LaneBuilder::trunc(Value v, Type element) {
  return LLVM::TruncOp::create(*this, loc, like(v, element), v);
}
Value LaneBuilder::bitcast(Value v, Type element) {
  return LLVM::BitcastOp::create(*this, loc, like(v, element), v);
}
Value LaneBuilder::toI64(Value v) { return elementType(v).isInteger(64) ? v : sext(v, getI64Type()); }

Value LaneBuilder::gep(Value base, Type element, Value index) {
  Type pointer = base.getType();
  if (auto vector = llvm::dyn_cast<VectorType>(index.getType()))
    pointer = VectorType::get(vector.getShape(), pointer);
  return LLVM::GEPOp::create(*this, loc, pointer, element, base, ArrayRef<LLVM::GEPArg>{index});
}

Value LaneBuilder::load(Value pointer, Type type, unsigned alignment) {
  return LLVM::LoadOp::create(*this, loc, type, pointer, alignment);
}
void LaneBuilder::store(Value value, Value pointer, unsigned alignment) {
  LLVM::StoreOp::create(*this, loc, value, pointer, alignment);
}

Value LaneBuilder::splitFrom(ArrayRef<Value> elements, int32_t &first) {
  Value vector;
  for (auto [i, element] : llvm::enumerate(elements)) {
    auto extract = element.getDefiningOp<LLVM::ExtractElementOp>();
    auto index = extract ? extract.getPosition().getDefiningOp<LLVM::ConstantOp>() : LLVM::ConstantOp();
    if (!index)
      return {};
    int32_t at = int32_t(llvm::cast<IntegerAttr>(index.getValue()).getInt());
    if (i == 0) {
      vector = extract.getVector();
      first = at;
    } else if (extract.getVector() != vector || at != first + int32_t(i)) {
      return {};
    }
  }
  return vector;
}

Value LaneBuilder::join(ArrayRef<Value> elements) {
  if (elements.size() == 1)
    return elements[0];
  int32_t first = 0;
  auto type = VectorType::get({int64_t(elements.size())}, elements[0].getType());
  if (Value whole = splitFrom(elements, first); whole && whole.getType() == type)
    return whole;
  Value vector = LLVM::PoisonOp::create(*this, loc, type);
  for (auto [i, element] : llvm::enumerate(elements))
    vector = LLVM::InsertElementOp::create(*this, loc, vector, element, i32(int32_t(i)));
  return vector;
}

void LaneBuilder::split(Value vector, SmallVectorImpl<Value> &elements) {
  auto type = llvm::dyn_cast<VectorType>(vector.getType());
  if (!type)
    return elements.push_back(vector);
  for (int64_t i = 0; i < type.getNumElements(); ++i)
    elements.push_back(LLVM::ExtractElementOp::create(*this, loc, vector, i32(int32_t(i))));
}

Value LaneBuilder::packWord(ArrayRef<Value> elements) {
  Type word = getI32Type();
  int32_t count = int32_t(elements.size());
  if (count == 1)
    return elementType(elements[0]) == word ? elements[0] : bitcast(elements[0], word);
  if (simd()) {
    Type bits = getIntegerType(unsigned(32 / count));
    Value packed;
    for (auto [i, element] : llvm::enumerate(elements)) {
      Value part = shl(zext(bitcast(element, bits), word), int64_t(i) * 32 / count);
      packed = packed ? orI(packed, part) : part;
    }
    return packed;
  }
  int32_t first = 0;
  if (Value whole = splitFrom(elements, first); whole && first % count == 0) {
    int64_t words = llvm::cast<VectorType>(whole.getType()).getNumElements() / count;
    if (words == 1)
      return LLVM::BitcastOp::create(*this, loc, word, whole);
    Value cast = LLVM::BitcastOp::create(*this, loc, VectorType::get({words}, word), whole);
    return LLVM::ExtractElementOp::create(*this, loc, cast, i32(first / count));
  }
  return LLVM::BitcastOp::create(*this, loc, word, join(elements));
}

void LaneBuilder::unpackWord(Value word, Type element, SmallVectorImpl<Value> &elements) {
  const unsigned bits = element.getIntOrFloatBitWidth(), all = elementType(word).getIntOrFloatBitWidth();
  for (unsigned at = 0; at < all; at += bits) {
    Value part = bits == all ? word : trunc(at ? lshr(word, at) : word, getIntegerType(bits));
    elements.push_back(elementType(part) == element ? part : bitcast(part, element));
  }
}

Value LaneBuilder::intrinsic(StringRef name, Type result, ValueRange operands) {
  SmallVector<Type, 1> results;
  if (result)
    results.push_back(result);
  auto op = LLVM::CallIntrinsicOp::create(*this, loc, results, getStringAttr(name), operands,
                                          LLVM::FastmathFlagsAttr::get(getContext(), {}));
  return result ? op->getResult(0) : Value();
}

void LaneBuilder::ifThen(Value condition, const std::function<void()> &body) {
  Block *before = getInsertionBlock();
  Block *after = before->splitBlock(getInsertionPoint());
  Block *inside = createBlock(after);
  setInsertionPointToEnd(before);
  LLVM::CondBrOp::create(*this, loc, condition, inside, after);
  setInsertionPointToEnd(inside);
  body();
  LLVM::BrOp::create(*this, loc, ValueRange{}, after);
  setInsertionPointToStart(after);
}

} // namespace quern::lowering
