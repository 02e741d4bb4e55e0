//===- Oracle.h - An imported checkpoint and its interpreter ------------------===//
#ifndef QUERN_TESTS_LOWERING_IMPORT_ORACLE_H
#define QUERN_TESTS_LOWERING_IMPORT_ORACLE_H

#include "tests/golden/Golden.h"
#include "RouterMargin.h"

#include "dialects/model/reference/CheckpointWeights.h"
#include "lowering/import/Import.h"

#include "mlir/IR/MLIRContext.h"

namespace quern::testing {

struct OracleOptions {
  model::reference::Rung rung = model::reference::Rung::Bf16;
  /// Activations in f32, codes times scales unrounded: only the meaning of the module is left.
  bool wide = false;
  /// Puts other bytes in place of a tensor's.
  std::function<void(const std::string &name, model::reference::RawTensor &tensor)> change;
};

class Oracle {
public:
  static Expected<std::unique_ptr<Oracle>> open(const std::string &directory, OracleOptions options = {});

  bool isQuantised() const { return imported->config().quantisation.fp8; }
  Expected<model::reference::Value> makeCache() { return interpreter->makeCache("step"); }

  /// Logits of every token of |tokens|, which stand at |first| and after.
  Expected<Logits> step(const std::vector<int32_t> &tokens, int32_t first, model::reference::Value &cache);
  /// Logits of the prediction layer after `step(tokens, 0, cache)`: row i has token i + 1 and the hidden
  /// state of token i.
  Expected<Logits> predict(const std::vector<int32_t> &tokens, model::reference::Value &cache);

  /// For each row of the last call, how near its routers were to another choice; empty without routers.
  const std::vector<double> &margins() const { return lastMargins; }

private:
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  std::optional<import::ImportedModel> imported;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::unique_ptr<model::reference::CheckpointWeights> weights;
  std::unique_ptr<model::reference::Interpreter> interpreter;
  RouterMargin margin;
  std::vector<double> lastMargins;
  model::reference::Tensor hidden;
};

} // namespace quern::testing

#endif // QUERN_TESTS_LOWERING_IMPORT_ORACLE_H
