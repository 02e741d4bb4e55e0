//===- MeasureBundle.cpp --------------------------------------------------===//
#include "tuner/bundle/MeasureBundle.h"

#include "support/Interrupt.h"
#include "tuner/search/Choice.h"

#include <cerrno>
#include <fcntl.h>
#include <set>
#include <unistd.h>

namespace quern::tuner {

namespace {

/// A file of records to which whole lines are added.
class ResultsFile {
public:
  ResultsFile() = default;
  ~ResultsFile() {
    if (descriptor >= 0)
      close(descriptor);
  }

  /// Reads what is there; the piece of a line at its end, which a kill left, is cut off.
  Status open(const std::string &name) {
    path = name;
    std::string text;
    if (access(path.c_str(), F_OK) == 0) {
      QUERN_ASSIGN_OR_RETURN(text, readFile(path, uint64_t(4) << 30));
    }
    const size_t whole = text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1;
    size_t line = 0;
    for (size_t at = 0; at < whole;) {
      const size_t end = text.find('\n', at);
      ++line;
      Expected<JsonDocument> document = parseJson(std::string_view(text).substr(at, end - at));
      Expected<Measurement> record =
          document.ok() ? measurementFromJson(document->root()) : Expected<Measurement>(document.takeError());
      if (!record.ok())
        return Status::error(Exit::BadInput, "E-BUNDLE-RESULTS",
                             path + ":" + std::to_string(line) + ": no record of a measurement")
            .cause(record.error().sentence())
            .remedy("name another file with -o");
      records.push_back(*std::move(record));
      at = end + 1;
    }
    if (whole == 0 && !text.empty())
      return Status::error(Exit::BadInput, "E-BUNDLE-RESULTS",
                           "`" + path + "` holds no records of measurements")
          .remedy("name another file with -o");
    descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0 || ftruncate(descriptor, off_t(whole)) || lseek(descriptor, 0, SEEK_END) < 0)
      return outputError(path, errno);
    return Status::success();
  }

  /// On the disk when it returns.
  Status append(const std::vector<Measurement> &added) {
    std::string text;
    for (const Measurement &m : added) {
      Json row = toJson(m);
      text += writeJson(row) + "\n";
    }
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t n = ::write(descriptor, rest.data(), rest.size());
      if (n < 0 && errno == EINTR)
        continue;
      if (n <= 0)
        return outputError(path, errno);
      rest.remove_prefix(size_t(n));
    }
    if (fdatasync(descriptor) && errno != EINVAL)
      return outputError(path, errno);
    records.insert(records.end(), added.begin(), added.end());
    return Status::success();
  }

  std::vector<Measurement> records;

private:
  std::string path;
  int descriptor = -1;
};

} // namespace

Expected<MeasureBundleResult> measureBundle(const Bundle &bundle, MeasureProcess &device,
                                            const DeviceIdentity &identity, const std::string &results,
                                            const MeasureBundleOptions &options) {
  ResultsFile file;
  QUERN_RETURN_IF_ERROR(file.open(results));
  MeasureBundleResult result;
  for (size_t p = options.shard; p < bundle.problems().size(); p += options.shards)
    result.candidates += bundle.problems()[p].candidates.size();

  for (size_t p = options.shard; p < bundle.problems().size(); p += options.shards) {
    const BundleProblem &problem = bundle.problems()[p];
    std::map<std::string, std::vector<double>> samples;
    Toolchain toolchain = problem.record.toolchain;
    toolchain.driver = options.driver;
    std::set<std::string> known;
    bool decided = false;
    for (const Measurement &m : file.records)
      if (m.problem == problem.record.problem && m.tokens == problem.record.tokens && m.device == identity &&
          m.toolchain == toolchain) {
        known.insert(m.config);
        decided |= !m.session.empty() && m.isDefault; // the second of a pair
        if (m.outcome == Outcome::Ok)
          samples[m.config].insert(samples[m.config].end(), m.samples.begin(), m.samples.end());
      }
    auto record = [&](const std::string &config, const TrialResult &trial) {
      Measurement m = problem.record;
      m.device = identity;
      m.toolchain = toolchain;
      m.config = config;
      m.isDefault = config == problem.standard;
      m.outcome = trial.outcome;
      m.samples = trial.samples;
      m.runsPerSample = trial.runsPerSample;
      m.cache = runtime::cacheStateName(trial.cache);
      m.timestamp = options.now();
      m.detail = trial.cause;
      return m;
    };
    bool told = false;
    auto begin = [&]() -> Status {
      if (told)
        return Status::success();
      told = true;
      QUERN_ASSIGN_OR_RETURN(TrialProblem cases, bundle.cases(problem));
      return device.begin(cases);
    };
    std::map<std::string, const BundleCandidate *> byConfig;
    for (const BundleCandidate &each : problem.candidates) {
      byConfig[each.config] = &each;
      if (known.count(each.config)) {
        ++result.known;
        if (options.told)
          options.told(each.config, {});
        continue;
      }
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      if (std::chrono::steady_clock::now() >= options.end)
        return std::move(result);
      QUERN_RETURN_IF_ERROR(begin());
      QUERN_ASSIGN_OR_RETURN(Candidate candidate, bundle.candidate(each));
      QUERN_ASSIGN_OR_RETURN(TrialResult trial, device.run(candidate, options.measure, options.deadline));
      QUERN_RETURN_IF_ERROR(file.append({record(each.config, trial)}));
      ++result.measured;
      result.failed += !trial.ok();
      if (trial.ok())
        samples[each.config] = trial.samples;
      if (options.told)
        options.told(each.config, trial);
    }
    if (decided || !samples.count(problem.standard))
      continue;
    // The fastest and the default in turns.
    std::vector<Contender> contenders;
    for (const auto &[config, times] : samples)
      if (config != problem.standard && byConfig.count(config))
        contenders.push_back({config, runtime::estimate(times), byConfig[config]->modelled});
    const std::optional<size_t> best = favourite(contenders);
    if (!best)
      continue;
    QUERN_RETURN_IF_ERROR(checkInterrupt());
    if (std::chrono::steady_clock::now() >= options.end)
      return std::move(result);
    QUERN_RETURN_IF_ERROR(begin());
    QUERN_ASSIGN_OR_RETURN(Candidate one, bundle.candidate(*byConfig[contenders[*best].config]));
    QUERN_ASSIGN_OR_RETURN(Candidate standard, bundle.candidate(*byConfig[problem.standard]));
    runtime::MeasureOptions measure = options.measure;
    measure.minimumSamples *= 4;
    measure.maximumSamples = std::max(measure.maximumSamples, measure.minimumSamples);
    QUERN_ASSIGN_OR_RETURN(auto both, device.runPair(one, standard, measure, 2 * options.deadline));
    std::vector<Measurement> pair = {record(one.schedule, both.first),
                                     record(standard.schedule, both.second)};
    for (Measurement &m : pair)
      m.session = "pair-" + std::to_string(pair.front().timestamp);
    QUERN_RETURN_IF_ERROR(file.append(pair));
  }
  result.complete = true;
  return std::move(result);
}

} // namespace quern::tuner
