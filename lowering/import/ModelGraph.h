//===- ModelGraph.h - A family's wiring with a configuration's numbers -----===//
//
// The outcome of evaluating every expression of a family: for each layer the list of steps with plain
// attributes and the weights with plain shapes. Nothing here knows MLIR or looks into a checkpoint; census,
// memory plan and module builder all read this one structure.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_MODELGRAPH_H
#define QUERN_LOWERING_IMPORT_MODELGRAPH_H

#include "lowering/import/Config.h"
#include "lowering/import/Operations.h"

#include <set>

namespace quern::import {

/// `Source` with its sizes. `{layer}` and the placeholders of stacks stay in tensor names.
struct WeightSource {
  Source::Kind kind = Source::Tensor;
  std::string tensor;
  std::vector<int64_t> shape; ///< of what this node yields
  std::vector<WeightSource> children;
  int64_t dim = 0, begin = 0, end = 0; ///< Concat, Slice
  std::string placeholder;             ///< Stack
  int64_t count = 0;
  std::vector<int64_t> order; ///< Transpose

  /// Equal sources have equal texts.
  std::string text() const;
};

struct Weight {
  std::string name;
  std::vector<int64_t> shape;
  std::vector<WeightSource> ways; ///< the first complete one is used
  bool quantised = false, f32 = false;
  double active = 1;
  bool perLayer = false;

  int64_t elements() const;
};

struct Step {
  struct Operand {
    bool weight = false;
    std::string name;
  };
  const Operation *operation = nullptr;
  std::vector<std::string> results;
  std::vector<Operand> operands;
  std::map<std::string, Value, std::less<>> attributes;            ///< those given and not null
  std::map<std::string, std::string, std::less<>> weightArguments; ///< those given whose weight exists
  std::string source;                                              ///< as the family wrote it
};

/// Straight-line steps and the weights they name.
struct StepList {
  std::vector<Step> steps;
  std::map<std::string, Weight> weights;

  /// Equal lists have equal texts, layer numbers apart.
  std::string text() const;
};

struct LayerGraph {
  std::string className;
  StepList list;
  std::string text; ///< list.text(), computed once
};

struct CacheShape {
  bool latent = false;
  int64_t heads = 0, key = 0, value = 0; ///< of a head cache
  int64_t size = 0, rope = 0;            ///< of a latent cache
  int64_t layers = 0;                    ///< prediction layers included

  /// Cached elements per token and layer.
  int64_t elementsPerLayer() const { return latent ? size + rope : heads * (key + value); }
};

/// Layers first, first + step, ... before end, each `step` of them with the same texts: one loop of the
/// module.
struct LayerRun {
  int64_t first = 0, end = 0, step = 1;
};

struct ModelGraph {
  StepList begin, end;
  std::vector<LayerGraph> layers;
  std::vector<LayerGraph> predictions; ///< layer numbers go on after the model's own
  CacheShape cache;
  /// Names that live from layer to layer, in order; "cache" is the last.
  std::vector<std::string> carried;

  std::vector<LayerRun> runs() const;
};

/// Loops over layers with equal |texts|. A pattern of several layers repeats after at most 8.
std::vector<LayerRun> findRuns(const std::vector<std::string> &texts);

/// Exit::BadInput "E-FAMILY-STEP" (a name without a value, an attribute of the wrong kind), "E-FAMILY-SHAPE"
/// (a source that does not yield its weight's shape), "E-FAMILY-EXPRESSION".
Expected<ModelGraph> resolveGraph(const Family &family, const ModelConfig &config);

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_MODELGRAPH_H
