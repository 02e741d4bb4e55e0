//===- Compare.h - Two sets of results against each other -----------------===//
//
// The ratio of a row is B's time over A's: above 1 means that A is faster. It has an interval:
//
//   - samples that were taken in turns are pairs: the exact interval of the median of their ratios
//   (Estimate.h);
//   - samples of separate runs: the percentile interval of the bootstrap (Bootstrap.h);
//   - fewer than six samples on either side: none, and no winner is ever named.
//
// A side is called faster only where the interval does not hold 1, so about one row in twenty of two equal
// sides is named by chance; the report says so.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_COMPARE_H
#define QUERN_TUNER_REPORT_COMPARE_H

#include "tuner/report/Results.h"

#include <optional>

namespace quern::report {

enum class Verdict : uint8_t {
  Undecided, ///< the interval holds 1
  TooFew,    ///< there are too few samples for an interval
  AFaster,
  BFaster,
};
/// "no winner", "too few samples", "A", "B".
const char *verdictName(Verdict verdict);

enum class IntervalKind : uint8_t { None, Pairs, Bootstrap };
/// "none", "pairs", "bootstrap".
const char *intervalName(IntervalKind kind);

struct Pair {
  const ResultRow *a, *b;  ///< of the two sets, which outlive it
  runtime::Estimate ratio; ///< b / a; without an interval low = high = median
  IntervalKind interval = IntervalKind::None;
  Verdict verdict = Verdict::TooFew;
  std::vector<double> ratios; ///< of pairs, in order
};

/// All rows of one group that have an interval.
struct GroupMean {
  std::string group;
  size_t rows = 0;
  runtime::Estimate ratio; ///< geometric mean of b / a
  Verdict verdict = Verdict::Undecided;
  /// Sum of weight times median over rows of both sides: seconds of what was compared in one step.
  double aSeconds = 0, bSeconds = 0;
};

struct Comparison {
  const ResultSet *a = nullptr, *b = nullptr;
  bool paired = false;
  std::vector<Pair> pairs; ///< in A's order
  std::vector<std::string> onlyA, onlyB;
  std::vector<GroupMean> groups;
};

/// |paired|: sample i of a row of A and of B were taken one after the other. Rows are matched by name and
/// group. Exit::BadInput "E-COMPARE-NOTHING" where no row is on both sides.
Expected<Comparison> compareResults(const ResultSet &a, const ResultSet &b, bool paired);

/// True where both contexts say that they were taken in turns in one run: `interleaved` is that run's name.
bool takenInTurns(const ResultSet &a, const ResultSet &b);

/// {"schema": "quern.compare", ...}: pairs with ratio, interval and verdict, groups, what is on one side
/// only.
Json comparisonJson(const Comparison &comparison);

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_COMPARE_H
