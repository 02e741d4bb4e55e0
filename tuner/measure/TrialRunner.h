//===- TrialRunner.h - Checks and times candidates on a device ------------===//
//
// Lives in the process that may die (MeasureProcess.h). A candidate is run on every case of its problem and
// held against the oracle; only then is it timed, on the last case.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_MEASURE_TRIALRUNNER_H
#define QUERN_TUNER_MEASURE_TRIALRUNNER_H

#include "tuner/measure/KernelCase.h"
#include "tuner/measure/Trial.h"

#include <memory>

namespace quern::tuner {

/// The inputs and results of one problem, and what one run of it must do at least.
struct TrialProblem {
  std::vector<KernelCase> cases; ///< at least one; the last is timed
  runtime::Work work;
};

class TrialRunner {
public:
  explicit TrialRunner(runtime::Device &device);
  ~TrialRunner();

  /// Makes and uploads the operands. Exit::Resource "E-DEVICE-OUT-OF-MEMORY"; Exit::Unsupported
  /// "E-DEVICE-NO-TIME" on an emulated device.
  Status begin(const TrialProblem &problem);

  /// An error is one of the device itself, after which it must be opened again; all else is an outcome.
  Expected<TrialResult> run(const Candidate &candidate, const runtime::MeasureOptions &options);
  /// Both in turns, so that ratios of pairs mean something.
  Expected<std::pair<TrialResult, TrialResult>> runPair(const Candidate &a, const Candidate &b,
                                                        const runtime::MeasureOptions &options);

private:
  struct Loaded;
  struct PlacedCase;
  Status check(Loaded &loaded, std::string &wrong);
  Expected<TrialResult> prepare(const Candidate &candidate, std::unique_ptr<Loaded> &loaded);
  Status launch(Loaded &loaded, const PlacedCase &placed);

  runtime::Device &device;
  std::unique_ptr<runtime::Stopwatch> stopwatch;
  runtime::Work work;
  std::vector<std::unique_ptr<PlacedCase>> cases;
};

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_TRIALRUNNER_H
