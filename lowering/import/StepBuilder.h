//===- StepBuilder.h - One wiring step becomes operators --------------------===//
#ifndef QUERN_LOWERING_IMPORT_STEPBUILDER_H
#define QUERN_LOWERING_IMPORT_STEPBUILDER_H

#include "lowering/import/ModelGraph.h"

#include "dialects/model/Model.h"

#include "mlir/IR/Builders.h"

namespace quern::import {

/// What steps refer to without naming it.
struct StepContext {
  mlir::Value positions, sequences, rows;
  mlir::Value layer; ///< null outside of layers
  /// The declaration of a weight by its name.
  std::function<quern::model::WeightOp(const std::string &)> weight;
};

/// Values by the names that the wiring gives them.
using NamedValues = std::map<std::string, mlir::Value, std::less<>>;

/// Appends the operators of |steps| and rebinds their results in |values|. Exit::BadInput "E-FAMILY-STEP"
/// where a step does not fit its operands.
Status buildSteps(const StepList &list, const ModelConfig &config, const StepContext &context,
                  mlir::OpBuilder &builder, NamedValues &values);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_STEPBUILDER_H
