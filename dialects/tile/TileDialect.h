//===- TileDialect.h - The tile dialect -----------------------------------===//
#ifndef QUERN_DIALECTS_TILE_TILEDIALECT_H
#define QUERN_DIALECTS_TILE_TILEDIALECT_H

#include "dialects/tile/LayoutAlgebra.h"
#include "dialects/tile/MemoryLayout.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/tile/TileDialect.h.inc"
#include "dialects/tile/TileEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/tile/TileAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/tile/TileTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/tile/TileOps.h.inc"

namespace quern::tile {

/// The layout of a tile, or null before phase `layouts`.
const Layout *getLayout(mlir::Type type);

/// Bytes of the swizzle's span of a tile in shared memory; 0 for another type.
int64_t sharedSpan(mlir::Type type);

/// |type| with |layout| as its encoding.
mlir::RankedTensorType withLayout(mlir::RankedTensorType type, const Layout &layout);

/// The shape of a static tile, and of a ring's slots.
std::vector<int32_t> shapeOf(mlir::RankedTensorType type);
std::vector<int32_t> shapeOf(RingType type);

/// The layout of a ring's slots in memory, or null before it is chosen.
const MemoryLayout *getMemory(RingType type);
/// Bytes from one slot to the next: whole 128 bytes, so that each begins at the first bank.
int64_t slotBytes(RingType type);

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_TILEDIALECT_H
