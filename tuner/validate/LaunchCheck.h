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
/// The caches are the oracle's own: they get the rows that the device appended. Of large products only a
/// sample of the rows is computed (RowSample.h). A router may choose otherwise than the oracle where the
/// scores tie (Routing.h).
class LaunchCheck {
public:
  /// |report| has no kernels yet. Products of more than |sampleAbove| operations are sampled. Everything
  /// outlives this object.
  LaunchCheck(mlir::ModuleOp module, const lowering::LoweredModel &lowered, const runtime::Plan &plan,
              model::reference::Interpreter &oracle, runtime::Executor &executor, double sampleAbove,
              VerifyReport &report);

  /// Before a step of |entry|: T tokens, R rows; arrays as the plan's inputs.
  void beginStep(const std::string &entry, std::vector<int32_t> tokens, std::vector<int32_t> positions,
                 std::vector<int32_t> rows);
  Status observe(const runtime::ObservedLaunch &launch);
  /// After a step: compares the last operator.
  Status endStep();

  /// What the device's routers chose in all steps of |entry|, by the order of the routers in a step: the
  /// experts of each token, one row after the other.
  const std::vector<std::vector<int32_t>> &routing(const std::string &entry) { return routed[entry]; }

private:
  Status copyOperands(const runtime::ObservedLaunch &launch);
  Status copyResults(const runtime::ObservedLaunch &launch);
  /// What an append has left in the cache: the rows themselves, bit by bit.
  Status checkCacheRows(const runtime::ObservedLaunch &launch);
  Status compare();
  /// |want| and |have| of |op|, cut down to the sampled rows; with operands in |environment|.
  std::vector<int64_t> sample(mlir::Operation *op, model::reference::Environment &environment,
                              model::reference::Environment &have);
  /// Puts the device's choice into the oracle's results where it is near enough, and weights to match.
  void judgeRouting(model::RouterOp op, model::reference::Environment &want,
                    const model::reference::Environment &have);
  /// The tensor at |place|, where one of the launch's arguments leads to it; nothing otherwise.
  Expected<std::optional<model::reference::Tensor>> read(const lowering::ValuePlace &place, mlir::Value value,
                                                         const runtime::ObservedLaunch &launch);
  KernelVerdict &verdict(int32_t kernel);

  const lowering::LoweredModel &lowered;
  const runtime::Plan &plan;
  model::reference::Interpreter &oracle;
  runtime::Executor &executor;
  double sampleAbove;
  VerifyReport &report;
  std::vector<mlir::Operation *> operators; ///< by number
  std::map<int32_t, size_t> verdicts;       ///< by kernel
  std::shared_ptr<model::reference::Cache> cache;
  std::map<std::string, std::vector<int32_t>> inputs;
  std::map<std::string, std::vector<std::vector<int32_t>>> routed; ///< see `routing`
  std::string entry;                                               ///< of the step
  size_t routers = 0;                                              ///< of the step, so far

  mlir::Operation *current = nullptr; ///< operator whose launches run
  int64_t layer = 0;
  std::vector<const runtime::Launch *> launches; ///< of it, so far
  model::reference::Environment operands, results;
};

} // namespace quern::validate

#endif // QUERN_TUNER_VALIDATE_LAUNCHCHECK_H
