//===- MatrixDescriptor.h - Matrix operands in shared memory --------------===//
//
// PTX ISA 9.7.15.5.1.2 (wgmma: canonical layouts, strides, matrix descriptor) and 9.7.16.4.1 (tcgen05: shared
// memory descriptor). An operand is read in chunks of 16 bytes, T elements along its major dimension:
//
//   K-major, no swizzle     chunk (mn, c) at  mn/8 * stride + mn%8 * 16 + c * leading
//   K-major, span of W*16   chunk (mn, c) at  mn/8 * stride + mn%8 * W*16 + c * 16
//   MN-major, no swizzle    chunk (j, k)  at  j * stride + k%8 * 16 + k/8 * leading
//   MN-major, span of W*16  chunk (j, k)  at  j/W * leading + j%W * 16 + k%8 * W*16 + k/8 * stride
//
// with c = k/T and j = mn/T, and the swizzle applied to the whole shared address.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXDESCRIPTOR_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXDESCRIPTOR_H

#include "runtime/emulated/nvidia/TensorMapCode.h"

namespace quern::runtime::emulated::nvidia {

/// Element types of matrix operands; 4- and 6-bit ones take a byte each unless packed.
enum class MatrixType : uint8_t { F16, BF16, TF32, E4M3, E5M2, E2M3, E3M2, E2M1, S8, U8, PackedE2M1 };

/// Elements in 16 bytes of shared memory.
uint32_t chunkElements(MatrixType type);
/// The values of one chunk. 4- and 6-bit types stand in the first 8 or 12 bytes (PTX ISA 5.5.1, padded
/// sub-byte types).
void decodeChunk(MatrixType type, const std::byte *chunk, double *values);
/// One 32-bit register of elements, low end first.
void decodeWord(MatrixType type, uint32_t word, double *values);

struct MatrixOperand {
  uint32_t start = 0, leading = 0, stride = 0; ///< bytes
  TensorMap::Swizzle swizzle = TensorMap::Swizzle::None;
  bool mnMajor = false;
  MatrixType type = MatrixType::BF16;

  /// From the 64 bits of a descriptor; false where a field has a value that is not modelled.
  bool readWarpgroup(uint64_t descriptor);
  bool readTensorCore(uint64_t descriptor);

  /// Shared offset of the chunk that holds element (mn, k); both are multiples of what the chunk holds.
  uint64_t chunkAt(uint32_t mn, uint32_t k) const;
  /// Calls |visit|(mn, k, offset) for every chunk of rows [from, to) and the first |depth| of k.
  template <typename Visit> void forChunks(uint32_t from, uint32_t to, uint32_t depth, Visit visit) const {
    uint32_t step = chunkElements(type);
    for (uint32_t mn = from; mn < to; mn += mnMajor ? step : 1)
      for (uint32_t k = 0; k < depth; k += mnMajor ? 1 : step)
        visit(mn, k, chunkAt(mn, k));
  }
  /// Values of rows [from, to): element (mn, k) goes to out[(mn - from) * rowStep + k * depthStep].
  void load(const std::byte *shared, uint32_t from, uint32_t to, uint32_t depth, double *out, size_t rowStep,
            size_t depthStep) const;
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_MATRIXDESCRIPTOR_H
