//===- Float8.h - The small float formats, one definition for host and oracle ---===//
//
// Codecs of bf16, f16, the fp8 flavours and E8M0 scales, and the one definition of dynamic activation
// quantisation (1x128). Kernels on every target must agree with these functions bit for bit.
//
//   format     bits (s/e/m)  bias  largest  NaN          infinity  -0
//   bf16       1/8/7         127   3.39e38  all-ones e   yes       yes
//   f16        1/5/10        15    65504    all-ones e   yes       yes
//   E4M3FN     1/4/3         7     448      0x7F, 0xFF   no        yes     (OCP 8-bit floating point 1.0)
//   E4M3FNUZ   1/4/3         8     240      0x80         no        no      (half the value of the same E4M3FN
//   code) E5M2       1/5/2         15    57344    e = 31,m>0   yes       yes     (OCP 8-bit floating
//   point 1.0) E8M0       0/8/0         127   2^127    0xFF         no        no      (a power of two, no
//   zero; OCP MX 1.0)
//
// All encoders round to nearest, ties to even. The fp8 encoders saturate: magnitudes past the largest value,
// infinity included, become the largest value of that sign. f16 and bf16 overflow to infinity, as IEEE 754
// does.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_FLOAT8_H
#define QUERN_SUPPORT_FLOAT8_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace quern {

/// The 8-bit formats that weights and activations come in.
enum class Float8 : uint8_t { E4M3FN, E4M3FNUZ, E5M2 };

/// How a block scale is stored: any positive fp32, or a power of two.
enum class ScaleFormat : uint8_t { F32, E8M0 };

/// Columns of an activation row that share one scale, and the edge of a weight's scale block.
inline constexpr size_t kScaleBlock = 128;
/// Floor of a tile's largest magnitude before it is divided: an all-zero tile gets a scale in place of 0/0.
inline constexpr float kActivationFloor = 1e-4f;

//===-- bf16 and f16 ------------------------------------------------------===//

inline float bf16ToFloat(uint16_t code) { return std::bit_cast<float>(static_cast<uint32_t>(code) << 16); }

/// NaN becomes a quiet NaN of the same sign.
inline uint16_t floatToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
    return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16);
}

/// |value| rounded to bf16 and widened again.
inline float roundToBf16(float value) { return bf16ToFloat(floatToBf16(value)); }

/// A double rounded once to bf16. The detour through float rounds to odd, so that nothing is rounded twice.
uint16_t doubleToBf16(double value);

float f16ToFloat(uint16_t code);
uint16_t floatToF16(float value);

//===-- fp8 ---------------------------------------------------------------===//

/// Largest finite value of |format|: 448, 240 or 57344.
float largest(Float8 format);
/// The value of |code|; NaN codes give a quiet NaN.
float decode(Float8 format, uint8_t code);
/// The nearest code; saturates; NaN gives the (positive) NaN code.
uint8_t encode(Float8 format, float value);
bool isNaN(Float8 format, uint8_t code);

/// The 256 values of |format|, indexed by code.
std::span<const float, 256> decodeTable(Float8 format);

/// E4M3FN code -> the E4M3FNUZ code of half its value (multiply the scale by 2). Only 0x80 changes (-0 has no
/// code in FNUZ). NaN codes 0x7F and 0xFF have no image: scan for them and refuse the input first.
inline uint8_t fnToFnuz(uint8_t code) { return code == 0x80 ? 0 : code; }

//===-- E8M0 --------------------------------------------------------------===//

/// 2^(code - 127); 255 gives NaN.
float decodeE8M0(uint8_t code);
/// The smallest power of two that is not below |value| > 0, as a code in 1..254. Works on bits: log2 in
/// floating point can be off by one at exact powers of two.
uint8_t encodeE8M0Ceil(float value);
/// True when |value| is a positive power of two that E8M0 holds.
bool isE8M0(float value);

//===-- Dynamic activation quantisation -----------------------------------===//

/// The scale of a tile whose largest magnitude is |absMax|:
///   a = max(absMax, 1e-4);  s = a / 448 (E4M3FN), a / 224 (E4M3FNUZ: the same codes), a / 57344 (E5M2);
/// with ScaleFormat::E8M0 s / its flavour's factor is rounded up to a power of two.
float activationScale(float absMax, Float8 format, ScaleFormat scaleFormat);

/// Quantises one row of |k| values: a scale for each 128 columns (the last tile may be shorter), and
///   codes[i] = encode(x[i] / scale)      a division, not a multiplication by the reciprocal.
/// |codes| holds k bytes, |scales| holds ceil(k / 128) values. A NaN in |x| gives a NaN code.
void quantiseRow(const float *x, size_t k, Float8 format, ScaleFormat scaleFormat, uint8_t *codes,
                 float *scales);

} // namespace quern

#endif // QUERN_SUPPORT_FLOAT8_H
