//===- Stopwatch.cpp ------------------------------------------------------===//
#include "runtime/measure/Stopwatch.h"

#include "support/Interrupt.h"

#include <algorithm>
#include <cmath>

namespace quern::runtime {

namespace {

/// A warm sample lasts at least this long, so that the resolution of the clock (half a microsecond for events
/// of GPUs, by their drivers' manuals) is below a hundredth of it.
constexpr double shortestSample = 100e-6;
constexpr uint32_t mostRunsPerSample = 10000;
/// Where the sizes of the caches are not known.
constexpr uint64_t unknownCacheBytes = uint64_t(64) << 20;
constexpr double limitTolerance = 1.05;

/// Runs that end sooner than the host can queue the next one.
constexpr double shortRun = 50e-6;
constexpr uint32_t mostRunsPerGraph = 100;

} // namespace

/// The run that a measurement is about, with what was gathered.
struct Stopwatch::Series {
  const std::function<Status()> &run;
  std::unique_ptr<Recording> recording = {}; ///< of |recorded| runs; null for a loop
  uint32_t recorded = 1;
  uint32_t runs = 1; ///< of a sample
  std::vector<double> samples = {};
};

const char *cacheStateName(CacheState state) { return state == CacheState::Warm ? "warm" : "cold"; }
const char *replayName(Replay replay) { return replay == Replay::Loop ? "loop" : "graph"; }

uint64_t flushBytesOf(const DeviceLimits &limits) {
  return 2 * (limits.cacheBytes ? limits.cacheBytes : unknownCacheBytes);
}

Expected<Stopwatch> Stopwatch::create(Device &device) {
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Timer> timer, device.timer());
  Stopwatch stopwatch(device, std::move(timer));
  stopwatch.limits = deviceLimits(device.info());
  return std::move(stopwatch);
}

Status Stopwatch::prepare(const MeasureOptions &options) {
  if (options.cache == CacheState::Warm || flush)
    return Status::success();
  QUERN_ASSIGN_OR_RETURN(flush, device->allocate(flushBytesOf(limits)));
  return Status::success();
}

Expected<double> Stopwatch::sample(const Series &series, CacheState cache) {
  if (cache == CacheState::Cold)
    QUERN_RETURN_IF_ERROR(device->fill(*flush, 0, flush->size(), ++flushValue));
  QUERN_RETURN_IF_ERROR(timer->start());
  for (uint32_t i = 0; i < series.runs; i += series.recorded)
    QUERN_RETURN_IF_ERROR(series.recording ? series.recording->replay() : series.run());
  QUERN_RETURN_IF_ERROR(timer->stop());
  QUERN_ASSIGN_OR_RETURN(double seconds, timer->seconds());
  if (!(seconds > 0) || !std::isfinite(seconds))
    return Status::error(Exit::Unexpected, "E-MEASURE-NO-TIME",
                         "the clock of `" + device->info().name + "` did not move during a run");
  return seconds / series.runs;
}

Status Stopwatch::warmUp(Series &series, double seconds, const MeasureOptions &options) {
  double spent = 0, oneRun = 0;
  do {
    QUERN_ASSIGN_OR_RETURN(oneRun, sample(series, CacheState::Warm));
    spent += oneRun;
  } while (spent < seconds && !interrupted());
  if (options.cache == CacheState::Cold)
    return Status::success();
  series.runs = std::clamp<uint32_t>(uint32_t(std::ceil(shortestSample / oneRun)), 1, mostRunsPerSample);
  if (options.replay == Replay::Loop || oneRun >= shortRun)
    return Status::success();
  const uint32_t recorded = std::min(series.runs, mostRunsPerGraph);
  Expected<std::unique_ptr<Recording>> recording = device->record([&]() -> Status {
    for (uint32_t i = 0; i < recorded; ++i)
      QUERN_RETURN_IF_ERROR(series.run());
    return Status::success();
  });
  // A device or a run that cannot be recorded is measured in a loop, which tells what is wrong with it.
  if (!recording.ok())
    return Status::success();
  series.recording = std::move(*recording);
  series.recorded = recorded;
  series.runs = (series.runs + recorded - 1) / recorded * recorded;
  return sample(series, CacheState::Warm).takeError(); // the first replay uploads the graph
}

Status Stopwatch::check(const Measurement &m) const {
  if (m.cache == CacheState::Warm) // bytes may come from a cache
    return Status::success();
  auto above = [&](double rate, double limit, const char *what) {
    return Status::error(Exit::Unexpected, "E-MEASURE-ABOVE-LIMIT",
                         "a kernel seems to reach " + std::to_string(rate / 1e9) + " " + what + " on `" +
                             device->info().name + "`, which can do " + std::to_string(limit / 1e9))
        .cause("the kernel did not do its work, or the clock is wrong")
        .remedy("check its results first, for example with `quern verify`");
  };
  if (limits.operationsPerSecond && m.operationsPerSecond() > limitTolerance * limits.operationsPerSecond)
    return above(m.operationsPerSecond(), limits.operationsPerSecond, "GFLOP/s");
  if (limits.bytesPerSecond && m.bytesPerSecond() > limitTolerance * limits.bytesPerSecond)
    return above(m.bytesPerSecond(), limits.bytesPerSecond, "GB/s");
  return Status::success();
}

/// Takes samples of all |series| in turns until every median is known well enough.
Status Stopwatch::gather(std::span<Series> series, const MeasureOptions &options) {
  double spent = 0;
  while (true) {
    for (Series &one : series) {
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      QUERN_ASSIGN_OR_RETURN(double seconds, sample(one, options.cache));
      one.samples.push_back(seconds);
      spent += seconds * one.runs;
    }
    const size_t count = series[0].samples.size();
    if (count < options.minimumSamples)
      continue;
    if (count >= options.maximumSamples || spent >= options.maximumSeconds)
      return Status::success();
    // The median is looked at now and then, not after every sample: sorting costs time as well.
    if (count % 10 == 0 && std::all_of(series.begin(), series.end(), [&](const Series &one) {
          return estimate(one.samples).relativeError() <= options.relativeError;
        }))
      return Status::success();
  }
}

Expected<Measurement> Stopwatch::finish(Series &series, const Work &work, const MeasureOptions &options,
                                        const DeviceConditions &before) {
  Measurement m;
  m.seconds = estimate(series.samples);
  m.samples = std::move(series.samples);
  m.runsPerSample = series.runs;
  m.cache = options.cache;
  m.replay = series.recording ? Replay::Graph : Replay::Loop;
  m.flushBytes = options.cache == CacheState::Cold && flush ? flush->size() : 0;
  m.work = work;
  m.before = before;
  m.after = device->conditions();
  QUERN_RETURN_IF_ERROR(check(m));
  return std::move(m);
}

Expected<Measurement> Stopwatch::measure(const std::function<Status()> &run, const Work &work,
                                         const MeasureOptions &options) {
  QUERN_RETURN_IF_ERROR(prepare(options));
  Series series{run};
  QUERN_RETURN_IF_ERROR(warmUp(series, options.warmUpSeconds, options));
  const DeviceConditions before = device->conditions();
  QUERN_RETURN_IF_ERROR(gather(std::span(&series, 1), options));
  return finish(series, work, options, before);
}

Expected<std::pair<Measurement, Measurement>> Stopwatch::measurePair(const std::function<Status()> &a,
                                                                     const std::function<Status()> &b,
                                                                     const Work &work,
                                                                     const MeasureOptions &options) {
  QUERN_RETURN_IF_ERROR(prepare(options));
  Series series[2] = {{a}, {b}};
  for (Series &one : series)
    QUERN_RETURN_IF_ERROR(warmUp(one, options.warmUpSeconds / 2, options));
  const DeviceConditions before = device->conditions();
  QUERN_RETURN_IF_ERROR(gather(series, options));
  QUERN_ASSIGN_OR_RETURN(Measurement first, finish(series[0], work, options, before));
  QUERN_ASSIGN_OR_RETURN(Measurement second, finish(series[1], work, options, before));
  return std::pair(std::move(first), std::move(second));
}

} // namespace quern::runtime
