//===- Product.cpp --------------------------------------------------------===//
#include "dialects/model/reference/Product.h"

#include <algorithm>

namespace quern::model::reference {

#if defined(__x86_64__) && defined(__linux__)
#define QUERN_WIDE __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define QUERN_WIDE
#endif

namespace {

/// The eight partial sums of a dot product, added pairwise.
inline double total(const double (&sums)[8]) {
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

} // namespace

QUERN_WIDE double dot(const float *a, const float *b, int64_t count) {
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int j = 0; j < 8; ++j)
      sums[j] += static_cast<double>(a[i + j]) * static_cast<double>(b[i + j]);
  for (int j = 0; i < count; ++i, ++j)
    sums[j] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total(sums);
}

QUERN_WIDE double dot(const double *a, const float *b, int64_t count) {
#pragma clang fp contract(off)
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8)
    for (int j = 0; j < 8; ++j)
      sums[j] += a[i + j] * static_cast<double>(b[i + j]);
  for (int j = 0; i < count; ++i, ++j)
    sums[j] += a[i] * static_cast<double>(b[i]);
  return total(sums);
}

/// Codes of |x| as values, and its scales.
static Rows rowsOf(const Packed &x) {
  Rows rows;
  rows.count = x.rows();
  rows.columns = x.columns();
  rows.values.resize(static_cast<size_t>(rows.count * rows.columns));
  rows.scales.resize(static_cast<size_t>(rows.count * rows.tiles()));
  for (int64_t row = 0; row < rows.count; ++row) {
    x.readCodes(row, rows.values.data() + row * rows.columns);
    for (int64_t tile = 0; tile < rows.tiles(); ++tile)
      rows.scales[static_cast<size_t>(row * rows.tiles() + tile)] = x.scaleAt(row, tile);
  }
  return rows;
}

Rows rowsFor(const Context &context, const Packed &x, const Packed &) { return rowsOf(x); }

Rows rowsFor(const Context &context, const Tensor &x, const Packed &weight) {
  if (weight.isBlockScaled() && context.rung == Rung::Fp8)
    return rowsOf(
        quantise(x, context.activations, weight.powerOfTwoScales ? ScaleFormat::E8M0 : ScaleFormat::F32));
  Rows rows;
  rows.count = x.rows();
  rows.columns = x.lastDim();
  rows.values = x.values;
  return rows;
}

void multiply(const Context &context, const Rows &rows, const std::vector<int64_t> *chosen,
              const Packed &weight, std::vector<double> &out) {
  int64_t count = chosen ? static_cast<int64_t>(chosen->size()) : rows.count, n = weight.rows(),
          k = weight.columns();
  out.resize(static_cast<size_t>(count * n));
  bool scaled = !rows.scales.empty();
  // A piece is large enough that handing it out costs little beside it.
  int64_t piece = std::max<int64_t>(1, 200000 / std::max<int64_t>(1, (count + 1) * k));
  forPieces(context, n, piece, [&](int64_t first, int64_t last) {
    std::vector<float> column(static_cast<size_t>(k));
    for (int64_t j = first; j < last; ++j) {
      if (scaled)
        weight.readCodes(j, column.data());
      else
        weight.readRow(j, column.data());
      for (int64_t i = 0; i < count; ++i) {
        int64_t row = chosen ? (*chosen)[static_cast<size_t>(i)] : i;
        double sum = 0;
        if (!scaled) {
          sum = dot(rows.row(row), column.data(), k);
        } else {
          for (int64_t begin = 0, end; begin < k; begin = end) {
            int64_t tile = begin / 128, block = begin / weight.block[1];
            end = std::min({k, (tile + 1) * 128, (block + 1) * weight.block[1]});
            double factor = static_cast<double>(rows.scales[static_cast<size_t>(row * rows.tiles() + tile)]) *
                            static_cast<double>(weight.scaleAt(j, block));
            sum += factor * dot(rows.row(row) + begin, column.data() + begin, end - begin);
          }
        }
        out[static_cast<size_t>(i * n + j)] = sum;
      }
    }
  });
}

} // namespace quern::model::reference
