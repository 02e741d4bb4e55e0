//===- DroppedElements.h - Which elements of a loaded tile matter ---------===//
#ifndef QUERN_LOWERING_TILE_DROPPEDELEMENTS_H
#define QUERN_LOWERING_TILE_DROPPEDELEMENTS_H

#include "dialects/tile/TileDialect.h"

namespace quern::lowering {

/// True if elements of |tile| whose place |offset| + coordinate along |dim| is not below |size| reach nothing
/// but elements that stores leave out, because they lie behind the same |size|. A load need not zero them:
/// rows of a product never mix. False where an operation is met whose effect along |dim| is not known.
bool outsideIsDropped(mlir::Value tile, unsigned dim, mlir::Value offset, mlir::Value size);

} // namespace quern::lowering

#endif // QUERN_LOWERING_TILE_DROPPEDELEMENTS_H
