//===- Passes.h - Passes of the tile level --------------------------------===//
#ifndef QUERN_LOWERING_TILE_PASSES_H
#define QUERN_LOWERING_TILE_PASSES_H

#include "dialects/tile/TileDialect.h"

#include "mlir/Pass/Pass.h"

namespace quern::lowering {

#define GEN_PASS_DECL
#include "lowering/tile/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lowering/tile/Passes.h.inc"

} // namespace quern::lowering

#endif // QUERN_LOWERING_TILE_PASSES_H
