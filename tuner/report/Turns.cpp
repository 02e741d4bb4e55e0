//===- Turns.cpp ----------------------------------------------------------===//
#include "tuner/report/Turns.h"

#include "support/Hash.h"
#include "support/Interrupt.h"
#include "support/Philox.h"

#include <algorithm>
#include <functional>

namespace quern::report {

using namespace runtime;

namespace {

/// Samples of one side: a list for each row.
using Rows = std::vector<std::vector<double>>;

class Turns {
public:
  Turns(Session &a, Session &b, const TurnsOptions &options) : sessions{&a, &b}, options(options) {
    for (int side : {0, 1}) {
      set(side).name = sessions[side]->deviceInfo().name;
      set(side).context = sessionContext(*sessions[side]);
    }
    if (result.a.name == result.b.name) { // two artifacts on one device
      result.a.name = a.artifact().name();
      result.b.name = b.artifact().name();
    }
  }

  Expected<TurnsResult> run() {
    Status status = measure();
    if (result.a.rows.empty())
      return status.ok() ? Status::error(Exit::BadInput, "E-COMPARE-NOTHING", "nothing was measured")
                         : std::move(status);
    result.ended = std::move(status);
    finish();
    return std::move(result);
  }

private:
  ResultSet &set(int side) { return side == 0 ? result.a : result.b; }

  Status measure() {
    for (int side : {0, 1}) {
      const DeviceInfo &info = sessions[side]->deviceInfo();
      const DeviceRates rates = deviceRates(info, info.units);
      set(side).peaks = rates.peaks;
      set(side).limits = {rates.limits.operationsPerSecond, rates.limits.bytesPerSecond};
    }
    for (int64_t tokens : options.tokens)
      QUERN_RETURN_IF_ERROR(kernels(tokens));
    for (const ModelTest &test : options.tests)
      QUERN_RETURN_IF_ERROR(model(test));
    return Status::success();
  }

  /// Calls |sample| for both sides in each round. A round counts when both have given theirs; |rows| hold
  /// them.
  Status rounds(Rows rows[2], const std::function<Expected<std::vector<double>>(int side)> &sample) {
    const uint32_t all = options.warmUpRounds + options.rounds;
    for (uint32_t round = 0; round < all; ++round) {
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      std::vector<double> taken[2];
      const int first = firstIsA(options.order, options.seed, round) ? 0 : 1;
      for (int side : {first, 1 - first}) {
        QUERN_ASSIGN_OR_RETURN(taken[side], sample(side));
        conditions[side].add(sessions[side]->launchDevice().conditions());
      }
      if (options.progress)
        options.progress->add(1);
      if (round < options.warmUpRounds)
        continue;
      for (int side : {0, 1}) {
        rows[side].resize(taken[side].size());
        for (size_t i = 0; i < taken[side].size(); ++i)
          rows[side][i].push_back(taken[side][i]);
      }
    }
    return Status::success();
  }

  Status kernels(int64_t tokens) {
    QUERN_ASSIGN_OR_RETURN(StepSampler a,
                           StepSampler::create(*sessions[0], tokens, options.filter, options.cache));
    QUERN_ASSIGN_OR_RETURN(StepSampler b,
                           StepSampler::create(*sessions[1], tokens, options.filter, options.cache));
    StepSampler *samplers[] = {&a, &b};
    Rows rows[2];
    Status status = rounds(rows, [&](int side) { return samplers[side]->sample(); });
    for (int side : {0, 1}) {
      const std::vector<StepKernel> &kernels = samplers[side]->kernels();
      const std::vector<std::string> names = rowNames(kernels, tokens);
      for (size_t i = 0; i < rows[side].size(); ++i) {
        ResultRow row = makeRow(names[i], "kernel", std::move(rows[side][i]));
        describeKernel(kernels[i], row);
        row.facts["replay"] = "loop";
        set(side).rows.push_back(std::move(row));
      }
      set(side).context.set("flush_bytes", samplers[side]->flushBytes());
    }
    if (std::optional<double> difference = vectorDifference(a.logits(), b.logits()))
      worstDifference = std::max(worstDifference.value_or(0), *difference);
    return status;
  }

  Status model(const ModelTest &test) {
    Rows rows[2];
    Status status = rounds(rows, [&](int side) -> Expected<std::vector<double>> {
      QUERN_ASSIGN_OR_RETURN(double seconds, timeModel(*sessions[side], test));
      return std::vector<double>{seconds};
    });
    for (int side : {0, 1}) {
      if (rows[side].empty())
        continue;
      ResultRow row = makeRow(test.name(), "model", std::move(rows[side][0]));
      row.tokens = test.tokens();
      row.facts = {{"n_prompt", std::to_string(test.prompt)},
                   {"n_gen", std::to_string(test.generated)},
                   {"n_depth", std::to_string(test.depth)}};
      set(side).rows.push_back(std::move(row));
    }
    return status;
  }

  /// What both sides' contexts say of the run.
  void finish() {
    Json tokens = Json::array(), depth = Json::array(), discarded = Json::array();
    for (int64_t count : options.tokens)
      tokens.push(count);
    for (const ModelTest &test : options.tests)
      depth.push(test.name());
    if (options.warmUpRounds)
      discarded.push(std::to_string(options.warmUpRounds) + " rounds of warm-up of each");
    if (!result.ended.ok())
      discarded.push("what was not complete when it ended: " + result.ended.sentence());
    for (int side : {0, 1}) {
      Json &context = set(side).context;
      conditions[side].write(context);
      context.set("clock_requested", "none: as the device runs by itself");
      context.set("cache_state", options.cache == CacheState::Cold ? "cold" : "as the step leaves it");
      context.set("replay", "loop");
      context.set("batch", 1);
      context.set("tokens", tokens);
      context.set("depth", depth);
      context.set("order", options.order == TurnOrder::Abba ? "A B B A" : "by lot");
      context.set("rounds", uint64_t(options.rounds));
      context.set("seed", options.seed);
      context.set("discarded", discarded);
      if (worstDifference)
        context.set("logits_difference", *worstDifference);
    }
    // A name for the run: what was taken in it.
    std::string text;
    for (const ResultSet *one : {&result.a, &result.b})
      text += writeJson(kernelResults(*one));
    const std::string run = sha256(text).hex().substr(0, 16);
    for (int side : {0, 1})
      set(side).context.set("interleaved", run);
  }

  Session *sessions[2];
  const TurnsOptions &options;
  TurnsResult result;
  ConditionsLog conditions[2];
  std::optional<double> worstDifference;
};

} // namespace

bool firstIsA(TurnOrder order, uint64_t seed, uint64_t round) {
  return order == TurnOrder::Abba ? round % 2 == 0 : philoxAt(seed, round)[0] & 1;
}

Expected<TurnsResult> measureInTurns(Session &a, Session &b, const TurnsOptions &options) {
  return Turns(a, b, options).run();
}

} // namespace quern::report
