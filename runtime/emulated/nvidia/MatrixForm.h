//===- MatrixForm.h - Forms of the matrix instructions --------------------===//
//
// What the translator tells the device calls of mma.sync, ldmatrix, stmatrix and movmatrix: the form of the
// instruction in one word, and the registers of a lane as an array of words.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXFORM_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXFORM_H

#include <bit>
#include <cstdint>

namespace quern::runtime::emulated::nvidia {

/// An element of A or B as it lies in a register. The 4-bit and 6-bit floats of the f8f6f4 kinds take a byte
/// each: e2m1 its bits 2 to 5, the 6-bit formats its bits 0 to 5 (PTX ISA 9.7.14.5.14, tables of .kind).
enum class MatrixElement : uint8_t {
  F16,
  BF16,
  TF32,
  E4M3,
  E5M2,
  E2M3,
  E3M2,
  E2M1,
  E2M1Byte,
  S8,
  U8,
  S4,
  U4
};
enum class MatrixSum : uint8_t { F32, F16, S32 };

struct MatrixForm {
  uint8_t shape = 0; ///< in matrixShapes()
  MatrixElement a = MatrixElement::F16, b = MatrixElement::F16;
  MatrixSum sum = MatrixSum::F32;
  uint8_t saturate = 0;    ///< integer sums clamp
  uint8_t scales = 0;      ///< block scales along k for a row of A; 0: no block scales
  uint8_t scaleIsE4M3 = 0; ///< else an exponent
  uint8_t unused = 0;

  uint64_t pack() const { return std::bit_cast<uint64_t>(*this); }
  static MatrixForm unpack(uint64_t word) { return std::bit_cast<MatrixForm>(word); }
};

/// Where a lane's registers lie in the words that it hands over.
enum MatrixWords : uint32_t {
  WordsA = 0,
  WordsB = 4,
  WordsC = 6, ///< C going in, D coming out
  WordScaleA = 10,
  WordByteA = 11,
  WordThreadA = 12,
  WordScaleB = 13,
  WordByteB = 14,
  WordThreadB = 15,
  MatrixWordCount = 16
};

/// Forms of ldmatrix and stmatrix: number of matrices in the low byte, flags above it.
enum MatrixMoveFlags : uint32_t {
  MatrixTransposed = 0x100,
  MatrixBytes = 0x200,   ///< m8n16 or m16n16 (loads), m16n8 (stores), 8-bit elements in registers
  MatrixSixteen = 0x400, ///< m16n16
  MatrixSixBit = 0x800,  ///< b6x16_p32 in memory
  MatrixFourBit = 0x1000 ///< b4x16_p64 in memory
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXFORM_H
