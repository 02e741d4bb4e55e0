//===- IndexFacts.h - What is known about an index ------------------------===//
//
// Bounds are checked and accesses made narrow only where nothing proves that this is not needed. The proofs
// read constants, sizes of tiles, loop bounds and the conditions around an operation.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_TILE_INDEXFACTS_H
#define QUERN_LOWERING_TILE_INDEXFACTS_H

#include "dialects/tile/TileDialect.h"

#include <optional>

namespace quern::lowering {

std::optional<int64_t> constantOf(mlir::Value v);

/// True if |v| is known to be a multiple of |n|.
bool isMultiple(mlir::Value v, int64_t n);

/// True if [offset, offset + extent) is known to lie below |size| where |at| stands.
bool isInside(mlir::Value offset, int64_t extent, mlir::Value size, mlir::Operation *at);

/// Neighbours along the last dimension of |view| that one access may move, a power of two up to |limit|, when
/// it begins at |offset| plus a multiple of their number. With |checked| the last dimension may end inside of
/// the tile, but not inside of an access. Pointers that are passed to kernels are aligned to 16 bytes.
int32_t alignedRun(tile::ViewOp view, mlir::Value offset, bool checked, int32_t limit);

/// Where the last index of a gather of |rank| dimensions is its column plus a scalar, that scalar: neighbours
/// in a row of the tile are then neighbours in memory. Null for other indices.
mlir::Value columnOffset(mlir::OperandRange indices, unsigned rank);

} // namespace quern::lowering

#endif // QUERN_LOWERING_TILE_INDEXFACTS_H
