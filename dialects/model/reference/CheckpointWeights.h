//===- CheckpointWeights.h - Weights made from checkpoint tensors -*- C++ -*-===//
//
// Evaluates the recipes of `model.weight` declarations on tensors that a lookup gives, usually those of a
// checkpoint directory. A plain read is a view of the mapped file; what must be put together is kept, within
// a budget.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_REFERENCE_CHECKPOINTWEIGHTS_H
#define QUERN_DIALECTS_MODEL_REFERENCE_CHECKPOINTWEIGHTS_H

#include "dialects/model/reference/Interpreter.h"
#include "support/safetensors/Checkpoint.h"

namespace quern::model::reference {

/// A tensor as it is stored.
struct RawTensor {
  ElementType type;
  Shape shape;
  ByteSpan bytes;
};
/// Finds a tensor by its name in the checkpoint; fails where there is none.
using TensorLookup = std::function<Expected<RawTensor>(const std::string &)>;

class CheckpointWeights : public WeightSource {
public:
  /// |module| and |checkpoint| (or what |lookup| gives views of) outlive this object.
  CheckpointWeights(mlir::Operation *module, const Checkpoint &checkpoint);
  CheckpointWeights(mlir::Operation *module, TensorLookup lookup);

  /// Exit::Unexpected "E-ORACLE-WEIGHT" for an undeclared weight; Exit::BadInput "E-ORACLE-WEIGHT" where a
  /// recipe does not give the declared shape or cuts through a scale block; errors of the lookup.
  Expected<Packed> weight(std::string_view symbol, std::optional<int64_t> layer) override;

private:
  mlir::Operation *module;
  TensorLookup lookup;
  std::map<std::pair<std::string, int64_t>, Packed> kept;
  uint64_t keptBytes = 0;
};

} // namespace quern::model::reference

#endif // QUERN_DIALECTS_MODEL_REFERENCE_CHECKPOINTWEIGHTS_H
