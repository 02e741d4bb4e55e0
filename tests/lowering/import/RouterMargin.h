//===- RouterMargin.h - How near a router was to another choice -------------===//
#ifndef QUERN_TESTS_LOWERING_IMPORT_ROUTERMARGIN_H
#define QUERN_TESTS_LOWERING_IMPORT_ROUTERMARGIN_H

#include "dialects/model/Model.h"
#include "dialects/model/reference/Interpreter.h"

#include <map>
#include <span>
#include <vector>

namespace quern::testing {

/// Watches an interpreter (as its observer) and keeps, for each row, a lower bound of the change in a router
/// logit that would have chosen another expert or group, the least over all routers of a call. A bf16-level
/// change of the input can flip a choice that is nearer than that, and then moves the row's outcome
/// arbitrarily far.
class RouterMargin {
public:
  void observe(mlir::Operation *op, std::span<const model::reference::Value> results);
  /// Of the calls since the last time; empty where there was no router.
  std::vector<double> take();

private:
  void watch(model::RouterOp op);
  std::map<const void *, model::reference::Value> seen; ///< results of linears and uses
  std::vector<double> margins;
};

} // namespace quern::testing

#endif // QUERN_TESTS_LOWERING_IMPORT_ROUTERMARGIN_H
