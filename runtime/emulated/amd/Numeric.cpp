//===- Numeric.cpp - Conversions of the small formats ---------------------===//
//
// See Numeric.h for the formats and their sources.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Numeric.h"

#include <algorithm>

namespace quern::runtime::emulated::amd {

float smallToFloat(uint8_t code, const SmallFormat &format) {
  int exponentMask = (1 << format.exponentBits) - 1, fractionMask = (1 << format.fractionBits) - 1;
  unsigned signBit = 1u << (format.exponentBits + format.fractionBits);
  bool negative = code & signBit;
  int exponent = code >> format.fractionBits & exponentMask, fraction = code & fractionMask;
  if (format.fnuz) {
    if (code == signBit)
      return floatOf(0x7fc00000u);
  } else if (exponent == exponentMask && !format.finite) {
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

uint16_t toSmall(double x, const SmallFormat &format, const SmallRounding &rounding) {
  // Codes without their sign; the largest finite one, and those of NaN and of what is past the largest.
  unsigned codes = 1u << (format.exponentBits + format.fractionBits), sign = std::signbit(x) ? codes : 0;
  unsigned largest = format.fnuz || format.finite ? codes - 1
                     : format.hasInfinity         ? codes - (1u << format.fractionBits) - 1
                                                  : codes - 2;
  unsigned nan = format.fnuz ? codes : sign | (codes - 1);
  unsigned overflow = rounding.saturate || format.finite   ? sign | largest
                      : format.fnuz || !format.hasInfinity ? nan
                                                           : sign | (largest + 1);
  if (isNan(x))
    return uint16_t(nan);
  if (isInf(x))
    return uint16_t(overflow);
  if (x == 0)
    return uint16_t(format.fnuz ? 0 : sign);
  // No double that comes here is subnormal: the smallest is 2^-149 / 2^127.
  int exponent = int(bitsOf(x) >> 52 & 0x7ff) - 1023, minimum = 1 - format.bias;
  uint64_t significand = (bitsOf(x) & 0xfffffffffffffull) | 0x10000000000000ull;
  unsigned below = exponent < minimum ? unsigned(std::min(minimum - exponent, 60)) : 0;
  uint64_t rounded;
  if (rounding.stochastic) {
    unsigned dropped = unsigned(rounding.sourceFractionBits - format.fractionBits);
    uint64_t cut = significand >> (52 - rounding.sourceFractionBits) >> below;
    rounded = (cut + (dropped ? uint64_t(rounding.random) >> (32 - dropped) : 0)) >> dropped;
  } else {
    unsigned shift = unsigned(52 - format.fractionBits) + below;
    rounded = shift > 60 ? 0 : roundShift(significand, shift, false, Rounding::NearestEven);
  }
  uint64_t code =
      exponent < minimum ? rounded : (uint64_t(exponent - minimum) << format.fractionBits) + rounded;
  if (code > largest)
    return uint16_t(overflow);
  return uint16_t(code == 0 && format.fnuz ? 0 : sign | code);
}

} // namespace quern::runtime::emulated::amd
