//===- ModelDialect.cpp ---------------------------------------------------===//
#include "dialects/model/Model.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace quern::model;

#include "dialects/model/ModelDialect.cpp.inc"

void ModelDialect::initialize() {
  registerAttributes();
  registerTypes();
  registerOperations();
}

void quern::model::registerModelDialect(DialectRegistry &registry) {
  registry.insert<ModelDialect, func::FuncDialect>();
}
