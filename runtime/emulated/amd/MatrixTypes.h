//===- MatrixTypes.h - Element types of matrix instructions ---------------===//
//
// How the elements of matrix operands are read from registers, and the number they are multiplied as:
//
//   f64, f32                  themselves; sums are chains of fused multiply-adds in the order of k
//   i8, iu8, iu4              int32_t; sums wrap (or saturate once, with the clamp of WMMA)
//   all others                double. Products of two are exact; they are added to C in the order of k in
//   double,
//                             and the sum is rounded once, to nearest even, to the type of D.
//
// The manuals leave order and width of the hardware's sums open, so results of the last kind may differ from
// a GPU in the last bits of a float; f32 and f64 are documented as fused multiply-adds.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_MATRIXTYPES_H
#define QUERN_RUNTIME_EMULATED_AMD_MATRIXTYPES_H

#include "runtime/emulated/amd/Wave.h"

#include <array>
#include <cmath>

namespace quern::runtime::emulated::amd {

enum class MatrixType : uint8_t { F64, F32, Xf32, F16, Bf16, Fp8, Bf8, Fp6, Bf6, Fp4, I8, U8, I4, U4 };

constexpr unsigned bitsOf(MatrixType type) {
  switch (type) {
  case MatrixType::F64:
    return 64;
  case MatrixType::F32:
  case MatrixType::Xf32:
    return 32;
  case MatrixType::F16:
  case MatrixType::Bf16:
    return 16;
  case MatrixType::Fp6:
  case MatrixType::Bf6:
    return 6;
  case MatrixType::Fp4:
  case MatrixType::I4:
  case MatrixType::U4:
    return 4;
  default:
    return 8;
  }
}

/// Values of all codes of a format of at most 8 bits. Fp8 and Bf8 in the target's flavour.
const std::array<float, 256> &codeValues(MatrixType type, bool fnuz);

/// Raw bits of item |item| of |lane|: items of |bits| bits packed from the first register's lowest bit up.
inline uint64_t itemBits(Wave &wave, unsigned firstRow, unsigned bits, unsigned lane, unsigned item) {
  if (bits == 64)
    return wave.row(firstRow + 2 * item)[lane] | uint64_t(wave.row(firstRow + 2 * item + 1)[lane]) << 32;
  unsigned at = bits * item, shift = at % 32;
  uint64_t word = wave.row(firstRow + at / 32)[lane];
  if (shift + bits > 32) // 6-bit items cross registers
    word |= uint64_t(wave.row(firstRow + at / 32 + 1)[lane]) << 32;
  return word >> shift & ((uint64_t(1) << bits) - 1);
}

/// Rounds a sum in double to binary32 once; NaN becomes the one quiet NaN.
inline float roundedSum(double sum) { return std::isnan(sum) ? floatOf(0x7fc00000u) : float(sum); }

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_MATRIXTYPES_H
