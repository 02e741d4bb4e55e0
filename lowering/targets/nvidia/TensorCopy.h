//===- TensorCopy.h - Tensor maps, bulk copies and barriers in shared memory ---===//
#ifndef QUERN_LOWERING_TARGETS_NVIDIA_TENSORCOPY_H
#define QUERN_LOWERING_TARGETS_NVIDIA_TENSORCOPY_H

#include "lowering/targets/TensorUnit.h"

namespace quern::lowering::nvidia {

/// One line of PTX with |operands| as $0, $1, ...; it may read and write memory. |constraints|: a letter for
/// each operand, "r", "l" or "f".
void emitPtx(LaneBuilder &b, llvm::StringRef text, llvm::StringRef constraints, mlir::ValueRange operands);

class NvidiaTensorUnit final : public TensorUnit {
public:
  void initBarrier(LaneBuilder &b, mlir::Value barrier, int32_t arrivals) override;
  void publishBarriers(LaneBuilder &b) override;
  void arrive(LaneBuilder &b, mlir::Value barrier, mlir::Value condition) override;
  void arriveExpecting(LaneBuilder &b, mlir::Value barrier, int32_t bytes) override;
  void waitPhase(LaneBuilder &b, mlir::Value barrier, mlir::Value parity) override;
  void prefetchMap(LaneBuilder &b, mlir::Value map) override;
  void copyBox(LaneBuilder &b, mlir::Value to, mlir::Value map, mlir::ArrayRef<mlir::Value> coordinates,
               mlir::Value barrier) override;
  void releaseRegisters(LaneBuilder &b, int32_t count) override;
  void acquireRegisters(LaneBuilder &b, int32_t count) override;
  void barrierOf(LaneBuilder &b, int32_t threads) override;
  mlir::SmallVector<mlir::Value> multiplyShared(LaneBuilder &b, const tile::MmaAtom &atom,
                                                mlir::ArrayRef<SharedProduct> products,
                                                mlir::ArrayRef<mlir::Value> sums, bool fromZero) override;
  mlir::Value uniform(LaneBuilder &b, mlir::Value value) override;
};

} // namespace quern::lowering::nvidia

#endif // QUERN_LOWERING_TARGETS_NVIDIA_TENSORCOPY_H
