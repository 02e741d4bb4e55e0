//===- Pipelines.cpp ------------------------------------------------------===//
#include "lowering/Pipelines.h"
#include "lowering/tile/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

namespace quern::lowering {

void buildTilePhase(mlir::OpPassManager &kernel) {
  kernel.addPass(createTileSpecializePass());
  kernel.addPass(mlir::createCanonicalizerPass());
  kernel.addPass(mlir::createCSEPass());
}

void buildLayoutsPhase(mlir::OpPassManager &kernel) {
  kernel.addPass(createTileSelectAtomsPass());
  kernel.addPass(createTileUniformIndicesPass());
  kernel.addPass(createTileAssignRolesPass());
  kernel.addPass(createTileExpandContractionPass());
  kernel.addPass(createTileStageOperandsPass());
  kernel.addPass(createTileInferLayoutsPass());
  kernel.addPass(mlir::createCSEPass());
}

void buildRingsPhase(mlir::OpPassManager &kernel) {
  kernel.addPass(mlir::createLoopInvariantCodeMotionPass());
  kernel.addPass(createTileChooseSwizzlePass());
  kernel.addPass(createTilePlanPipelinePass());
  kernel.addPass(createTileLowerRingsPass());
  kernel.addPass(createTileVerifyRingsPass());
  kernel.addPass(mlir::createCSEPass());
}

void registerPhases() {
  mlir::PassPipelineRegistration<>("phase-tile", "Specialised kernel text",
                                   [](mlir::OpPassManager &pm) { buildTilePhase(pm.nest("tile.kernel")); });
  mlir::PassPipelineRegistration<>("phase-layouts", "Tiles with layouts", [](mlir::OpPassManager &pm) {
    buildLayoutsPhase(pm.nest("tile.kernel"));
  });
  mlir::PassPipelineRegistration<>("phase-rings", "Operands that arrive by rings",
                                   [](mlir::OpPassManager &pm) { buildRingsPhase(pm.nest("tile.kernel")); });
}

} // namespace quern::lowering
