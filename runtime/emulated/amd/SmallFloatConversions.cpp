//===- SmallFloatConversions.cpp - fp8 and bf8 conversions ----------------===//
//
// CDNA3 (gfx942) uses the FNUZ codes, CDNA4 (gfx950) and RDNA4 (gfx1201) the OCP codes; see Numeric.h.
// Results past the largest number become NaN (E4M3, both FNUZ) or infinity (E5M2) unless MODE.FP16_OVFL
// saturates them. The packed conversions write one word of the destination, by the last bit of op_sel; the
// stochastic ones one byte.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/NanReport.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;

const SmallFormat &formatOf(const Wave &wave, bool bf8) {
  if (wave.target.fp8IsFnuz)
    return bf8 ? kE5M2Fnuz : kE4M3Fnuz;
  return bf8 ? kE5M2 : kE4M3;
}

/// Source dwords before any select of ours.
const u32 *rawSource(Wave &wave, const Instruction &in, unsigned index, u32 *buffer) {
  return fetch<u32>(wave, in, index, buffer);
}

/// v_cvt_f32_fp8: one byte, by SDWA (already selected), op_sel (gfx950's e64) or byte_sel (gfx12).
template <bool Bf8> void toFloat(Wave &wave, const Instruction &in) {
  u32 a[kMaxLanes];
  float out[kMaxLanes];
  const u32 *pa = rawSource(wave, in, 1, a);
  // op_sel bit 0 is the low bit of the byte number's upper... both encodings give a byte number in
  // byteSelect.
  unsigned shift = in.sdwa ? 0 : 8 * in.byteSelect;
  const SmallFormat &format = formatOf(wave, Bf8);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    out[lane] = smallToFloat(uint8_t(pa[lane] >> shift), format);
  writeResult<float>(wave, in, out, activeLanes(wave, in));
}

/// v_cvt_pk_f32_fp8: two bytes of one word to a pair of registers.
template <bool Bf8> void toFloatPair(Wave &wave, const Instruction &in) {
  u32 a[kMaxLanes], low[kMaxLanes], high[kMaxLanes];
  const u32 *pa = rawSource(wave, in, 1, a);
  unsigned shift = in.sdwa ? 0 : (in.opSel & 1) || in.operands[1].high ? 16 : 0;
  const SmallFormat &format = formatOf(wave, Bf8);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    low[lane] = bitsOf(smallToFloat(uint8_t(pa[lane] >> shift), format));
    high[lane] = bitsOf(smallToFloat(uint8_t(pa[lane] >> shift >> 8), format));
  }
  uint64_t lanes = activeLanes(wave, in);
  writeRow(wave, in.operands[0], 0, low, lanes);
  writeRow(wave, in.operands[0], 1, high, lanes);
}

template <bool Bf8> void packFloats(Wave &wave, const Instruction &in) {
  float a[kMaxLanes], b[kMaxLanes];
  u32 merged[kMaxLanes];
  const float *pa = fetch(wave, in, 1, a), *pb = fetch(wave, in, 2, b);
  const u32 *row = wave.row(in.operands[0].index);
  unsigned shift = in.destinationHigh || in.operands[0].high ? 16 : 0;
  const SmallFormat &format = formatOf(wave, Bf8);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    SmallRounding rounding{.saturate = wave.mode.saturate16};
    u32 low = toSmall(pa[lane], format, rounding), high = toSmall(pb[lane], format, rounding),
        pair = low | high << 8;
    reportNan(wave, lane, pa[lane], low, format);
    reportNan(wave, lane, pb[lane], high, format);
    merged[lane] = (row[lane] & ~(0xffffu << shift)) | pair << shift;
  }
  writeRow(wave, in.operands[0], 0, merged, activeLanes(wave, in));
}

template <bool Bf8> void roundStochastically(Wave &wave, const Instruction &in) {
  float a[kMaxLanes];
  u32 b[kMaxLanes], merged[kMaxLanes];
  const float *pa = fetch(wave, in, 1, a);
  const u32 *pb = fetch(wave, in, 2, b);
  const u32 *row = wave.row(in.operands[0].index);
  unsigned shift = 8 * in.byteSelect;
  const SmallFormat &format = formatOf(wave, Bf8);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    u32 code =
        toSmall(pa[lane], format, {.saturate = wave.mode.saturate16, .stochastic = true, .random = pb[lane]});
    reportNan(wave, lane, pa[lane], code, format);
    merged[lane] = (row[lane] & ~(0xffu << shift)) | code << shift;
  }
  writeRow(wave, in.operands[0], 0, merged, activeLanes(wave, in));
}

/// v_dot4_f32_fp8_bf8 and its kin: four products and the addend, exact here and rounded once. RDNA4 manual,
/// VOP3P.
template <bool FirstBf8, bool SecondBf8> void dot4(Wave &wave, const Instruction &in) {
  u32 a[kMaxLanes], b[kMaxLanes];
  float c[kMaxLanes], out[kMaxLanes];
  const u32 *pa = fetch<u32>(wave, in, 1, a), *pb = fetch<u32>(wave, in, 2, b);
  const float *pc = fetch<float>(wave, in, 3, c);
  const SmallFormat &first = formatOf(wave, FirstBf8), &second = formatOf(wave, SecondBf8);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    double products =
        0; // of 8-bit numbers: four of them fit a double exactly but for the widest spread of bf8
    for (unsigned shift = 0; shift < 32; shift += 8)
      products = addToOdd(products, double(smallToFloat(uint8_t(pa[lane] >> shift), first)) *
                                        smallToFloat(uint8_t(pb[lane] >> shift), second));
    out[lane] = float(addToOdd(products, (in.negateLow >> 2 & 1) ? -pc[lane] : pc[lane]));
  }
  writeResult<float>(wave, in, out, activeLanes(wave, in));
}

} // namespace

void HandlerTable::addSmallFloatConversions() {
  add("v_cvt_f32_fp8", {toFloat<false>});
  add("v_cvt_f32_bf8", {toFloat<true>});
  add("v_cvt_pk_f32_fp8", {toFloatPair<false>});
  add("v_cvt_pk_f32_bf8", {toFloatPair<true>});
  add("v_cvt_pk_fp8_f32", {packFloats<false>});
  add("v_cvt_pk_bf8_f32", {packFloats<true>});
  add("v_dot4_f32_fp8_fp8", {dot4<false, false>});
  add("v_dot4_f32_fp8_bf8", {dot4<false, true>});
  add("v_dot4_f32_bf8_fp8", {dot4<true, false>});
  add("v_dot4_f32_bf8_bf8", {dot4<true, true>});
  add("v_cvt_sr_fp8_f32", {roundStochastically<false>});
  add("v_cvt_sr_bf8_f32", {roundStochastically<true>});
}

} // namespace quern::runtime::emulated::amd
