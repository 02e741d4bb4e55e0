//===- MatrixUnit.h - NVIDIA's matrix instructions ---===//
#ifndef QUERN_LOWERING_TARGETS_NVIDIA_MATRIXUNIT_H
#define QUERN_LOWERING_TARGETS_NVIDIA_MATRIXUNIT_H

#include "lowering/targets/Target.h"

namespace quern::lowering::nvidia {

/// `TargetLowering::matrixMultiply` of this vendor.
mlir::SmallVector<mlir::Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom,
                                              mlir::ArrayRef<mlir::Value> a, mlir::ArrayRef<mlir::Value> b,
                                              mlir::ArrayRef<mlir::Value> c);

} // namespace quern::lowering::nvidia

#endif // QUERN_LOWERING_TARGETS_NVIDIA_MATRIXUNIT_H
