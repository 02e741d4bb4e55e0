//===- TensorUnit.h - Copies by descriptor and products out of shared memory ---===//
//
// What a target offers beside `TargetLowering` where one thread starts the copy of a whole box, barriers in
// shared memory count its bytes, and groups of warps multiply out of shared memory. Addresses of shared
// memory are i32 scalars. A barrier has phases: one ends when all arrivals and all bytes that were announced
// have come; parity is the number of a phase modulo 2.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_TARGETS_TENSORUNIT_H
#define QUERN_LOWERING_TARGETS_TENSORUNIT_H

#include "dialects/tile/Atoms.h"
#include "dialects/tile/MemoryLayout.h"
#include "lowering/targets/LaneBuilder.h"

namespace quern::lowering {

/// One matrix in shared memory, as an instruction of a group of warps reads it.
struct SharedOperand {
  mlir::Value address;            ///< of the tile; a multiple of 1024 bytes and 8 rows into it
  const tile::MemoryLayout *tile; ///< rows along k
  int32_t elementBytes = 1, span = 128;
  int32_t row = 0; ///< first row of the instructions' part, a multiple of 8
};

/// Instructions that add up one piece of the accumulator, |steps| of them along k.
struct SharedProduct {
  SharedOperand a, b;
  int32_t steps = 1;
};

class TensorUnit {
public:
  virtual ~TensorUnit() = default;

  /// By one thread, before any other uses the barrier; `publishBarriers` follows the last one.
  virtual void initBarrier(LaneBuilder &b, mlir::Value barrier, int32_t arrivals) = 0;
  virtual void publishBarriers(LaneBuilder &b) = 0;
  /// One arrival. Where |condition| (i1) is given, only threads arrive for which it holds.
  virtual void arrive(LaneBuilder &b, mlir::Value barrier, mlir::Value condition) = 0;
  /// One arrival that announces |bytes|.
  virtual void arriveExpecting(LaneBuilder &b, mlir::Value barrier, int32_t bytes) = 0;
  /// Waits until the phase of |parity| (i32) has ended.
  virtual void waitPhase(LaneBuilder &b, mlir::Value barrier, mlir::Value parity) = 0;

  /// |map| is the pointer of a kernel argument.
  virtual void prefetchMap(LaneBuilder &b, mlir::Value map) = 0;
  /// Starts the copy of a box to shared memory; its bytes arrive at |barrier|. |coordinates|: i32, innermost
  /// first.
  virtual void copyBox(LaneBuilder &b, mlir::Value to, mlir::Value map,
                       mlir::ArrayRef<mlir::Value> coordinates, mlir::Value barrier) = 0;

  /// Gives registers of this group of warps back until it has |count|, or waits until it has them.
  virtual void releaseRegisters(LaneBuilder &b, int32_t count) = 0;
  virtual void acquireRegisters(LaneBuilder &b, int32_t count) = 0;
  /// A barrier of the first |threads| threads of the block.
  virtual void barrierOf(LaneBuilder &b, int32_t threads) = 0;

  /// Adds products to |sums|, the f32 fragments of the accumulator, product by product. With |fromZero| the
  /// sums begin at zero: |sums| are values of which nobody needs the registers any more, or none. All is done
  /// at the return: shared memory may change.
  virtual mlir::SmallVector<mlir::Value> multiplyShared(LaneBuilder &b, const tile::MmaAtom &atom,
                                                        mlir::ArrayRef<SharedProduct> products,
                                                        mlir::ArrayRef<mlir::Value> sums, bool fromZero) = 0;
  /// |value| (i32), of which all lanes of a warp hold the same, as what the assembler knows to be so.
  virtual mlir::Value uniform(LaneBuilder &b, mlir::Value value) = 0;
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_TENSORUNIT_H
