//===- AsyncCopy.h - Copies to shared memory and matrix loads from it -----===//
#ifndef QUERN_LOWERING_TARGETS_NVIDIA_ASYNCCOPY_H
#define QUERN_LOWERING_TARGETS_NVIDIA_ASYNCCOPY_H

#include "dialects/tile/CopyAtom.h"
#include "lowering/targets/LaneBuilder.h"

namespace quern::lowering::nvidia {

/// |bytes| (4, 8 or 16) from global |from| to shared |to|, asynchronously; zeros where |inside| is not null
/// and does not hold.
void copyToShared(LaneBuilder &b, int32_t bytes, mlir::Value to, mlir::Value from, mlir::Value inside);

/// The words of one `ldmatrix` of 8x8 matrices of 16-bit elements; empty for other atoms.
mlir::SmallVector<mlir::Value> loadMatrix(LaneBuilder &b, const tile::CopyAtom &atom, mlir::Value pointer);

} // namespace quern::lowering::nvidia

#endif // QUERN_LOWERING_TARGETS_NVIDIA_ASYNCCOPY_H
