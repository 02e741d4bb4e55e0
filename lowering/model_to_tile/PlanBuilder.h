//===- PlanBuilder.h - Builds the plan of one target ----------------------===//
//
// Walks the entry functions in order. PlanBuilder.cpp has the structure (entries, repeats, buffers and their
// lifetimes), Weights.cpp the prepared tensors, and one file for each family of operators their launches:
// DenseOperators.cpp, AttentionOperators.cpp, MixtureOperators.cpp.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_MODEL_TO_TILE_PLANBUILDER_H
#define QUERN_LOWERING_MODEL_TO_TILE_PLANBUILDER_H

#include "dialects/model/Model.h"
#include "lowering/model_to_tile/ModelToTile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

#include <map>
#include <set>

namespace quern::lowering {

/// Where a value of the model lives: rows of heads of elements, in a work buffer, an input or an output.
struct TensorRef {
  runtime::LaunchArgument where;             ///< base pointer
  runtime::Symbol rows = runtime::Symbol::T; ///< number of rows
  int64_t heads = 1, columns = 1;            ///< of one row
  int64_t offset = 0;                        ///< elements from the base to (0, 0, 0)
  int64_t rowStride = 1, headStride = 1;     ///< elements
  std::string element = "bf16";
  int32_t work = -1;       ///< index of the work buffer; -1 for inputs and outputs
  int32_t scalesWork = -1; ///< buffer of the scales of quantised rows

  bool dense() const { return headStride == columns && rowStride == heads * columns; }
  int64_t elementBytes() const {
    return element == "f32" || element == "i32" ? 4 : element == "bf16" ? 2 : 1;
  }
};

/// A weight of the model: its declaration and the layer that is meant.
struct WeightRef {
  model::WeightOp op;
  runtime::LayerIndex layer;
};

/// Rows sorted by the matrix that they use, as kernels/route_groups leaves them.
struct RowGroups {
  TensorRef slots, groups;
  runtime::LaunchArgument places; ///< length of the arrangement
  int64_t round = 1;              ///< rows of a group
};

class PlanBuilder {
public:
  PlanBuilder(mlir::ModuleOp module, const CodeTarget &target, Fp8Flavour fp8, Rung rung,
              ScheduleSource *schedules);
  Status build();
  LoweredModel take() { return std::move(result); }

private:
  using Parameters = std::map<std::string, ParameterValue>;
  using Arguments = std::vector<runtime::LaunchArgument>;

  // PlanBuilder.cpp
  Status buildEntry(mlir::func::FuncOp function);
  Status lowerBlock(mlir::Block &block);
  Status lower(mlir::Operation &op);
  Status lowerRepeat(model::RepeatOp repeat);
  Status lowerReturn(mlir::func::ReturnOp op);
  void numberOperators();

  /// Adds a launch of |kernel| for |origin|.
  void launch(const std::string &kernel, Parameters parameters, Arguments arguments, mlir::Operation *origin,
              std::string note);
  int32_t kernelIndex(KernelRequest request);
  /// The Schedules of |request| for the numbers of rows of a step, by the value of a symbol from which each
  /// is taken. One at 0: the same for all.
  struct Ranges {
    runtime::Symbol by = runtime::Symbol::T;
    std::vector<std::pair<int64_t, tile::Schedule>> schedules;
  };
  Ranges schedulesFor(const KernelRequest &request, const Arguments &arguments);
  /// A choice by |by| whose alternatives begin at |from| (ascending; the first is 0): |lower| adds the
  /// launches of one, by its index; those that are choices themselves divide its range. Without a choice
  /// where only one is given.
  void choose(runtime::Symbol by, llvm::ArrayRef<int64_t> from, llvm::function_ref<void(size_t)> lower);
  std::vector<runtime::PlanStep> &steps() { return *current; }
  /// Buffers that launches from number |first| on use live through all of them.
  void holdFrom(int32_t first);

  /// A dense place for |value|, or the place that was set aside for it.
  TensorRef place(mlir::Value value);
  TensorRef workspace(const std::string &name, runtime::Symbol rows, int64_t heads, int64_t columns,
                      const std::string &element);
  /// |share| dense rows for each of |rows|, one behind the other.
  TensorRef rowsOfTokens(const std::string &name, runtime::Symbol rows, int64_t share, int64_t columns,
                         const std::string &element);
  TensorRef shapeOf(mlir::Value value);
  void bind(mlir::Value value, TensorRef ref);
  /// The place of |value|; marks its buffer as live here.
  TensorRef use(mlir::Value value);
  /// The same rows with heads and columns dense (or |columns| only); copies where they are not.
  TensorRef denseRows(const TensorRef &ref, mlir::Operation *origin);
  void touch(int32_t work);
  void copy(const TensorRef &from, const TensorRef &to, mlir::Operation *origin, const std::string &note);

  static runtime::LaunchArgument null() { return {}; }
  runtime::LaunchArgument pointer(const TensorRef &ref);
  runtime::LaunchArgument scales(const TensorRef &ref);
  static runtime::LaunchArgument input(const std::string &name);
  static runtime::LaunchArgument symbol(runtime::Symbol s);
  static runtime::LaunchArgument product(runtime::Symbol s, int64_t factor);
  static runtime::LaunchArgument constant(int64_t value);

  // Weights.cpp
  WeightRef weight(mlir::Value value);
  runtime::LayerIndex layerOf(mlir::Value value);
  /// Codes of a block-scaled weight or the elements of a plain one, as an argument.
  runtime::LaunchArgument weightPointer(const WeightRef &weight);
  runtime::LaunchArgument weightScales(const WeightRef &weight);
  std::string weightElement(const WeightRef &weight);
  static bool isBlockScaled(const WeightRef &weight);
  /// Makes sure that the plan prepares |name|; returns the argument.
  runtime::LaunchArgument prepared(const WeightRef &weight, const std::string &suffix,
                                   const std::string &dtype, std::vector<int64_t> shape,
                                   runtime::Recipe recipe);
  std::string rotationTable(mlir::DenseFPElementsAttr frequencies, double magnitude);

  // DenseOperators.cpp
  Status lowerNorm(mlir::Operation *op, mlir::Value x, mlir::Value residual, mlir::Value weightValue,
                   double eps, double weightOffset, mlir::Value sum, mlir::Value y);
  Status lowerLayerNorm(model::LayerNormOp op);
  Status lowerLinear(model::LinearOp op);
  Status lowerQuantise(model::QuantiseOp op);
  Status lowerPointwise(mlir::Operation *op, Parameters flags, mlir::Value a, mlir::Value b, mlir::Value y);
  Status lowerConcat(model::ConcatOp op);
  Status lowerReshape(model::ReshapeOp op);
  Status lowerGatherRows(mlir::Operation *op, mlir::Value x, mlir::Value rows, mlir::Value y);
  /// Rows in fp8 with their scales, for a block-scaled product on the fp8 rung; |share| rows for each row
  /// symbol.
  TensorRef quantised(const TensorRef &x, int64_t share, bool powerOfTwo, mlir::Operation *origin);
  void addLinear(const TensorRef &x, const WeightRef &weight, const WeightRef *bias, const TensorRef &y,
                 const TensorRef *experts, int64_t share, mlir::Operation *origin, const std::string &note,
                 const RowGroups *groups = nullptr);
  static Parameters activationFlags(model::ActivationKind kind);
  void addPointwise(Parameters flags, const TensorRef &a, const TensorRef *b, const TensorRef &y,
                    mlir::Operation *origin, const std::string &note);

  // AttentionOperators.cpp
  Status lowerRope(model::RopeOp op);
  Status lowerCacheAppend(model::CacheAppendOp op);
  Status lowerAttention(model::AttentionOp op);
  Status lowerLatentAttention(model::LatentAttentionOp op);
  runtime::LaunchArgument cachePart(const std::string &name, mlir::Value layer, int64_t offset = 0);
  Status useCache(mlir::Type type);

  // MixtureOperators.cpp
  Status lowerRouter(model::RouterOp op);
  Status lowerExperts(model::ExpertsOp op);
  /// Sorts the rows of |indices| into groups of |round|; |single|: no more than one row for each matrix is
  /// likely, so that there are as many groups as rows at most.
  RowGroups sortRows(const TensorRef &indices, int64_t matrices, int64_t round, bool single,
                     mlir::Operation *origin);

  Status unsupported(mlir::Operation *op, const std::string &why);

  mlir::ModuleOp module;
  const CodeTarget &target;
  Fp8Flavour fp8;
  Rung rung;
  ScheduleSource *schedules; ///< asked before the default is taken; may be null
  LoweredModel result;
  runtime::PlanEntry *entry = nullptr;
  std::vector<runtime::PlanStep> *current = nullptr;
  int32_t launchNumber = 0;
  /// Values of a symbol in which the launches that are added now run; outside of a choice: all.
  struct Within {
    runtime::Symbol by;
    int64_t first, last;
  };
  std::optional<Within> within;
  llvm::DenseMap<mlir::Value, TensorRef> values;
  llvm::DenseMap<mlir::Value, TensorRef> reserved; ///< where the result of an operator must go
  llvm::DenseMap<mlir::Operation *, int32_t> numbers;
  std::map<std::string, int32_t> kernelBySymbol;
  std::set<std::string> preparedNames;
};

/// A recipe of the model dialect as the plan writes it.
runtime::Recipe planRecipe(mlir::Attribute recipe);

/// "bf16", "f32", "f8E4M3FN": the name of an element type in kernel parameters.
std::string elementName(mlir::Type type);

} // namespace quern::lowering

#endif // QUERN_LOWERING_MODEL_TO_TILE_PLANBUILDER_H
