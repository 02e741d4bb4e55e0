//===- GenerateBench.cpp - Tokens per second on the CPU -------------------===//
//
// Prefill: a prompt of so many random tokens, logits of the last. Decode: one token after another behind a
// prompt of 64. The demo has its trained weights, the tenth of a 16B configuration (3 of its 27 layers)
// random ones.
//
//   generate_bench --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
//
//===----------------------------------------------------------------------===//
#include "bench/Models.h"
#include "runtime/Runtime.h"
#include "support/Philox.h"

#include <benchmark/benchmark.h>

#include <map>

using namespace quern;
using namespace quern::runtime;

namespace {

/// A session for each model, opened on first use.
class Sessions {
public:
  Expected<Session *> get(const std::string &model) {
    std::unique_ptr<Session> &session = open[model];
    if (!session) {
      QUERN_ASSIGN_OR_RETURN(std::string path, bench::makeArtifact(model, {"cpu"}, scratch));
      QUERN_ASSIGN_OR_RETURN(session, Session::open(path, {.device = "cpu", .context = 1024}));
    }
    return session.get();
  }

private:
  ScratchDirectory scratch;
  std::map<std::string, std::unique_ptr<Session>> open;
};

std::vector<uint32_t> randomTokens(const Session &session, size_t count) {
  std::vector<uint32_t> tokens;
  for (size_t i = 0; i < count; ++i)
    tokens.push_back(philoxAt(7, i)[0] % uint32_t(session.plan().validVocabulary));
  return tokens;
}

/// Runs |prompt| tokens and then |steps| single ones in a new sequence; the time of the second part if there
/// is one, else of the first.
Status generate(benchmark::State &state, Session &session, size_t prompt, size_t steps) {
  std::vector<uint32_t> tokens = randomTokens(session, prompt + steps);
  QUERN_ASSIGN_OR_RETURN(int32_t sequence, session.begin());
  auto feed = [&](size_t first, size_t count) -> Status {
    Feed one{sequence, std::span(tokens).subspan(first, count), RowChoice::Last};
    return session.run(std::span(&one, 1),
                       [](size_t, size_t, std::span<const float>) { return Status::success(); });
  };
  double before = session.statistics().stepSeconds;
  QUERN_RETURN_IF_ERROR(feed(0, prompt));
  if (steps)
    before = session.statistics().stepSeconds;
  for (size_t i = 0; i < steps; ++i)
    QUERN_RETURN_IF_ERROR(feed(prompt + i, 1));
  state.SetIterationTime(session.statistics().stepSeconds - before);
  return session.end(sequence);
}

void run(benchmark::State &state, Sessions &sessions, const std::string &model, size_t prompt, size_t steps) {
  Expected<Session *> session = sessions.get(model);
  Status status = session.ok() ? Status::success() : session.takeError();
  for (auto _ : state) {
    if (status.ok())
      status = generate(state, **session, prompt, steps);
    if (!status.ok()) {
      state.SkipWithError(status.message().c_str());
      return;
    }
  }
  state.counters["tokens/s"] = benchmark::Counter(double(state.iterations()) * double(steps ? steps : prompt),
                                                  benchmark::Counter::kIsRate);
}

} // namespace

int main(int argc, char **argv) {
  Sessions sessions;
  auto add = [&](const std::string &model, size_t prompt, size_t steps) {
    const std::string name = steps ? "decode/" + model : "prefill/" + model + "/" + std::to_string(prompt);
    benchmark::RegisterBenchmark(
        name.c_str(),
        [&, model, prompt, steps](benchmark::State &state) { run(state, sessions, model, prompt, steps); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  };
  for (size_t prompt : {64, 512})
    add("demo", prompt, 0);
  add("demo", 64, 32);
  add("v2_lite_tenth", 64, 0);
  add("v2_lite_tenth", 64, 8);
  benchmark::AddCustomContext("machine", bench::machineText());
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
