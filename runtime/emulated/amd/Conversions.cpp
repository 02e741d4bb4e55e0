//===- Conversions.cpp - Conversions between integers and floats ----------===//
//
// Formulas from the CDNA3, CDNA4 and RDNA4 manuals (VOP1 V_CVT_*, VOP3 V_CVT_PK*). Conversions to integers
// saturate and turn NaN into 0. The 8-bit formats are in SmallFloatConversions.cpp.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/FloatMath.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u16 = uint16_t;
using i16 = int16_t;
using u32 = uint32_t;
using i32 = int32_t;

template <auto F> HandlerEntry op() { return {vectorOp<F>, Unit::Vector, 1, false, 0}; }

template <typename I, typename T> I saturated(T x) {
  if (isNan(x))
    return 0;
  T rounded = std::trunc(x);
  if (rounded <= T(std::numeric_limits<I>::min()))
    return std::numeric_limits<I>::min();
  // max() rounds up in T where T is narrower than I; a number at or past it saturates either way.
  if (rounded >= T(std::numeric_limits<I>::max()))
    return std::numeric_limits<I>::max();
  return I(rounded);
}

template <typename I> u32 normalized(float x) { // x * (2^(bits-1) - 1), saturated, to nearest even
  constexpr float scale = std::is_signed_v<I> ? 32767.0f : 65535.0f;
  float limited = isNan(x) ? 0.0f : std::clamp(x, std::is_signed_v<I> ? -1.0f : 0.0f, 1.0f);
  return u16(I(i32(std::nearbyint(limited * scale))));
}

/// v_cvt_f16_f32 honours the rounding mode of 16-bit results, and FP16_OVFL.
void toHalf(Wave &wave, const Instruction &in) {
  float a[kMaxLanes];
  u32 out[kMaxLanes];
  const float *pa = fetch(wave, in, 1, a);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    float x = scaledOutput(pa[lane], in.outputScale);
    if (in.clamp)
      x = clampedUnit(x, wave.mode.clampNan);
    u32 half = floatToHalf(x, wave.mode.round64);
    if (wave.mode.saturate16 && (half & 0x7fff) == 0x7c00 && !isInf(x))
      half = (half & 0x8000) | 0x7bff;
    if (!(wave.mode.denormal64 & 2) && !(half & 0x7c00))
      half &= 0x8000;
    out[lane] = half;
  }
  in.sdwa ? writeSelected(wave, in, out, activeLanes(wave, in), true)
          : writeHalves(wave, in, out, activeLanes(wave, in));
}

/// v_cvt_pk_f16_f32 (nearest even by the mode) and v_cvt_pkrtz_f16_f32 (toward zero).
template <bool TowardZero> void packHalves(Wave &wave, const Instruction &in) {
  float a[kMaxLanes], b[kMaxLanes];
  u32 out[kMaxLanes];
  const float *pa = fetch(wave, in, 1, a), *pb = fetch(wave, in, 2, b);
  Rounding mode = TowardZero ? Rounding::TowardZero : wave.mode.round64;
  for (unsigned lane = 0; lane < wave.width; ++lane)
    out[lane] = floatToHalf(pa[lane], mode) | u32(floatToHalf(pb[lane], mode)) << 16;
  writeResult<u32>(wave, in, out, activeLanes(wave, in));
}

u32 low16(i32 a, i32 b) { return (u32(a) & 0xffff) | u32(b) << 16; }

/// v_cvt_pk_u8_f32: inserts one byte into c.
u32 packByte(float a, u32 position, u32 c) {
  float limited = isNan(a) ? 0.0f : std::clamp(a, 0.0f, 255.0f);
  u32 shift = 8 * (position & 3);
  return (c & ~(0xffu << shift)) | u32(limited) << shift;
}

} // namespace

void HandlerTable::addConversions() {
  add("v_cvt_f32_i32", op<[](i32 a) { return float(a); }>());
  add("v_cvt_f32_u32", op<[](u32 a) { return float(a); }>());
  add("v_cvt_f64_i32", op<[](i32 a) { return double(a); }>());
  add("v_cvt_f64_u32", op<[](u32 a) { return double(a); }>());
  add("v_cvt_i32_f32", op<[](float a) { return saturated<i32>(a); }>());
  add("v_cvt_u32_f32", op<[](float a) { return saturated<u32>(a); }>());
  add("v_cvt_i32_f64", op<[](double a) { return saturated<i32>(a); }>());
  add("v_cvt_u32_f64", op<[](double a) { return saturated<u32>(a); }>());
  add("v_cvt_f64_f32", op<[](float a) { return double(a); }>());
  add("v_cvt_f32_f64", {[](Wave &wave, const Instruction &in) {
        double a[kMaxLanes];
        float out[kMaxLanes];
        const double *pa = fetch(wave, in, 1, a);
        {
          RoundingScope scope(wave.mode.round32);
          for (unsigned lane = 0; lane < wave.width; ++lane)
            out[lane] = float(pa[lane]);
        }
        writeResult<float>(wave, in, out, activeLanes(wave, in));
      }});
  add("v_cvt_f16_f32", {toHalf});
  add("v_cvt_f32_f16", op<[](Half a) { return a.value; }>());
  add("v_cvt_f32_bf16", op<[](Bfloat a) { return a.value; }>());
  add("v_cvt_f16_i16", op<[](i16 a) { return Half{float(a)}; }>());
  add("v_cvt_f16_u16", op<[](u16 a) { return Half{float(a)}; }>());
  add("v_cvt_i16_f16", op<[](Half a) { return saturated<i16>(a.value); }>());
  add("v_cvt_u16_f16", op<[](Half a) { return saturated<u16>(a.value); }>());
  add({"v_cvt_rpi_i32_f32", "v_cvt_nearest_i32_f32"},
      op<[](float a) { return saturated<i32>(std::floor(a + 0.5f)); }>());
  add({"v_cvt_flr_i32_f32", "v_cvt_floor_i32_f32"},
      op<[](float a) { return saturated<i32>(std::floor(a)); }>());
  add("v_cvt_f32_ubyte0", op<[](u32 a) { return float(a & 0xff); }>());
  add("v_cvt_f32_ubyte1", op<[](u32 a) { return float(a >> 8 & 0xff); }>());
  add("v_cvt_f32_ubyte2", op<[](u32 a) { return float(a >> 16 & 0xff); }>());
  add("v_cvt_f32_ubyte3", op<[](u32 a) { return float(a >> 24); }>());
  add("v_cvt_off_f32_i4", op<[](u32 a) { return float(i32(a << 28) >> 28) * 0.0625f; }>());

  add({"v_cvt_pkrtz_f16_f32", "v_cvt_pk_rtz_f16_f32"}, {packHalves<true>});
  add("v_cvt_pk_f16_f32", {packHalves<false>});
  add("v_cvt_pk_bf16_f32",
      op<[](float a, float b) { return floatToBfloat(a) | u32(floatToBfloat(b)) << 16; }>());
  add({"v_cvt_pknorm_i16_f32", "v_cvt_pk_norm_i16_f32"},
      op<[](float a, float b) { return normalized<i16>(a) | normalized<i16>(b) << 16; }>());
  add({"v_cvt_pknorm_u16_f32", "v_cvt_pk_norm_u16_f32"},
      op<[](float a, float b) { return normalized<u16>(a) | normalized<u16>(b) << 16; }>());
  add("v_cvt_norm_i16_f16", op<[](Half a) { return u16(normalized<i16>(a.value)); }>());
  add("v_cvt_norm_u16_f16", op<[](Half a) { return u16(normalized<u16>(a.value)); }>());
  add({"v_cvt_pknorm_i16_f16", "v_cvt_pk_norm_i16_f16"},
      op<[](Half a, Half b) { return normalized<i16>(a.value) | normalized<i16>(b.value) << 16; }>());
  add({"v_cvt_pknorm_u16_f16", "v_cvt_pk_norm_u16_f16"},
      op<[](Half a, Half b) { return normalized<u16>(a.value) | normalized<u16>(b.value) << 16; }>());
  add("v_cvt_pk_u16_u32", op<[](u32 a, u32 b) { return std::min(a, 65535u) | std::min(b, 65535u) << 16; }>());
  add("v_cvt_pk_i16_i32",
      op<[](i32 a, i32 b) { return low16(std::clamp(a, -32768, 32767), std::clamp(b, -32768, 32767)); }>());
  add("v_cvt_pk_u16_f32",
      op<[](float a, float b) { return u32(saturated<u16>(a)) | u32(saturated<u16>(b)) << 16; }>());
  add("v_cvt_pk_i16_f32", op<[](float a, float b) { return low16(saturated<i16>(a), saturated<i16>(b)); }>());
  add("v_cvt_pk_u8_f32", op<[](float a, u32 b, u32 c) { return packByte(a, b, c); }>());
  add("v_sat_pk_u8_i16", op<[](u32 a) {
        auto byte = [](u32 x) { return u32(std::clamp<i32>(i16(x), 0, 255)); };
        return byte(a & 0xffff) | byte(a >> 16) << 8;
      }>());
  add("v_ashr_pk_i8_i32", op<[](i32 a, i32 b, u32 c) {
        auto byte = [&](i32 x) { return u32(std::clamp(x >> (c & 31), -128, 127)) & 0xff; };
        return byte(a) | byte(b) << 8;
      }>());
  add("v_ashr_pk_u8_i32", op<[](i32 a, i32 b, u32 c) {
        auto byte = [&](i32 x) { return u32(std::clamp(x >> (c & 31), 0, 255)); };
        return byte(a) | byte(b) << 8;
      }>());
}

} // namespace quern::runtime::emulated::amd
