//===- Interpreter.h - The oracle -------------------------------*- C++ -*-===//
//
// `reference(module, rung)`: runs functions of a module in the model dialect, or single operators on given
// operands. Slow, and the definition of what every other implementation must compute.
//
//   CheckpointWeights weights(module, checkpoint);
//   Interpreter oracle(module, weights, {.rung = Rung::Bf16});
//   QUERN_ASSIGN_OR_RETURN(Value cache, oracle.makeCache("step"));
//   QUERN_ASSIGN_OR_RETURN(auto results, oracle.call("step", {tokens, positions, sequences, rows, cache}));
//   const Tensor &logits = std::get<Tensor>(results[0]);
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_REFERENCE_INTERPRETER_H
#define QUERN_DIALECTS_MODEL_REFERENCE_INTERPRETER_H

#include "dialects/model/reference/Operators.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

namespace mlir {
class Operation;
class Type;
class Value;
} // namespace mlir

namespace quern::model {
class RouterOp;
}

namespace quern::model::reference {

/// What an SSA value holds: a tensor, a weight or quantised rows, a cache, a layer's number. A cache is
/// threaded through the module as a value but changed in place: keep only the newest.
using Value = std::variant<Tensor, Packed, std::shared_ptr<Cache>, int64_t>;

/// Gives the bytes of declared weights.
class WeightSource {
public:
  virtual ~WeightSource() = default;
  /// The weight |symbol|, of |layer| where it is declared per layer. Its shape, and whether it has scales,
  /// must be as declared; the interpreter checks.
  virtual Expected<Packed> weight(std::string_view symbol, std::optional<int64_t> layer) = 0;
};

/// Values by `mlir::Value::getAsOpaquePointer()`.
using Environment = std::unordered_map<const void *, Value>;

class Interpreter {
public:
  struct Options {
    Rung rung = Rung::Fp8;
    Float8 activations = Float8::E4M3FN;
    unsigned threads = 1; ///< results do not depend on it
    /// Called after each operator with its results, in program order.
    std::function<void(mlir::Operation *, std::span<const Value>)> observer = nullptr;
    /// Called after each operator, before the observer: may put other results of the same shapes in place of
    /// its own, as the routing of another run.
    std::function<void(mlir::Operation *, std::span<const Value *const> operands, std::span<Value> results)>
        amend = nullptr;
  };

  /// |module| is a verified `builtin.module`; it and |weights| outlive the interpreter.
  Interpreter(mlir::Operation *module, WeightSource &weights, Options options);
  ~Interpreter();

  /// An empty cache for the cache argument of |function|. Exit::Unexpected "E-ORACLE-FUNCTION" where there is
  /// none.
  Expected<Value> makeCache(std::string_view function);
  /// An empty cache of a cache type.
  static std::shared_ptr<Cache> makeCache(mlir::Type type);

  /// Runs |function|. Exit::Usage "E-ORACLE-ARGUMENT" for an argument of another kind or shape than the
  /// function takes, "E-ORACLE-INDEX" for a token, row or expert outside its range, "E-ORACLE-CACHE" for a
  /// cache that lacks what is asked of it; Exit::Unsupported "E-ORACLE-OPERATOR" for an operator that it
  /// cannot run.
  Expected<std::vector<Value>> call(std::string_view function, std::vector<Value> arguments);

  /// Runs one operator on |operands| (in operand order; an absent optional operand has none).
  Expected<std::vector<Value>> evaluate(mlir::Operation *op, std::span<const Value> operands);

  /// Runs |operators| in order, taking operands from |environment| and leaving results there. Operands that
  /// are `model.use` or `model.layer` of constants and not there are evaluated on the way.
  Status evaluate(std::span<mlir::Operation *const> operators, Environment &environment);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
};

/// What a router operator asks for.
RouterOptions routerOptionsOf(RouterOp op);

/// Rows |indices| of |x|: how a large product is checked on a sample of its rows.
Tensor selectRows(const Tensor &x, std::span<const int64_t> indices);

} // namespace quern::model::reference

#endif // QUERN_DIALECTS_MODEL_REFERENCE_INTERPRETER_H
