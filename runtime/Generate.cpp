//===- Generate.cpp -------------------------------------------------------===//
#include "runtime/Generate.h"

#include <chrono>

namespace quern::runtime {

const char *finishReasonName(FinishReason reason) {
  static constexpr const char *names[] = {"stop", "length", "context", "caller"};
  return names[size_t(reason)];
}

Expected<GenerateReport> generate(Session &session, int32_t sequence, std::span<const uint32_t> prompt,
                                  const GenerateOptions &options, const TokenSink &sink) {
  using Clock = std::chrono::steady_clock;
  auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  uint32_t valid = uint32_t(session.plan().validVocabulary);
  uint32_t tokenCount = options.tokenCount ? std::min(options.tokenCount, valid) : valid;
  QUERN_ASSIGN_OR_RETURN(Sampler sampler, Sampler::make(options.sampling, tokenCount));

  GenerateReport report;
  report.promptTokens = int64_t(prompt.size());
  Clock::time_point start = Clock::now();
  uint32_t token = 0;
  auto forward = [&](std::span<const uint32_t> tokens) {
    Feed feed{sequence, tokens};
    return session.run(std::span(&feed, 1), [&](size_t, size_t, std::span<const float> logits) -> Status {
      QUERN_ASSIGN_OR_RETURN(
          token, sampler.sample(logits.first(tokenCount), uint64_t(session.length(sequence) - 1)));
      return Status::success();
    });
  };
  QUERN_RETURN_IF_ERROR(forward(prompt));
  report.promptSeconds = seconds(start);
  start = Clock::now();
  for (;;) {
    if (report.newTokens == options.maxTokens) {
      report.finish = FinishReason::Length;
      break;
    }
    if (options.stop.contains(token)) {
      report.finish = FinishReason::Stop;
      break;
    }
    ++report.newTokens;
    QUERN_ASSIGN_OR_RETURN(bool goOn, sink(token));
    if (!goOn) {
      report.finish = FinishReason::Caller;
      break;
    }
    if (report.newTokens == options.maxTokens)
      continue;
    if (session.length(sequence) == session.context()) {
      report.finish = FinishReason::Context;
      break;
    }
    QUERN_RETURN_IF_ERROR(forward(std::span(&token, 1)));
  }
  report.newSeconds = seconds(start);
  return report;
}

} // namespace quern::runtime
