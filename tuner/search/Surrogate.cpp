//===- Surrogate.cpp ------------------------------------------------------===//
#include "tuner/search/Surrogate.h"

#include <cmath>

namespace quern::tuner {

/// Standard deviation of the logarithm of the factor by which a model may be off everywhere.
static constexpr double bias = 1.5;

double Surrogate::covariance(const std::vector<double> &a, const std::vector<double> &b) const {
  double dot = 0, distance = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += a[i] * b[i];
    distance += (a[i] - b[i]) * (a[i] - b[i]);
  }
  return bias * bias + sizes.slope * sizes.slope * dot +
         sizes.bumps * sizes.bumps * std::exp(-distance / (2 * sizes.length * sizes.length));
}

double Surrogate::factor() {
  const size_t n = values.size();
  lower.assign(n * n, 0);
  double logarithm = 0;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j <= i; ++j) {
      double sum = covariance(features[i], features[j]) + (i == j ? noise * noise + 1e-9 : 0);
      for (size_t k = 0; k < j; ++k)
        sum -= lower[i * n + k] * lower[j * n + k];
      if (i == j) {
        lower[i * n + i] = std::sqrt(std::max(sum, 1e-12));
        logarithm += std::log(lower[i * n + i]);
      } else {
        lower[i * n + j] = sum / lower[j * n + j];
      }
    }
  weights = values;
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k)
      weights[i] -= lower[i * n + k] * weights[k];
    weights[i] /= lower[i * n + i];
  }
  double fit = 0;
  for (double w : weights)
    fit += w * w;
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k)
      weights[i] -= lower[k * n + i] * weights[k];
    weights[i] /= lower[i * n + i];
  }
  return -fit / 2 - logarithm;
}

void Surrogate::fit(std::vector<std::vector<double>> given, std::vector<double> observed, double deviation) {
  features = std::move(given);
  values = std::move(observed);
  noise = deviation;
  if (values.empty()) {
    sizes = {};
    return;
  }
  Sizes best;
  double highest = -HUGE_VAL;
  for (double slope : {0.03, 0.1, 0.3})
    for (double bumps : {0.05, 0.15, 0.4})
      for (double length : {0.5, 1.0, 2.0}) {
        sizes = {slope, bumps, length};
        if (const double likelihood = factor(); likelihood > highest) {
          highest = likelihood;
          best = sizes;
        }
      }
  sizes = best;
  factor();
}

void Surrogate::pretend(const std::vector<double> &point, double value) {
  features.push_back(point);
  values.push_back(value);
  factor();
}

Belief Surrogate::at(const std::vector<double> &point) const {
  const size_t n = values.size();
  double variance = covariance(point, point), mean = 0;
  std::vector<double> v(n);
  for (size_t i = 0; i < n; ++i) {
    const double k = covariance(point, features[i]);
    mean += k * weights[i];
    v[i] = k;
    for (size_t j = 0; j < i; ++j)
      v[i] -= lower[i * n + j] * v[j];
    v[i] /= lower[i * n + i];
    variance -= v[i] * v[i];
  }
  return {mean, std::sqrt(std::max(variance, 0.0))};
}

} // namespace quern::tuner
