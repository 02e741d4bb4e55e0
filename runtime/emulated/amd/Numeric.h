//===- Numeric.h - Bit-exact number formats of the vector unit ------------===//
//
// Conversions between binary32 and the small formats, with every rounding mode of the MODE register, and the
// few arithmetic pieces that have no host equivalent. Formats: IEEE 754-2019 binary16; bfloat16 = the high
// half of binary32; fp8 and bf8 as "OCP 8-bit Floating Point Specification (OFP8) Revision 1.0" (E4M3, E5M2)
// or the FNUZ variants (E4M3FNUZ bias 8, E5M2FNUZ bias 16, 0x80 is the only NaN, no infinities, no negative
// zero) of the CDNA3 instruction set manual.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_NUMERIC_H
#define QUERN_RUNTIME_EMULATED_AMD_NUMERIC_H

#include <bit>
#include <cmath>
#include <cstdint>

namespace quern::runtime::emulated::amd {

/// Rounding modes as the MODE register and the kernel descriptor encode them.
enum class Rounding : uint8_t { NearestEven = 0, Up = 1, Down = 2, TowardZero = 3 };

inline uint32_t bitsOf(float x) { return std::bit_cast<uint32_t>(x); }
inline uint64_t bitsOf(double x) { return std::bit_cast<uint64_t>(x); }
inline float floatOf(uint32_t x) { return std::bit_cast<float>(x); }
inline double doubleOf(uint64_t x) { return std::bit_cast<double>(x); }

inline bool isNan(float x) { return (bitsOf(x) & 0x7fffffffu) > 0x7f800000u; }
inline bool isNan(double x) { return (bitsOf(x) & 0x7fffffffffffffffull) > 0x7ff0000000000000ull; }
inline bool isSignalling(float x) { return isNan(x) && !(bitsOf(x) & 0x400000u); }
inline bool isSignalling(double x) { return isNan(x) && !(bitsOf(x) & 0x8000000000000ull); }
inline float quiet(float x) { return floatOf(bitsOf(x) | 0x400000u); }
inline double quiet(double x) { return doubleOf(bitsOf(x) | 0x8000000000000ull); }
inline bool isInf(float x) { return (bitsOf(x) & 0x7fffffffu) == 0x7f800000u; }
inline bool isInf(double x) { return (bitsOf(x) & 0x7fffffffffffffffull) == 0x7ff0000000000000ull; }
inline bool isSubnormal(float x) { return !(bitsOf(x) & 0x7f800000u) && (bitsOf(x) & 0x7fffffu); }
inline bool isSubnormal(double x) {
  return !(bitsOf(x) & 0x7ff0000000000000ull) && (bitsOf(x) & 0xfffffffffffffull);
}
/// A subnormal becomes a zero of its sign.
inline float flushed(float x) { return (bitsOf(x) & 0x7f800000u) ? x : floatOf(bitsOf(x) & 0x80000000u); }
inline double flushed(double x) {
  return (bitsOf(x) & 0x7ff0000000000000ull) ? x : doubleOf(bitsOf(x) & 0x8000000000000000ull);
}

/// Shifts |value| right by |shift| (0..63) and rounds what falls off; |negative| is the sign of the number.
inline uint64_t roundShift(uint64_t value, unsigned shift, bool negative, Rounding mode) {
  if (shift == 0)
    return value;
  if (shift > 63) {
    value = value != 0;
    shift = 1 + (value != 0);
  }
  uint64_t kept = value >> shift, rest = value & ((uint64_t(1) << shift) - 1),
           half = uint64_t(1) << (shift - 1);
  switch (mode) {
  case Rounding::NearestEven:
    return kept + (rest > half || (rest == half && (kept & 1)));
  case Rounding::Up:
    return kept + (rest && !negative);
  case Rounding::Down:
    return kept + (rest && negative);
  case Rounding::TowardZero:
    return kept;
  }
  return kept;
}

inline float halfToFloat(uint16_t h) {
  uint32_t sign = uint32_t(h & 0x8000) << 16, magnitude = h & 0x7fff;
  if (magnitude >= 0x7c00) // infinity and NaN keep their fraction
    return floatOf(sign | 0x7f800000u | (magnitude & 0x3ff) << 13);
  // 2^112 moves the exponent bias from 15 to 127 and is exact for subnormals as well.
  return floatOf(sign | bitsOf(floatOf(magnitude << 13) * 0x1p112f));
}

/// Nearest-even to binary16 in a form that compilers vectorise.
inline uint16_t floatToHalfNearest(float x) {
  uint32_t bits = bitsOf(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  // Normal results: rebias and round by adding just under half of the last place, plus the last bit.
  uint32_t normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
  // Subnormal results: adding 0.5 lets the host round at 2^-24.
  uint32_t subnormal = bitsOf(floatOf(magnitude) + 0.5f) - bitsOf(0.5f);
  uint32_t special = magnitude > 0x7f800000u ? 0x7e00u | (magnitude >> 13 & 0x3ff) : 0x7c00u;
  uint32_t result = magnitude < 0x38800000u ? subnormal : normal;
  return uint16_t(sign | (magnitude >= 0x477ff000u ? special : result));
}

inline uint16_t floatToHalf(float x, Rounding mode = Rounding::NearestEven) {
  if (mode == Rounding::NearestEven)
    return floatToHalfNearest(x);
  uint32_t bits = bitsOf(x), magnitude = bits & 0x7fffffff;
  bool negative = bits >> 31;
  uint16_t sign = negative ? 0x8000 : 0;
  if (magnitude > 0x7f800000u)
    return uint16_t(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
  if (magnitude == 0x7f800000u)
    return sign | 0x7c00;
  int exponent = int(magnitude >> 23) - 127;
  uint64_t fraction = magnitude >> 23 ? ((magnitude & 0x7fffff) | 0x800000) : magnitude;
  if (magnitude >> 23 == 0)
    exponent = -126;
  unsigned shift = exponent >= -14 ? 13 : unsigned(13 + (-14 - exponent));
  uint64_t rounded = roundShift(fraction, shift, negative, mode);
  uint64_t code = exponent >= -14 ? (uint64_t(exponent + 14) << 10) + rounded : rounded;
  if (code >= 0x7c00) { // past the largest: infinity or the largest finite number, by direction
    bool toInfinity = (mode == Rounding::Up && !negative) || (mode == Rounding::Down && negative);
    code = toInfinity ? 0x7c00 : 0x7bff;
  }
  return uint16_t(sign | code);
}

inline float bfloatToFloat(uint16_t b) { return floatOf(uint32_t(b) << 16); }
inline uint16_t floatToBfloat(float x) {
  uint32_t bits = bitsOf(x);
  if (isNan(x))
    return uint16_t(bits >> 16 | 0x40);
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// Exact a + b rounded to odd in double: a later rounding to a format at least two bits shorter is then
/// correct.
inline double addToOdd(double a, double b) {
  double sum = a + b;
  if (!std::isfinite(sum))
    return sum;
  double virtualB = sum - a, error = (a - (sum - virtualB)) + (b - virtualB); // Knuth's TwoSum
  if (error != 0 && !(bitsOf(sum) & 1)) // the exact sum lies strictly between two doubles: take the odd one
    sum = doubleOf(bitsOf(sum) + (((error > 0) == (sum > 0)) ? 1 : uint64_t(-1)));
  return sum;
}
/// Double to float, rounded to odd; for results that go on to binary16 or bfloat16.
inline float narrowToOdd(double x) {
  float f = float(x);
  if (double(f) == x || isNan(x) || std::isinf(f))
    return std::isinf(f) && !std::isinf(x) ? std::copysign(0x1.fffffep127f, f) : f;
  if (bitsOf(f) & 1)
    return f;
  return floatOf(bitsOf(f) + ((std::fabs(double(f)) < std::fabs(x)) ? 1 : uint32_t(-1)));
}
/// a * b + c for binary16 operands, exact up to one rounding to odd in float.
inline float fmaHalf(float a, float b, float c) {
  return narrowToOdd(addToOdd(double(a) * double(b), double(c)));
}

//===-- small formats ------------------------------------------------------===//

/// A format of at most 16 bits: sign, exponent, fraction.
struct SmallFormat {
  int exponentBits, fractionBits, bias;
  bool fnuz;           ///< one NaN (the code of -0), no infinities, no negative zero
  bool hasInfinity;    ///< exponent all ones is infinity or NaN; else only the all-ones code is NaN
  bool finite = false; ///< every code is a number
};
inline constexpr SmallFormat kE4M3{4, 3, 7, false, false};
inline constexpr SmallFormat kE5M2{5, 2, 15, false, true};
inline constexpr SmallFormat kE4M3Fnuz{4, 3, 8, true, false};
inline constexpr SmallFormat kE5M2Fnuz{5, 2, 16, true, false};
/// "OCP Microscaling Formats (MX) Specification", 5.3.
inline constexpr SmallFormat kE2M3{2, 3, 1, false, false, true};
inline constexpr SmallFormat kE3M2{3, 2, 3, false, false, true};
inline constexpr SmallFormat kE2M1{2, 1, 1, false, false, true};
inline constexpr SmallFormat kHalf{5, 10, 15, false, true};
inline constexpr SmallFormat kBfloat{8, 7, 127, false, true};

/// The value of a code of at most 8 bits.
float smallToFloat(uint8_t code, const SmallFormat &format);

/// How a number is rounded to a small format.
struct SmallRounding {
  bool saturate = false;   ///< numbers past the largest become the largest; else NaN, or infinity
  bool stochastic = false; ///< else to nearest even
  uint32_t random = 0;
  /// Stochastic: fraction bits of the type that the number comes from. The number is cut to them at the place
  /// of the format's smallest exponent, |random|'s top bits are added below the format's last place, and the
  /// sum is cut.
  int sourceFractionBits = 23;
};
/// Infinities follow the overflow rule; in a format of numbers alone everything saturates and NaN becomes the
/// largest number.
uint16_t toSmall(double x, const SmallFormat &format, const SmallRounding &rounding);

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_NUMERIC_H
