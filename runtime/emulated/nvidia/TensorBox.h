//===- TensorBox.h - One box of a tensor ----------------------------------===//
//
// Where the bytes of a box lie in global and in shared memory (PTX ISA 5.5, "Tensors": bounding box,
// traversal stride, out-of-boundary access, swizzle). In shared memory the box is dense, its dimension 0
// innermost, and the swizzle is applied to the shared address.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_TENSORBOX_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_TENSORBOX_H

#include "runtime/emulated/nvidia/BulkForm.h"
#include "runtime/emulated/nvidia/TensorMapCode.h"

#include <cstddef>

namespace quern::runtime::emulated::nvidia {

class TensorBox {
public:
  TensorBox(const TensorMap &map, const int64_t *coordinates);

  /// Bytes in shared memory, all of which count for the mbarrier.
  uint64_t bytes() const { return rowBytes * rows; }

  /// Copies the box to shared memory whose byte at address |base| is |shared|; outside of the tensor it
  /// fills.
  void load(std::byte *shared, uint64_t base) const;
  /// Copies, or reduces, from shared memory; nothing outside of the tensor is written.
  void store(const std::byte *shared, uint64_t base, BulkForm::Reduction reduction,
             BulkForm::Type type) const;
  /// The lowest and one past the highest byte in global memory; equal where all is outside.
  void range(uint64_t &begin, uint64_t &end) const;
  /// Calls |visit|(address, bytes) for the part of each row that is inside of the tensor.
  template <typename Visit> void forRows(Visit visit) const {
    for (uint64_t i = 0; i < rows; ++i)
      if (Row row = rowAt(i); row.inside)
        visit(row.global + static_cast<uint64_t>(startByte) + firstByte, lastByte - firstByte);
  }

private:
  struct Row {
    bool inside;     ///< the outer coordinates are
    uint64_t global; ///< address of the row's element at coordinate 0
  };
  Row rowAt(uint64_t index) const;
  void fillLine(std::byte *line) const;

  TensorMap map;
  int64_t at[5] = {};
  uint64_t counts[5] = {1, 1, 1, 1, 1};                         ///< elements of the box in shared memory
  uint64_t rows = 1, rowBytes = 0, firstByte = 0, lastByte = 0; ///< of a row: the part inside of the tensor
  int64_t startByte = 0;                                        ///< of a row's first byte from coordinate 0
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_TENSORBOX_H
