//===- SharedAddresses.h - Where a lane finds its elements in shared memory ---===//
//
// A memory layout gives an element two parts of an offset: one that combines by XOR, one that is added. Both
// are linear over the bits of lane and warp, so each lane computes them once; a register is a constant beside
// them. Where the XOR of a constant meets no bit that lanes set, it is an addition, and the constant becomes
// the immediate offset of an access.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_TARGETS_SHAREDADDRESSES_H
#define QUERN_LOWERING_TARGETS_SHAREDADDRESSES_H

#include "dialects/tile/MemoryLayout.h"
#include "lowering/targets/LaneBuilder.h"

#include <map>

namespace quern::lowering {

class SharedAddresses {
public:
  /// Of the elements that |layout| gives to registers, in |memory| at |base| (i8 pointer). |lane| may be
  /// null: the addresses are then those of lane 0 of each warp.
  SharedAddresses(LaneBuilder &b, const tile::Layout &layout, const tile::MemoryLayout &memory,
                  unsigned elementBytes, mlir::Value base, mlir::Value lane, mlir::Value warp);

  /// The address of what register |reg| of this lane holds.
  mlir::Value at(int32_t reg);

private:
  LaneBuilder &b;
  const tile::Layout &layout;
  const tile::MemoryLayout &memory;
  int64_t elementBytes;
  mlir::Value base;
  mlir::Value crossed, added;              ///< bytes that lane and warp give, i32; null for none
  int64_t moving = 0;                      ///< bits of |crossed| that may be set
  std::map<int64_t, mlir::Value> pointers; ///< by the bits of a register that meet |moving|
};

/// The XOR of those of |values| whose bit is set in the i32 |index|; null where all are zero.
mlir::Value xorOfBits(LaneBuilder &b, mlir::Value index, llvm::ArrayRef<int64_t> values);

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_SHAREDADDRESSES_H
