//===- Stopwatch.h - The one way in which Quern takes times ---------------===//
//
//   QUERN_ASSIGN_OR_RETURN(Stopwatch stopwatch, Stopwatch::create(device));
//   QUERN_ASSIGN_OR_RETURN(Measurement m, stopwatch.measure([&] { return device.launch(kernel, shape, args);
//   },
//                                                           {.operations = 2.0 * M * N * K}, {}));
//   m.seconds.median, m.seconds.low, m.seconds.high
//
// Time is the device's own: events on a GPU, the clock of the host on the CPU. Work is run until clocks and
// caches have settled, then sampled until the interval of the median is narrow enough or the time is used up.
// Every figure of tuner, bench and compare comes from here, so that they can be compared.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_MEASURE_STOPWATCH_H
#define QUERN_RUNTIME_MEASURE_STOPWATCH_H

#include "runtime/Device.h"
#include "runtime/measure/Estimate.h"
#include "runtime/measure/Limits.h"

#include <functional>

namespace quern::runtime {

/// What the caches hold when a sample begins; part of every result.
enum class CacheState : uint8_t {
  Warm, ///< what the run before left
  Cold, ///< none of the kernel's data: twice the size of the caches was written in between
};
const char *cacheStateName(CacheState state);

/// Bytes that are written to empty the caches: twice what they hold.
uint64_t flushBytesOf(const DeviceLimits &limits);

/// How the runs of one sample are queued; part of every result.
enum class Replay : uint8_t {
  Loop,  ///< one after the other by the host
  Graph, ///< recorded once, queued again as one piece: for kernels that end sooner than the host can queue
};
const char *replayName(Replay replay);

struct MeasureOptions {
  CacheState cache = CacheState::Cold;
  /// Runs of a warm sample that are shorter than |shortRun| are replayed where the device can record them.
  Replay replay = Replay::Graph;
  double warmUpSeconds = 0.02; ///< at least one run
  size_t minimumSamples = 11, maximumSamples = 401;
  double maximumSeconds = 1.0; ///< of samples, where the minimum has been reached
  double relativeError = 0.01; ///< of the median, at which sampling ends
};

/// What one run does; 0 where it is not known. Rates and the check against the limits come from it.
struct Work {
  double operations = 0; ///< floating-point operations, a multiply-add is two
  double bytes = 0;      ///< of device memory that must be moved at least
};

struct Measurement {
  Estimate seconds; ///< of one run
  std::vector<double> samples;
  uint32_t runsPerSample = 1; ///< a sample is the mean of as many runs: more than one only where Warm
  CacheState cache = CacheState::Cold;
  Replay replay = Replay::Loop;
  uint64_t flushBytes = 0; ///< written before each sample; 0 where Warm
  Work work;
  DeviceConditions before, after; ///< of the device, around the samples

  double operationsPerSecond() const { return work.operations / seconds.median; }
  double bytesPerSecond() const { return work.bytes / seconds.median; }
};

class Stopwatch {
public:
  /// Exit::Unsupported "E-DEVICE-NO-TIME" on an emulated device; Exit::Resource "E-DEVICE-OUT-OF-MEMORY"
  /// where there is no memory to empty the caches with. |device| outlives the stopwatch.
  static Expected<Stopwatch> create(Device &device);

  /// Times |run|, which queues work on the device and may be called any number of times. An error of |run|
  /// ends it. Exit::Unexpected "E-MEASURE-ABOVE-LIMIT" where the median of a cold run is more than a
  /// twentieth better than what |limits| allow; "E-MEASURE-NO-TIME" where the clock did not move.
  Expected<Measurement> measure(const std::function<Status()> &run, const Work &work,
                                const MeasureOptions &options);

  /// Times two alternatives in turns (a b a b ...), as many samples of both; ratios of pairs are meaningful.
  Expected<std::pair<Measurement, Measurement>> measurePair(const std::function<Status()> &a,
                                                            const std::function<Status()> &b,
                                                            const Work &work, const MeasureOptions &options);

  /// Those of the device, unless a caller knows better ones.
  DeviceLimits limits;

private:
  Stopwatch(Device &device, std::unique_ptr<Timer> timer) : device(&device), timer(std::move(timer)) {}
  Status prepare(const MeasureOptions &options);
  struct Series;
  Status warmUp(Series &series, double seconds, const MeasureOptions &options);
  Expected<double> sample(const Series &series, CacheState cache);
  Status gather(std::span<Series> series, const MeasureOptions &options);
  Expected<Measurement> finish(Series &series, const Work &work, const MeasureOptions &options,
                               const DeviceConditions &before);
  Status check(const Measurement &measurement) const;

  Device *device;
  std::unique_ptr<Timer> timer;
  std::unique_ptr<Buffer> flush;
  uint8_t flushValue = 0;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_STOPWATCH_H
