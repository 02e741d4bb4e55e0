//===- TuneProblem.h - One problem from its space to a decision -----------===//
//
// The loop in which everything meets: the search proposes, worker processes compile, the device's process
// checks and measures, the database keeps. While one batch is measured the next is compiled.
//
//   1. trials   what the search proposes, the default first, until there are enough of them
//   2. repeats  those that cannot be told from the fastest are measured again, with twice the samples each
//               round, and halved
//   3. pair     the one that is left and the default, in turns: from this the database draws its choice
//
// Each result is in the database before the next candidate runs; the database is all the state there is. So a
// tune that was ended anywhere goes on where it was, and one that was finished does nothing.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_TUNE_TUNEPROBLEM_H
#define QUERN_TUNER_TUNE_TUNEPROBLEM_H

#include "tuner/database/Choices.h"
#include "tuner/database/Database.h"
#include "tuner/measure/MeasureProcess.h"
#include "tuner/space/KernelSpace.h"

#include <chrono>
#include <functional>

namespace quern::tuner {

/// Code for |schedule|, from any of |workers| threads, each with its own |slot|. An error is an outcome, but
/// for Exit::Resource and Exit::Interrupted, which end the tune.
using CandidateCompiler = std::function<Expected<Candidate>(unsigned slot, const KernelProblem &problem,
                                                            const std::string &schedule)>;

struct TuneOptions {
  size_t trials = 32;   ///< configurations tried of one problem, the default among them; 0: the whole space
  size_t batch = 4;     ///< proposed at one time
  unsigned workers = 1; ///< compiling threads
  uint64_t seed = 1;
  runtime::MeasureOptions measure;
  std::chrono::milliseconds deadline{10000}; ///< of one trial
  /// Nothing new is begun afterwards.
  std::chrono::steady_clock::time_point end = std::chrono::steady_clock::time_point::max();
};

struct TuneContext {
  CandidateCompiler compile;
  MeasureProcess *device = nullptr;
  Database *database = nullptr;
  DeviceIdentity identity;
  Toolchain toolchain;
  std::function<int64_t()> now; ///< milliseconds since 1970, for records
  /// Told after each trial: its configuration and what came of it.
  std::function<void(const std::string &config, const TrialResult &result)> told = {};
};

struct TuneResult {
  Problem record;
  std::string standard;                  ///< the default
  size_t space = 0;                      ///< points of it
  size_t compiles = 0, measurements = 0; ///< done now
  size_t tried = 0, failed = 0;          ///< configurations in the database, of this problem and toolchain
  bool complete = false;                 ///< false: the time was over
  Choice choice;
};

/// |cases| are those of |problem|, see KernelCases.h. Errors are those of the device (Exit::NoDevice) and of
/// the database, and Exit::Interrupted; what was measured is kept.
Expected<TuneResult> tuneProblem(const KernelProblem &problem, const KernelSpace &space,
                                 const TrialProblem &cases, const TuneContext &context,
                                 const TuneOptions &options);

/// What can be said without measuring: true where |known| holds a finished tune of at least |trials|.
bool isFinished(std::span<const Measurement> known, size_t trials);

} // namespace quern::tuner

#endif // QUERN_TUNER_TUNE_TUNEPROBLEM_H
