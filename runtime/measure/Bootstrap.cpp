//===- Bootstrap.cpp ------------------------------------------------------===//
#include "runtime/measure/Bootstrap.h"

#include "support/Philox.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace quern::runtime {

namespace {

double medianOf(std::vector<double> &values) {
  const size_t n = values.size(), middle = n / 2;
  std::nth_element(values.begin(), values.begin() + ptrdiff_t(middle), values.end());
  if (n % 2)
    return values[middle];
  return (values[middle] + *std::max_element(values.begin(), values.begin() + ptrdiff_t(middle))) / 2;
}

/// Indices below a bound; a number of its own for each position.
class Draws {
public:
  explicit Draws(uint64_t seed) : seed(seed) {}
  size_t below(size_t bound) {
    if (used == 4) {
      block = philoxAt(seed, position++);
      used = 0;
    }
    return size_t(uint64_t(block[used++]) * bound >> 32);
  }

private:
  uint64_t seed, position = 0;
  std::array<uint32_t, 4> block{};
  unsigned used = 4;
};

double ratioOf(const SamplePair &row, std::vector<double> &memory) {
  if (row.paired) {
    memory.resize(row.a.size());
    for (size_t i = 0; i < memory.size(); ++i)
      memory[i] = row.a[i] / row.b[i];
    return medianOf(memory);
  }
  memory.assign(row.a.begin(), row.a.end());
  const double a = medianOf(memory);
  memory.assign(row.b.begin(), row.b.end());
  return a / medianOf(memory);
}

double drawnRatio(const SamplePair &row, Draws &draws, std::vector<double> &memory) {
  memory.resize(row.a.size());
  if (row.paired) {
    for (double &value : memory) {
      const size_t i = draws.below(row.a.size());
      value = row.a[i] / row.b[i];
    }
    return medianOf(memory);
  }
  for (double &value : memory)
    value = row.a[draws.below(row.a.size())];
  const double a = medianOf(memory);
  memory.resize(row.b.size());
  for (double &value : memory)
    value = row.b[draws.below(row.b.size())];
  return a / medianOf(memory);
}

} // namespace

Estimate bootstrapGeometricMean(std::span<const SamplePair> rows, const BootstrapOptions &options) {
  assert(!rows.empty() && "nothing to average");
  Draws draws(options.seed);
  std::vector<double> memory, means(options.draws);
  double logSum = 0;
  size_t samples = 0;
  for (const SamplePair &row : rows) {
    assert(row.a.size() >= fewestSamples && row.b.size() >= fewestSamples && "too few samples");
    logSum += std::log(ratioOf(row, memory));
    samples += std::min(row.a.size(), row.b.size());
  }
  for (double &mean : means) {
    double sum = 0;
    for (const SamplePair &row : rows)
      sum += std::log(drawnRatio(row, draws, memory));
    mean = std::exp(sum / double(rows.size()));
  }
  std::sort(means.begin(), means.end());
  // The 2.5 % that is cut off at either end, rounded outwards.
  const size_t cut = size_t(0.025 * double(means.size()));
  Estimate e;
  e.median = std::exp(logSum / double(rows.size()));
  e.low = means[cut];
  e.high = means[means.size() - 1 - cut];
  e.minimum = means.front();
  e.maximum = means.back();
  e.samples = samples;
  return e;
}

Estimate bootstrapRatio(std::span<const double> a, std::span<const double> b,
                        const BootstrapOptions &options) {
  const SamplePair row = {a, b, false};
  return bootstrapGeometricMean(std::span(&row, 1), options);
}

} // namespace quern::runtime
