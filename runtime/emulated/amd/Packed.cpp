//===- Packed.cpp - Packed 16-bit and 32-bit instructions, dot products ---===//
//
// VOP3P: op_sel picks the source half of the low result, op_sel_hi that of the high result; neg_lo and neg_hi
// negate it. The packed binary32 forms pick dwords of register pairs the same way. CDNA3 manual, chapter
// "VOP3P"; RDNA4 manual for the integer dot products with signedness in neg_lo.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/FloatMath.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

#include <cmath>

namespace quern::runtime::emulated::amd {
namespace {

using u16 = uint16_t;
using i16 = int16_t;
using u32 = uint32_t;
using i32 = int32_t;
using i64 = int64_t;

/// A source of a packed 16-bit instruction as raw dwords. An inline constant stands in the low half; integer
/// constants are sign-extended over both halves' 32 bits, float constants are binary16 with a zero high half.
const u32 *packedRow(Wave &wave, const Instruction &in, unsigned index, u32 *buffer, bool bfloat) {
  const Operand &op = in.operands[index];
  if (op.kind == OperandKind::Vector)
    return fetchRow(wave, in, index, 0, buffer);
  u32 value = op.kind == OperandKind::Constant
                  ? (op.isFloat ? (bfloat ? bfloatConstant(op) : halfConstant(op)) : u32(op.bits))
                  : wave.read32(op);
  std::fill_n(buffer, wave.width, value);
  return buffer;
}

template <typename T>
void packedSource(Wave &wave, const Instruction &in, unsigned source, bool high, T *out) {
  u32 buffer[kMaxLanes];
  const u32 *row = packedRow(wave, in, 1 + source, buffer, std::is_same_v<T, Bfloat>);
  unsigned shift = ((high ? in.opSelHigh : in.opSel) >> source & 1) ? 16 : 0;
  bool negate = (high ? in.negateHigh : in.negateLow) >> source & 1;
  for (unsigned lane = 0; lane < wave.width; ++lane)
    out[lane] = withSigns(fromBits<T>(row[lane] >> shift & 0xffff, 0), false, negate);
  if constexpr (std::is_same_v<T, Half>)
    if (!(wave.mode.denormal64 & 1))
      for (unsigned lane = 0; lane < wave.width; ++lane)
        if (std::fabs(out[lane].value) < 0x1p-14f)
          out[lane].value = std::copysign(0.0f, out[lane].value);
}

template <typename R> u32 halfBits(Wave &wave, const Instruction &in, R result) {
  if constexpr (std::is_same_v<R, Half>) {
    float value = in.clamp ? clampedUnit(result.value, wave.mode.clampNan) : result.value;
    u32 bits = floatToHalf(value, wave.mode.round64);
    return !(wave.mode.denormal64 & 2) && !(bits & 0x7c00) ? bits & 0x8000 : bits;
  } else if constexpr (std::is_same_v<R, Bfloat>) {
    return floatToBfloat(in.clamp ? clampedUnit(result.value, wave.mode.clampNan) : result.value);
  } else if constexpr (std::is_same_v<R, Saturating<u16>>) {
    return u16(in.clamp ? std::clamp<i64>(result.value, 0, 65535) : result.value);
  } else if constexpr (std::is_same_v<R, Saturating<i16>>) {
    return u16(in.clamp ? std::clamp<i64>(result.value, -32768, 32767) : result.value);
  } else {
    return u16(result);
  }
}

/// A formula over one half, evaluated for both.
template <auto F> void packedOp(Wave &wave, const Instruction &in) {
  using Sig = SignatureOf<F>;
  u32 out[kMaxLanes] = {};
  for (unsigned half = 0; half < 2; ++half) {
    [&]<size_t... I>(std::index_sequence<I...>) {
      std::tuple<std::array<std::tuple_element_t<I, typename Sig::Arguments>, kMaxLanes>...> sources;
      (packedSource(wave, in, unsigned(I), half != 0, std::get<I>(sources).data()), ...);
      for (unsigned lane = 0; lane < wave.width; ++lane)
        out[lane] |= halfBits(wave, in, F(std::get<I>(sources)[lane]...)) << (16 * half);
    }(std::make_index_sequence<Sig::count>());
  }
  writeResult<u32>(wave, in, out, activeLanes(wave, in));
}

/// v_pk_*_f32: dwords of register pairs. A 32-bit constant stands for both dwords.
template <auto F> void packedFloatOp(Wave &wave, const Instruction &in) {
  using Sig = SignatureOf<F>;
  u32 out[2][kMaxLanes];
  for (unsigned half = 0; half < 2; ++half) {
    std::array<std::array<float, kMaxLanes>, Sig::count> sources;
    for (unsigned source = 0; source < Sig::count; ++source) {
      const Operand &op = in.operands[1 + source];
      unsigned dword = (half ? in.opSelHigh : in.opSel) >> source & 1;
      bool negate = (half ? in.negateHigh : in.negateLow) >> source & 1;
      if (op.kind == OperandKind::Vector) {
        u32 buffer[kMaxLanes];
        const u32 *row = fetchRow(wave, in, 1 + source, dword, buffer);
        for (unsigned lane = 0; lane < wave.width; ++lane)
          sources[source][lane] = floatOf(row[lane]);
      } else {
        u32 bits = op.kind == OperandKind::Scalar ? wave.scalars[op.index + (op.dwords > 1 ? dword : 0)]
                                                  : wave.read32(op);
        sources[source].fill(floatOf(bits));
      }
      for (unsigned lane = 0; lane < wave.width; ++lane) {
        float value = withSigns(sources[source][lane], false, negate);
        sources[source][lane] = wave.mode.denormal32 & 1 ? value : flushed(value);
      }
    }
    RoundingScope scope(wave.mode.round32);
    [&]<size_t... I>(std::index_sequence<I...>) {
      for (unsigned lane = 0; lane < wave.width; ++lane) {
        float value = F(sources[I][lane]...);
        if (in.clamp)
          value = clampedUnit(value, wave.mode.clampNan);
        out[half][lane] = bitsOf(wave.mode.denormal32 & 2 ? value : flushed(value));
      }
    }(std::make_index_sequence<Sig::count>());
  }
  uint64_t lanes = activeLanes(wave, in);
  writeRow(wave, in.operands[0], 0, out[0], lanes);
  writeRow(wave, in.operands[0], 1, out[1], lanes);
}

/// v_pk_mov_b32: low result from the first source, high result from the second.
void packedMove(Wave &wave, const Instruction &in) {
  u32 out[2][kMaxLanes];
  for (unsigned half = 0; half < 2; ++half) {
    const Operand &op = in.operands[1 + half];
    unsigned dword = in.opSel >> half & 1;
    if (op.kind == OperandKind::Vector)
      std::copy_n(wave.row(op.index + dword), wave.width, out[half]);
    else
      std::fill_n(out[half], wave.width,
                  op.kind == OperandKind::Scalar ? wave.scalars[op.index + (op.dwords > 1 ? dword : 0)]
                                                 : wave.read32(op));
  }
  uint64_t lanes = activeLanes(wave, in);
  writeRow(wave, in.operands[0], 0, out[0], lanes);
  writeRow(wave, in.operands[0], 1, out[1], lanes);
}

//===-- dot products --------------------------------------------------------===//

/// Sum of products of |Bits|-wide fields plus the third source; each source signed or not.
template <unsigned Bits> i64 dotFields(u32 a, u32 b, bool aSigned, bool bSigned) {
  i64 sum = 0;
  for (unsigned i = 0; i < 32 / Bits; ++i) {
    auto field = [&](u32 x, bool isSigned) {
      u32 top = x << (32 - Bits - Bits * i);
      return isSigned ? i64(i32(top) >> (32 - Bits)) : i64(top >> (32 - Bits));
    };
    sum += field(a, aSigned) * field(b, bSigned);
  }
  return sum;
}

/// Integer dot product; |Signs|: 0 unsigned, 1 signed, 2 by neg_lo. |Accumulates|: the third source is the
/// result.
template <unsigned Bits, int Signs, bool Accumulates = false>
void integerDot(Wave &wave, const Instruction &in) {
  u32 a[kMaxLanes], b[kMaxLanes], c[kMaxLanes], out[kMaxLanes];
  const u32 *pa = fetch(wave, in, 1, a), *pb = fetch(wave, in, 2, b),
            *pc = fetch(wave, in, Accumulates ? 0 : 3, c);
  bool aSigned = Signs == 1 || (Signs == 2 && (in.negateLow & 1)),
       bSigned = Signs == 1 || (Signs == 2 && (in.negateLow & 2));
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    i64 dot = dotFields<Bits>(pa[lane], pb[lane], aSigned, bSigned);
    bool isSigned = aSigned || bSigned;
    i64 sum = dot + (isSigned ? i64(i32(pc[lane])) : i64(pc[lane]));
    if (in.clamp)
      sum = isSigned ? std::clamp<i64>(sum, INT32_MIN, INT32_MAX) : std::clamp<i64>(sum, 0, UINT32_MAX);
    out[lane] = u32(sum);
  }
  writeResult<u32>(wave, in, out, activeLanes(wave, in));
}

/// v_dot2_f32_f16 / bf16: products and sum are exact here and rounded once.
template <typename T, bool Accumulates> void floatDot(Wave &wave, const Instruction &in) {
  T a[2][kMaxLanes], b[2][kMaxLanes];
  float c[kMaxLanes], out[kMaxLanes];
  for (unsigned half = 0; half < 2; ++half) {
    packedSource(wave, in, 0, half != 0, a[half]);
    packedSource(wave, in, 1, half != 0, b[half]);
  }
  const float *pc = fetch(wave, in, Accumulates ? 0 : 3, c);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    double products =
        addToOdd(double(a[0][lane].value) * b[0][lane].value, double(a[1][lane].value) * b[1][lane].value);
    float addend = (in.negateLow >> 2 & 1) ? -pc[lane] : pc[lane];
    out[lane] = float(addToOdd(products, addend));
  }
  writeResult<float>(wave, in, out, activeLanes(wave, in));
}

/// v_dot2_f16_f16, v_dot2_bf16_bf16: the third source and the result are 16 bits wide.
template <typename T> void halfDot(Wave &wave, const Instruction &in) {
  u32 ra[kMaxLanes], rb[kMaxLanes];
  T c[kMaxLanes], out[kMaxLanes];
  const u32 *pa = packedRow(wave, in, 1, ra, false), *pb = packedRow(wave, in, 2, rb, false);
  const T *pc = fetch(wave, in, 3, c);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    double sum = pc[lane].value;
    for (unsigned shift = 0; shift < 32; shift += 16) {
      double x = withSigns(fromBits<T>(pa[lane] >> shift & 0xffff, 0), in.operands[1].absolute,
                           in.operands[1].negate)
                     .value;
      double y = withSigns(fromBits<T>(pb[lane] >> shift & 0xffff, 0), in.operands[2].absolute,
                           in.operands[2].negate)
                     .value;
      sum = addToOdd(sum, x * y);
    }
    out[lane] = T{narrowToOdd(sum)};
  }
  writeResult<T>(wave, in, out, activeLanes(wave, in));
}

template <auto F> HandlerEntry packed() { return {packedOp<F>, Unit::Vector, 1, false, 0}; }
template <auto F> HandlerEntry pair() { return {packedFloatOp<F>, Unit::Vector, 1, false, 0}; }

/// v_pk_fmac_f16: the destination is the addend.
void packedFmac(Wave &wave, const Instruction &in) {
  Instruction full = in;
  full.operands[3] = in.operands[0];
  full.opSelHigh |= 4;
  packedOp<[](Half a, Half b, Half c) { return Half{fmaHalf(a.value, b.value, c.value)}; }>(wave, full);
}

} // namespace

void HandlerTable::addPacked() {
  add("v_pk_add_f16", packed<[](Half a, Half b) { return Half{a.value + b.value}; }>());
  add("v_pk_mul_f16", packed<[](Half a, Half b) { return Half{a.value * b.value}; }>());
  add("v_pk_fma_f16",
      packed<[](Half a, Half b, Half c) { return Half{fmaHalf(a.value, b.value, c.value)}; }>());
  add("v_pk_fmac_f16", {packedFmac});
  add({"v_pk_min_f16", "v_pk_min_num_f16"},
      packed<[](Half a, Half b) { return Half{minNumber(a.value, b.value)}; }>());
  add({"v_pk_max_f16", "v_pk_max_num_f16"},
      packed<[](Half a, Half b) { return Half{maxNumber(a.value, b.value)}; }>());
  add("v_pk_minimum_f16", packed<[](Half a, Half b) { return Half{minimumOf(a.value, b.value)}; }>());
  add("v_pk_maximum_f16", packed<[](Half a, Half b) { return Half{maximumOf(a.value, b.value)}; }>());
  add("v_pk_minimum3_f16",
      packed<[](Half a, Half b, Half c) { return Half{minimumOf(minimumOf(a.value, b.value), c.value)}; }>());
  add("v_pk_maximum3_f16",
      packed<[](Half a, Half b, Half c) { return Half{maximumOf(maximumOf(a.value, b.value), c.value)}; }>());
  add("v_pk_add_u16", packed<[](u16 a, u16 b) { return Saturating<u16>{i64(a) + b}; }>());
  add("v_pk_sub_u16", packed<[](u16 a, u16 b) { return Saturating<u16>{i64(a) - b}; }>());
  add("v_pk_add_i16", packed<[](i16 a, i16 b) { return Saturating<i16>{i64(a) + b}; }>());
  add("v_pk_sub_i16", packed<[](i16 a, i16 b) { return Saturating<i16>{i64(a) - b}; }>());
  add("v_pk_mul_lo_u16", packed<[](u16 a, u16 b) { return u16(u32(a) * b); }>());
  add("v_pk_mad_u16", packed<[](u16 a, u16 b, u16 c) { return Saturating<u16>{i64(a) * b + c}; }>());
  add("v_pk_mad_i16", packed<[](i16 a, i16 b, i16 c) { return Saturating<i16>{i64(a) * b + c}; }>());
  add("v_pk_min_u16", packed<[](u16 a, u16 b) { return std::min(a, b); }>());
  add("v_pk_max_u16", packed<[](u16 a, u16 b) { return std::max(a, b); }>());
  add("v_pk_min_i16", packed<[](i16 a, i16 b) { return std::min(a, b); }>());
  add("v_pk_max_i16", packed<[](i16 a, i16 b) { return std::max(a, b); }>());
  add("v_pk_lshlrev_b16", packed<[](u16 a, u16 b) { return u16(b << (a & 15)); }>());
  add("v_pk_lshrrev_b16", packed<[](u16 a, u16 b) { return u16(b >> (a & 15)); }>());
  add("v_pk_ashrrev_i16", packed<[](u16 a, i16 b) { return i16(b >> (a & 15)); }>());

  add("v_pk_add_f32", pair<[](float a, float b) { return a + b; }>());
  add("v_pk_mul_f32", pair<[](float a, float b) { return a * b; }>());
  add("v_pk_fma_f32", pair<[](float a, float b, float c) { return std::fma(a, b, c); }>());
  add("v_pk_mov_b32", {packedMove});

  add("v_dot4_i32_i8", {integerDot<8, 1>});
  add("v_dot4_u32_u8", {integerDot<8, 0>});
  add("v_dot8_i32_i4", {integerDot<4, 1>});
  add("v_dot8_u32_u4", {integerDot<4, 0>});
  add("v_dot2_i32_i16", {integerDot<16, 1>});
  add("v_dot2_u32_u16", {integerDot<16, 0>});
  add("v_dot4_i32_iu8", {integerDot<8, 2>});
  add("v_dot8_i32_iu4", {integerDot<4, 2>});
  add("v_dot4c_i32_i8", {integerDot<8, 1, true>});
  add("v_dot8c_i32_i4", {integerDot<4, 1, true>});
  add("v_dot2c_i32_i16", {integerDot<16, 1, true>});
  add("v_dot2_f32_f16", {floatDot<Half, false>});
  add("v_dot2_f32_bf16", {floatDot<Bfloat, false>});
  add({"v_dot2c_f32_f16", "v_dot2acc_f32_f16"}, {floatDot<Half, true>});
  add("v_dot2c_f32_bf16", {floatDot<Bfloat, true>});
  add("v_dot2_f16_f16", {halfDot<Half>});
  add("v_dot2_bf16_bf16", {halfDot<Bfloat>});
}

} // namespace quern::runtime::emulated::amd
