//===- Mixture.cpp - Router and experts -----------------------------------===//
#include "dialects/model/reference/Product.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace quern::model::reference {

std::vector<float> routerScores(std::span<const float> logits, bool sigmoid) {
  std::vector<float> scores;
  double most = *std::max_element(logits.begin(), logits.end()), total = 0;
  for (float logit : logits)
    total += std::exp(logit - most);
  for (float logit : logits)
    scores.push_back(
        static_cast<float>(sigmoid ? apply(Function::Sigmoid, logit) : std::exp(logit - most) / total));
  return scores;
}

Tensor routerWeights(const Tensor &logits, const Tensor &indices, const RouterOptions &options) {
  int64_t n = logits.lastDim(), k = indices.lastDim();
  Tensor weights = Tensor::zeros(ElementType::F32, {logits.rows(), k});
  for (int64_t t = 0; t < logits.rows(); ++t) {
    auto row = std::span(logits.values).subspan(static_cast<size_t>(t * n), static_cast<size_t>(n));
    std::vector<float> scores = routerScores(row, options.sigmoid);
    auto scoreOf = [&](int64_t i) -> double {
      return scores[static_cast<size_t>(indices.integers[static_cast<size_t>(t * k + i)])];
    };
    double total = 0;
    for (int64_t i = 0; i < k; ++i)
      total += scoreOf(i);
    for (int64_t i = 0; i < k; ++i) {
      double weight = options.normalise ? scoreOf(i) / (total + 1e-20) : scoreOf(i);
      weights.values[static_cast<size_t>(t * k + i)] =
          static_cast<float>(weight * static_cast<float>(options.scale));
    }
  }
  return weights;
}

/// The |count| indices with the largest values, descending; equal values in ascending order of index. NaN
/// counts as -infinity.
static std::vector<int64_t> largest(const std::vector<float> &values, int64_t count) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  auto key = [&](int64_t i) {
    float value = values[static_cast<size_t>(i)];
    return std::isnan(value) ? -std::numeric_limits<float>::infinity() : value;
  };
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    float left = key(a), right = key(b);
    return left != right ? left > right : a < b;
  });
  order.resize(static_cast<size_t>(count));
  return order;
}

std::pair<Tensor, Tensor> router(const Tensor &logits, const Vector *bias, const RouterOptions &options) {
  int64_t n = logits.lastDim(), k = options.experts, size = n / options.groups;
  Tensor indices = Tensor::zeros(ElementType::I32, {logits.rows(), k});
  for (int64_t t = 0; t < logits.rows(); ++t) {
    auto row = std::span(logits.values).subspan(static_cast<size_t>(t * n), static_cast<size_t>(n));
    std::vector<float> choice = routerScores(row, options.sigmoid);
    if (bias)
      for (size_t i = 0; i < choice.size(); ++i)
        choice[i] += (*bias)[i];
    if (options.groups > 1) {
      std::vector<float> groupScores;
      for (int64_t g = 0; g < options.groups; ++g) {
        std::vector<float> members(choice.begin() + g * size, choice.begin() + (g + 1) * size);
        std::vector<int64_t> best = largest(members, options.groupTop2 ? 2 : 1);
        float score = members[static_cast<size_t>(best[0])];
        if (options.groupTop2)
          score += members[static_cast<size_t>(best[1])];
        groupScores.push_back(score);
      }
      std::vector<bool> keep(static_cast<size_t>(options.groups), false);
      for (int64_t g : largest(groupScores, options.kept))
        keep[static_cast<size_t>(g)] = true;
      for (size_t i = 0; i < choice.size(); ++i)
        if (!keep[i / static_cast<size_t>(size)])
          choice[i] = -std::numeric_limits<float>::infinity();
    }
    std::vector<int64_t> chosen = largest(choice, k);
    for (int64_t i = 0; i < k; ++i)
      indices.integers[static_cast<size_t>(t * k + i)] = static_cast<int32_t>(chosen[static_cast<size_t>(i)]);
  }
  Tensor weights = routerWeights(logits, indices, options);
  return {std::move(indices), std::move(weights)};
}

/// |rows| are those of x, prepared for gateUp.
static Expected<Tensor> expertsOf(const Context &context, Function function, const Rows &rows,
                                  const Tensor &indices, const Tensor &weights, const Packed &gateUp,
                                  const Packed &down, const Tensor *shared, ElementType type) {
  int64_t count = rows.count, k = indices.lastDim(), h = down.rows(), inner = down.columns();
  // (row, slot) of each expert, in ascending order of row.
  std::vector<std::vector<int64_t>> byExpert(static_cast<size_t>(gateUp.shape[0]));
  std::vector<std::vector<double>> weightsOf(byExpert.size());
  for (int64_t t = 0; t < count; ++t)
    for (int64_t i = 0; i < k; ++i) {
      size_t at = static_cast<size_t>(t * k + i);
      int32_t e = indices.integers[at];
      if (e < 0 || e >= gateUp.shape[0])
        return Status::error(Exit::Usage, "E-ORACLE-INDEX",
                             "expert " + std::to_string(e) + " is outside 0 to " +
                                 std::to_string(gateUp.shape[0] - 1));
      byExpert[static_cast<size_t>(e)].push_back(t);
      weightsOf[static_cast<size_t>(e)].push_back(weights.values[at]);
    }
  // A row's sum runs over its experts in ascending order, whatever rows are beside it.
  std::vector<double> sums(static_cast<size_t>(count * h), 0), product;
  for (size_t e = 0; e < byExpert.size(); ++e) {
    const std::vector<int64_t> &chosen = byExpert[e];
    if (chosen.empty())
      continue;
    int64_t n = static_cast<int64_t>(chosen.size());
    multiply(context, rows, &chosen, gateUp.slice(static_cast<int64_t>(e)), product);
    Tensor both = Tensor::zeros(type, {n, 2 * inner});
    for (size_t i = 0; i < product.size(); ++i)
      both.values[i] = roundTo(type, product[i]);
    Packed second = down.slice(static_cast<int64_t>(e));
    multiply(context, rowsFor(context, gated(function, both, nullptr), second), nullptr, second, product);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < h; ++j)
        sums[static_cast<size_t>(chosen[static_cast<size_t>(i)] * h + j)] +=
            weightsOf[e][static_cast<size_t>(i)] * product[static_cast<size_t>(i * h + j)];
  }
  Tensor result = Tensor::zeros(type, {count, h});
  for (size_t i = 0; i < sums.size(); ++i)
    result.values[i] = roundTo(type, sums[i] + (shared ? shared->values[i] : 0));
  return result;
}

Expected<Tensor> experts(const Context &context, Function function, const Tensor &x, const Tensor &indices,
                         const Tensor &weights, const Packed &gateUp, const Packed &down,
                         const Tensor *shared, ElementType type) {
  return expertsOf(context, function, rowsFor(context, x, gateUp), indices, weights, gateUp, down, shared,
                   type);
}

Expected<Tensor> experts(const Context &context, Function function, const Packed &x, const Tensor &indices,
                         const Tensor &weights, const Packed &gateUp, const Packed &down,
                         const Tensor *shared, ElementType type) {
  return expertsOf(context, function, rowsFor(context, x, gateUp), indices, weights, gateUp, down, shared,
                   type);
}

} // namespace quern::model::reference
