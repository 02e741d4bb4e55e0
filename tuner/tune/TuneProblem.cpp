//===- TuneProblem.cpp ----------------------------------------------------===//
#include "tuner/tune/TuneProblem.h"

#include "support/Interrupt.h"
#include "tuner/search/Choice.h"
#include "tuner/tune/CompileQueue.h"

#include <algorithm>
#include <cmath>

namespace quern::tuner {

/// In `Measurement::facts` of the last measurements of a tune that came to its end: the trials it had.
static constexpr const char *finishedFact = "tuned_trials";

bool isFinished(std::span<const Measurement> known, size_t trials) {
  return std::any_of(known.begin(), known.end(), [&](const Measurement &m) {
    const Json *fact = m.facts.find(finishedFact);
    return fact && fact->isInt() && fact->kind() == JsonKind::Int && fact->integer() >= int64_t(trials);
  });
}

namespace {

/// Whatever is known of one configuration.
struct Known {
  std::vector<double> samples;
  bool failed = false;
  size_t alone = 0; ///< measurements that were not one of a pair
};

class Tune {
public:
  Tune(const KernelProblem &problem, const KernelSpace &space, const TrialProblem &cases,
       const TuneContext &context, const TuneOptions &options)
      : problem(problem), space(space), cases(cases), context(context), options(options),
        search(space.points, space.defaultPoint, {.seed = options.seed}) {
    for (size_t i = 0; i < space.points.size(); ++i)
      places[space.points[i].config] = i;
    wanted = options.trials ? std::min(options.trials, space.points.size()) : space.points.size();
  }

  Expected<TuneResult> run() {
    QUERN_ASSIGN_OR_RETURN(result.record, recordOf(problem));
    result.standard = space.points[space.defaultPoint].config;
    result.space = space.points.size();
    QUERN_RETURN_IF_ERROR(remember());
    result.complete = isFinished(measurements, wanted);
    if (!result.complete) {
      Status status = work();
      if (!status.ok())
        return status;
    }
    return finish();
  }

private:
  bool timeIsOver() const { return std::chrono::steady_clock::now() >= options.end; }
  const std::string &standard() const { return result.standard; }

  /// What the database has of this problem, on this device, by this compiler.
  Status remember() {
    Query query;
    query.problem = result.record.key();
    query.device = context.identity.key();
    query.toolchain = context.toolchain.key();
    QUERN_ASSIGN_OR_RETURN(measurements, context.database->measurements(query));
    for (const Measurement &m : measurements)
      if (m.tokens == problem.rows)
        learn(m);
    return Status::success();
  }

  void learn(const Measurement &m) {
    Known &k = known[m.config];
    k.failed |= m.outcome != Outcome::Ok;
    k.samples.insert(k.samples.end(), m.samples.begin(), m.samples.end());
    k.alone += m.session.empty();
    auto place = places.find(m.config);
    if (place == places.end())
      return;
    if (k.failed)
      search.fail(place->second);
    else
      search.report(place->second, runtime::estimate(k.samples).median);
  }

  Measurement record(const std::string &config, const TrialResult &trial) const {
    Measurement m;
    m.problem = result.record;
    m.device = context.identity;
    m.toolchain = context.toolchain;
    m.config = config;
    m.tokens = problem.rows;
    m.isDefault = config == standard();
    m.outcome = trial.outcome;
    m.samples = trial.samples;
    m.runsPerSample = trial.runsPerSample;
    m.cache = runtime::cacheStateName(trial.cache);
    m.seed = options.seed;
    m.timestamp = context.now();
    m.detail = trial.cause;
    return m;
  }

  Status keep(const std::string &config, const TrialResult &trial, Json facts = Json::object()) {
    Measurement m = record(config, trial);
    m.facts = std::move(facts);
    QUERN_RETURN_IF_ERROR(context.database->insert(m));
    learn(m);
    measurements.push_back(std::move(m));
    if (context.told)
      context.told(config, trial);
    return Status::success();
  }

  Status work() {
    CompileQueue queue(context.compile, problem, options.workers);
    Status status = trials(queue);
    if (status.ok() && !timeIsOver())
      status = decide(queue);
    result.compiles = queue.finished();
    return status;
  }

  /// The problem is told to the device when there is something to measure, not before.
  Status ensureProblem() {
    if (told)
      return Status::success();
    told = true;
    return context.device->begin(cases);
  }

  Expected<Candidate> code(CompileQueue &queue, const std::string &config) {
    auto kept = candidates.find(config);
    if (kept != candidates.end())
      return kept->second;
    if (!submitted[config]) {
      submitted[config] = true;
      queue.submit(config);
    }
    QUERN_ASSIGN_OR_RETURN(Candidate candidate, queue.take(config));
    candidates[config] = candidate;
    return std::move(candidate);
  }

  std::vector<size_t> proposeNext(CompileQueue &queue) {
    const size_t count = search.tried() + ahead;
    std::vector<size_t> batch = search.propose(count < wanted ? std::min(options.batch, wanted - count) : 0);
    ahead += batch.size();
    for (size_t point : batch) {
      submitted[space.points[point].config] = true;
      queue.submit(space.points[point].config);
    }
    return batch;
  }

  Status trials(CompileQueue &queue) {
    std::vector<size_t> batch = proposeNext(queue);
    while (!batch.empty()) {
      // Compiled while this batch is measured.
      std::vector<size_t> next = proposeNext(queue);
      for (size_t point : batch) {
        QUERN_RETURN_IF_ERROR(checkInterrupt());
        if (timeIsOver())
          return Status::success();
        QUERN_RETURN_IF_ERROR(trial(queue, space.points[point].config, options.measure));
        --ahead;
      }
      batch = std::move(next);
    }
    return Status::success();
  }

  Status trial(CompileQueue &queue, const std::string &config, const runtime::MeasureOptions &measure) {
    Expected<Candidate> candidate = code(queue, config);
    if (!candidate.ok()) {
      const Exit exit = candidate.error().exit();
      if (exit == Exit::Resource || exit == Exit::Interrupted)
        return candidate.takeError();
      TrialResult failed;
      failed.outcome = Outcome::CompileFailed;
      const Status &error = candidate.error();
      failed.cause = error.id() + ": " + (error.causeText().empty() ? error.sentence() : error.causeText());
      return keep(config, failed);
    }
    QUERN_RETURN_IF_ERROR(ensureProblem());
    QUERN_ASSIGN_OR_RETURN(TrialResult measured, context.device->run(*candidate, measure, options.deadline));
    ++result.measurements;
    return keep(config, measured);
  }

  std::vector<Contender> contenders() const {
    std::vector<Contender> all;
    for (const auto &[config, k] : known) {
      auto place = places.find(config);
      if (!k.failed && !k.samples.empty() && place != places.end())
        all.push_back({config, runtime::estimate(k.samples), space.points[place->second].modelled});
    }
    return all;
  }

  Status decide(CompileQueue &queue) {
    size_t last = 0;
    for (size_t round = 1;; ++round) {
      const std::vector<Contender> all = contenders();
      const std::vector<size_t> again = repeatRound(all, last);
      if (again.empty())
        break;
      last = again.size();
      runtime::MeasureOptions measure = options.measure;
      measure.minimumSamples <<= round;
      measure.maximumSamples = std::max(measure.maximumSamples, measure.minimumSamples);
      for (size_t i : again) {
        if (known[all[i].config].alone > round)
          continue; // an earlier run did it
        QUERN_RETURN_IF_ERROR(checkInterrupt());
        if (timeIsOver())
          return Status::success();
        QUERN_RETURN_IF_ERROR(trial(queue, all[i].config, measure));
      }
    }
    return confirm(queue);
  }

  /// The favourite against the default, in turns.
  Status confirm(CompileQueue &queue) {
    const std::vector<Contender> all = contenders();
    const std::optional<size_t> best = favourite(all);
    Json facts = Json::object();
    facts.set(finishedFact, int64_t(wanted));
    runtime::MeasureOptions measure = options.measure;
    measure.minimumSamples *= 4;
    measure.maximumSamples = std::max(measure.maximumSamples, measure.minimumSamples);
    if (!best) {
      // Nothing ran. The default is tried once more, so that this tune is known to have ended.
      TrialResult nothing;
      nothing.outcome = Outcome::RunFailed;
      nothing.cause = "no candidate ran";
      result.complete = true;
      return keep(standard(), nothing, std::move(facts));
    }
    std::string other = all[*best].config;
    if (other == standard()) {
      // The default is in the band of the fastest: it is held against the fastest of the others.
      size_t fastest = all.size();
      for (size_t i = 0; i < all.size(); ++i)
        if (i != *best && (fastest == all.size() || all[i].seconds.median < all[fastest].seconds.median))
          fastest = i;
      if (fastest < all.size())
        other = all[fastest].config;
    }
    QUERN_ASSIGN_OR_RETURN(Candidate candidate, code(queue, other));
    QUERN_RETURN_IF_ERROR(ensureProblem());
    const bool alone = other == standard() || known[standard()].failed || !known.count(standard());
    std::pair<TrialResult, TrialResult> both;
    if (alone) {
      QUERN_ASSIGN_OR_RETURN(both.first, context.device->run(candidate, measure, options.deadline));
    } else {
      QUERN_ASSIGN_OR_RETURN(Candidate standardCode, code(queue, standard()));
      QUERN_ASSIGN_OR_RETURN(both,
                             context.device->runPair(candidate, standardCode, measure, 2 * options.deadline));
    }
    std::vector<Measurement> pair = {record(other, both.first)};
    if (!alone)
      pair.push_back(record(standard(), both.second));
    // One name for what was taken in turns; it says nothing else.
    const std::string session = alone ? "" : "pair-" + std::to_string(pair.front().timestamp);
    for (Measurement &m : pair) {
      m.session = session;
      m.facts = facts;
    }
    QUERN_ASSIGN_OR_RETURN(size_t inserted, context.database->insert(pair));
    result.measurements += inserted;
    for (Measurement &m : pair)
      measurements.push_back(std::move(m));
    result.complete = true;
    return Status::success();
  }

  Expected<TuneResult> finish() {
    std::map<std::string, bool> configs;
    for (const Measurement &m : measurements)
      configs[m.config] |= m.outcome != Outcome::Ok;
    result.tried = configs.size();
    for (const auto &[config, failed] : configs)
      result.failed += failed;
    result.choice = choose(measurements, result.record.tokens, {}, standard());
    return std::move(result);
  }

  const KernelProblem &problem;
  const KernelSpace &space;
  const TrialProblem &cases;
  const TuneContext &context;
  const TuneOptions &options;
  Search search;
  std::map<std::string, size_t> places;
  std::map<std::string, Known> known;
  std::map<std::string, Candidate> candidates;
  std::map<std::string, bool> submitted;
  std::vector<Measurement> measurements;
  TuneResult result;
  size_t wanted = 0, ahead = 0;
  bool told = false;
};

} // namespace

Expected<TuneResult> tuneProblem(const KernelProblem &problem, const KernelSpace &space,
                                 const TrialProblem &cases, const TuneContext &context,
                                 const TuneOptions &options) {
  return Tune(problem, space, cases, context, options).run();
}

} // namespace quern::tuner
