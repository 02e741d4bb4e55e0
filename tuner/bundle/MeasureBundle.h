//===- MeasureBundle.h - A bundle on the machine that has the device ------===//
//
// Every candidate of every problem is checked and timed in a process of its own, and its result appended to a
// file of JSON lines, one record of the database each, before the next one runs. At the end of a problem the
// fastest candidate and the default are taken in turns. A run that was ended, by whatever, goes on behind the
// last whole line.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_BUNDLE_MEASUREBUNDLE_H
#define QUERN_TUNER_BUNDLE_MEASUREBUNDLE_H

#include "tuner/bundle/Bundle.h"
#include "tuner/measure/MeasureProcess.h"

#include <chrono>
#include <functional>

namespace quern::tuner {

struct MeasureBundleOptions {
  runtime::MeasureOptions measure;
  std::chrono::milliseconds deadline{10000}; ///< of one trial
  std::chrono::steady_clock::time_point end = std::chrono::steady_clock::time_point::max();
  std::string driver;             ///< version of the device's driver, for the records
  unsigned shard = 0, shards = 1; ///< of the problems
  std::function<int64_t()> now;   ///< milliseconds since 1970
  /// Told after each trial, and of those that were known before.
  std::function<void(const std::string &config, const TrialResult &result)> told = {};
};

struct MeasureBundleResult {
  size_t candidates = 0; ///< of this shard
  size_t known = 0;      ///< that the results had before
  size_t measured = 0, failed = 0;
  bool complete = false;
};

/// Appends to |results|. Exit::BadInput "E-BUNDLE-RESULTS" where the file holds something else;
/// Exit::Resource where it cannot be written. Errors of the device end the run; what was measured is kept.
Expected<MeasureBundleResult> measureBundle(const Bundle &bundle, MeasureProcess &device,
                                            const DeviceIdentity &identity, const std::string &results,
                                            const MeasureBundleOptions &options);

} // namespace quern::tuner

#endif // QUERN_TUNER_BUNDLE_MEASUREBUNDLE_H
