//===- Dense.cpp - Norms, linears, elementwise, rows ----------------------===//
#include "dialects/model/reference/Product.h"

#include "support/Philox.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace quern::model::reference {

static Status outside(const char *what, int64_t index, int64_t count) {
  return Status::error(Exit::Usage, "E-ORACLE-INDEX",
                       std::string(what) + " " + std::to_string(index) + " is outside 0 to " +
                           std::to_string(count - 1));
}

//===-- Rows --------------------------------------------------------------===//

Expected<Tensor> embedding(const Tensor &tokens, const Packed &table, ElementType type) {
  Tensor result = Tensor::zeros(type, {tokens.rows(), table.columns()});
  for (int64_t t = 0; t < tokens.rows(); ++t) {
    int32_t token = tokens.integers[static_cast<size_t>(t)];
    if (token < 0 || token >= table.rows())
      return outside("token", token, table.rows());
    table.readRow(token, result.values.data() + t * table.columns());
  }
  return result;
}

Expected<Tensor> gatherRows(const Tensor &x, const Tensor &rows) {
  Shape shape = x.shape;
  shape[0] = rows.rows();
  Tensor result = Tensor::zeros(x.type, shape);
  int64_t size = x.rowSize();
  for (int64_t r = 0; r < rows.rows(); ++r) {
    int32_t row = rows.integers[static_cast<size_t>(r)];
    if (row < 0 || row >= x.rows())
      return outside("row", row, x.rows());
    std::copy_n(x.values.begin() + row * size, size, result.values.begin() + r * size);
  }
  return result;
}

//===-- Norms -------------------------------------------------------------===//

/// Norms |n| values from |x| into |result|.
static void normRow(const double *x, int64_t n, const Vector *weight, double eps, double weightOffset,
                    ElementType type, float *result) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i)
    squares += x[i] * x[i];
  double factor = 1 / std::sqrt(squares / static_cast<double>(n) + static_cast<float>(eps));
  for (int64_t i = 0; i < n; ++i) {
    double w = weight ? (*weight)[static_cast<size_t>(i)] + weightOffset : 1;
    result[i] = roundTo(type, w * (x[i] * factor));
  }
}

Tensor rmsNorm(const Tensor &x, const Vector *weight, double eps, double weightOffset) {
  Tensor result = Tensor::zeros(x.type, x.shape);
  int64_t n = x.lastDim(), count = elementCount(x.shape) / n;
  std::vector<double> row(static_cast<size_t>(n));
  for (int64_t r = 0; r < count; ++r) {
    std::copy_n(x.values.begin() + r * n, n, row.begin());
    normRow(row.data(), n, weight, eps, weightOffset, x.type, result.values.data() + r * n);
  }
  return result;
}

std::pair<Tensor, Tensor> addRmsNorm(const Tensor &x, const Tensor &residual, const Vector *weight,
                                     double eps, double weightOffset) {
  Tensor sum = Tensor::zeros(x.type, x.shape), result = Tensor::zeros(x.type, x.shape);
  int64_t n = x.lastDim(), count = elementCount(x.shape) / n;
  std::vector<double> row(static_cast<size_t>(n));
  for (int64_t r = 0; r < count; ++r) {
    for (int64_t i = 0; i < n; ++i) {
      size_t at = static_cast<size_t>(r * n + i);
      // The sum is a number in fp32: rounded there, not to the result type, before the norm.
      float exact = x.values[at] + residual.values[at];
      row[static_cast<size_t>(i)] = exact;
      sum.values[at] = roundTo(x.type, exact);
    }
    normRow(row.data(), n, weight, eps, weightOffset, x.type, result.values.data() + r * n);
  }
  return {std::move(sum), std::move(result)};
}

Tensor layerNorm(const Tensor &x, const Vector *weight, const Vector *bias, double eps) {
  Tensor result = Tensor::zeros(x.type, x.shape);
  int64_t n = x.lastDim(), count = elementCount(x.shape) / n;
  for (int64_t r = 0; r < count; ++r) {
    const float *row = x.values.data() + r * n;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < n; ++i)
      mean += row[i];
    mean /= static_cast<double>(n);
    for (int64_t i = 0; i < n; ++i)
      variance += (row[i] - mean) * (row[i] - mean);
    double factor = 1 / std::sqrt(variance / static_cast<double>(n) + static_cast<float>(eps));
    for (int64_t i = 0; i < n; ++i) {
      double w = weight ? (*weight)[static_cast<size_t>(i)] : 1,
             b = bias ? (*bias)[static_cast<size_t>(i)] : 0;
      result.values[static_cast<size_t>(r * n + i)] = roundTo(x.type, w * ((row[i] - mean) * factor) + b);
    }
  }
  return result;
}

//===-- Linear ------------------------------------------------------------===//

static Tensor linearOf(const Context &context, const Rows &rows, const Packed &weight, const Vector *bias,
                       ElementType type) {
  std::vector<double> product;
  multiply(context, rows, nullptr, weight, product);
  int64_t n = weight.rows();
  Tensor result = Tensor::zeros(type, {rows.count, n});
  for (int64_t t = 0; t < rows.count; ++t)
    for (int64_t j = 0; j < n; ++j) {
      size_t at = static_cast<size_t>(t * n + j);
      result.values[at] = roundTo(type, product[at] + (bias ? (*bias)[static_cast<size_t>(j)] : 0));
    }
  return result;
}

Tensor linear(const Context &context, const Tensor &x, const Packed &weight, const Vector *bias,
              ElementType type) {
  return linearOf(context, rowsFor(context, x, weight), weight, bias, type);
}

Tensor linear(const Context &context, const Packed &x, const Packed &weight, const Vector *bias,
              ElementType type) {
  return linearOf(context, rowsFor(context, x, weight), weight, bias, type);
}

//===-- Elementwise -------------------------------------------------------===//

double apply(Function function, double x) {
  switch (function) {
  case Function::Silu:
    return x / (1 + std::exp(-x));
  case Function::Gelu:
    return 0.5 * x * (1 + std::erf(x * M_SQRT1_2));
  case Function::GeluTanh:
    return 0.5 * x * (1 + std::tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
  case Function::QuickGelu:
    return x / (1 + std::exp(-1.702 * x));
  case Function::Relu:
    return std::max(x, 0.0);
  case Function::Relu2:
    return std::max(x, 0.0) * std::max(x, 0.0);
  case Function::Sigmoid:
    return 1 / (1 + std::exp(-x));
  case Function::Tanh:
    break;
  }
  return std::tanh(x);
}

/// body(i) for each element, rounded to x's type.
template <typename Body> static Tensor mapElements(const Tensor &x, const Body &body) {
  Tensor result = Tensor::zeros(x.type, x.shape);
  for (size_t i = 0; i < x.values.size(); ++i)
    result.values[i] = roundTo(x.type, body(i));
  return result;
}

Tensor add(const Tensor &lhs, const Tensor &rhs) {
  return mapElements(lhs, [&](size_t i) { return static_cast<double>(lhs.values[i]) + rhs.values[i]; });
}

Tensor mul(const Tensor &lhs, const Tensor &rhs) {
  size_t columns = static_cast<size_t>(lhs.lastDim());
  bool oneColumn = rhs.lastDim() == 1;
  return mapElements(lhs, [&](size_t i) {
    return static_cast<double>(lhs.values[i]) * rhs.values[oneColumn ? i / columns : i];
  });
}

Tensor scale(const Tensor &x, double factor) {
  double rounded = static_cast<float>(factor);
  return mapElements(x, [&](size_t i) { return x.values[i] * rounded; });
}

Tensor softcap(const Tensor &x, double cap) {
  double rounded = static_cast<float>(cap);
  return mapElements(x, [&](size_t i) { return rounded * std::tanh(x.values[i] / rounded); });
}

Tensor activation(Function function, const Tensor &x) {
  return mapElements(x, [&](size_t i) { return apply(function, x.values[i]); });
}

Tensor gated(Function function, const Tensor &gate, const Tensor *up) {
  if (up)
    return mapElements(gate, [&](size_t i) { return apply(function, gate.values[i]) * up->values[i]; });
  int64_t n = gate.lastDim() / 2;
  Tensor result = Tensor::zeros(gate.type, {gate.rows(), n});
  for (int64_t t = 0; t < gate.rows(); ++t) {
    const float *row = gate.values.data() + t * 2 * n;
    for (int64_t i = 0; i < n; ++i)
      result.values[static_cast<size_t>(t * n + i)] =
          roundTo(gate.type, apply(function, row[i]) * row[n + i]);
  }
  return result;
}

Tensor maskVocabulary(const Tensor &logits, int64_t valid) {
  Tensor result = logits;
  for (size_t i = 0; i < result.values.size(); ++i)
    if (static_cast<int64_t>(i) % logits.lastDim() >= valid)
      result.values[i] = -std::numeric_limits<float>::infinity();
  return result;
}

//===-- Views -------------------------------------------------------------===//

Tensor slice(const Tensor &x, int64_t begin, int64_t end) {
  Shape shape = x.shape;
  int64_t from = x.lastDim(), to = end - begin, count = elementCount(x.shape) / from;
  shape.back() = to;
  Tensor result = Tensor::zeros(x.type, shape);
  for (int64_t r = 0; r < count; ++r)
    std::copy_n(x.values.begin() + r * from + begin, to, result.values.begin() + r * to);
  return result;
}

Tensor concat(const std::vector<const Tensor *> &inputs) {
  Shape shape = inputs[0]->shape;
  shape.back() = 0;
  for (const Tensor *input : inputs)
    shape.back() += input->lastDim();
  Tensor result = Tensor::zeros(inputs[0]->type, shape);
  int64_t count = elementCount(inputs[0]->shape) / inputs[0]->lastDim(), at = 0;
  for (int64_t r = 0; r < count; ++r)
    for (const Tensor *input : inputs) {
      std::copy_n(input->values.begin() + r * input->lastDim(), input->lastDim(), result.values.begin() + at);
      at += input->lastDim();
    }
  return result;
}

//===-- Sampling ----------------------------------------------------------===//

Expected<Tensor> sample(const Tensor &logits, const Tensor &positions, const Tensor &temperatures,
                        const Tensor &seeds) {
  int64_t rows = logits.rows(), n = logits.lastDim();
  if (positions.rows() != rows || temperatures.rows() != rows || seeds.rows() != rows)
    return Status::error(Exit::Usage, "E-ORACLE-ARGUMENT",
                         "sampling of " + std::to_string(rows) +
                             " rows got other numbers of positions, "
                             "temperatures or seeds");
  Tensor result = Tensor::zeros(ElementType::I32, {rows});
  std::vector<float> weights(static_cast<size_t>(n));
  for (int64_t r = 0; r < rows; ++r) {
    const float *row = logits.values.data() + r * n;
    int64_t best = 0;
    for (int64_t i = 0; i < n; ++i) {
      if (std::isnan(row[i]) || row[i] == std::numeric_limits<float>::infinity())
        return Status::error(Exit::Usage, "E-ORACLE-LOGITS",
                             "row " + std::to_string(r) + " has the logit " + std::to_string(row[i]) +
                                 " for token " + std::to_string(i));
      if (row[i] > row[best])
        best = i;
    }
    float temperature = temperatures.values[static_cast<size_t>(r)], largest = row[best] / temperature;
    int64_t chosen = best;
    // A tiny temperature pushes the quotients past the range of f32; then only the largest logit counts.
    if (temperature != 0 && std::isfinite(largest)) {
      double total = 0;
      for (int64_t i = 0; i < n; ++i)
        total += weights[static_cast<size_t>(i)] = std::exp(row[i] / temperature - largest);
      uint64_t seed = static_cast<uint64_t>(seeds.longs[static_cast<size_t>(r)]);
      uint64_t position = static_cast<uint64_t>(positions.integers[static_cast<size_t>(r)]);
      double target = uniformFloat(philoxAt(seed, position)[0]) * total, running = 0;
      for (int64_t i = 0; i < n; ++i) {
        float weight = weights[static_cast<size_t>(i)];
        if (weight > 0)
          chosen = i; // the last possible token, where rounding leaves the sum short of the target
        running += weight;
        if (running > target)
          break;
      }
    }
    result.integers[static_cast<size_t>(r)] = static_cast<int32_t>(chosen);
  }
  return result;
}

} // namespace quern::model::reference
