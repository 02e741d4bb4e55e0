//===- TensorCore.h - tcgen05.mma and tcgen05.cp --------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_TENSORCORE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_TENSORCORE_H

#include "runtime/emulated/nvidia/AsyncMatrix.h"
#include "runtime/emulated/nvidia/TensorForm.h"

#include <string>

namespace quern::runtime::emulated::nvidia {

/// One tcgen05.mma, with what it needs to be done later.
struct TensorProduct {
  TensorForm form;
  uint32_t m = 0, n = 0, k = 0;
  uint32_t d = 1; ///< accumulator: 0 f16, 1 f32, 2 s32
  bool saturate = false, negative = false, keep = false, isUE8M0 = false;
  uint32_t scaleIdA = 0, scaleIdB = 0;
  int shift = 0; ///< the old accumulator counts 2^-shift
  MatrixOperand a, b;
  uint32_t dAddress = 0, aAddress = 0, scaleA = 0, scaleB = 0, disabled[8] = {};
  const std::byte *shared[2] = {}; ///< of the block, or of both of a pair
  TensorMemory *memory[2] = {};

  /// From descriptors and operands. What is wrong with them, or null; |modelled| is false where a field asks
  /// for more than is modelled.
  const char *read(const TensorForm &form, const TensorOperands &operands, bool &modelled);
  /// Lane of an accumulator's row in its block.
  uint32_t laneOf(uint32_t row, uint32_t column) const;
  uint32_t rowsOfBlock() const { return m / (form.pair ? 2 : 1); }
  uint32_t columnsOfD() const { return form.pair && m == 128 ? n / 2 : n; }
  void apply() const;
  /// "tcgen05.m256n128k16.bf16", with ".b32" behind it where there are block scales; for counters.
  std::string name() const;
  /// Of A and B in shared memory.
  uint64_t operandBytes() const;

private:
  double scale(TensorMemory &memory, uint32_t address, uint32_t id, uint32_t row, uint32_t block) const;
};

uint32_t copyRows(TensorForm::CopyShape shape);
uint32_t copyColumns(TensorForm::CopyShape shape);
void copyToTensor(const MatrixOperand &from, TensorForm::CopyShape shape, const std::byte *shared,
                  TensorMemory &to, uint32_t address);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_TENSORCORE_H
