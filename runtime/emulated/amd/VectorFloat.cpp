//===- VectorFloat.cpp - binary32 instructions of the vector unit ---------===//
//
// Formulas from the CDNA3 and RDNA4 manuals. The approximate functions (rcp, rsq, sqrt, exp, log, sin, cos)
// are specified to about one unit in the last place with subnormals flushed; here they are correctly rounded
// or as good as the host's library, with subnormals flushed.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/FloatMath.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

#include <cmath>
#include <numbers>

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;
using i32 = int32_t;

template <auto F> HandlerEntry op() { return {vectorOp<F>, Unit::Vector, 1, false, 0}; }
/// The last source is the destination.
template <auto F> HandlerEntry accumulate() { return {vectorOp<F, true>, Unit::Vector, 1, false, 0}; }

template <auto F> float approximate(float x) { return flushed(float(F(flushed(x)))); }

float legacyProduct(float a, float b) { return a == 0 || b == 0 ? 0.0f : a * b; }

float fraction(float x) { // x - floor(x), below one
  float result = x - std::floor(x);
  return isInf(x) ? std::numeric_limits<float>::quiet_NaN() : std::min(result, 0x1.fffffep-1f);
}

/// sin and cos take revolutions; arguments outside +-256 give 0 (sin) and 1 (cos).
double turns(float x, bool cosine) {
  if (isNan(x) || isInf(x))
    return std::numeric_limits<double>::quiet_NaN();
  double reduced = 2 * std::numbers::pi * (double(x) - std::floor(double(x)));
  if (std::fabs(x) > 256.0f)
    return cosine ? 1 : 0;
  return cosine ? std::cos(reduced) : std::sin(reduced);
}

float cubeFace(float x, float y, float z) {
  float ax = std::fabs(x), ay = std::fabs(y), az = std::fabs(z);
  if (az >= ax && az >= ay)
    return z < 0 ? 5 : 4;
  if (ay >= ax)
    return y < 0 ? 3 : 2;
  return x < 0 ? 1 : 0;
}

/// v_fma_f32 and its kin: the host's fused instruction where there is one.
__attribute__((target("avx2,fma"))) void fuseRowsNative(const float *a, const float *b, const float *c,
                                                        float *out, unsigned width) {
  for (unsigned lane = 0; lane < width; ++lane)
    out[lane] = __builtin_fmaf(a[lane], b[lane], c[lane]);
}
void fuseRows(const float *a, const float *b, const float *c, float *out, unsigned width) {
  static const bool native = __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx2");
  if (native)
    return fuseRowsNative(a, b, c, out, width);
  for (unsigned lane = 0; lane < width; ++lane)
    out[lane] = std::fma(a[lane], b[lane], c[lane]);
}

template <bool Accumulates> void fma32(Wave &wave, const Instruction &in) {
  float a[kMaxLanes], b[kMaxLanes], c[kMaxLanes];
  alignas(64) float out[kMaxLanes];
  const float *pa = fetch(wave, in, 1, a), *pb = fetch(wave, in, 2, b),
              *pc = fetch(wave, in, Accumulates ? 0 : 3, c);
  {
    RoundingScope scope(wave.mode.round32);
    fuseRows(pa, pb, pc, out, wave.width);
  }
  writeResult<float>(wave, in, out, activeLanes(wave, in));
}

/// v_div_scale_f32: a value and a mask.
template <typename T> void divScaleHandler(Wave &wave, const Instruction &in) {
  T a[kMaxLanes], b[kMaxLanes], c[kMaxLanes], out[kMaxLanes];
  const T *pa = fetch(wave, in, 2, a), *pb = fetch(wave, in, 3, b), *pc = fetch(wave, in, 4, c);
  uint64_t bits = 0, lanes = activeLanes(wave, in);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    ScaledOperand<T> scaled = divScale(pa[lane], pb[lane], pc[lane]);
    out[lane] = scaled.value;
    bits |= uint64_t(scaled.rescale) << lane;
  }
  writeResult<T>(wave, in, out, lanes);
  wave.writeMask(in.operands[1], bits & lanes);
}
template <typename T> void divFmasHandler(Wave &wave, const Instruction &in) {
  T a[kMaxLanes], b[kMaxLanes], c[kMaxLanes], out[kMaxLanes];
  const T *pa = fetch(wave, in, 1, a), *pb = fetch(wave, in, 2, b), *pc = fetch(wave, in, 3, c);
  uint64_t rescale = wave.mask(scalar::Vcc);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    out[lane] = divFmas(pa[lane], pb[lane], pc[lane], rescale >> lane & 1);
  writeResult<T>(wave, in, out, activeLanes(wave, in));
}

} // namespace

void HandlerTable::addVectorFloat() {
  add("v_add_f32", op<[](float a, float b) { return a + b; }>());
  add("v_sub_f32", op<[](float a, float b) { return a - b; }>());
  add("v_subrev_f32", op<[](float a, float b) { return b - a; }>());
  add("v_mul_f32", op<[](float a, float b) { return a * b; }>());
  add({"v_mul_legacy_f32", "v_mul_dx9_zero_f32"}, op<[](float a, float b) { return legacyProduct(a, b); }>());
  add({"v_fma_f32", "v_fmaak_f32", "v_fmamk_f32"}, {fma32<false>});
  add({"v_fmac_f32"}, {fma32<true>});
  add({"v_fma_legacy_f32", "v_fma_dx9_zero_f32"},
      op<[](float a, float b, float c) { return a == 0 || b == 0 ? c : std::fma(a, b, c); }>());
  add({"v_fmac_legacy_f32", "v_fmac_dx9_zero_f32"},
      accumulate<[](float a, float b, float c) { return a == 0 || b == 0 ? c : std::fma(a, b, c); }>());
  add({"v_mad_f32", "v_madak_f32", "v_madmk_f32"},
      op<[](float a, float b, float c) { return flushed(flushed(flushed(a) * flushed(b)) + flushed(c)); }>());
  add("v_mac_f32", accumulate<[](float a, float b, float c) {
        return flushed(flushed(flushed(a) * flushed(b)) + flushed(c));
      }>());
  add("v_mad_legacy_f32", op<[](float a, float b, float c) { return legacyProduct(a, b) + c; }>());

  add({"v_min_f32", "v_min_num_f32"}, op<[](float a, float b) { return minNumber(a, b); }>());
  add({"v_max_f32", "v_max_num_f32"}, op<[](float a, float b) { return maxNumber(a, b); }>());
  add("v_minimum_f32", op<[](float a, float b) { return minimumOf(a, b); }>());
  add("v_maximum_f32", op<[](float a, float b) { return maximumOf(a, b); }>());
  add({"v_min3_f32", "v_min3_num_f32"},
      op<[](float a, float b, float c) { return minNumber(minNumber(a, b), c); }>());
  add({"v_max3_f32", "v_max3_num_f32"},
      op<[](float a, float b, float c) { return maxNumber(maxNumber(a, b), c); }>());
  add("v_minimum3_f32", op<[](float a, float b, float c) { return minimumOf(minimumOf(a, b), c); }>());
  add("v_maximum3_f32", op<[](float a, float b, float c) { return maximumOf(maximumOf(a, b), c); }>());
  add({"v_med3_f32", "v_med3_num_f32"}, op<[](float a, float b, float c) { return medianOf(a, b, c); }>());
  add({"v_maxmin_f32", "v_maxmin_num_f32"},
      op<[](float a, float b, float c) { return minNumber(maxNumber(a, b), c); }>());
  add({"v_minmax_f32", "v_minmax_num_f32"},
      op<[](float a, float b, float c) { return maxNumber(minNumber(a, b), c); }>());
  add("v_maximumminimum_f32", op<[](float a, float b, float c) { return minimumOf(maximumOf(a, b), c); }>());
  add("v_minimummaximum_f32", op<[](float a, float b, float c) { return maximumOf(minimumOf(a, b), c); }>());

  add("v_floor_f32", op<[](float a) { return std::floor(a); }>());
  add("v_ceil_f32", op<[](float a) { return std::ceil(a); }>());
  add("v_trunc_f32", op<[](float a) { return std::trunc(a); }>());
  add("v_rndne_f32", op<[](float a) {
        // Ties to even in every host rounding mode.
        float down = std::floor(a), rest = a - down;
        if (!(std::fabs(a) < 0x1p23f))
          return a;
        float result = rest > 0.5f || (rest == 0.5f && std::fmod(down, 2.0f) != 0) ? down + 1 : down;
        return std::copysign(result, a);
      }>());
  add("v_fract_f32", op<[](float a) { return fraction(a); }>());

  add({"v_rcp_f32", "v_rcp_iflag_f32"},
      op<[](float a) { return approximate<[](float x) { return 1 / x; }>(a); }>());
  add("v_rsq_f32",
      op<[](float a) { return approximate<[](float x) { return 1 / std::sqrt(double(x)); }>(a); }>());
  add("v_sqrt_f32", op<[](float a) { return approximate<[](float x) { return std::sqrt(x); }>(a); }>());
  add("v_exp_f32", op<[](float a) { return approximate<[](float x) { return std::exp2(x); }>(a); }>());
  add("v_log_f32", op<[](float a) { return approximate<[](float x) { return std::log2(x); }>(a); }>());
  add("v_exp_legacy_f32", op<[](float a) { return approximate<[](float x) { return std::exp2(x); }>(a); }>());
  add("v_log_legacy_f32", op<[](float a) { return approximate<[](float x) { return std::log2(x); }>(a); }>());
  add("v_sin_f32", op<[](float a) { return float(turns(a, false)); }>());
  add("v_cos_f32", op<[](float a) { return float(turns(a, true)); }>());

  add("v_ldexp_f32", op<[](float a, i32 b) { return std::ldexp(a, std::clamp(b, -1000, 1000)); }>());
  add("v_frexp_exp_i32_f32", op<[](float a) {
        int exponent = 0;
        if (!isNan(a) && !isInf(a))
          std::frexp(a, &exponent);
        return i32(exponent);
      }>());
  add("v_frexp_mant_f32", op<[](float a) {
        int exponent = 0;
        return isNan(a) || isInf(a) ? a : std::frexp(a, &exponent);
      }>());
  add("v_div_scale_f32", {divScaleHandler<float>, Unit::Vector, 2, false, 0});
  add("v_div_fmas_f32", {divFmasHandler<float>});
  add("v_div_fixup_f32", op<[](float a, float b, float c) { return divFixup(a, b, c); }>());
  add("v_cubeid_f32", op<[](float a, float b, float c) { return cubeFace(a, b, c); }>());
}

void HandlerTable::addVectorDouble() {
  add("v_add_f64", op<[](double a, double b) { return a + b; }>());
  add("v_mul_f64", op<[](double a, double b) { return a * b; }>());
  add("v_fma_f64", op<[](double a, double b, double c) { return std::fma(a, b, c); }>());
  add("v_fmac_f64", accumulate<[](double a, double b, double c) { return std::fma(a, b, c); }>());
  add({"v_min_f64", "v_min_num_f64"}, op<[](double a, double b) { return minNumber(a, b); }>());
  add({"v_max_f64", "v_max_num_f64"}, op<[](double a, double b) { return maxNumber(a, b); }>());
  add("v_minimum_f64", op<[](double a, double b) { return minimumOf(a, b); }>());
  add("v_maximum_f64", op<[](double a, double b) { return maximumOf(a, b); }>());
  add("v_floor_f64", op<[](double a) { return std::floor(a); }>());
  add("v_ceil_f64", op<[](double a) { return std::ceil(a); }>());
  add("v_trunc_f64", op<[](double a) { return std::trunc(a); }>());
  add("v_rndne_f64", op<[](double a) {
        double down = std::floor(a), rest = a - down;
        if (!(std::fabs(a) < 0x1p52))
          return a;
        double result = rest > 0.5 || (rest == 0.5 && std::fmod(down, 2.0) != 0) ? down + 1 : down;
        return std::copysign(result, a);
      }>());
  add("v_fract_f64", op<[](double a) {
        return isInf(a) ? std::numeric_limits<double>::quiet_NaN()
                        : std::min(a - std::floor(a), 0x1.fffffffffffffp-1);
      }>());
  // Specified as an estimate with a relative error near 2^-23 or better; the exact value is one such
  // estimate.
  add("v_rcp_f64", op<[](double a) { return 1 / a; }>());
  add("v_rsq_f64", op<[](double a) { return 1 / std::sqrt(a); }>());
  add("v_sqrt_f64", op<[](double a) { return std::sqrt(a); }>());
  add("v_ldexp_f64", op<[](double a, i32 b) { return std::ldexp(a, std::clamp(b, -5000, 5000)); }>());
  add("v_frexp_exp_i32_f64", op<[](double a) {
        int exponent = 0;
        if (!isNan(a) && !isInf(a))
          std::frexp(a, &exponent);
        return i32(exponent);
      }>());
  add("v_frexp_mant_f64", op<[](double a) {
        int exponent = 0;
        return isNan(a) || isInf(a) ? a : std::frexp(a, &exponent);
      }>());
  add("v_div_scale_f64", {divScaleHandler<double>, Unit::Vector, 2, false, 0});
  add("v_div_fmas_f64", {divFmasHandler<double>});
  add("v_div_fixup_f64", op<[](double a, double b, double c) { return divFixup(a, b, c); }>());
  add("v_trig_preop_f64", {[](Wave &wave, const Instruction &) {
        wave.notModelled("the table of 2/pi behind v_trig_preop_f64 is not part of the machine");
      }});
}

} // namespace quern::runtime::emulated::amd
