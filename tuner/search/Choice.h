//===- Choice.h - Which of the measured candidates is kept ----------------===//
//
// Two times that cannot be told apart are equal, and of equals one must be taken that does not depend on
// luck. So: the band is everything whose interval reaches the interval of the fastest median; of the band the
// one with the smallest modelled time is taken, then the smaller text. And it is kept only if it beat the
// default, run in turns with it, outside of the noise: otherwise the default stays. Never worse than the
// default.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_SEARCH_CHOICE_H
#define QUERN_TUNER_SEARCH_CHOICE_H

#include "runtime/measure/Estimate.h"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quern::tuner {

struct Contender {
  std::string config;
  runtime::Estimate seconds;
  double modelled = 0;
};

/// Contenders of |all| whose interval reaches that of the fastest (by median, then minimum, then text): by
/// modelled time, then text. |slack| widens the fastest one's interval, relative to its median.
std::vector<size_t> noiseBand(std::span<const Contender> all, double slack = 0.005);

/// The one that is to be held against the default: the first of the band.
std::optional<size_t> favourite(std::span<const Contender> all);

/// What came of a candidate against the default: samples that were taken in turns.
struct Verdict {
  runtime::Estimate ratio; ///< candidate's time by default's, of pairs
  bool admitted = false;   ///< the whole interval lies below 1, and the gain is worth a change
};
/// |least| is the smallest gain that is worth a change.
Verdict judge(std::span<const double> candidate, std::span<const double> standard, double least = 0.005);

/// Successive halving on repeats: who of the band is measured again, with twice the samples each round. Half
/// of the contenders of the last round, the fastest, as long as the band has more than one; empty ends it.
std::vector<size_t> repeatRound(std::span<const Contender> all, size_t lastRound);

} // namespace quern::tuner

#endif // QUERN_TUNER_SEARCH_CHOICE_H
