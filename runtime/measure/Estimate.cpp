//===- Estimate.cpp -------------------------------------------------------===//
#include "runtime/measure/Estimate.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace quern::runtime {

namespace {

/// The largest k with 2 * P(Binomial(n, 1/2) < k) <= 5 %; 0 where there is none.
size_t intervalRank(size_t n) {
  // Terms from the left end, in logarithms: 2^-n underflows beyond 1074 samples.
  const double half = double(n) * std::log(0.5);
  double logTerm = half, tail = 0;
  for (size_t k = 0; k < n / 2; ++k) {
    tail += std::exp(logTerm);
    if (2 * tail > 0.05)
      return k;
    logTerm += std::log(double(n - k)) - std::log(double(k + 1));
  }
  return n / 2;
}

} // namespace

Estimate estimate(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t n = sorted.size(), k = intervalRank(n);
  Estimate result;
  result.samples = n;
  result.minimum = sorted.front();
  result.maximum = sorted.back();
  result.median = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
  result.low = k ? sorted[k - 1] : sorted.front();
  result.high = k ? sorted[n - k] : sorted.back();
  return result;
}

Estimate estimateRatio(std::span<const double> a, std::span<const double> b) {
  std::vector<double> ratios(a.size());
  for (size_t i = 0; i < ratios.size(); ++i)
    ratios[i] = a[i] / b[i];
  return estimate(ratios);
}

bool disjoint(const Estimate &a, const Estimate &b) { return a.high < b.low || b.high < a.low; }

} // namespace quern::runtime
