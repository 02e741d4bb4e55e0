//===- Operations.h - The operations that wiring lists may use ------------===//
//
// One row per operation: how many values and weights it takes, in this order, and which named arguments. The
// names are those of the model dialect, whose pages say what each computes. ModuleBuilder.cpp has the other
// half: how a step becomes an operator.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_OPERATIONS_H
#define QUERN_LOWERING_IMPORT_OPERATIONS_H

#include "lowering/import/Expression.h"

#include <span>

namespace quern::import {

struct OperationArgument {
  enum Kind { Int, Float, Bool, String, Ints, Weight };
  const char *name;
  Kind kind;
  bool required = false;
};

struct Operation {
  const char *name;
  /// One letter per positional operand: v a value, w a weight; those after ? may be left out. "*": one or
  /// more values.
  const char *operands;
  int results; ///< -1: one or more, as `split` has
  std::vector<OperationArgument> arguments;

  const OperationArgument *findArgument(std::string_view name) const;
};

std::span<const Operation> operations();
const Operation *findOperation(std::string_view name);

/// Success if |step| has the form that its operation asks for; Exit::BadInput "E-FAMILY-STEP".
Status checkStep(const StepText &step);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_OPERATIONS_H
