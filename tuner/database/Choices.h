//===- Choices.h - What the measurements say should be used ---------------===//
//
// A choice is never stored: it is a view of the measurements of one family of problems on one device by one
// toolchain, and follows from them alone. For a range of tokens that one kernel serves:
//
//   1. At each number of tokens that was measured in the range, a configuration is compared with the default
//      one. Where both were measured in one session, only such sessions count, and where their samples were
//      taken in turns, the ratios of pairs do: what disturbs both then cancels out.
//   2. It is admitted only if it is known over the whole range (the buckets of its points have no gap), is
//      nowhere slower than the default and is somewhere faster, beyond the noise band: the interval of the
//      ratio lies on one side of 1, and the median is more than `noiseFloor` away from it. A configuration
//      that failed anywhere in the range, or that somebody took back, is not admitted.
//   3. Of those admitted the best has the smallest geometric mean of ratios. Whatever cannot be told from it
//      is its equal, and of equals the smallest tile is taken, then the smaller text: noise does not decide.
//
// No trial of another device or toolchain takes part, so that equal names or architectures never mix.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_CHOICES_H
#define QUERN_TUNER_DATABASE_CHOICES_H

#include "tuner/database/Records.h"

#include <optional>
#include <span>

namespace quern::tuner {

/// The same code, measured again, differs by as much between sessions even where each session is quiet.
inline constexpr double noiseFloor = 0.01;
/// Samples without which there is no interval that could exclude anything (Estimate.h).
inline constexpr size_t leastSamples = 6;

/// A ratio of times with an interval around it. Below 1: the first is faster.
struct Ratio {
  double median = 1, low = 1, high = 1;
  /// Beyond the noise band.
  bool faster() const { return high < 1 && median < 1 - noiseFloor; }
  bool slower() const { return low > 1 && median > 1 + noiseFloor; }
};

/// One configuration against the default.
struct Standing {
  std::string config;
  bool isDefault = false;
  bool admitted = false;
  std::string why;             ///< one clause: "hung at 16 tokens", "within the noise of the default", ...
  Ratio ratio;                 ///< geometric mean over |points|
  std::vector<int64_t> points; ///< numbers of tokens at which both were measured
  uint64_t trials = 0, samples = 0;
};

struct Choice {
  std::optional<std::string> config; ///< absent: the default stays
  std::string why;
  bool defaultHolds = false; ///< no |config|, and the default was measured over the whole range beside others
  Ratio ratio;               ///< of |config| to the default
  std::string beaten;        ///< the default that it beat
  std::vector<int64_t> points;
  std::string runnerUp;            ///< the next one that is admitted; may be empty
  Ratio runnerUpRatio;             ///< of it to the default
  uint64_t trials = 0;             ///< measurements that took part, failed ones included
  std::vector<Standing> standings; ///< all, admitted ones first, by ratio and text
};

/// |measurements| are those of one family, device and toolchain, in any order; cold ones count where there
/// are any. |currentDefault| is the default of today where it is known; else, and where it was never
/// measured, what was the default when it was measured. Equal arguments give equal results.
Choice choose(std::span<const Measurement> measurements, TokenRange asked,
              std::span<const Decision> decisions = {},
              const std::optional<std::string> &currentDefault = std::nullopt);

/// True where the latest decision about |config| took it back.
bool isReverted(std::span<const Decision> decisions, const std::string &family, const std::string &device,
                const std::string &config);

/// Measurements that can be compared with one another: one family, one device, one toolchain.
struct MeasuredGroup {
  std::vector<Measurement> measurements; ///< not empty
  const Problem &problem() const { return measurements.front().problem; }
  const DeviceIdentity &device() const { return measurements.front().device; }
  const Toolchain &toolchain() const { return measurements.front().toolchain; }
  /// The latest timestamp.
  int64_t latest() const;
  /// From the first to the last number of tokens of any of its problems.
  TokenRange span() const;
};
/// In the order of family text, device key and toolchain key.
std::vector<MeasuredGroup> groupMeasurements(std::vector<Measurement> measurements);

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_CHOICES_H
