//===- ModelTimes.h - Times of prompts and of generation ------------------===//
#ifndef QUERN_RUNTIME_MEASURE_MODELTIMES_H
#define QUERN_RUNTIME_MEASURE_MODELTIMES_H

#include "runtime/Runtime.h"

namespace quern::runtime {

/// What is timed behind |depth| tokens that a sequence holds already: reading |prompt| tokens, then making
/// |generated| tokens one by one.
struct ModelTest {
  int64_t prompt = 0, generated = 0, depth = 0;

  /// "pp512", "tg128", "pp512+tg128", "tg128 @ d4096": as llama-bench names them.
  std::string name() const;
  int64_t tokens() const { return prompt + generated; }
  int64_t positions() const { return depth + prompt + generated; }
};

/// Runs |test| once on a fresh sequence, on ids that repeat seldom, and gives the seconds of what is timed,
/// by the host's clock: each step waits for its logits, as generation does. Exit::Unsupported
/// "E-DEVICE-NO-TIME" on an emulated device; errors of `Session::run`.
Expected<double> timeModel(Session &session, const ModelTest &test);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_MODELTIMES_H
