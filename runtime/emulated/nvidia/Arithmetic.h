//===- Arithmetic.h - Number formats and rounding of PTX ------------------===//
//
// Conversions between the small floating-point formats and double, each rounding the exact value once, and
// the arithmetic that host instructions do not give: 16-bit operations, directed rounding, approximations.
// Doubles hold every value of the small formats exactly.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_ARITHMETIC_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_ARITHMETIC_H

#include <cstdint>

namespace quern::runtime::emulated::nvidia {

/// A binary format of at most 32 bits: sign, exponent, mantissa.
struct SmallFormat {
  uint8_t exponentBits, mantissaBits;
  int16_t bias;
  bool hasInfinity;   ///< IEEE-like: the highest exponent holds infinity and NaNs
  uint32_t nan;       ///< canonical NaN; 0 where the format has none
  uint32_t maxFinite; ///< code of the largest finite value
};

/// PTX ISA 5.2.3 and the formats' definitions (IEEE 754 binary16; bfloat16; OCP 8-bit floating point, OFP8;
/// OCP microscaling formats).
inline constexpr SmallFormat formatF16 = {5, 10, 15, true, 0x7FFF, 0x7BFF};
inline constexpr SmallFormat formatBF16 = {8, 7, 127, true, 0x7FFF, 0x7F7F};
inline constexpr SmallFormat formatE4M3 = {4, 3, 7, false, 0x7F, 0x7E};
inline constexpr SmallFormat formatE5M2 = {5, 2, 15, true, 0x7F, 0x7B};
inline constexpr SmallFormat formatE2M1 = {2, 1, 1, false, 0, 0x7};
inline constexpr SmallFormat formatE2M3 = {2, 3, 1, false, 0, 0x1F};
inline constexpr SmallFormat formatE3M2 = {3, 2, 3, false, 0, 0x1F};
inline constexpr SmallFormat formatTF32 = {8,    10,      127,
                                           true, 0x3FFFF, 0x3FBFF}; ///< the upper 19 bits of the word

/// Same order as Rounding in Translate.h.
enum class RoundingMode : uint32_t { Nearest, Zero, Down, Up, Away };

double decode(uint32_t code, const SmallFormat &format);
/// Rounds to |format|. Overflow gives infinity where the rounding goes away from zero and the format has one;
/// with |satfinite|, or in a format without infinity, the largest finite value. NaN gives the canonical NaN,
/// in a format without one the positive largest value.
uint32_t encode(double value, const SmallFormat &format, RoundingMode mode, bool satfinite);

/// An exponent-only scale: 2^(code - 127), 255 is NaN. Only the magnitude of the value counts; overflow gives
/// NaN unless |satfinite|.
uint8_t encodeUE8M0(double value, bool roundUp, bool satfinite);
double decodeUE8M0(uint8_t code);

/// Operations of `quernHalf`, in the low byte; flags above it.
enum class HalfOp : uint32_t { Add, Sub, Mul, Fma, Min, Max, Neg, Abs };
enum HalfFlags : uint32_t {
  HalfIsBF16 = 0x100,
  HalfFtz = 0x200,
  HalfSat = 0x400,
  HalfRelu = 0x800,
  HalfNan = 0x1000,
  HalfXorSign = 0x2000,
};
uint16_t halfArithmetic(uint32_t opAndFlags, uint16_t a, uint16_t b, uint16_t c);

/// Operations of `quernApproximate32`.
enum class Approximation : uint32_t { Sin, Cos, Log2, Exp2, Tanh, ReciprocalRoot, Reciprocal, Root };
float approximate32(float value, Approximation what);

/// Operations of `quernRounded32` and 64.
enum class RoundedOp : uint32_t { Add, Sub, Mul, Fma, Div, Root };
float rounded32(float a, float b, float c, RoundedOp op, RoundingMode mode);
double rounded64(double a, double b, double c, RoundedOp op, RoundingMode mode);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_ARITHMETIC_H
