//===- TensorMap.h - A tensor that a device copies by boxes ---------------===//
//
// Some devices copy boxes of a tensor of up to five dimensions between global and shared memory by one
// instruction. They take the tensor as a map of 128 bytes that the driver encodes; only the driver and the
// device know its layout. `Device::encodeTensorMap` makes one; a kernel takes it as an argument of kind
// TensorMap, or finds it in global memory at an address that is a multiple of 64.
//
// Dimension 0 is the innermost; its elements are adjacent.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TENSORMAP_H
#define QUERN_RUNTIME_TENSORMAP_H

#include <array>
#include <cstddef>
#include <cstdint>

namespace quern::runtime {

struct TensorMap {
  /// The numbers of the enumerators are those of the drivers that have tensor maps.
  enum class Element : uint8_t {
    U8,
    U16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
    BF16,
    F32Ftz,
    TF32,
    TF32Ftz,
    U4x16Align8,  ///< 16 values of 4 bits in 8 bytes
    U4x16Align16, ///< the same, 8 bytes apart in shared memory
    U6x16Align16  ///< 16 values of 6 bits in 12 bytes, 4 bytes apart in shared memory
  };
  enum class Interleave : uint8_t { None, Bytes16, Bytes32 };
  /// Chunks of 16 bytes (or of the atom) change places inside a span, by the rows of shared memory.
  enum class Swizzle : uint8_t {
    None,
    Span32,
    Span64,
    Span128,
    Span128Atom32,
    Span128Atom32Flip8,
    Span128Atom64
  };
  enum class Promotion : uint8_t { None, Bytes64, Bytes128, Bytes256 };
  enum class Fill : uint8_t { Zero, NaN };

  Element element = Element::U8;
  uint32_t rank = 1;
  uint64_t address = 0;              ///< in device memory
  std::array<uint64_t, 5> extents{}; ///< elements of each dimension
  std::array<uint64_t, 4> strides{}; ///< bytes from one index to the next, of dimensions 1 to rank - 1
  std::array<uint32_t, 5> box{};     ///< elements of a box
  std::array<uint32_t, 5> elementSteps{1, 1, 1, 1, 1};
  Interleave interleave = Interleave::None;
  Swizzle swizzle = Swizzle::None;
  Promotion promotion = Promotion::None;
  Fill fill = Fill::Zero; ///< what is read outside of the tensor
};

struct alignas(64) EncodedTensorMap {
  std::array<std::byte, 128> bytes{};
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TENSORMAP_H
