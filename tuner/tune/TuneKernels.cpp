//===- TuneKernels.cpp ----------------------------------------------------===//
#include "tuner/tune/TuneKernels.h"

#include "support/Interrupt.h"
#include "support/Threads.h"
#include "tuner/bundle/Bundle.h"
#include "tuner/measure/Identity.h"
#include "tuner/space/KernelCases.h"
#include "tuner/tune/CompileQueue.h"
#include "tuner/tune/KernelTarget.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

namespace quern::tuner {

using Clock = std::chrono::steady_clock;

static constexpr std::pair<const char *, size_t> efforts[] = {
    {"min", 8}, {"quick", 16}, {"normal", 32}, {"full", 0}};

Expected<Effort> parseEffort(const std::string &name) {
  for (size_t i = 0; i < std::size(efforts); ++i)
    if (name == efforts[i].first)
      return Effort(i);
  return Status::error(Exit::Usage, "E-TUNE-EFFORT", "there is no effort `" + name + "`")
      .remedy("choose one of min, quick, normal, full");
}

size_t trialsOf(Effort effort) { return efforts[size_t(effort)].second; }

Expected<double> parseBudget(const std::string &text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  const double seconds = unit.empty() || unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
  if (error != std::errc() || !(value >= 0) || seconds == 0 || value * seconds > 1e8)
    return Status::error(Exit::Usage, "E-TUNE-BUDGET", "`" + text + "` is no time")
        .remedy("write 90s, 30m or 2h");
  return value * seconds;
}

//===----------------------------------------------------------------------===//
// What is common to tuning and bundles
//===----------------------------------------------------------------------===//

namespace {

/// Of the shard; moved to the end of their buckets, each once.
std::vector<KernelProblem> prepared(const std::vector<KernelProblem> &problems,
                                    const TuneKernelsOptions &options) {
  std::vector<KernelProblem> kept;
  for (KernelProblem problem : problems) {
    if (Expected<Problem> record = recordOf(problem); record.ok())
      problem.rows = record->tokens.last;
    if (std::find(kept.begin(), kept.end(), problem) == kept.end())
      kept.push_back(std::move(problem));
  }
  std::vector<KernelProblem> own;
  for (size_t i = options.shard; i < kept.size(); i += std::max(1u, options.shards))
    own.push_back(std::move(kept[i]));
  return own;
}

Expected<TrialProblem> trialProblem(const KernelProblem &problem, uint64_t seed) {
  TrialProblem trial;
  QUERN_ASSIGN_OR_RETURN(trial.cases, casesOf(problem, seed));
  const ProblemWork work = workOf(problem);
  trial.work = {work.operations, work.bytes};
  return std::move(trial);
}

int64_t milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// The entry of the device list that `openDevice` would open.
Expected<runtime::DeviceInfo> findDevice(const std::string &name) {
  for (const runtime::BackendDevices &backend : runtime::listDevices())
    for (const runtime::DeviceInfo &info : backend.devices)
      if (name.empty() || info.name == name || info.name == name + ":0")
        return info;
  // Says why.
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<runtime::Device> device, runtime::openDevice(name));
  return device->info();
}

/// A reason to leave a problem out, or an error that concerns all.
bool isSkip(const Status &status) {
  return status.id() == "E-TUNE-NO-SPACE" || status.id() == "E-TUNE-NO-ORACLE";
}

} // namespace

//===----------------------------------------------------------------------===//
// Tuning
//===----------------------------------------------------------------------===//

namespace {

/// The line behind the progress bar.
class Tally {
public:
  Tally(ProgressMode mode, size_t total) : progress(mode, "tune", total) {}

  void begin(const std::string &kernel, const std::string &standard) {
    this->kernel = kernel;
    this->standard = standard;
    best = standardTime = 0;
  }
  void add(const std::string &config, const TrialResult &result) {
    failures += !result.ok();
    if (result.ok()) {
      const double time = result.seconds().median;
      if (config == standard)
        standardTime = time;
      if (best == 0 || time < best)
        best = time;
    }
    char text[160];
    if (best > 0 && standardTime > 0)
      std::snprintf(text, sizeof text, "%s: best %.1f us, %.2fx the default; %zu failed", kernel.c_str(),
                    best * 1e6, standardTime / best, failures);
    else
      std::snprintf(text, sizeof text, "%s: %zu failed", kernel.c_str(), failures);
    progress.note(text);
    progress.add(1);
  }
  size_t failures = 0;

private:
  Progress progress;
  std::string kernel, standard;
  double best = 0, standardTime = 0;
};

} // namespace

Expected<TuneReport> tuneKernels(const std::vector<KernelProblem> &given, const TuneKernelsOptions &options) {
  const auto begun = Clock::now();
  if (options.device.starts_with("emulated:"))
    return Status::error(Exit::Unsupported, "E-TUNE-NO-TIME", "an emulated device has no time")
        .remedy("leave --device out for modelled costs, or make a bundle with --emit-bundle");
  QUERN_ASSIGN_OR_RETURN(runtime::DeviceInfo info, findDevice(options.device));
  QUERN_ASSIGN_OR_RETURN(lowering::CodeTarget code,
                         chooseTarget(options.target.empty() ? info.vendor : options.target, &info));
  if (info.vendor == "cpu")
    info.units = options.threads ? options.threads : defaultThreads();
  QUERN_ASSIGN_OR_RETURN(Database database, Database::open(options.database));
  const unsigned workers = options.workers ? options.workers : availableThreads();
  KernelTarget target(code, options.program, workers);
  MeasureProcess process(options.program, info.name, options.threads);
  TuneContext context;
  context.compile = [&](unsigned slot, const KernelProblem &problem, const std::string &schedule) {
    return target.compile(slot, problem, schedule);
  };
  context.device = &process;
  context.database = &database;
  context.identity = identityOf(info);
  context.toolchain = target.toolchain();
  context.toolchain.driver = info.driver;
  context.now = milliseconds;
  TuneOptions own;
  own.trials = trialsOf(options.effort);
  own.workers = workers;
  own.batch = std::max(4u, workers);
  own.seed = options.seed;
  own.measure.cache = options.cache;
  own.measure.minimumSamples = options.effort <= Effort::Quick ? 7 : 11;
  own.measure.maximumSamples = 101;
  own.measure.maximumSeconds = options.effort <= Effort::Quick ? 0.1 : 0.3;
  own.deadline = std::chrono::milliseconds(int64_t(options.deadlineSeconds * 1000));
  if (options.budgetSeconds)
    own.end = begun + std::chrono::duration_cast<Clock::duration>(
                          std::chrono::duration<double>(*options.budgetSeconds));

  TuneReport report;
  report.device = info.name;
  report.target = target.name();
  struct Ready {
    KernelProblem problem;
    KernelSpace space;
  };
  std::vector<Ready> ready;
  size_t total = 0;
  for (const KernelProblem &problem : prepared(given, options)) {
    Expected<KernelSpace> space = target.space(problem);
    if (!space.ok()) {
      if (!isSkip(space.error()))
        return space.takeError();
      report.skipped.push_back({problem, space.error().sentence()});
      continue;
    }
    total += own.trials ? std::min(own.trials, space->points.size()) : space->points.size();
    ready.push_back({problem, *std::move(space)});
  }
  Tally tally(options.progress, total);
  context.told = [&](const std::string &config, const TrialResult &result) { tally.add(config, result); };
  for (const Ready &each : ready) {
    QUERN_RETURN_IF_ERROR(checkInterrupt());
    Expected<TrialProblem> cases = trialProblem(each.problem, own.seed);
    if (!cases.ok()) {
      if (!isSkip(cases.error()))
        return cases.takeError();
      report.skipped.push_back({each.problem, cases.error().sentence()});
      continue;
    }
    tally.begin(each.problem.kernel, each.space.points[each.space.defaultPoint].config);
    Expected<TuneResult> result = tuneProblem(each.problem, each.space, *cases, context, own);
    if (!result.ok()) {
      Status status = result.takeError();
      if (status.exit() != Exit::NoDevice || process.starts() == 0)
        return status;
      Expected<Database::Counts> counts = database.counts();
      if (!counts.ok() || counts->measurements == 0)
        return status;
      return Status::error(Exit::Partial, "E-TUNE-CUT-SHORT", "the device went away before the end")
          .cause(status.sentence())
          .remedy("what was measured is in `" + options.database + "`; the same command goes on from there");
    }
    report.compiles += result->compiles;
    report.measurements += result->measurements;
    report.complete &= result->complete;
    report.problems.push_back({each.problem, *std::move(result)});
  }
  report.failures = tally.failures;
  report.seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  return std::move(report);
}

//===----------------------------------------------------------------------===//
// Without a device
//===----------------------------------------------------------------------===//

Expected<std::vector<ModelledProblem>> modelKernels(const std::vector<KernelProblem> &given,
                                                    const std::string &name, size_t count) {
  QUERN_ASSIGN_OR_RETURN(lowering::CodeTarget code, chooseTarget(name, nullptr));
  KernelTarget target(code, "", 1);
  std::vector<ModelledProblem> all;
  for (const KernelProblem &problem : prepared(given, {})) {
    Expected<KernelSpace> space = target.space(problem);
    if (!space.ok()) {
      if (!isSkip(space.error()))
        return space.takeError();
      continue;
    }
    ModelledProblem modelled{problem, space->points.size(), space->refused, {}};
    for (size_t i = 0; i < space->points.size(); ++i)
      modelled.best.push_back({space->points[i].config, space->points[i].modelled, i == space->defaultPoint});
    std::sort(modelled.best.begin(), modelled.best.end(),
              [](const ModelledConfig &a, const ModelledConfig &b) {
                return std::tie(a.seconds, a.config) < std::tie(b.seconds, b.config);
              });
    std::vector<ModelledConfig> kept;
    for (size_t i = 0; i < modelled.best.size(); ++i)
      if (i < count || modelled.best[i].isDefault)
        kept.push_back(modelled.best[i]);
    modelled.best = std::move(kept);
    all.push_back(std::move(modelled));
  }
  return std::move(all);
}

/// |count| points, the default first: each time the one with the smallest modelled time, which counts the
/// higher the nearer it is to one that was chosen.
static std::vector<size_t> spread(const KernelSpace &space, size_t count) {
  std::vector<size_t> chosen = {space.defaultPoint};
  std::vector<double> cost;
  for (const SearchPoint &point : space.points)
    cost.push_back(std::log(point.modelled));
  count = count ? std::min(count, space.points.size()) : space.points.size();
  std::vector<bool> taken(space.points.size());
  while (true) {
    const SearchPoint &last = space.points[chosen.back()];
    taken[chosen.back()] = true;
    if (chosen.size() >= count)
      return chosen;
    size_t next = space.points.size();
    for (size_t i = 0; i < space.points.size(); ++i) {
      double distance = 0;
      for (size_t d = 0; d < last.features.size(); ++d)
        distance += (space.points[i].features[d] - last.features[d]) *
                    (space.points[i].features[d] - last.features[d]);
      cost[i] += 0.1 * std::exp(-4 * distance);
      if (!taken[i] && (next == space.points.size() || cost[i] < cost[next]))
        next = i;
    }
    chosen.push_back(next);
  }
}

Expected<BundleReport> emitBundle(const std::vector<KernelProblem> &given, const std::string &path,
                                  const TuneKernelsOptions &options) {
  QUERN_ASSIGN_OR_RETURN(lowering::CodeTarget code, chooseTarget(options.target, nullptr));
  const unsigned workers = options.workers ? options.workers : availableThreads();
  KernelTarget target(code, options.program, workers);
  const CandidateCompiler compile = [&](unsigned slot, const KernelProblem &problem,
                                        const std::string &schedule) {
    return target.compile(slot, problem, schedule);
  };
  QUERN_ASSIGN_OR_RETURN(BundleWriter writer, BundleWriter::create(path, target.name()));
  BundleReport report;
  const std::vector<KernelProblem> problems = prepared(given, options);
  std::vector<std::pair<KernelProblem, KernelSpace>> ready;
  size_t total = 0;
  for (const KernelProblem &problem : problems) {
    Expected<KernelSpace> space = target.space(problem);
    if (!space.ok()) {
      if (!isSkip(space.error()))
        return space.takeError();
      report.skipped.push_back({problem, space.error().sentence()});
      continue;
    }
    total += spread(*space, trialsOf(options.effort)).size();
    ready.push_back({problem, *std::move(space)});
  }
  Progress progress(options.progress, "compile candidates", total);
  for (const auto &[problem, space] : ready) {
    Expected<TrialProblem> cases = trialProblem(problem, options.seed);
    if (!cases.ok()) {
      if (!isSkip(cases.error()))
        return cases.takeError();
      report.skipped.push_back({problem, cases.error().sentence()});
      continue;
    }
    const std::string standard = space.points[space.defaultPoint].config;
    Measurement record;
    QUERN_ASSIGN_OR_RETURN(record.problem, recordOf(problem));
    record.toolchain = target.toolchain();
    record.config = standard;
    record.tokens = problem.rows;
    record.seed = options.seed;
    QUERN_RETURN_IF_ERROR(writer.addProblem(record, standard, *cases));
    ++report.problems;
    const std::vector<size_t> points = spread(space, trialsOf(options.effort));
    CompileQueue queue(compile, problem, workers);
    for (size_t point : points)
      queue.submit(space.points[point].config);
    for (size_t point : points) {
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      Expected<Candidate> candidate = queue.take(space.points[point].config);
      progress.add(1);
      if (!candidate.ok()) {
        if (candidate.error().exit() == Exit::Resource)
          return candidate.takeError();
        ++report.failed;
        continue;
      }
      QUERN_RETURN_IF_ERROR(writer.addCandidate(*candidate, space.points[point].modelled));
      ++report.candidates;
    }
  }
  if (report.problems == 0)
    return Status::error(Exit::Unsupported, "E-TUNE-NOTHING", "none of the problems can be tuned");
  QUERN_RETURN_IF_ERROR(writer.finish());
  return std::move(report);
}

} // namespace quern::tuner
