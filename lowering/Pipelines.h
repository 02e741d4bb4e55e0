//===- Pipelines.h - The named phases of a kernel's way down --------------===//
//
// One function for each phase, in order; the comment says what holds afterwards. Each phase is registered
// under its name with quern-opt (`--phase-tile`, `--phase-layouts`, `--phase-rings`), so that any prefix can
// be run by hand.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_PIPELINES_H
#define QUERN_LOWERING_PIPELINES_H

#include "mlir/Pass/PassManager.h"

namespace quern::lowering {

/// Phase `tile`: every tile has a static shape and a real element type; no parameter is left.
void buildTilePhase(mlir::OpPassManager &kernel);

/// Phase `layouts`: every tile has a layout; where two meet stands a relayout.
void buildLayoutsPhase(mlir::OpPassManager &kernel);

/// Phase `rings`: every slot of a ring has a place, and every access to one its waits.
void buildRingsPhase(mlir::OpPassManager &kernel);

void registerPhases();

} // namespace quern::lowering

#endif // QUERN_LOWERING_PIPELINES_H
