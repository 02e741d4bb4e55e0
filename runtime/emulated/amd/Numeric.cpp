//===- Numeric.cpp - Conversions of the 8-bit formats ---------------------===//
//
// See Numeric.h for the formats and their sources.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Numeric.h"

namespace quern::runtime::emulated::amd {

float float8ToFloat(uint8_t code, const Float8Format &format) {
  int exponentMask = (1 << format.exponentBits) - 1, fractionMask = (1 << format.fractionBits) - 1;
  bool negative = code >> 7;
  int exponent = code >> format.fractionBits & exponentMask, fraction = code & fractionMask;
  if (format.fnuz) {
    if (code == 0x80)
      return floatOf(0x7fc00000u);
  } else if (exponent == exponentMask) {
    if (format.hasInfinity)
      return floatOf((negative ? 0x80000000u : 0) | (fraction ? 0x7fc00000u : 0x7f800000u));
    if (fraction == fractionMask)
      return floatOf((negative ? 0x80000000u : 0) | 0x7fc00000u);
  }
  int significand = exponent ? fraction | (fractionMask + 1) : fraction;
  int scale = (exponent ? exponent : 1) - format.bias - format.fractionBits;
  float magnitude = std::ldexp(float(significand), scale);
  return negative ? -magnitude : magnitude;
}

uint8_t floatToFloat8(float x, const Float8Format &format, bool saturate, bool stochastic, uint32_t random) {
  uint32_t bits = bitsOf(x), magnitude = bits & 0x7fffffff;
  uint8_t sign = bits >> 31 ? 0x80 : 0;
  // The largest finite code and the code of a NaN.
  unsigned codes = 1u << (format.exponentBits + format.fractionBits);
  unsigned largest = format.fnuz          ? codes - 1
                     : format.hasInfinity ? codes - (1u << format.fractionBits) - 1
                                          : codes - 2;
  uint8_t nan = format.fnuz ? 0x80 : uint8_t(sign | (codes - 1));
  uint8_t overflow = saturate                             ? uint8_t(sign | largest)
                     : format.fnuz || !format.hasInfinity ? nan
                                                          : uint8_t(sign | (largest + 1));
  if (magnitude > 0x7f800000u)
    return nan;
  if (magnitude == 0x7f800000u) // an infinity follows the overflow rule
    return overflow;
  if (magnitude == 0)
    return format.fnuz ? 0 : sign;
  int exponent = magnitude >> 23 ? int(magnitude >> 23) - 127 : -126;
  uint64_t fraction = magnitude >> 23 ? ((magnitude & 0x7fffff) | 0x800000) : magnitude;
  int minimum = 1 - format.bias;
  unsigned shift = unsigned(23 - format.fractionBits + (exponent < minimum ? minimum - exponent : 0));
  uint64_t rounded;
  if (shift > 40) {
    rounded = 0;
  } else if (stochastic) {
    // The random bits stand left-aligned at the last place: the top |shift| of 32 are added, then truncated.
    uint64_t addend = shift <= 32 ? uint64_t(random) >> (32 - shift) : uint64_t(random) << (shift - 32);
    rounded = (fraction + addend) >> shift;
  } else {
    rounded = roundShift(fraction, shift, false, Rounding::NearestEven);
  }
  uint64_t code =
      exponent < minimum ? rounded : (uint64_t(exponent - minimum) << format.fractionBits) + rounded;
  if (code > largest)
    return overflow;
  if (code == 0 && format.fnuz)
    return 0;
  return uint8_t(sign | code);
}

} // namespace quern::runtime::emulated::amd
