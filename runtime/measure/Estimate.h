//===- Estimate.h - What a set of noisy times says ------------------------===//
//
// Times of a kernel have a floor and a long tail: interrupts, clocks that change, other work on the machine.
// Means follow the tail; the median does not. Its confidence interval comes from the order statistics of the
// samples alone, so that it assumes nothing about how they are distributed.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_MEASURE_ESTIMATE_H
#define QUERN_RUNTIME_MEASURE_ESTIMATE_H

#include <cstddef>
#include <span>

namespace quern::runtime {

/// A median with an interval that holds the true median in at least 95 % of cases. With fewer than six
/// samples no interval reaches that: it is then from the smallest to the largest sample.
struct Estimate {
  double median = 0;
  double low = 0, high = 0;
  double minimum = 0, maximum = 0;
  size_t samples = 0;

  /// Half of the interval's width, relative to the median; 0 where the median is 0.
  double relativeError() const { return median == 0 ? 0 : (high - low) / (2 * median); }
};

/// |samples| in any order, at least one.
///
/// The interval is [x(k), x(n+1-k)] with the largest k for which the chance that fewer than k of n samples
/// lie below the median, twice the tail of a binomial distribution with p = 1/2, is at most 5 % (Conover,
/// "Practical Nonparametric Statistics", the quantile test).
Estimate estimate(std::span<const double> samples);

/// The ratio a/b of samples that were taken in turns: the estimate over the ratios of pairs. What disturbs
/// both of a pair cancels out. |a| and |b| have the same length, at least one.
Estimate estimateRatio(std::span<const double> a, std::span<const double> b);

/// True where the intervals have no point in common: only then may one be called faster.
bool disjoint(const Estimate &a, const Estimate &b);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_ESTIMATE_H
