//===- DirectCopy.h - Copies by the load unit, and waits ------------------===//
#ifndef QUERN_LOWERING_TARGETS_AMD_DIRECTCOPY_H
#define QUERN_LOWERING_TARGETS_AMD_DIRECTCOPY_H

#include "lowering/targets/LaneBuilder.h"

namespace quern::lowering::amd {

/// |bytes| (4 or 16) for each lane from global |from| (the same for all lanes) + |offset| (i64 bytes, below
/// 4 GiB where |inside| holds) to shared |to| + lane * |bytes|; zeros where |inside| is not null and does not
/// hold.
void copyToShared(LaneBuilder &b, int32_t bytes, mlir::Value to, mlir::Value from, mlir::Value offset,
                  mlir::Value inside);

/// Waits until at most |count| loads are not finished.
void waitForLoads(LaneBuilder &b, int32_t count);

/// Waits until this wave's accesses to shared memory are finished, on the processor that LLVM calls |cpu|.
void waitForShared(LaneBuilder &b, llvm::StringRef cpu);

/// Tells the compiler that |load|, a load from a slot that was waited for, meets no copy under way.
void markLoaded(mlir::Operation *load);

} // namespace quern::lowering::amd

#endif // QUERN_LOWERING_TARGETS_AMD_DIRECTCOPY_H
