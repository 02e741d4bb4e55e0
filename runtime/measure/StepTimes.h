//===- StepTimes.h - Times of the kernels of one step of a model ----------===//
#ifndef QUERN_RUNTIME_MEASURE_STEPTIMES_H
#define QUERN_RUNTIME_MEASURE_STEPTIMES_H

#include "runtime/Runtime.h"
#include "runtime/measure/Stopwatch.h"

#include <map>
#include <tuple>

namespace quern::runtime {

/// One kernel with one set of scalars, as a step of the model launches it.
struct StepKernel {
  std::string symbol;
  std::string text;      ///< its parameters and schedule
  std::string note;      ///< what it is for: "qkv"
  std::string scalars;   ///< arguments that are no pointers, with commas between; f32 as its bits
  uint32_t blocks = 0;   ///< of one launch
  uint32_t threads = 0;  ///< of a block
  uint32_t launches = 0; ///< in one step
  Work work;             ///< of one launch

  /// "linear/q_a_proj/tokens:128": the same for every target that has such a kernel.
  std::string name(int64_t tokens) const;
};

struct KernelTime : StepKernel {
  Measurement measurement; ///< of one launch

  double stepSeconds() const { return measurement.seconds.median * launches; }
};

/// Which launches of a step are the same work: the kernel, what it is for and its scalars, not where its data
/// lie.
class LaunchGroups {
public:
  /// Kernels whose text does not contain |filter| are left out.
  LaunchGroups(const Plan &plan, std::string filter) : plan(plan), filter(std::move(filter)) {}

  /// The number of the launch's group, counted from 0, or nothing where it is left out. |kernels| holds as
  /// many.
  std::optional<size_t> find(const ObservedLaunch &launch);
  std::vector<StepKernel> kernels; ///< launches are not counted here
  const std::string &wanted() const { return filter; }

private:
  const Plan &plan;
  std::string filter;
  std::map<std::tuple<int32_t, std::string, std::string>, size_t> known;
};

/// Token ids that repeat seldom.
std::vector<uint32_t> benchTokens(int64_t count, int64_t vocabulary);

/// Runs one step of |tokens| tokens of a fresh sequence, and times every kernel where it first stands, on the
/// data that it has there. A kernel that adds to its input does so again in every run, so the logits of the
/// step mean nothing. |limits| replaces what is known of the device.
///
/// |tokens| is at most `session.tokensPerStep()`. Exit::Usage "E-BENCH-KERNEL" where no kernel has
/// |filter| in its text; the errors of Session and Stopwatch.
Expected<std::vector<KernelTime>> timeKernels(Session &session, int64_t tokens, const std::string &filter,
                                              const MeasureOptions &options,
                                              const std::optional<DeviceLimits> &limits = {});

/// One sample of every kernel of a step, each launch timed where it stands: the step runs as always, and its
/// logits are right. For comparisons, in which the steps of two sides take turns.
class StepSampler {
public:
  /// |session| outlives the sampler. Errors of Stopwatch::create.
  static Expected<StepSampler> create(Session &session, int64_t tokens, const std::string &filter,
                                      CacheState cache);

  /// Runs a step. Seconds of one launch by group: the mean over the launches of it.
  Expected<std::vector<double>> sample();

  /// After the first sample.
  const std::vector<StepKernel> &kernels() const { return groups.kernels; }
  /// Of the last row of the last step.
  std::span<const float> logits() const { return lastLogits; }
  uint64_t flushBytes() const { return flush ? flush->size() : 0; }

private:
  StepSampler(Session &session, int64_t tokens, const std::string &filter)
      : session(&session), tokens(tokens), groups(session.plan(), filter) {}

  Session *session;
  int64_t tokens;
  LaunchGroups groups;
  std::unique_ptr<Timer> timer;
  std::unique_ptr<Buffer> flush; ///< null where the caches are left as they are
  uint8_t flushValue = 0;
  std::vector<float> lastLogits;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_STEPTIMES_H
