//===- TensorForm.h - What a tcgen05 instruction does ---------------------===//
//
// PTX ISA 9.7.16, as translator and runtime say it: eight bytes that translated code passes as one number.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_TENSORFORM_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_TENSORFORM_H

#include <cstdint>

namespace quern::runtime::emulated::nvidia {

struct TensorForm {
  enum Kind : uint8_t { F16, TF32, F8F6F4, I8, MXF8F6F4, MXF4, MXF4NVF4 };
  /// Shapes of ld and st: lanes x bits of one repetition (9.7.16.2.3).
  enum Shape : uint8_t { L32x32b, L16x64b, L16x128b, L16x256b, L16x32bx2 };
  /// Shapes of cp (9.7.16.9.2).
  enum CopyShape : uint8_t { C128x256b, C4x256b, C128x128b, C64x128bA, C64x128bB, C32x128b };
  Kind kind = F16;
  uint8_t shape = 0;
  bool pair = false;       ///< .cta_group::2
  bool aInTensor = false;  ///< A is in tensor memory
  uint8_t scaleBlocks = 0; ///< scales of one row in one k step, 0: none
  bool multicast = false;
  bool isBlock16 = false;
  uint8_t unused = 0;
};
static_assert(sizeof(TensorForm) == 8);

struct TensorOperands {
  uint64_t d = 0, a = 0, b = 0, instruction = 0, keep = 1, shift = 0, scaleA = 0, scaleB = 0;
  uint64_t disabled[8] = {}; ///< 32 lanes each
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_TENSORFORM_H
