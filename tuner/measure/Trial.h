//===- Trial.h - A kernel under one Schedule, and what came of trying it --===//
#ifndef QUERN_TUNER_MEASURE_TRIAL_H
#define QUERN_TUNER_MEASURE_TRIAL_H

#include "runtime/measure/Stopwatch.h"
#include "support/Json.h"
#include "support/Status.h"
#include "tuner/database/Records.h"

#include <string>
#include <vector>

namespace quern::tuner {

/// One dimension of a candidate's grid: ceil(extent / step) blocks, the extent an i32 argument or a constant.
struct CandidateGrid {
  int32_t argument = -1;
  int64_t extent = 0, step = 1;
};

/// Code with what a launch must know.
struct Candidate {
  std::string schedule; ///< one line of dialects/tile/Schedule.h; what the database calls the configuration
  std::string symbol;
  std::string code;
  uint32_t threads = 1, sharedBytes = 0;
  bool scratch = false; ///< |sharedBytes| is memory of a worker that the launch gives it (the CPU)
  std::vector<CandidateGrid> grid;
};
/// As bytes and back; Exit::BadInput "E-BUNDLE-CANDIDATE".
std::string writeCandidate(const Candidate &candidate);
Expected<Candidate> readCandidate(std::string_view bytes);

/// What became of a candidate. Everything but `Ok` is remembered, so that it is not tried again.
struct TrialResult {
  Outcome outcome = Outcome::Ok;
  std::string cause;           ///< of every other outcome, one sentence
  std::vector<double> samples; ///< seconds of one run each
  uint32_t runsPerSample = 1;
  runtime::CacheState cache = runtime::CacheState::Cold;

  bool ok() const { return outcome == Outcome::Ok; }
  runtime::Estimate seconds() const { return runtime::estimate(samples); }
};
Json trialToJson(const TrialResult &result);
/// Exit::BadInput of Json.h, "E-TRIAL-RESULT" for times that are none.
Expected<TrialResult> trialFromJson(JsonRef json);

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_TRIAL_H
