//===- quern-opt.cpp - mlir-opt with Quern's dialects and passes ----------===//
#include "dialects/model/Model.h"
#include "dialects/tile/TileDialect.h"
#include "lowering/Pipelines.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quern::model::registerModelDialect(registry);
  registry.insert<quern::tile::TileDialect, mlir::arith::ArithDialect, mlir::math::MathDialect,
                  mlir::scf::SCFDialect>();
  mlir::registerTransformsPasses();
  quern::lowering::registerTilePasses();
  quern::lowering::registerPhases();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Quern's optimiser driver\n", registry));
}
