//===- FormatTables.h - Small floats by table, for tests ------------------===//
//
// All codes of a small format with the values that the format's definition gives them, and rounding by
// looking for the nearest one. Nothing here is shared with the code under test.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_FORMATTABLES_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_FORMATTABLES_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace quern::runtime::emulated::test {

/// Binary128: sums and products of the formats here are exact in it, for exponents that are not too far
/// apart.
using Exact = __float128;

struct Format {
  const char *name;
  unsigned exponentBits, mantissaBits;
  int bias;
  bool infinities; ///< the top exponent holds infinity and NaN; else only the top code is NaN (if |hasNan|)
  bool hasNan;
  uint32_t canonicalNan;

  unsigned bits() const { return 1 + exponentBits + mantissaBits; }
  uint32_t infinityCode() const { return ((1u << exponentBits) - 1) << mantissaBits; }
  uint32_t signBit() const { return 1u << (bits() - 1); }

  double value(uint32_t code) const {
    uint32_t magnitude = code & (signBit() - 1), mantissa = magnitude & ((1u << mantissaBits) - 1);
    int exponent = static_cast<int>(magnitude >> mantissaBits);
    double result;
    if (infinities && magnitude >= infinityCode())
      result = magnitude == infinityCode() ? std::numeric_limits<double>::infinity()
                                           : std::numeric_limits<double>::quiet_NaN();
    else if (!infinities && hasNan && magnitude == signBit() - 1)
      result = std::numeric_limits<double>::quiet_NaN();
    else if (exponent == 0)
      result = mantissa * std::pow(2.0, 1 - bias - static_cast<int>(mantissaBits));
    else
      result = (1 + mantissa / std::pow(2.0, mantissaBits)) * std::pow(2.0, exponent - bias);
    return code & signBit() ? -result : result;
  }

  /// Number of non-negative finite codes; they are 0, 1, ... in the order of their values.
  uint32_t finiteCodes() const { return infinities ? infinityCode() : signBit() - (hasNan ? 1 : 0); }

  /// Round to nearest, ties to the even code; overflow as IEEE does where there are infinities, else the
  /// largest value. |saturate|: the largest value always. |rest|: what |exact| leaves out, far below its last
  /// place; it decides between equally near codes.
  uint32_t nearestExact(Exact exact, bool saturate = false, Exact rest = 0) const {
    uint32_t sign = exact < 0 ? signBit() : 0, count = finiteCodes();
    Exact magnitude = exact < 0 ? -exact : exact;
    // The first code whose value is above.
    uint32_t low = 0, high = count;
    while (low < high) {
      uint32_t middle = (low + high) / 2;
      if (Exact(value(middle)) > magnitude)
        high = middle;
      else
        low = middle + 1;
    }
    uint32_t below = low - 1;
    if (Exact(value(below)) == magnitude)
      return sign | below;
    // The value after the largest finite one would be at the same distance as before it.
    Exact next = low < count ? Exact(value(low)) : 2 * Exact(value(count - 1)) - Exact(value(count - 2));
    Exact toBelow = magnitude - Exact(value(below)), toNext = next - magnitude;
    if (exact < 0)
      rest = -rest;
    bool up = toNext < toBelow || (toNext == toBelow && (rest > 0 || (rest == 0 && (below & 1))));
    if (!up)
      return sign | below;
    if (low < count)
      return sign | low;
    return sign | (infinities && !saturate ? infinityCode() : count - 1);
  }

  uint32_t nearest(double plain, bool saturate = false) const {
    if (std::isnan(plain))
      return canonicalNan;
    uint32_t sign = std::signbit(plain) ? signBit() : 0;
    if (std::isinf(plain))
      return sign | (infinities && !saturate ? infinityCode() : finiteCodes() - 1);
    if (plain == 0)
      return sign;
    return nearestExact(plain, saturate);
  }
};

/// IEEE 754 binary16, bfloat16, and OFP8 (OCP 8-bit floating point specification, section 5).
inline constexpr Format f16 = {"f16", 5, 10, 15, true, true, 0x7FFF};
inline constexpr Format bf16 = {"bf16", 8, 7, 127, true, true, 0x7FFF};
inline constexpr Format e4m3 = {"e4m3", 4, 3, 7, false, true, 0x7F};
inline constexpr Format e5m2 = {"e5m2", 5, 2, 15, true, true, 0x7F};

} // namespace quern::runtime::emulated::test

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_FORMATTABLES_H
