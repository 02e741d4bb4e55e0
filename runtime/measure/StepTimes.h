//===- StepTimes.h - Times of the kernels of one step of a model ----------===//
#ifndef QUERN_RUNTIME_MEASURE_STEPTIMES_H
#define QUERN_RUNTIME_MEASURE_STEPTIMES_H

#include "runtime/Runtime.h"
#include "runtime/measure/Stopwatch.h"

namespace quern::runtime {

/// One kernel with one set of scalars, as a step of the model launches it.
struct KernelTime {
  std::string symbol;
  std::string text;        ///< its parameters and schedule
  std::string note;        ///< what it is for: "qkv"
  std::string scalars;     ///< arguments that are no pointers, with commas between; f32 as its bits
  uint32_t blocks = 0;     ///< of one launch
  uint32_t launches = 0;   ///< in one step
  Measurement measurement; ///< of one launch

  double stepSeconds() const { return measurement.seconds.median * launches; }
};

/// Runs one step of |tokens| tokens of a fresh sequence, and times every kernel where it first stands, on the
/// data that it has there. Kernels whose text does not contain |filter| are counted out. A kernel that adds to
/// its input does so again in every run, so the logits of the step mean nothing.
///
/// |tokens| is at most `session.tokensPerStep()`. Exit::Usage "E-BENCH-KERNEL" where no kernel has
/// |filter| in its text; the errors of Session and Stopwatch.
Expected<std::vector<KernelTime>> timeKernels(Session &session, int64_t tokens, const std::string &filter,
                                              const MeasureOptions &options);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_STEPTIMES_H
