//===- FormulaTest.cpp - Tables of instructions and their formulas --------===//
//
// Instructions that the compiled functions of HostComparisonTest.cpp do not reach, each with its formula from
// the vendor's manuals in plain C++ (binary16 through the host compiler's _Float16). All run over the same
// operands.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/TestKernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <random>

namespace quern::runtime::emulated::amd {
namespace {

using Words = std::vector<uint32_t>;
using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

enum Targets : unsigned {
  Gfx90a = 1,
  Gfx942 = 2,
  Gfx950 = 4,
  Gfx1100 = 8,
  Gfx1201 = 16,
  Gfx9 = 7,
  Newer = 24,
  All = 31
};
unsigned targetBit(const std::string &target) {
  auto all = allTargets();
  return 1u << (std::find(all.begin(), all.end(), target) - all.begin());
}

enum Kind {
  Bits,  ///< all 32 bits
  Float, ///< binary32, any NaN equals any
  Half,  ///< low 16 bits as binary16, any NaN equals any
  Near,  ///< low 16 bits as binary16, one unit in the last place
  Low,   ///< low 16 bits
};

struct Formula {
  std::string text; ///< %d, %a, %b, %c are the registers
  unsigned targets;
  Kind kind;
  std::function<u32(u32, u32, u32)> value;
};

float f(u32 x) { return std::bit_cast<float>(x); }
u32 w(float x) { return std::bit_cast<u32>(x); }
double h(u32 x) { return double(std::bit_cast<_Float16>(uint16_t(x))); }
u32 hw(double x) { return std::bit_cast<uint16_t>(_Float16(x)); }
double b16(u32 x) { return f(x << 16); }
i32 s16(u32 x) { return int16_t(x); }
u32 u16(u32 x) { return x & 0xffff; }
i64 clamp(i64 x, i64 low, i64 high) { return std::clamp(x, low, high); }
template <typename T> T med(T a, T b, T c) {
  T v[] = {a, b, c};
  std::sort(v, v + 3);
  return v[1];
}
/// Any NaN: NaN.
double nanMin(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b); }
double nanMax(double a, double b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b); }
double fract(double x, double below) { return std::isinf(x) ? NAN : std::min(x - std::floor(x), below); }
i64 toInteger(double x, i64 low, i64 high) {
  return std::isnan(x) ? 0 : x <= double(low) ? low : x >= double(high) ? high : i64(x);
}
u32 packed(u32 a, u32 b, u32 (*op)(u32, u32)) { return u16(op(u16(a), u16(b))) | op(a >> 16, b >> 16) << 16; }
i64 dot(u32 a, u32 b, unsigned bits, bool aSigned, bool bSigned) {
  i64 sum = 0;
  for (unsigned i = 0; i < 32; i += bits) {
    i64 x = a >> i & ((1u << bits) - 1), y = b >> i & ((1u << bits) - 1);
    if (aSigned && x >> (bits - 1))
      x -= 1ll << bits;
    if (bSigned && y >> (bits - 1))
      y -= 1ll << bits;
    sum += x * y;
  }
  return sum;
}

std::vector<Formula> integerFormulas() {
  return {
      {"v_add_lshl_u32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return (a + b) << (c & 31); }},
      {"v_lshl_add_u32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return (a << (b & 31)) + c; }},
      {"v_lshl_or_b32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return (a << (b & 31)) | c; }},
      {"v_and_or_b32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return (a & b) | c; }},
      {"v_or3_b32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return a | b | c; }},
      {"v_xor3_b32 %d, %a, %b, %c", Newer, Bits, [](u32 a, u32 b, u32 c) { return a ^ b ^ c; }},
      {"v_xad_u32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return (a ^ b) + c; }},
      {"v_xnor_b32 %d, %a, %b", All, Bits, [](u32 a, u32 b, u32) { return ~(a ^ b); }},
      {"v_bfe_i32 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) {
         u32 width = c & 31;
         return width ? u32(i32(u32(i32(a) >> (b & 31)) << (32 - width)) >> (32 - width)) : 0u;
       }},
      {"v_alignbyte_b32 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) { return u32((u64(a) << 32 | b) >> (8 * (c & 3))); }},
      {"v_bfi_b32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return (a & b) | (~a & c); }},
      {"v_mul_hi_i32_i24 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) { return u32(i64(i32(a << 8) >> 8) * (i32(b << 8) >> 8) >> 32); }},
      {"v_mul_hi_u32_u24 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) { return u32(u64(a & 0xffffff) * (b & 0xffffff) >> 32); }},
      {"v_mad_u32_u16 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return u16(a) * u16(b) + c; }},
      {"v_mad_i32_i16 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) { return u32(s16(a) * s16(b)) + c; }},
      {"v_mad_u32_u24 %d, %a, %b, %c clamp", All, Bits,
       [](u32 a, u32 b, u32 c) {
         return u32(clamp(i64(a & 0xffffff) * (b & 0xffffff) + c, 0, 0xffffffffll));
       }},
      {"v_min3_i32 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) { return u32(std::min({i32(a), i32(b), i32(c)})); }},
      {"v_max3_u32 %d, %a, %b, %c", All, Bits, [](u32 a, u32 b, u32 c) { return std::max({a, b, c}); }},
      {"v_max3_i32 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) { return u32(std::max({i32(a), i32(b), i32(c)})); }},
      {"v_maxmin_u32 %d, %a, %b, %c", Newer, Bits,
       [](u32 a, u32 b, u32 c) { return std::min(std::max(a, b), c); }},
      {"v_minmax_i32 %d, %a, %b, %c", Newer, Bits,
       [](u32 a, u32 b, u32 c) { return u32(std::max(std::min(i32(a), i32(b)), i32(c))); }},
      {"v_min3_u16 %d, %a, %b, %c", All, Low,
       [](u32 a, u32 b, u32 c) { return std::min({u16(a), u16(b), u16(c)}); }},
      {"v_max3_i16 %d, %a, %b, %c", All, Low,
       [](u32 a, u32 b, u32 c) { return u32(std::max({s16(a), s16(b), s16(c)})); }},
      {"v_med3_i16 %d, %a, %b, %c", All, Low,
       [](u32 a, u32 b, u32 c) { return u32(med(s16(a), s16(b), s16(c))); }},
      {"v_med3_u16 %d, %a, %b, %c", All, Low,
       [](u32 a, u32 b, u32 c) { return med(u16(a), u16(b), u16(c)); }},
      {"v_med3_u16 %d, %a, %b, %c op_sel:[1,0,1,0]", All, Low,
       [](u32 a, u32 b, u32 c) { return med(a >> 16, u16(b), c >> 16); }},
      {"v_med3_i32 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) { return u32(med(i32(a), i32(b), i32(c))); }},
      {"v_msad_u8 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) {
         for (unsigned i = 0; i < 32; i += 8)
           if (b >> i & 255)
             c += u32(std::abs(i32(a >> i & 255) - i32(b >> i & 255)));
         return c;
       }},
      {"v_sad_hi_u8 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) {
         for (unsigned i = 0; i < 32; i += 8)
           c += u32(std::abs(i32(a >> i & 255) - i32(b >> i & 255))) << 16;
         return c;
       }},
      {"v_lerp_u8 %d, %a, %b, %c", All, Bits,
       [](u32 a, u32 b, u32 c) {
         u32 r = 0;
         for (unsigned i = 0; i < 32; i += 8)
           r |= ((a >> i & 255) + (b >> i & 255) + (c >> i & 1)) / 2 << i;
         return r;
       }},
      {"v_bcnt_u32_b32 %d, %a, %b", All, Bits, [](u32 a, u32 b, u32) { return u32(std::popcount(a)) + b; }},
      {"v_bfrev_b32 %d, %a", All, Bits,
       [](u32 a, u32, u32) {
         u32 r = 0;
         for (unsigned i = 0; i < 32; ++i)
           r |= (a >> i & 1) << (31 - i);
         return r;
       }},
      {"v_pk_sub_u16 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) { return packed(a, b, [](u32 x, u32 y) { return x - y; }); }},
      {"v_pk_add_i16 %d, %a, %b clamp", All, Bits,
       [](u32 a, u32 b, u32) {
         return packed(a, b, [](u32 x, u32 y) { return u32(clamp(s16(x) + s16(y), -32768, 32767)); });
       }},
      {"v_pk_sub_i16 %d, %a, %b clamp", All, Bits,
       [](u32 a, u32 b, u32) {
         return packed(a, b, [](u32 x, u32 y) { return u32(clamp(s16(x) - s16(y), -32768, 32767)); });
       }},
      {"v_pk_lshrrev_b16 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) { return packed(a, b, [](u32 x, u32 y) { return u16(y) >> (x & 15); }); }},
      {"v_pk_ashrrev_i16 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) { return packed(a, b, [](u32 x, u32 y) { return u32(s16(y) >> (x & 15)); }); }},
      {"v_pk_min_i16 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) {
         return packed(a, b, [](u32 x, u32 y) { return u32(std::min(s16(x), s16(y))); });
       }},
      {"v_pk_max_u16 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) { return packed(a, b, [](u32 x, u32 y) { return std::max(u16(x), u16(y)); }); }},
      {"v_pk_mad_u16 %d, %a, %b, %c op_sel_hi:[1,1,0]", All, Bits,
       [](u32 a, u32 b, u32 c) { return u16(a * b + c) | ((a >> 16) * (b >> 16) + c) << 16; }},
      {"v_dot4_i32_i8 %d, %a, %b, %c", Gfx9, Bits,
       [](u32 a, u32 b, u32 c) { return u32(dot(a, b, 8, true, true)) + c; }},
      {"v_dot8_i32_i4 %d, %a, %b, %c", Gfx9, Bits,
       [](u32 a, u32 b, u32 c) { return u32(dot(a, b, 4, true, true)) + c; }},
      {"v_dot2_i32_i16 %d, %a, %b, %c", Gfx9, Bits,
       [](u32 a, u32 b, u32 c) { return u32(dot(a, b, 16, true, true)) + c; }},
      {"v_dot4_u32_u8 %d, %a, %b, %c clamp", All, Bits,
       [](u32 a, u32 b, u32 c) { return u32(clamp(dot(a, b, 8, false, false) + c, 0, 0xffffffffll)); }},
      {"v_dot4_i32_iu8 %d, %a, %b, %c neg_lo:[1,0,0]", Newer, Bits,
       [](u32 a, u32 b, u32 c) { return u32(dot(a, b, 8, true, false)) + c; }},
      {"v_dot8_i32_iu4 %d, %a, %b, %c neg_lo:[0,1,0]", Newer, Bits,
       [](u32 a, u32 b, u32 c) { return u32(dot(a, b, 4, false, true)) + c; }},
      {"v_cvt_pk_i16_i32 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) {
         return u16(u32(clamp(i32(a), -32768, 32767))) | u32(clamp(i32(b), -32768, 32767)) << 16;
       }},
      {"v_cvt_pk_u16_u32 %d, %a, %b", All, Bits,
       [](u32 a, u32 b, u32) { return std::min(a, 65535u) | std::min(b, 65535u) << 16; }},
      {"v_cvt_off_f32_i4 %d, %a", All, Float,
       [](u32 a, u32, u32) { return w(float(i32(a << 28) >> 28) / 16); }},
      {"v_cvt_f32_ubyte1 %d, %a", All, Float, [](u32 a, u32, u32) { return w(float(a >> 8 & 255)); }},
      {"v_cvt_f32_ubyte2 %d, %a", All, Float, [](u32 a, u32, u32) { return w(float(a >> 16 & 255)); }},
      {"v_sat_pk_u8_i16 %d, %a", Newer, Low,
       [](u32 a, u32, u32) { return u32(clamp(s16(a), 0, 255)) | u32(clamp(s16(a >> 16), 0, 255)) << 8; }},
      {"v_pack_b32_f16 %d, %a, %b op_sel:[1,0,0]", All, Bits,
       [](u32 a, u32 b, u32) { return a >> 16 | b << 16; }},
      {"v_prng_b32 %d, %a", Gfx950, Bits, [](u32 a, u32, u32) { return a << 1 ^ (a >> 31 ? 197u : 0u); }},
      {"v_not_b16 %d, %a", Newer, Low, [](u32 a, u32, u32) { return ~a; }},
  };
}

std::vector<Formula> floatFormulas() {
  return {
      {"v_subrev_f32 %d, %a, %b", All, Float, [](u32 a, u32 b, u32) { return w(f(b) - f(a)); }},
      {"v_fmaak_f32 %d, %a, %b, 0x40490fdb", All & ~Gfx90a, Float,
       [](u32 a, u32 b, u32) { return w(std::fma(f(a), f(b), f(0x40490fdb))); }},
      {"v_fmamk_f32 %d, %a, 0x40490fdb, %b", All & ~Gfx90a, Float,
       [](u32 a, u32 b, u32) { return w(std::fma(f(a), f(0x40490fdb), f(b))); }},
      {"v_max3_f32 %d, %a, %b, %c", All, Float,
       [](u32 a, u32 b, u32 c) { return w(std::fmax(std::fmax(f(a), f(b)), f(c))); }},
      {"v_min3_f32 %d, %a, -%b, |%c|", All, Float,
       [](u32 a, u32 b, u32 c) { return w(std::fmin(std::fmin(f(a), -f(b)), std::fabs(f(c)))); }},
      {"v_minmax_f32 %d, %a, %b, %c", Gfx1100, Float,
       [](u32 a, u32 b, u32 c) { return w(std::fmax(std::fmin(f(a), f(b)), f(c))); }},
      {"v_maxmin_num_f32 %d, %a, %b, %c", Gfx1201, Float,
       [](u32 a, u32 b, u32 c) { return w(std::fmin(std::fmax(f(a), f(b)), f(c))); }},
      {"v_minimum_f32 %d, %a, %b", Gfx1201, Float,
       [](u32 a, u32 b, u32) { return w(float(nanMin(f(a), f(b)))); }},
      {"v_maximum_f32 %d, %a, %b", Gfx1201, Float,
       [](u32 a, u32 b, u32) { return w(float(nanMax(f(a), f(b)))); }},
      {"v_minimum3_f32 %d, %a, %b, %c", Gfx950 | Gfx1201, Float,
       [](u32 a, u32 b, u32 c) { return w(float(nanMin(nanMin(f(a), f(b)), f(c)))); }},
      {"v_maximumminimum_f32 %d, %a, %b, %c", Gfx1201, Float,
       [](u32 a, u32 b, u32 c) { return w(float(nanMin(nanMax(f(a), f(b)), f(c)))); }},
      {"v_fract_f32 %d, %a", All, Float,
       [](u32 a, u32, u32) { return w(float(fract(f(a), 0x1.fffffep-1))); }},
      {"v_frexp_exp_i32_f32 %d, %a", All, Bits,
       [](u32 a, u32, u32) {
         int e = 0;
         if (std::isfinite(f(a)))
           std::frexp(f(a), &e);
         return u32(e);
       }},
      {"v_mul_legacy_f32 %d, %a, %b", Gfx9, Float,
       [](u32 a, u32 b, u32) { return f(a) == 0 || f(b) == 0 ? 0 : w(f(a) * f(b)); }},
      {"v_mul_dx9_zero_f32 %d, %a, %b", Newer, Float,
       [](u32 a, u32 b, u32) { return f(a) == 0 || f(b) == 0 ? 0 : w(f(a) * f(b)); }},
      {"v_cvt_pk_u16_f32 %d, %a, %b", Newer, Bits,
       [](u32 a, u32 b, u32) {
         return u32(toInteger(f(a), 0, 65535)) | u32(toInteger(f(b), 0, 65535)) << 16;
       }},
      {"v_cvt_pk_i16_f32 %d, %a, %b", Newer, Bits,
       [](u32 a, u32 b, u32) {
         return u16(u32(toInteger(f(a), -32768, 32767))) | u32(toInteger(f(b), -32768, 32767)) << 16;
       }},
      {"v_subrev_f16 %d, %a, %b", All, Half, [](u32 a, u32 b, u32) { return hw(h(b) - h(a)); }},
      {"v_fma_f16 %d, %a, %b, %c", All, Half,
       [](u32 a, u32 b, u32 c) { return hw(std::fma(h(a), h(b), h(c))); }},
      {"v_fma_f16 %d, -%a, |%b|, %c op_sel:[1,0,1,0]", All, Half,
       [](u32 a, u32 b, u32 c) { return hw(std::fma(-h(a >> 16), std::fabs(h(b)), h(c >> 16))); }},
      {"v_max3_f16 %d, %a, %b, %c", All, Half,
       [](u32 a, u32 b, u32 c) { return hw(std::fmax(std::fmax(h(a), h(b)), h(c))); }},
      {"v_pk_fma_f16 %d, %a, %b, %c", All, Half,
       [](u32 a, u32 b, u32 c) { return hw(std::fma(h(a), h(b), h(c))); }},
      {"v_pk_max_f16 %d, %a, %b", All, Half, [](u32 a, u32 b, u32) { return hw(std::fmax(h(a), h(b))); }},
      {"v_pk_min_f16 %d, %a, %b", All, Half, [](u32 a, u32 b, u32) { return hw(std::fmin(h(a), h(b))); }},
      {"v_fract_f16 %d, %a", All, Half, [](u32 a, u32, u32) { return hw(fract(h(a), 0x1.ffcp-1)); }},
      {"v_rcp_f16 %d, %a", All, Near, [](u32 a, u32, u32) { return hw(1 / h(a)); }},
      {"v_rsq_f16 %d, %a", All, Near, [](u32 a, u32, u32) { return hw(1 / std::sqrt(h(a))); }},
      {"v_exp_f16 %d, %a", All, Near, [](u32 a, u32, u32) { return hw(std::exp2(h(a))); }},
      {"v_log_f16 %d, %a", All, Near, [](u32 a, u32, u32) { return hw(std::log2(h(a))); }},
      {"v_ldexp_f16 %d, %a, %b", All, Half, [](u32 a, u32 b, u32) { return hw(std::ldexp(h(a), s16(b))); }},
      {"v_cvt_i16_f16 %d, %a", All, Low, [](u32 a, u32, u32) { return u32(toInteger(h(a), -32768, 32767)); }},
      {"v_cvt_u16_f16 %d, %a", All, Low, [](u32 a, u32, u32) { return u32(toInteger(h(a), 0, 65535)); }},
      {"v_cvt_f16_u16 %d, %a", All, Half, [](u32 a, u32, u32) { return hw(u16(a)); }},
      {"v_cvt_norm_i16_f16 %d, %a", All, Low,
       [](u32 a, u32, u32) {
         return std::isnan(h(a)) ? 0
                                 : u32(i32(std::nearbyint(float(std::clamp(h(a), -1.0, 1.0)) * 32767.0f)));
       }},
      {"v_dot2_f32_bf16 %d, %a, %b, %c", Gfx950 | Newer, Float,
       [](u32 a, u32 b, u32 c) {
         __float128 sum = __float128(b16(a)) * b16(b) + __float128(b16(a >> 16)) * b16(b >> 16) + f(c);
         return w(float(sum));
       }},
      {"v_cvt_f32_bf16 %d, %a", Gfx950, Float, [](u32 a, u32, u32) { return a << 16; }},
  };
}

class Formulas : public testing::TestWithParam<std::string> {
protected:
  void check(const std::vector<Formula> &formulas, const std::vector<Words> &inputs) {
    // Up to 60 results of one run have registers.
    for (size_t first = 0; first < formulas.size(); first += 60) {
      std::string text;
      std::vector<const Formula *> used;
      for (size_t i = first; i < std::min(first + 60, formulas.size()); ++i) {
        if (!(formulas[i].targets & targetBit(GetParam())))
          continue;
        std::string line = formulas[i].text;
        for (auto &[name, number] : std::initializer_list<std::pair<const char *, unsigned>>{
                 {"%d", 30 + unsigned(used.size())}, {"%a", 10}, {"%b", 11}, {"%c", 12}})
          for (size_t at; (at = line.find(name)) != std::string::npos;)
            line.replace(at, 2, "v" + std::to_string(number));
        text += line + "\n";
        used.push_back(&formulas[i]);
      }
      auto outs = runSnippet(GetParam(), text, inputs, unsigned(used.size()));
      for (size_t k = 0; k < used.size(); ++k)
        for (size_t i = 0; i < inputs[0].size(); ++i) {
          u32 got = outs[k][i], expected = used[k]->value(inputs[0][i], inputs[1][i], inputs[2][i]);
          if (!same(used[k]->kind, got, expected)) {
            ADD_FAILURE() << used[k]->text << std::hex << " of " << inputs[0][i] << ", " << inputs[1][i]
                          << ", " << inputs[2][i] << " gives " << got << ", not " << expected;
            break;
          }
        }
    }
  }

private:
  static bool same(Kind kind, u32 got, u32 expected) {
    switch (kind) {
    case Bits:
      return got == expected;
    case Low:
      return u16(got) == u16(expected);
    case Float:
      return got == expected || (std::isnan(f(got)) && std::isnan(f(expected))) ||
             (f(got) == 0 && f(expected) == 0);
    case Half:
      return u16(got) == u16(expected) || (std::isnan(h(got)) && std::isnan(h(expected))) ||
             (h(got) == 0 && h(expected) == 0);
    case Near:
      return (std::isnan(h(got)) && std::isnan(h(expected))) ||
             std::abs(i32(u16(got)) - i32(u16(expected))) <= 1;
    }
    return false;
  }
};
INSTANTIATE_TEST_SUITE_P(Targets, Formulas, testing::ValuesIn(allTargets()),
                         [](const auto &info) { return info.param; });

TEST_P(Formulas, Integers) {
  std::mt19937 random(1);
  std::vector<Words> inputs(3);
  static const u32 edges[] = {0,  1,  0xffffffff, 0x80000000, 0x7fffffff, 0x80008000, 0x7fff7fff,
                              31, 32, 33,         0xffff,     0x10000,    0x00ff00ff};
  for (unsigned i = 0; i < 256; ++i)
    for (Words &input : inputs)
      input.push_back(i < 150 ? edges[random() % std::size(edges)] ^ (i < 100 ? 0 : random() & 3) : random());
  check(integerFormulas(), inputs);
}

TEST_P(Formulas, Floats) {
  std::mt19937 random(2);
  std::vector<Words> inputs(3);
  // Bits that are interesting as binary32 and as two binary16 halves at once.
  static const u32 edges[] = {0,          0x80008000, 0x3c003c00, 0xbc003800, 0x7c00fc00, 0x7e003c00,
                              0x00010001, 0x03ff8001, 0x7bff7bff, 0x4248c248, 0x3f800000, 0x7f800000,
                              0xff800000, 0x7fc00000, 0x00000001, 0x80400000, 0x477fe000, 0x7f7fffff};
  for (unsigned i = 0; i < 320; ++i)
    for (Words &input : inputs)
      input.push_back(i < 120   ? edges[random() % std::size(edges)]
                      : i < 200 ? hw(std::ldexp(double(i32(random())), -31 + int(random() % 12))) |
                                      hw(std::ldexp(double(i32(random())), -31 + int(random() % 4))) << 16
                                : w(std::ldexp(float(i32(random())), -31 + int(random() % 20))));
  check(floatFormulas(), inputs);
}

} // namespace
} // namespace quern::runtime::emulated::amd
