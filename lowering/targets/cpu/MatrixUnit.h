//===- MatrixUnit.h - Multiply-adds of a CPU's vector registers -----------===//
#ifndef QUERN_LOWERING_TARGETS_CPU_MATRIXUNIT_H
#define QUERN_LOWERING_TARGETS_CPU_MATRIXUNIT_H

#include "lowering/targets/Target.h"

namespace quern::lowering::cpu {

/// `TargetLowering::dotPairs` of the CPU.
mlir::Value dotPairs(LaneBuilder &builder, mlir::Value a, mlir::Value b, mlir::Value c);

/// `TargetLowering::matrixMultiply` of the CPU.
mlir::SmallVector<mlir::Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom,
                                              mlir::ArrayRef<mlir::Value> a, mlir::ArrayRef<mlir::Value> b,
                                              mlir::ArrayRef<mlir::Value> c);

} // namespace quern::lowering::cpu

#endif // QUERN_LOWERING_TARGETS_CPU_MATRIXUNIT_H
