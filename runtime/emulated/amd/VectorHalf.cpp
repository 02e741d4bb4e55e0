//===- VectorHalf.cpp - binary16 instructions and mixed precision ---------===//
//
// Formulas from the CDNA3 and RDNA4 manuals. Arithmetic runs in float: for +, -, *, / and sqrt two roundings
// from binary32 to binary16 equal one (24 >= 2 * 11 + 2); fused multiply-adds go through rounding to odd
// (Numeric.h).
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/FloatMath.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

#include <cmath>
#include <numbers>

namespace quern::runtime::emulated::amd {
namespace {

using i16 = int16_t;

template <auto F> HandlerEntry op() { return {vectorOp<F>, Unit::Vector, 1, false, 0}; }
template <auto F> HandlerEntry keepsHigh() { return {vectorOp<F>, Unit::Vector, 1, true, 0}; }
template <auto F> HandlerEntry accumulate() { return {vectorOp<F, true>, Unit::Vector, 1, false, 0}; }

float sinHalf(float x, bool cosine) {
  double reduced = 2 * std::numbers::pi * (double(x) - std::floor(double(x)));
  if (isNan(x) || isInf(x))
    return std::numeric_limits<float>::quiet_NaN();
  return float(cosine ? std::cos(reduced) : std::sin(reduced));
}

/// A source of v_fma_mix: binary16 where op_sel_hi is set (the half by op_sel), else binary32.
const float *mixSource(Wave &wave, const Instruction &in, unsigned source, float *buffer) {
  const Operand &op = in.operands[1 + source];
  bool half = in.opSelHigh >> source & 1;
  if (!half) {
    const float *row = fetch<float>(wave, in, 1 + source, buffer);
    return row;
  }
  bool high = in.opSel >> source & 1;
  if (op.kind != OperandKind::Vector) {
    uint16_t bits =
        op.kind == OperandKind::Constant ? halfConstant(op) : uint16_t(wave.read32(op) >> (high ? 16 : 0));
    float value = withSigns(halfToFloat(bits), op.absolute, op.negate);
    std::fill_n(buffer, wave.width, value);
    return buffer;
  }
  const uint32_t *row = wave.row(op.index);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    buffer[lane] = withSigns(halfToFloat(uint16_t(row[lane] >> (high ? 16 : 0))), op.absolute, op.negate);
  return buffer;
}

/// v_fma_mix_f32 (part 0), v_fma_mixlo_f16 (1), v_fma_mixhi_f16 (2).
template <int Part> void fmaMix(Wave &wave, const Instruction &in) {
  float a[kMaxLanes], b[kMaxLanes], c[kMaxLanes];
  const float *pa = mixSource(wave, in, 0, a), *pb = mixSource(wave, in, 1, b),
              *pc = mixSource(wave, in, 2, c);
  uint64_t lanes = activeLanes(wave, in);
  if constexpr (Part == 0) {
    float out[kMaxLanes];
    for (unsigned lane = 0; lane < wave.width; ++lane)
      out[lane] = std::fma(pa[lane], pb[lane], pc[lane]);
    writeResult<float>(wave, in, out, lanes);
  } else {
    uint32_t merged[kMaxLanes];
    const uint32_t *row = wave.row(in.operands[0].index);
    for (unsigned lane = 0; lane < wave.width; ++lane) {
      // The fused result in binary32, then binary16.
      float value = std::fma(pa[lane], pb[lane], pc[lane]);
      if (in.clamp)
        value = clampedUnit(value, wave.mode.clampNan);
      uint32_t half = floatToHalf(value, wave.mode.round64);
      merged[lane] = Part == 1 ? (row[lane] & 0xffff0000u) | half : (row[lane] & 0xffff) | half << 16;
    }
    writeRow(wave, in.operands[0], 0, merged, lanes);
  }
}

} // namespace

void HandlerTable::addVectorHalf() {
  add("v_add_f16", op<[](Half a, Half b) { return Half{a.value + b.value}; }>());
  add("v_sub_f16", op<[](Half a, Half b) { return Half{a.value - b.value}; }>());
  add("v_subrev_f16", op<[](Half a, Half b) { return Half{b.value - a.value}; }>());
  add("v_mul_f16", op<[](Half a, Half b) { return Half{a.value * b.value}; }>());
  add({"v_fma_f16"},
      keepsHigh<[](Half a, Half b, Half c) { return Half{fmaHalf(a.value, b.value, c.value)}; }>());
  add({"v_fmaak_f16", "v_fmamk_f16"},
      op<[](Half a, Half b, Half c) { return Half{fmaHalf(a.value, b.value, c.value)}; }>());
  add("v_fmac_f16",
      accumulate<[](Half a, Half b, Half c) { return Half{fmaHalf(a.value, b.value, c.value)}; }>());
  add({"v_fma_legacy_f16"},
      op<[](Half a, Half b, Half c) { return Half{fmaHalf(a.value, b.value, c.value)}; }>());
  add("v_div_fixup_legacy_f16",
      op<[](Half a, Half b, Half c) { return Half{divFixup(a.value, b.value, c.value)}; }>());
  add("v_mad_f16", keepsHigh<[](Half a, Half b, Half c) {
        float product = halfToFloat(floatToHalfNearest(a.value * b.value));
        return Half{product + c.value};
      }>());
  add({"v_min_f16", "v_min_num_f16"}, op<[](Half a, Half b) { return Half{minNumber(a.value, b.value)}; }>());
  add({"v_max_f16", "v_max_num_f16"}, op<[](Half a, Half b) { return Half{maxNumber(a.value, b.value)}; }>());
  add("v_minimum_f16", op<[](Half a, Half b) { return Half{minimumOf(a.value, b.value)}; }>());
  add("v_maximum_f16", op<[](Half a, Half b) { return Half{maximumOf(a.value, b.value)}; }>());
  add({"v_min3_f16", "v_min3_num_f16"},
      op<[](Half a, Half b, Half c) { return Half{minNumber(minNumber(a.value, b.value), c.value)}; }>());
  add({"v_max3_f16", "v_max3_num_f16"},
      op<[](Half a, Half b, Half c) { return Half{maxNumber(maxNumber(a.value, b.value), c.value)}; }>());
  add("v_minimum3_f16",
      op<[](Half a, Half b, Half c) { return Half{minimumOf(minimumOf(a.value, b.value), c.value)}; }>());
  add("v_maximum3_f16",
      op<[](Half a, Half b, Half c) { return Half{maximumOf(maximumOf(a.value, b.value), c.value)}; }>());
  add({"v_med3_f16", "v_med3_num_f16"},
      op<[](Half a, Half b, Half c) { return Half{medianOf(a.value, b.value, c.value)}; }>());
  add({"v_maxmin_f16", "v_maxmin_num_f16"},
      op<[](Half a, Half b, Half c) { return Half{minNumber(maxNumber(a.value, b.value), c.value)}; }>());
  add({"v_minmax_f16", "v_minmax_num_f16"},
      op<[](Half a, Half b, Half c) { return Half{maxNumber(minNumber(a.value, b.value), c.value)}; }>());
  add("v_maximumminimum_f16",
      op<[](Half a, Half b, Half c) { return Half{minimumOf(maximumOf(a.value, b.value), c.value)}; }>());
  add("v_minimummaximum_f16",
      op<[](Half a, Half b, Half c) { return Half{maximumOf(minimumOf(a.value, b.value), c.value)}; }>());

  add("v_floor_f16", op<[](Half a) { return Half{std::floor(a.value)}; }>());
  add("v_ceil_f16", op<[](Half a) { return Half{std::ceil(a.value)}; }>());
  add("v_trunc_f16", op<[](Half a) { return Half{std::trunc(a.value)}; }>());
  add("v_rndne_f16", op<[](Half a) { return Half{std::copysign(std::nearbyint(a.value), a.value)}; }>());
  add("v_fract_f16", op<[](Half a) {
        return Half{isInf(a.value) ? std::numeric_limits<float>::quiet_NaN()
                                   : std::min(a.value - std::floor(a.value), 0x1.ffcp-1f)};
      }>());
  add("v_rcp_f16", op<[](Half a) { return Half{1 / a.value}; }>());
  add("v_rsq_f16", op<[](Half a) { return Half{float(1 / std::sqrt(double(a.value)))}; }>());
  add("v_sqrt_f16", op<[](Half a) { return Half{std::sqrt(a.value)}; }>());
  add("v_exp_f16", op<[](Half a) { return Half{std::exp2(a.value)}; }>());
  add("v_log_f16", op<[](Half a) { return Half{std::log2(a.value)}; }>());
  add("v_sin_f16", op<[](Half a) { return Half{sinHalf(a.value, false)}; }>());
  add("v_cos_f16", op<[](Half a) { return Half{sinHalf(a.value, true)}; }>());
  add("v_ldexp_f16",
      op<[](Half a, i16 b) { return Half{std::ldexp(a.value, std::clamp<int>(b, -100, 100))}; }>());
  add("v_frexp_exp_i16_f16", op<[](Half a) {
        int exponent = 0;
        if (!isNan(a.value) && !isInf(a.value))
          std::frexp(a.value, &exponent);
        return i16(exponent);
      }>());
  add("v_frexp_mant_f16", op<[](Half a) {
        int exponent = 0;
        return Half{isNan(a.value) || isInf(a.value) ? a.value : std::frexp(a.value, &exponent)};
      }>());
  add("v_div_fixup_f16",
      keepsHigh<[](Half a, Half b, Half c) { return Half{divFixup(a.value, b.value, c.value)}; }>());

  add({"v_fma_mix_f32", "v_mad_mix_f32"}, {fmaMix<0>});
  add({"v_fma_mixlo_f16", "v_mad_mixlo_f16"}, {fmaMix<1>});
  add({"v_fma_mixhi_f16", "v_mad_mixhi_f16"}, {fmaMix<2>});
}

} // namespace quern::runtime::emulated::amd
