//===- Gate.h - A bound on how much slower B may be -----------------------===//
//
//   --gate 'p50_regress<3%'
//
// METRIC < BOUND or METRIC <= BOUND; the bound is a number or a percentage. A regression is B's time over A's
// less one, so A is what was before and B what is now.
//
//   p50_regress      of every row: the median of its ratio
//   sure_regress     of every row: the end of the ratio's interval that is best for B; a row without an
//                    interval cannot be judged and fails
//   geomean_regress  of every group: the geometric mean
//   total_regress    of every group: the sum over rows of runs in a step times median
//
// A row of A that B lacks fails every gate: what no longer runs is no improvement.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_REPORT_GATE_H
#define QUERN_TUNER_REPORT_GATE_H

#include "tuner/report/Compare.h"

namespace quern::report {

struct Gate {
  enum class Metric : uint8_t { P50, Sure, GeometricMean, Total } metric = Metric::P50;
  bool orEqual = false;
  double bound = 0; ///< 0.03 for 3 %
  std::string text;

  /// Exit::Usage "E-GATE-FORM".
  static Expected<Gate> parse(const std::string &text);

  /// Exit::GateFailed "E-GATE-FAILED"; the cause names the worst rows and how many there are.
  Status check(const Comparison &comparison) const;
};

} // namespace quern::report

#endif // QUERN_TUNER_REPORT_GATE_H
