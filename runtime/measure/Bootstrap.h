//===- Bootstrap.h - Intervals of ratios of samples that are not pairs ----===//
//
// Samples that were taken in turns are pairs, and the ratio of each pair is a sample of its own (Estimate.h).
// Samples of two separate runs are not: what is known is two medians, and how far their ratio can be trusted
// follows from drawing both sets again, with replacement, many times (Efron and Tibshirani, "An Introduction
// to the Bootstrap", chapter 13: the percentile interval). The draws come from a counter, so that the same
// samples give the same interval on every machine.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_MEASURE_BOOTSTRAP_H
#define QUERN_RUNTIME_MEASURE_BOOTSTRAP_H

#include "runtime/measure/Estimate.h"

#include <cstdint>
#include <vector>

namespace quern::runtime {

/// Fewer samples than this give no interval of 95 %.
inline constexpr size_t fewestSamples = 6;

struct BootstrapOptions {
  uint32_t draws = 2000;
  uint64_t seed = 1;
};

/// median(a) / median(b) with its 95 % interval. |minimum| and |maximum| are those over the draws. Both sets
/// hold |fewestSamples| positive numbers or more.
Estimate bootstrapRatio(std::span<const double> a, std::span<const double> b,
                        const BootstrapOptions &options = {});

/// Two sets of samples of one piece of work; pairs where they were taken in turns.
struct SamplePair {
  std::span<const double> a, b;
  bool paired = false;
};

/// The geometric mean over |rows| of the ratio a/b of each: of the median of the ratios of pairs, or of
/// medians. Each row is drawn again by itself, pairs as pairs. At least one row, each with |fewestSamples|.
Estimate bootstrapGeometricMean(std::span<const SamplePair> rows, const BootstrapOptions &options = {});

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_BOOTSTRAP_H
