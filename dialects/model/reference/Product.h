//===- Product.h - Rows times a transposed matrix, un-rounded ---*- C++ -*-===//
//
// The one matrix product of the oracle. Sums run in fp64 over eight interleaved partial sums in a fixed
// order. Products of two floats are exact in fp64, so that a fused multiply-add changes nothing.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_MODEL_REFERENCE_PRODUCT_H
#define QUERN_DIALECTS_MODEL_REFERENCE_PRODUCT_H

#include "dialects/model/reference/Operators.h"

namespace quern::model::reference {

/// Left-hand rows in the form that a product with weights of one kind needs.
struct Rows {
  int64_t count = 0, columns = 0;
  std::vector<float> values; ///< [count, columns]; codes' values where there are scales
  std::vector<float> scales; ///< [count, tiles of 128 columns], or empty: not quantised

  const float *row(int64_t index) const { return values.data() + index * columns; }
  int64_t tiles() const { return (columns + 127) / 128; }
};

/// Quantises |x| where the rung and |weight| ask for it.
Rows rowsFor(const Context &context, const Tensor &x, const Packed &weight);
Rows rowsFor(const Context &context, const Packed &x, const Packed &weight);

/// out[i, n] = sum_k rows[chosen[i], k] * weight[n, k], for all n; |chosen| null means all rows in order.
/// With scales on both sides each block's sum is multiplied by both scales.
void multiply(const Context &context, const Rows &rows, const std::vector<int64_t> *chosen,
              const Packed &weight, std::vector<double> &out);

/// Sum of products in the order that every product of the oracle uses.
double dot(const float *a, const float *b, int64_t count);
/// The same order; these products are rounded, and never fused with the sum.
double dot(const double *a, const float *b, int64_t count);

/// Calls body(first, last) on pieces of [0, count): over the pool's threads, or at once without one.
template <typename Body>
void forPieces(const Context &context, int64_t count, int64_t piece, const Body &body) {
  if (!context.pool || context.pool->size() == 1 || count <= piece) {
    body(int64_t{0}, count);
    return;
  }
  context.pool->parallelFor(0, static_cast<uint64_t>(count), static_cast<uint64_t>(piece),
                            [&](uint64_t first, uint64_t last, unsigned) {
                              body(static_cast<int64_t>(first), static_cast<int64_t>(last));
                            });
}

} // namespace quern::model::reference

#endif // QUERN_DIALECTS_MODEL_REFERENCE_PRODUCT_H
