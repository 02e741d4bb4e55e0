//===- Operators.h - What every operator means ------------------*- C++ -*-===//
//
// One function per operator of dialects/model/ModelOps.td, with the numbers of its description: sums in fp64,
// one rounding to the result type. No MLIR here; the interpreter and the tests call these alike. Operands are
// trusted to have the shapes that the dialect's verifiers demand; what depends on values (token ids, rows,
// cache entries) is checked and comes back as a Status.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_REFERENCE_OPERATORS_H
#define QUERN_DIALECTS_MODEL_REFERENCE_OPERATORS_H

#include "dialects/model/reference/Cache.h"
#include "dialects/model/reference/Tensor.h"
#include "support/Threads.h"

#include <optional>
#include <span>
#include <utility>

namespace quern::model::reference {

/// How block-scaled weights meet activations (contract "Rungs"): with quantised activations, or dequantised
/// to bf16. The last two are the same mathematics and differ in what a target keeps in memory.
enum class Rung { Fp8, Fp8Weights, Bf16 };

struct Context {
  Rung rung = Rung::Fp8;
  /// Flavour of the activations on rung Fp8.
  Float8 activations = Float8::E4M3FN;
  /// Splits rows and columns, never a sum: results do not depend on its size.
  ThreadPool *pool = nullptr;
};

using Vector = std::vector<float>;

//===-- Dense -------------------------------------------------------------===//

Expected<Tensor> embedding(const Tensor &tokens, const Packed &table, ElementType type);
Expected<Tensor> gatherRows(const Tensor &x, const Tensor &rows);

Tensor rmsNorm(const Tensor &x, const Vector *weight, double eps, double weightOffset);
/// (sum, norm of the un-rounded sum)
std::pair<Tensor, Tensor> addRmsNorm(const Tensor &x, const Tensor &residual, const Vector *weight,
                                     double eps, double weightOffset);
Tensor layerNorm(const Tensor &x, const Vector *weight, const Vector *bias, double eps);

Tensor linear(const Context &context, const Tensor &x, const Packed &weight, const Vector *bias,
              ElementType type);
/// Rows that come quantised.
Tensor linear(const Context &context, const Packed &x, const Packed &weight, const Vector *bias,
              ElementType type);

enum class Function { Silu, Gelu, GeluTanh, QuickGelu, Relu, Relu2, Sigmoid, Tanh };
double apply(Function function, double x);

Tensor add(const Tensor &lhs, const Tensor &rhs);
/// |rhs| may have one column.
Tensor mul(const Tensor &lhs, const Tensor &rhs);
Tensor scale(const Tensor &x, double factor);
Tensor softcap(const Tensor &x, double cap);
Tensor activation(Function function, const Tensor &x);
/// |up| may be null: then |gate| holds both halves.
Tensor gated(Function function, const Tensor &gate, const Tensor *up);
Tensor maskVocabulary(const Tensor &logits, int64_t valid);
Tensor slice(const Tensor &x, int64_t begin, int64_t end);
Tensor concat(const std::vector<const Tensor *> &inputs);

Expected<Tensor> sample(const Tensor &logits, const Tensor &positions, const Tensor &temperatures,
                        const Tensor &seeds);

//===-- Attention ---------------------------------------------------------===//

Tensor rope(const Tensor &x, const Tensor &positions, bool interleaved, int64_t offset, double magnitude,
            const Vector &frequencies);

Status cacheAppend(Cache &cache, int64_t layer, const Tensor &keys, const Tensor &values,
                   const Tensor &positions, const Tensor &sequences);

struct AttentionOptions {
  double scale = 1;
  std::optional<int64_t> window = std::nullopt;
  std::optional<double> softcap = std::nullopt;
};
Expected<Tensor> attention(const Context &context, const Tensor &q, const Cache &cache, int64_t layer,
                           const Tensor &positions, const Tensor &sequences, const AttentionOptions &options);
/// |expanded| chooses the order of the sums only.
Expected<Tensor> latentAttention(const Context &context, const Tensor &qNope, const Tensor &qRope,
                                 const Packed &kvB, const Cache &cache, int64_t layer,
                                 const Tensor &positions, const Tensor &sequences, double scale,
                                 bool expanded);

//===-- Mixture of experts ------------------------------------------------===//

struct RouterOptions {
  bool sigmoid = false;
  int64_t experts = 1; ///< chosen per token
  int64_t groups = 1;
  int64_t kept = 1;
  bool groupTop2 = false;
  bool normalise = false;
  double scale = 1;
};
/// Scores of one row of logits each a number in fp32.
std::vector<float> routerScores(std::span<const float> logits, bool sigmoid);
/// The weights of |indices| [T, experts], whoever has chosen them.
Tensor routerWeights(const Tensor &logits, const Tensor &indices, const RouterOptions &options);
/// (indices, weights)
std::pair<Tensor, Tensor> router(const Tensor &logits, const Vector *bias, const RouterOptions &options);

Expected<Tensor> experts(const Context &context, Function function, const Tensor &x, const Tensor &indices,
                         const Tensor &weights, const Packed &gateUp, const Packed &down,
                         const Tensor *shared, ElementType type);
/// Rows that come quantised.
Expected<Tensor> experts(const Context &context, Function function, const Packed &x, const Tensor &indices,
                         const Tensor &weights, const Packed &gateUp, const Packed &down,
                         const Tensor *shared, ElementType type);

} // namespace quern::model::reference

#endif // QUERN_DIALECTS_MODEL_REFERENCE_OPERATORS_H
