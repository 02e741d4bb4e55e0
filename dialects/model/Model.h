//===- Model.h - The model dialect ------------------------------*- C++ -*-===//
//
// The operators of a language model (ModelOps.td), the types and attributes they use, and a few questions
// that everyone who reads a weight type asks.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_MODEL_H
#define QUERN_DIALECTS_MODEL_MODEL_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/model/ModelDialect.h.inc"
#include "dialects/model/ModelEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/model/ModelAttributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/model/ModelTypes.h.inc"
#define GET_OP_CLASSES
#include "dialects/model/ModelOps.h.inc"

namespace quern::model {

/// Makes the dialect (and `func`, which holds the entry functions) known to |registry|.
void registerModelDialect(mlir::DialectRegistry &registry);

/// Shape and element type of a ranked tensor or a block-scaled type.
llvm::ArrayRef<int64_t> shapeOf(mlir::Type type);
mlir::Type elementOf(mlir::Type type);

/// True for the attributes that a `model.weight` takes as its recipe.
bool isRecipe(mlir::Attribute attribute);

} // namespace quern::model

#endif // QUERN_DIALECTS_MODEL_MODEL_H
