//===- Compares.cpp - Vector comparisons ----------------------------------===//
//
// v_cmp writes one bit per active lane and 0 for the others; v_cmpx writes EXEC as well (and only EXEC from
// gfx10 on). Names and truth tables: CDNA3 manual, chapter "VOPC instructions". The negated float forms are
// true for unordered operands.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/FloatMath.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

template <auto F> void both(HandlerTable &table, const std::string &suffix) {
  HandlerEntry entry{vectorOp<F>, Unit::Vector, 1, false, 0};
  table.add("v_cmp_" + suffix, entry);
  entry.immediate = 1;
  table.add("v_cmpx_" + suffix, entry);
}

template <typename T> auto number(T x) {
  if constexpr (requires { x.value; })
    return x.value;
  else
    return x;
}

template <typename T> void integerCompares(HandlerTable &table, const std::string &type) {
  both<[](T, T) { return false; }>(table, "f_" + type);
  both<[](T a, T b) { return a < b; }>(table, "lt_" + type);
  both<[](T a, T b) { return a == b; }>(table, "eq_" + type);
  both<[](T a, T b) { return a <= b; }>(table, "le_" + type);
  both<[](T a, T b) { return a > b; }>(table, "gt_" + type);
  both<[](T a, T b) { return a != b; }>(table, "ne_" + type);
  both<[](T a, T b) { return a >= b; }>(table, "ge_" + type);
  both<[](T, T) { return true; }>(table, "t_" + type);
}

template <typename T, typename Mask> void floatCompares(HandlerTable &table, const std::string &type) {
  both<[](T, T) { return false; }>(table, "f_" + type);
  both<[](T a, T b) { return number(a) < number(b); }>(table, "lt_" + type);
  both<[](T a, T b) { return number(a) == number(b); }>(table, "eq_" + type);
  both<[](T a, T b) { return number(a) <= number(b); }>(table, "le_" + type);
  both<[](T a, T b) { return number(a) > number(b); }>(table, "gt_" + type);
  both<[](T a, T b) { return number(a) < number(b) || number(a) > number(b); }>(table, "lg_" + type);
  both<[](T a, T b) { return number(a) >= number(b); }>(table, "ge_" + type);
  both<[](T a, T b) { return !isNan(number(a)) && !isNan(number(b)); }>(table, "o_" + type);
  both<[](T a, T b) { return isNan(number(a)) || isNan(number(b)); }>(table, "u_" + type);
  both<[](T a, T b) { return !(number(a) >= number(b)); }>(table, "nge_" + type);
  both<[](T a, T b) { return !(number(a) < number(b) || number(a) > number(b)); }>(table, "nlg_" + type);
  both<[](T a, T b) { return !(number(a) > number(b)); }>(table, "ngt_" + type);
  both<[](T a, T b) { return !(number(a) <= number(b)); }>(table, "nle_" + type);
  both<[](T a, T b) { return !(number(a) == number(b)); }>(table, "neq_" + type);
  both<[](T a, T b) { return !(number(a) < number(b)); }>(table, "nlt_" + type);
  both<[](T, T) { return true; }>(table, "tru_" + type);
  both<[](T, T) { return true; }>(table, "t_" + type);
}

uint32_t halfClass(uint16_t bits) {
  uint32_t exponent = bits >> 10 & 31, fraction = bits & 0x3ff;
  if (exponent == 0 && fraction) // subnormal as binary16, though not as binary32
    return bits >> 15 ? 1 << 4 : 1 << 7;
  if (exponent == 31 && fraction)
    return fraction & 0x200 ? 2 : 1;
  return classBit(halfToFloat(bits));
}

} // namespace

void HandlerTable::addCompares() {
  integerCompares<int16_t>(*this, "i16");
  integerCompares<uint16_t>(*this, "u16");
  integerCompares<int32_t>(*this, "i32");
  integerCompares<uint32_t>(*this, "u32");
  integerCompares<int64_t>(*this, "i64");
  integerCompares<uint64_t>(*this, "u64");
  floatCompares<Half, uint16_t>(*this, "f16");
  floatCompares<float, uint32_t>(*this, "f32");
  floatCompares<double, uint32_t>(*this, "f64");
  both<[](uint16_t a, uint16_t mask) { return (halfClass(a) & mask) != 0; }>(*this, "class_f16");
  both<[](float a, uint32_t mask) { return (classBit(a) & mask) != 0; }>(*this, "class_f32");
  both<[](double a, uint32_t mask) { return (classBit(a) & mask) != 0; }>(*this, "class_f64");
}

} // namespace quern::runtime::emulated::amd
