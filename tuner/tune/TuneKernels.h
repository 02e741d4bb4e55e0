//===- TuneKernels.h - Tuning with the compiler and a device --------------===//
//
// The facade: problems in, a database filled, or a bundle written. This header knows no MLIR.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_TUNE_TUNEKERNELS_H
#define QUERN_TUNER_TUNE_TUNEKERNELS_H

#include "support/Log.h"
#include "support/Progress.h"
#include "tuner/tune/TuneProblem.h"

namespace quern::tuner {

/// How much is tried of one problem.
enum class Effort : uint8_t {
  Min,    ///< 8 configurations
  Quick,  ///< 16
  Normal, ///< 32
  Full,   ///< the whole space
};
/// Exit::Usage "E-TUNE-EFFORT".
Expected<Effort> parseEffort(const std::string &name);
size_t trialsOf(Effort effort); ///< 0: all

/// Seconds of "90", "90s", "30m", "2h". Exit::Usage "E-TUNE-BUDGET".
Expected<double> parseBudget(const std::string &text);

struct TuneKernelsOptions {
  std::string target;   ///< of the code; empty: the best that the device runs
  std::string device;   ///< empty: the best present
  std::string database; ///< file
  Effort effort = Effort::Normal;
  std::optional<double> budgetSeconds; ///< absent: no limit
  uint64_t seed = 1;
  unsigned workers = 0; ///< compiling processes; 0: one for each core
  unsigned threads = 0; ///< of a CPU device; 0: its default
  runtime::CacheState cache = runtime::CacheState::Cold;
  unsigned shard = 0, shards = 1;         ///< of the problems
  double deadlineSeconds = 10;            ///< of one trial
  std::string program = "/proc/self/exe"; ///< whose processes compile and measure
  ProgressMode progress = ProgressMode::None;
  Log *log = nullptr;
};

/// What came of one problem.
struct TunedProblem {
  KernelProblem problem;
  TuneResult result;
};
struct TuneReport {
  std::string device, target;
  std::vector<TunedProblem> problems;
  std::vector<std::pair<KernelProblem, std::string>> skipped; ///< with the reason
  size_t compiles = 0, measurements = 0, failures = 0;
  bool complete = true;
  double seconds = 0;
};

/// Problems of the kernels that a plan launches for each of |tokens|: those that have a space, each once.
/// Exit::BadInput for what is no artifact; Exit::Unsupported "E-TUNE-NOTHING" where none can be tuned.
Expected<std::vector<KernelProblem>> problemsOfArtifact(const std::string &path, const std::string &target,
                                                        const std::vector<int64_t> &tokens);

/// Tunes all problems of the shard, one after the other, each at the end of its bucket of rows.
/// Exit::NoDevice before the first measurement; Exit::Partial "E-TUNE-CUT-SHORT" where the device went away
/// behind it; Exit::Unsupported "E-TUNE-NO-TIME" on an emulated device; Exit::Interrupted. What was measured
/// is kept.
Expected<TuneReport> tuneKernels(const std::vector<KernelProblem> &problems,
                                 const TuneKernelsOptions &options);

/// A configuration with its modelled time.
struct ModelledConfig {
  std::string config;
  double seconds = 0;
  bool isDefault = false;
};
struct ModelledProblem {
  KernelProblem problem;
  size_t space = 0;
  std::map<std::string, int64_t> refused;
  std::vector<ModelledConfig> best; ///< fastest first, the default among them
};
/// What the cost model says, without code or device; times are the model's.
Expected<std::vector<ModelledProblem>> modelKernels(const std::vector<KernelProblem> &problems,
                                                    const std::string &target, size_t count);

struct BundleReport {
  size_t problems = 0, candidates = 0, failed = 0;
  std::vector<std::pair<KernelProblem, std::string>> skipped;
};
/// Compiles the candidates of all problems for |options.target|, the default and those that the model ranks
/// best, spread over the space, into the bundle |path|. No device is needed. A candidate that does not
/// compile is left out and counted.
Expected<BundleReport> emitBundle(const std::vector<KernelProblem> &problems, const std::string &path,
                                  const TuneKernelsOptions &options);

} // namespace quern::tuner

#endif // QUERN_TUNER_TUNE_TUNEKERNELS_H
