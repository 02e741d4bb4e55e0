//===- ScalarFloat.cpp - Floating-point instructions of the scalar unit ---===//
//
// RDNA4 manual (SOP1, SOP2 and SOPC with F32 and F16 operands) and the vector instructions with a scalar
// result (V_S_EXP_F32, ...).
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/FloatMath.h"
#include "runtime/emulated/amd/ScalarAlu.h"

#include <cmath>

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;
using i32 = int32_t;

template <typename T> float number(T x) {
  if constexpr (std::is_same_v<T, Half>)
    return x.value;
  else
    return x;
}

template <typename T> void arithmetic(HandlerTable &table, const std::string &type) {
  table.add("s_add_" + type, scalarEntry<[](T a, T b) { return T{number(a) + number(b)}; }>());
  table.add("s_sub_" + type, scalarEntry<[](T a, T b) { return T{number(a) - number(b)}; }>());
  table.add("s_mul_" + type, scalarEntry<[](T a, T b) { return T{number(a) * number(b)}; }>());
  table.add({"s_min_" + type, "s_min_num_" + type},
            scalarEntry<[](T a, T b) { return T{minNumber(number(a), number(b))}; }>());
  table.add({"s_max_" + type, "s_max_num_" + type},
            scalarEntry<[](T a, T b) { return T{maxNumber(number(a), number(b))}; }>());
  table.add("s_minimum_" + type, scalarEntry<[](T a, T b) { return T{minimumOf(number(a), number(b))}; }>());
  table.add("s_maximum_" + type, scalarEntry<[](T a, T b) { return T{maximumOf(number(a), number(b))}; }>());
  table.add("s_ceil_" + type, scalarEntry<[](T a) { return T{std::ceil(number(a))}; }>());
  table.add("s_floor_" + type, scalarEntry<[](T a) { return T{std::floor(number(a))}; }>());
  table.add("s_trunc_" + type, scalarEntry<[](T a) { return T{std::trunc(number(a))}; }>());
  table.add("s_rndne_" + type,
            scalarEntry<[](T a) { return T{std::copysign(std::nearbyint(number(a)), number(a))}; }>());
}

template <auto F> void comparison(HandlerTable &table, const std::string &name) {
  table.add(name, {scalarOp<F>, Unit::Scalar, 0, false, 0});
}

template <typename T> void compares(HandlerTable &table, const std::string &type) {
  comparison<[](T a, T b, bool &scc) { scc = number(a) < number(b); }>(table, "s_cmp_lt_" + type);
  comparison<[](T a, T b, bool &scc) { scc = number(a) == number(b); }>(table, "s_cmp_eq_" + type);
  comparison<[](T a, T b, bool &scc) { scc = number(a) <= number(b); }>(table, "s_cmp_le_" + type);
  comparison<[](T a, T b, bool &scc) { scc = number(a) > number(b); }>(table, "s_cmp_gt_" + type);
  comparison<[](T a, T b, bool &scc) { scc = number(a) < number(b) || number(a) > number(b); }>(
      table, "s_cmp_lg_" + type);
  comparison<[](T a, T b, bool &scc) { scc = number(a) >= number(b); }>(table, "s_cmp_ge_" + type);
  comparison<[](T a, T b, bool &scc) { scc = !isNan(number(a)) && !isNan(number(b)); }>(table,
                                                                                        "s_cmp_o_" + type);
  comparison<[](T a, T b, bool &scc) { scc = isNan(number(a)) || isNan(number(b)); }>(table,
                                                                                      "s_cmp_u_" + type);
  comparison<[](T a, T b, bool &scc) { scc = !(number(a) >= number(b)); }>(table, "s_cmp_nge_" + type);
  comparison<[](T a, T b, bool &scc) { scc = !(number(a) < number(b) || number(a) > number(b)); }>(
      table, "s_cmp_nlg_" + type);
  comparison<[](T a, T b, bool &scc) { scc = !(number(a) > number(b)); }>(table, "s_cmp_ngt_" + type);
  comparison<[](T a, T b, bool &scc) { scc = !(number(a) <= number(b)); }>(table, "s_cmp_nle_" + type);
  comparison<[](T a, T b, bool &scc) { scc = !(number(a) == number(b)); }>(table, "s_cmp_neq_" + type);
  comparison<[](T a, T b, bool &scc) { scc = !(number(a) < number(b)); }>(table, "s_cmp_nlt_" + type);
}

template <typename I> I saturatedInteger(float x) {
  if (isNan(x))
    return 0;
  double rounded = std::trunc(double(x));
  return I(std::clamp(rounded, double(std::numeric_limits<I>::min()), double(std::numeric_limits<I>::max())));
}

/// Vector unit, scalar result.
template <auto F> HandlerEntry throughVector() { return {scalarOp<F>, Unit::Vector, 1, false, 0}; }

} // namespace

void HandlerTable::addScalarFloat() {
  arithmetic<float>(*this, "f32");
  arithmetic<Half>(*this, "f16");
  compares<float>(*this, "f32");
  compares<Half>(*this, "f16");
  add("s_fmac_f32", scalarAccumulate<[](float a, float b, float c) { return std::fma(a, b, c); }>());
  add({"s_fmaak_f32", "s_fmamk_f32"},
      scalarEntry<[](float a, float b, float c) { return std::fma(a, b, c); }>());
  add("s_fmac_f16",
      scalarAccumulate<[](Half a, Half b, Half c) { return Half{fmaHalf(a.value, b.value, c.value)}; }>());
  add("s_cvt_f32_i32", scalarEntry<[](i32 a) { return float(a); }>());
  add("s_cvt_f32_u32", scalarEntry<[](u32 a) { return float(a); }>());
  add("s_cvt_i32_f32", scalarEntry<[](float a) { return u32(saturatedInteger<i32>(a)); }>());
  add("s_cvt_u32_f32", scalarEntry<[](float a) { return saturatedInteger<u32>(a); }>());
  add("s_cvt_f16_f32", scalarEntry<[](float a) { return Half{a}; }>());
  add("s_cvt_f32_f16", scalarEntry<[](Half a) { return a.value; }>());
  add("s_cvt_hi_f32_f16", scalarEntry<[](u32 a) { return halfToFloat(uint16_t(a >> 16)); }>());
  add("s_cvt_pk_rtz_f16_f32", scalarEntry<[](float a, float b) {
        return floatToHalf(a, Rounding::TowardZero) | u32(floatToHalf(b, Rounding::TowardZero)) << 16;
      }>());
  add("v_s_exp_f32", throughVector<[](float a) { return flushed(std::exp2(flushed(a))); }>());
  add("v_s_log_f32", throughVector<[](float a) { return flushed(std::log2(flushed(a))); }>());
  add("v_s_rcp_f32", throughVector<[](float a) { return flushed(1 / flushed(a)); }>());
  add("v_s_rsq_f32",
      throughVector<[](float a) { return flushed(float(1 / std::sqrt(double(flushed(a))))); }>());
  add("v_s_sqrt_f32", throughVector<[](float a) { return flushed(std::sqrt(flushed(a))); }>());
  add("v_s_exp_f16", throughVector<[](Half a) { return Half{std::exp2(a.value)}; }>());
  add("v_s_log_f16", throughVector<[](Half a) { return Half{std::log2(a.value)}; }>());
  add("v_s_rcp_f16", throughVector<[](Half a) { return Half{1 / a.value}; }>());
  add("v_s_rsq_f16", throughVector<[](Half a) { return Half{float(1 / std::sqrt(double(a.value)))}; }>());
  add("v_s_sqrt_f16", throughVector<[](Half a) { return Half{std::sqrt(a.value)}; }>());
}

} // namespace quern::runtime::emulated::amd
