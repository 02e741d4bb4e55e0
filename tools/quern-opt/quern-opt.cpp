//===- quern-opt.cpp - mlir-opt with Quern's dialects and passes ----------===//
#include "dialects/model/Model.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  quern::model::registerModelDialect(registry);
  mlir::registerTransformsPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "Quern's optimiser driver\n", registry));
}
