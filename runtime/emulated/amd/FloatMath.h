//===- FloatMath.h - Scalar formulas of the floating-point instructions ---===//
//
// Minimum and maximum in the vendor's three kinds, the medians, and the division helpers, for float and
// double. Sources: CDNA3 and RDNA4 manuals, V_MIN_F32, V_MINIMUM_F32, V_MED3_F32, V_DIV_SCALE_F32,
// V_DIV_FMAS_F32, V_DIV_FIXUP_F32, V_CMP_CLASS_F32.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_FLOATMATH_H
#define QUERN_RUNTIME_EMULATED_AMD_FLOATMATH_H

#include "runtime/emulated/amd/Numeric.h"

#include <cmath>
#include <limits>

namespace quern::runtime::emulated::amd {

/// v_min / v_min_num: a number wins over NaN; -0 is below +0.
template <typename T> inline T minNumber(T a, T b) {
  if (isNan(a))
    return isNan(b) ? quiet(b) : b;
  if (isNan(b))
    return a;
  return a < b || (a == b && std::signbit(a)) ? a : b;
}
template <typename T> inline T maxNumber(T a, T b) {
  if (isNan(a))
    return isNan(b) ? quiet(b) : b;
  if (isNan(b))
    return a;
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}
/// v_minimum / v_maximum: NaN wins.
template <typename T> inline T minimumOf(T a, T b) {
  if (isNan(a) || isNan(b))
    return quiet(isNan(a) ? a : b);
  return a < b || (a == b && std::signbit(a)) ? a : b;
}
template <typename T> inline T maximumOf(T a, T b) {
  if (isNan(a) || isNan(b))
    return quiet(isNan(a) ? a : b);
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}
template <typename T> inline T medianOf(T a, T b, T c) {
  if (isNan(a) || isNan(b) || isNan(c))
    return minNumber(minNumber(a, b), c);
  T top = maxNumber(maxNumber(a, b), c);
  if (top == a)
    return maxNumber(b, c);
  if (top == b)
    return maxNumber(a, c);
  return maxNumber(a, b);
}

/// Biased exponent field.
inline int exponentField(float x) { return int(bitsOf(x) >> 23 & 0xff); }
inline int exponentField(double x) { return int(bitsOf(x) >> 52 & 0x7ff); }

/// 10-bit class mask bit of V_CMP_CLASS: sNaN, qNaN, -inf, -normal, -subnormal, -0, +0, +subnormal, +normal,
/// +inf.
template <typename T> inline uint32_t classBit(T x) {
  if (isNan(x))
    return isSignalling(x) ? 1 : 2;
  bool negative = std::signbit(x);
  if (isInf(x))
    return negative ? 1 << 2 : 1 << 9;
  if (x == T(0))
    return negative ? 1 << 5 : 1 << 6;
  if (isSubnormal(x))
    return negative ? 1 << 4 : 1 << 7;
  return negative ? 1 << 3 : 1 << 8;
}

template <typename T> struct DivisionConstants;
template <> struct DivisionConstants<float> {
  static constexpr int bias = 127, nearMaximum = 96, shift = 64, tiny = 23, underflow = -150;
};
template <> struct DivisionConstants<double> {
  static constexpr int bias = 1023, nearMaximum = 768, shift = 128, tiny = 53, underflow = -1075;
};

template <typename T> struct ScaledOperand {
  T value;
  bool rescale; ///< the quotient has to be scaled back by V_DIV_FMAS
};

/// V_DIV_SCALE: |which| is the operand to scale, one of |denominator| and |numerator|.
template <typename T> ScaledOperand<T> divScale(T which, T denominator, T numerator) {
  using C = DivisionConstants<T>;
  bool isDenominator = bitsOf(which) == bitsOf(denominator), isNumerator = bitsOf(which) == bitsOf(numerator);
  if (numerator == T(0) || denominator == T(0))
    return {std::numeric_limits<T>::quiet_NaN(), false};
  if (isNan(denominator) || isNan(numerator) || isInf(denominator) || isInf(numerator))
    return {which, false};
  // Exponents of 1/d and n/d decide whether they would be subnormal.
  T smallest = std::numeric_limits<T>::min();
  bool reciprocalTiny = std::fabs(T(1) / denominator) < smallest;
  bool quotientTiny = std::fabs(numerator / denominator) < smallest;
  if (exponentField(numerator) - exponentField(denominator) >= C::nearMaximum)
    return {isDenominator ? std::ldexp(which, C::shift) : which, true};
  if (isSubnormal(denominator))
    return {std::ldexp(which, C::shift), false};
  if (reciprocalTiny && quotientTiny)
    return {isDenominator ? std::ldexp(which, -C::shift) : which, true};
  if (reciprocalTiny)
    return {std::ldexp(which, -C::shift), false};
  if (quotientTiny)
    return {isNumerator ? std::ldexp(which, C::shift) : which, true};
  if (exponentField(numerator) <= C::tiny)
    return {std::ldexp(which, C::shift), false};
  return {which, false};
}

/// V_DIV_FMAS: a fused multiply-add whose result is scaled back where V_DIV_SCALE said so.
template <typename T> T divFmas(T a, T b, T c, bool rescale) {
  using C = DivisionConstants<T>;
  T fused = std::fma(a, b, c);
  return rescale ? std::ldexp(fused, exponentField(c) > C::bias ? C::shift : -C::shift) : fused;
}

/// V_DIV_FIXUP: replaces the quotient where an operand is special.
template <typename T> T divFixup(T quotient, T denominator, T numerator) {
  using C = DivisionConstants<T>;
  bool negative = std::signbit(denominator) != std::signbit(numerator);
  T sign = negative ? T(-1) : T(1);
  if (isNan(numerator))
    return quiet(numerator);
  if (isNan(denominator))
    return quiet(denominator);
  bool bothZero = denominator == T(0) && numerator == T(0), bothInf = isInf(denominator) && isInf(numerator);
  if (bothZero || bothInf)
    return -std::fabs(std::numeric_limits<T>::quiet_NaN());
  if (denominator == T(0) || isInf(numerator))
    return sign * std::numeric_limits<T>::infinity();
  if (isInf(denominator) || numerator == T(0))
    return sign * T(0);
  if (exponentField(numerator) - exponentField(denominator) < C::underflow)
    return sign * T(0);
  // A scaled quotient that overflowed has met infinity - infinity in the refinement and arrives as NaN.
  if (isNan(quotient))
    return sign * std::numeric_limits<T>::infinity();
  return std::copysign(quotient, sign);
}

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_FLOATMATH_H
