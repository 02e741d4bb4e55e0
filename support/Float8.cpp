//===- Float8.cpp ---------------------------------------------------------===//
#include "support/Float8.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace quern {

namespace {

/// A sign-magnitude format with subnormals. Codes are magnitudes without the sign.
struct Layout {
  int mantissaBits;
  int bias;
  uint32_t largestCode;  ///< the largest finite magnitude
  uint32_t overflowCode; ///< what rounds above it: infinity, or `largestCode` where the format saturates
};

constexpr Layout kF16{10, 15, 0x7BFF, 0x7C00};
constexpr Layout kE4M3FN{3, 7, 0x7E, 0x7E};
constexpr Layout kE4M3FNUZ{3, 8, 0x7F, 0x7F};
constexpr Layout kE5M2{2, 15, 0x7B, 0x7B};

constexpr const Layout &layoutOf(Float8 format) {
  switch (format) {
  case Float8::E4M3FN:
    return kE4M3FN;
  case Float8::E4M3FNUZ:
    return kE4M3FNUZ;
  case Float8::E5M2:
    break;
  }
  return kE5M2;
}

/// The code of |bits| (a finite or infinite non-negative float), rounded to nearest even.
uint32_t roundMagnitude(const Layout &layout, uint32_t bits) {
  if (bits >= 0x7F800000u)
    return layout.overflowCode;
  int exponent = static_cast<int>(bits >> 23) - 127;
  int smallest = 1 - layout.bias; // exponent of the smallest normal number
  if (exponent < smallest - layout.mantissaBits - 1)
    return 0; // below half of the smallest subnormal; float subnormals end here as well
  uint32_t significand = (bits & 0x7FFFFFu) | 0x800000u; // value = significand * 2^(exponent - 23)
  int shift = 23 - layout.mantissaBits + std::max(0, smallest - exponent);
  uint32_t kept = significand >> shift;
  uint32_t rest = significand & ((1u << shift) - 1), half = 1u << (shift - 1);
  kept += rest > half || (rest == half && (kept & 1));
  // A carry out of the mantissa runs into the exponent field, which is the right code in both cases.
  uint32_t code = kept;
  if (exponent >= smallest)
    code += static_cast<uint32_t>(exponent - smallest) << layout.mantissaBits;
  return code > layout.largestCode ? layout.overflowCode : code;
}

float magnitudeOf(const Layout &layout, uint32_t code) {
  uint32_t mantissa = code & ((1u << layout.mantissaBits) - 1);
  int field = static_cast<int>(code >> layout.mantissaBits);
  if (field == 0)
    return std::ldexp(static_cast<float>(mantissa), 1 - layout.bias - layout.mantissaBits);
  mantissa |= 1u << layout.mantissaBits;
  return std::ldexp(static_cast<float>(mantissa), field - layout.bias - layout.mantissaBits);
}

std::array<float, 256> makeTable(Float8 format) {
  const Layout &layout = layoutOf(format);
  std::array<float, 256> table;
  for (uint32_t code = 0; code < 256; ++code) {
    float value = magnitudeOf(layout, code & 0x7F);
    if (isNaN(format, static_cast<uint8_t>(code)))
      value = std::numeric_limits<float>::quiet_NaN();
    else if (format == Float8::E5M2 && (code & 0x7F) == 0x7C)
      value = std::numeric_limits<float>::infinity();
    table[code] = code & 0x80 ? -value : value;
  }
  return table;
}

} // namespace

uint16_t doubleToBf16(double value) {
  float nearest = static_cast<float>(value);
  // Round to odd: where the float is inexact and its last bit is even, take the neighbour on the other side
  // of |value|. 24 bits against bf16's 8 are enough for the second rounding to come out as a single one
  // would.
  uint32_t bits = std::bit_cast<uint32_t>(nearest);
  if (std::isfinite(nearest) && static_cast<double>(nearest) != value && !(bits & 1))
    bits += std::abs(static_cast<double>(nearest)) < std::abs(value) ? 1 : -1;
  return floatToBf16(std::bit_cast<float>(bits));
}

float f16ToFloat(uint16_t code) {
  uint32_t magnitude = code & 0x7FFF;
  float value = magnitude > 0x7C00    ? std::numeric_limits<float>::quiet_NaN()
                : magnitude == 0x7C00 ? std::numeric_limits<float>::infinity()
                                      : magnitudeOf(kF16, magnitude);
  return code & 0x8000 ? -value : value;
}

uint16_t floatToF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  if (std::isnan(value))
    return sign | 0x7E00;
  return static_cast<uint16_t>(sign | roundMagnitude(kF16, bits & 0x7FFFFFFFu));
}

float largest(Float8 format) { return decode(format, static_cast<uint8_t>(layoutOf(format).largestCode)); }

std::span<const float, 256> decodeTable(Float8 format) {
  static const std::array<float, 256> tables[] = {makeTable(Float8::E4M3FN), makeTable(Float8::E4M3FNUZ),
                                                  makeTable(Float8::E5M2)};
  return tables[static_cast<size_t>(format)];
}

float decode(Float8 format, uint8_t code) { return decodeTable(format)[code]; }

uint8_t encode(Float8 format, float value) {
  bool unsignedZero = format == Float8::E4M3FNUZ;
  if (std::isnan(value))
    return unsignedZero ? 0x80 : 0x7F;
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t code = roundMagnitude(layoutOf(format), bits & 0x7FFFFFFFu);
  if (bits >> 31 && !(unsignedZero && code == 0))
    code |= 0x80;
  return static_cast<uint8_t>(code);
}

bool isNaN(Float8 format, uint8_t code) {
  switch (format) {
  case Float8::E4M3FN:
    return (code & 0x7F) == 0x7F;
  case Float8::E4M3FNUZ:
    return code == 0x80;
  case Float8::E5M2:
    break;
  }
  return (code & 0x7F) > 0x7C;
}

float decodeE8M0(uint8_t code) {
  if (code == 0xFF)
    return std::numeric_limits<float>::quiet_NaN();
  // 2^-127 is a float subnormal, the rest are normal numbers with an empty mantissa.
  return std::bit_cast<float>(code == 0 ? 0x00400000u : static_cast<uint32_t>(code) << 23);
}

uint8_t encodeE8M0Ceil(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value) & 0x7FFFFFFFu;
  uint32_t exponent = (bits >> 23) + ((bits & 0x7FFFFFu) != 0);
  return static_cast<uint8_t>(std::clamp(exponent, 1u, 254u));
}

bool isE8M0(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if (bits == 0x00400000u)
    return true;
  return bits < 0x7F800000u && bits >= 0x00800000u && (bits & 0x7FFFFFu) == 0;
}

float activationScale(float absMax, Float8 format, ScaleFormat scaleFormat) {
  float a = std::max(absMax, kActivationFloor);
  bool fnuz = format == Float8::E4M3FNUZ;
  float scale = a / (format == Float8::E5M2 ? 57344.f : 448.f);
  if (scaleFormat == ScaleFormat::E8M0)
    scale = decodeE8M0(encodeE8M0Ceil(scale));
  return fnuz ? 2 * scale : scale; // a / 224 is exactly twice a / 448
}

void quantiseRow(const float *x, size_t k, Float8 format, ScaleFormat scaleFormat, uint8_t *codes,
                 float *scales) {
  for (size_t begin = 0; begin < k; begin += kScaleBlock) {
    size_t end = std::min(k, begin + kScaleBlock);
    float absMax = 0;
    for (size_t i = begin; i < end; ++i)
      absMax = std::fabs(x[i]) > absMax ? std::fabs(x[i]) : absMax;
    float scale = activationScale(absMax, format, scaleFormat);
    scales[begin / kScaleBlock] = scale;
    for (size_t i = begin; i < end; ++i)
      codes[i] = encode(format, x[i] / scale);
  }
}

} // namespace quern
