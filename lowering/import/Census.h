//===- Census.h - Every tensor of a checkpoint accounted for ---------------===//
//
// Lays the weights of a model graph against the tensors of a checkpoint: what is used by which weight, what
// is the scale of what, what is ignored and why, what is missing, what nobody knows. Without a checkpoint (a
// directory that holds a configuration alone) weights are taken as the family describes them.
//
// Faults are collected, so that `quern import` can show them all; `status()` is what a compilation fails
// with. Ids, all Exit::BadInput unless said otherwise: "E-TENSOR-MISSING", "E-TENSOR-UNKNOWN",
// "E-TENSOR-SHAPE", "E-TENSOR-TYPE" (Unsupported), "E-TENSOR-MIXED" (Unsupported: parts of one weight in
// different types), "E-TENSOR-QUANTISED" (Unsupported: fp8 where the operator takes none),
// "E-TENSOR-UNDECLARED-FP8" (the configuration knows of no fp8), "E-TENSOR-SCALE-MISSING",
// "E-TENSOR-SCALE-SHAPE", "E-TENSOR-SCALE-TYPE", "E-TENSOR-SCALE-VALUE".
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_CENSUS_H
#define QUERN_LOWERING_IMPORT_CENSUS_H

#include "lowering/import/ModelGraph.h"
#include "support/safetensors/Checkpoint.h"

namespace quern::import {

/// How one weight of one layer is stored and will be declared.
struct Binding {
  const Weight *weight = nullptr;
  size_t way = 0;                ///< index into weight->ways
  bool blockScaled = false;      ///< declared block-scaled
  bool powerOfTwoScales = false; ///< of a block-scaled one
  bool dequantise =
      false; ///< stored in fp8, but its chain cuts through scale blocks: made bf16 at the leaves
  uint64_t storedBytes = 0;   ///< in the checkpoint, scales included
  uint64_t declaredBytes = 0; ///< under its declared type

  const WeightSource &source() const { return weight->ways[way]; }
  std::string text() const;
};

/// By weight name and layer; layer -1 for weights outside of layers.
using Bindings2D = std::map<std::pair<std::string, int64_t>, Binding>;

struct TensorFate {
  enum Kind { Used, Scale, Ignored, Unknown };
  const Checkpoint::Tensor *tensor = nullptr;
  Kind kind = Unknown;
  std::string why; ///< weight that uses it, tensor that it scales, reason for ignoring it
};

struct ParameterCounts {
  uint64_t total = 0;      ///< without prediction layers
  uint64_t embedding = 0;  ///< the table that `embedding` reads
  uint64_t active = 0;     ///< read for one token: layers and head, experts by their share
  uint64_t prediction = 0; ///< of prediction layers alone
};

struct Census {
  bool fromCheckpoint = false;
  Bindings2D bindings;
  std::vector<TensorFate> tensors; ///< sorted by name; empty without a checkpoint
  std::vector<std::string> missing;
  std::vector<Status> faults;
  std::vector<std::string> notes;
  ParameterCounts parameters;

  size_t count(TensorFate::Kind kind) const;
  uint64_t bytes(TensorFate::Kind kind) const;
  uint64_t storedBytes() const;   ///< of all bindings
  uint64_t declaredBytes() const; ///< of all bindings
  /// Success, or the first fault with the number of the others.
  Status status() const;
};

/// |checkpoint| may be null. |graph| outlives the census. Errors are those of the family's expressions;
/// faults of the checkpoint are in the census.
Expected<Census> takeCensus(const Family &family, const ModelConfig &config, const ModelGraph &graph,
                            const Checkpoint *checkpoint);

/// Loops over layers that are alike in steps, weights and bindings.
std::vector<LayerRun> layerRuns(const ModelGraph &graph, const Census &census);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_CENSUS_H
