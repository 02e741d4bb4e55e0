//===- Import.h - From a checkpoint directory to the model dialect ----------===//
#ifndef QUERN_LOWERING_IMPORT_IMPORT_H
#define QUERN_LOWERING_IMPORT_IMPORT_H

#include "lowering/import/ImportedModel.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace quern::import {

struct BuildOptions {
  /// Tokens that the tokenizer knows; columns past them get -inf logits. Absent: all are valid.
  std::optional<int64_t> validTokens;
};

/// The module: weight declarations with their recipes, `@step`, and `@mtp` where the configuration has a
/// prediction layer. It is verified. The census must be without faults. Exit::BadInput "E-FAMILY-STEP" (a
/// step that does not fit its operands), "E-FAMILY-MODULE" (the wiring gives a module that does not verify);
/// Exit::Unsupported "E-CONFIG-PREDICTION" for more than one prediction layer.
Expected<mlir::OwningOpRef<mlir::ModuleOp>>
buildModule(const ImportedModel &model, mlir::MLIRContext &context, const BuildOptions &options = {});

/// `readModel`, the census's status and `buildModule` in one.
Expected<mlir::OwningOpRef<mlir::ModuleOp>> importModel(const std::string &directory,
                                                        mlir::MLIRContext &context,
                                                        const ReadOptions &read = {},
                                                        const BuildOptions &build = {});

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_IMPORT_H
