//===- LaunchCheck.h - Compares the launches of one step ------------------===//
#ifndef QUERN_TUNER_VALIDATE_LAUNCHCHECK_H
#define QUERN_TUNER_VALIDATE_LAUNCHCHECK_H

#include "dialects/model/reference/Interpreter.h"
#include "lowering/model_to_tile/ModelToTile.h"
#include "tuner/validate/Verify.h"

namespace quern::validate {

/// The observer of a session's launches. Launches of one operator come one after another; right before each
/// of them the operands that it reads are copied, right after each the results that it may have written. When
/// the next operator begins, the oracle computes the results from the copies, and both are compared.
///
/// The caches are the oracle's own: they get the rows that the device appended.
class LaunchCheck {
public:
  /// |report| has no kernels yet. Everything outlives this object.
  LaunchCheck(mlir::ModuleOp module, const lowering::LoweredModel &lowered, const runtime::Plan &plan,
              model::reference::Interpreter &oracle, runtime::Executor &executor, VerifyReport &report);

  /// Before a step: T tokens, R rows; arrays as the plan's inputs.
  void beginStep(std::vector<int32_t> tokens, std::vector<int32_t> positions, std::vector<int32_t> rows);
  Status observe(const runtime::ObservedLaunch &launch);
  /// After a step: compares the last operator.
  Status endStep();

private:
  Status copyOperands(const runtime::ObservedLaunch &launch);
  Status copyResults(const runtime::ObservedLaunch &launch);
  /// What an append has left in the cache: the rows themselves, bit by bit.
  Status checkCacheRows(const runtime::ObservedLaunch &launch);
  Status compare();
  /// The tensor at |place|, where one of the launch's arguments leads to it; nothing otherwise.
  Expected<std::optional<model::reference::Tensor>> read(const lowering::ValuePlace &place, mlir::Value value,
                                                         const runtime::ObservedLaunch &launch);
  KernelVerdict &verdict(int32_t kernel);

  const lowering::LoweredModel &lowered;
  const runtime::Plan &plan;
  model::reference::Interpreter &oracle;
  runtime::Executor &executor;
  VerifyReport &report;
  std::vector<mlir::Operation *> operators; ///< by number
  std::map<int32_t, size_t> verdicts;       ///< by kernel
  std::shared_ptr<model::reference::Cache> cache;
  std::map<std::string, std::vector<int32_t>> inputs;

  mlir::Operation *current = nullptr; ///< operator whose launches run
  int64_t layer = 0;
  std::vector<const runtime::Launch *> launches; ///< of it, so far
  model::reference::Environment operands, results;
};

} // namespace quern::validate

#endif // QUERN_TUNER_VALIDATE_LAUNCHCHECK_H
