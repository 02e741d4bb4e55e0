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

/// The run that a measurement is about, with what was gathered.
struct Series {
  const std::function<Status()> &run;
  std::vector<double> samples = {};
  uint32_t runs = 1;
};

} // namespace

const char *cacheStateName(CacheState state) { return state == CacheState::Warm ? "warm" : "cold"; }

Expected<Stopwatch> Stopwatch::create(Device &device) {
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Timer> timer, device.timer());
  Stopwatch stopwatch(device, std::move(timer));
  stopwatch.limits = deviceLimits(device.info());
  return std::move(stopwatch);
}

Status Stopwatch::prepare(const MeasureOptions &options) {
  if (options.cache == CacheState::Warm || flush)
    return Status::success();
  uint64_t bytes = 2 * (limits.cacheBytes ? limits.cacheBytes : unknownCacheBytes);
  QUERN_ASSIGN_OR_RETURN(flush, device->allocate(bytes));
  return Status::success();
}

Expected<double> Stopwatch::sample(const std::function<Status()> &run, uint32_t runs, CacheState cache) {
  if (cache == CacheState::Cold)
    QUERN_RETURN_IF_ERROR(device->fill(*flush, 0, flush->size(), ++flushValue));
  QUERN_RETURN_IF_ERROR(timer->start());
  for (uint32_t i = 0; i < runs; ++i)
    QUERN_RETURN_IF_ERROR(run());
  QUERN_RETURN_IF_ERROR(timer->stop());
  QUERN_ASSIGN_OR_RETURN(double seconds, timer->seconds());
  if (!(seconds > 0))
    return Status::error(Exit::Unexpected, "E-MEASURE-NO-TIME",
                         "the clock of `" + device->info().name + "` did not move during a run");
  return seconds / runs;
}

Status Stopwatch::warmUp(const std::function<Status()> &run, double seconds, double &oneRun) {
  double spent = 0;
  do {
    QUERN_ASSIGN_OR_RETURN(oneRun, sample(run, 1, CacheState::Warm));
    spent += oneRun;
  } while (spent < seconds && !interrupted());
  return Status::success();
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

/// Takes samples of all |series| in turns by |take| until every median is known well enough.
template <typename Take>
static Status gather(std::span<Series> series, const MeasureOptions &options, const Take &take) {
  double spent = 0;
  while (true) {
    for (Series &one : series) {
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      QUERN_ASSIGN_OR_RETURN(double seconds, take(one));
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

static uint32_t runsFor(double oneRun, CacheState cache) {
  if (cache == CacheState::Cold)
    return 1;
  return std::clamp<uint32_t>(uint32_t(std::ceil(shortestSample / oneRun)), 1, mostRunsPerSample);
}

static Measurement finish(Series &&series, const Work &work, CacheState cache) {
  Measurement m;
  m.seconds = estimate(series.samples);
  m.samples = std::move(series.samples);
  m.runsPerSample = series.runs;
  m.cache = cache;
  m.work = work;
  return m;
}

Expected<Measurement> Stopwatch::measure(const std::function<Status()> &run, const Work &work,
                                         const MeasureOptions &options) {
  QUERN_RETURN_IF_ERROR(prepare(options));
  double oneRun = 0;
  QUERN_RETURN_IF_ERROR(warmUp(run, options.warmUpSeconds, oneRun));
  Series series{run};
  series.runs = runsFor(oneRun, options.cache);
  QUERN_RETURN_IF_ERROR(gather(std::span(&series, 1), options,
                               [&](const Series &one) { return sample(one.run, one.runs, options.cache); }));
  Measurement m = finish(std::move(series), work, options.cache);
  QUERN_RETURN_IF_ERROR(check(m));
  return std::move(m);
}

Expected<std::pair<Measurement, Measurement>> Stopwatch::measurePair(const std::function<Status()> &a,
                                                                     const std::function<Status()> &b,
                                                                     const Work &work,
                                                                     const MeasureOptions &options) {
  QUERN_RETURN_IF_ERROR(prepare(options));
  Series series[2] = {{a}, {b}};
  for (Series &one : series) {
    double oneRun = 0;
    QUERN_RETURN_IF_ERROR(warmUp(one.run, options.warmUpSeconds / 2, oneRun));
    one.runs = runsFor(oneRun, options.cache);
  }
  QUERN_RETURN_IF_ERROR(
      gather(series, options, [&](const Series &one) { return sample(one.run, one.runs, options.cache); }));
  std::pair<Measurement, Measurement> both{finish(std::move(series[0]), work, options.cache),
                                           finish(std::move(series[1]), work, options.cache)};
  QUERN_RETURN_IF_ERROR(check(both.first));
  QUERN_RETURN_IF_ERROR(check(both.second));
  return std::move(both);
}

} // namespace quern::runtime
