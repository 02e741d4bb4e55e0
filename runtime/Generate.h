//===- Generate.h - Tokens one after another ------------------------------===//
#ifndef QUERN_RUNTIME_GENERATE_H
#define QUERN_RUNTIME_GENERATE_H

#include "runtime/Runtime.h"
#include "runtime/sample/Sampler.h"
#include "runtime/sample/Stop.h"

#include <functional>

namespace quern::runtime {

struct GenerateOptions {
  int64_t maxTokens = 128; ///< new tokens at most
  SamplingOptions sampling;
  StopTokens stop;         ///< end the answer; empty lets it run
  uint32_t tokenCount = 0; ///< ids below may be chosen; 0 for all that the plan calls valid
  /// Lets the draft head guess the token after next and checks the guess in the same step, where the model
  /// has one. The tokens are the same as without.
  bool speculate = false;
};

enum class FinishReason : uint8_t {
  Stop,    ///< a stop token came
  Length,  ///< `maxTokens` tokens
  Context, ///< the context is full
  Caller,  ///< the sink said so
};
const char *finishReasonName(FinishReason reason);

struct GenerateReport {
  FinishReason finish = FinishReason::Length;
  int64_t promptTokens = 0, newTokens = 0; ///< the stop token is not counted
  double promptSeconds = 0, newSeconds = 0;
  int64_t drafted = 0, accepted = 0; ///< guesses of the draft head, and those that were right
};

/// Told each new token as soon as it is chosen; false ends the answer.
using TokenSink = std::function<Expected<bool>(uint32_t token)>;

/// Appends |prompt| to |sequence| and generates. All tokens but the last chosen one are then in the sequence.
/// The random numbers belong to (seed, position), so that the same request gives the same tokens. Errors of
/// `Session::run`; "E-LOGITS-NAN", "E-SAMPLING-OPTIONS".
Expected<GenerateReport> generate(Session &session, int32_t sequence, std::span<const uint32_t> prompt,
                                  const GenerateOptions &options, const TokenSink &sink);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_GENERATE_H
