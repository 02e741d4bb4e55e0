//===- Generate.cpp -------------------------------------------------------===//
#include "runtime/Generate.h"

#include <algorithm>
#include <chrono>

namespace quern::runtime {

const char *finishReasonName(FinishReason reason) {
  static constexpr const char *names[] = {"stop", "length", "context", "caller"};
  return names[size_t(reason)];
}

namespace {

/// One answer. A token is chosen from the logits behind a position and by its random number, so a guess of
/// the draft head is right exactly where it is the token that would have been chosen anyway.
class Generation {
public:
  Generation(Session &session, int32_t sequence, const GenerateOptions &options, const TokenSink &sink,
             Sampler sampler, uint32_t tokenCount)
      : session(session), sequence(sequence), options(options), sink(sink), sampler(std::move(sampler)),
        tokenCount(tokenCount), speculates(options.speculate && session.hasDraft()) {}

  Expected<GenerateReport> run(std::span<const uint32_t> prompt);

private:
  Status readPrompt(std::span<const uint32_t> prompt);
  /// Runs |tokens| and chooses one behind each (|all|) or behind the last.
  Expected<std::vector<uint32_t>> forward(std::span<const uint32_t> tokens, bool all);
  /// The head's guess behind the last of |following|, the tokens behind those of the last step.
  Expected<uint32_t> guess(std::span<const uint32_t> following);
  /// Hands out |token|; true where the answer is over.
  Expected<bool> emit(uint32_t token);

  Session &session;
  const int32_t sequence;
  const GenerateOptions &options;
  const TokenSink &sink;
  Sampler sampler;
  const uint32_t tokenCount;
  const bool speculates;
  GenerateReport report;
  uint32_t chosen = 0, guessed = 0; ///< the next token, and the guess for the one behind it
};

Expected<std::vector<uint32_t>> Generation::forward(std::span<const uint32_t> tokens, bool all) {
  std::vector<uint32_t> result;
  Feed feed{sequence, tokens, all ? RowChoice::All : RowChoice::Last};
  uint64_t first = uint64_t(session.length(sequence));
  QUERN_RETURN_IF_ERROR(
      session.run(std::span(&feed, 1), [&](size_t, size_t token, std::span<const float> logits) -> Status {
        QUERN_ASSIGN_OR_RETURN(uint32_t next, sampler.sample(logits.first(tokenCount), first + token));
        result.push_back(next);
        return Status::success();
      }));
  return result;
}

Expected<uint32_t> Generation::guess(std::span<const uint32_t> following) {
  uint32_t best = 0;
  QUERN_RETURN_IF_ERROR(session.draft(
      sequence, 0, following, RowChoice::Last, [&](size_t, size_t, std::span<const float> logits) {
        auto valid = logits.first(tokenCount);
        best = uint32_t(std::max_element(valid.begin(), valid.end()) - valid.begin());
        return Status::success();
      }));
  return best;
}

/// The draft head sees every token of the prompt, step by step, as it needs the rows of each.
Status Generation::readPrompt(std::span<const uint32_t> prompt) {
  size_t piece = speculates ? size_t(session.tokensPerStep()) : prompt.size();
  for (size_t at = 0; at == 0 || at < prompt.size(); at += piece) {
    size_t count = std::min(piece, prompt.size() - at);
    QUERN_ASSIGN_OR_RETURN(std::vector<uint32_t> next, forward(prompt.subspan(at, count), false));
    chosen = next[0];
    if (!speculates)
      return Status::success();
    std::vector<uint32_t> following(prompt.begin() + long(at + 1), prompt.begin() + long(at + count));
    following.push_back(at + count < prompt.size() ? prompt[at + count] : chosen);
    QUERN_ASSIGN_OR_RETURN(guessed, guess(following));
  }
  return Status::success();
}

Expected<bool> Generation::emit(uint32_t token) {
  if (report.newTokens == options.maxTokens) {
    report.finish = FinishReason::Length;
    return true;
  }
  if (options.stop.contains(token)) {
    report.finish = FinishReason::Stop;
    return true;
  }
  ++report.newTokens;
  QUERN_ASSIGN_OR_RETURN(bool goOn, sink(token));
  if (!goOn)
    report.finish = FinishReason::Caller;
  else if (report.newTokens == options.maxTokens)
    report.finish = FinishReason::Length;
  return !goOn || report.newTokens == options.maxTokens;
}

Expected<GenerateReport> Generation::run(std::span<const uint32_t> prompt) {
  using Clock = std::chrono::steady_clock;
  auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  report.promptTokens = int64_t(prompt.size());
  Clock::time_point start = Clock::now();
  if (prompt.empty()) // the session has the words for it
    return forward(prompt, false).takeError();
  QUERN_RETURN_IF_ERROR(readPrompt(prompt));
  report.promptSeconds = seconds(start);
  start = Clock::now();
  for (;;) {
    QUERN_ASSIGN_OR_RETURN(bool over, emit(chosen));
    if (over)
      break;
    int64_t room = session.context() - session.length(sequence);
    if (room == 0) {
      report.finish = FinishReason::Context;
      break;
    }
    // A guess that no token would be asked behind is not worth its row.
    if (!speculates || room == 1 || report.newTokens + 1 >= options.maxTokens) {
      QUERN_ASSIGN_OR_RETURN(std::vector<uint32_t> next, forward(std::span(&chosen, 1), false));
      chosen = next[0];
      if (speculates) {
        QUERN_ASSIGN_OR_RETURN(guessed, guess(next));
      }
      continue;
    }
    uint32_t both[] = {chosen, guessed};
    QUERN_ASSIGN_OR_RETURN(std::vector<uint32_t> next, forward(both, true));
    ++report.drafted;
    if (next[0] == guessed) {
      ++report.accepted;
      QUERN_ASSIGN_OR_RETURN(over, emit(guessed));
      if (over) {
        // As without speculation, the last token is not in the sequence.
        QUERN_RETURN_IF_ERROR(session.truncate(sequence, session.length(sequence) - 1));
        break;
      }
      chosen = next[1];
      QUERN_ASSIGN_OR_RETURN(guessed, guess(next));
      continue;
    }
    QUERN_ASSIGN_OR_RETURN(uint32_t better, guess(std::span(next).first(1)));
    QUERN_RETURN_IF_ERROR(session.truncate(sequence, session.length(sequence) - 1));
    chosen = next[0];
    guessed = better;
  }
  report.newSeconds = seconds(start);
  return report;
}

} // namespace

Expected<GenerateReport> generate(Session &session, int32_t sequence, std::span<const uint32_t> prompt,
                                  const GenerateOptions &options, const TokenSink &sink) {
  uint32_t valid = uint32_t(session.plan().validVocabulary);
  uint32_t tokenCount = options.tokenCount ? std::min(options.tokenCount, valid) : valid;
  QUERN_ASSIGN_OR_RETURN(Sampler sampler, Sampler::make(options.sampling, tokenCount));
  return Generation(session, sequence, options, sink, std::move(sampler), tokenCount).run(prompt);
}

} // namespace quern::runtime
