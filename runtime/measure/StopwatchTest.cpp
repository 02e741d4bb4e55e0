//===- StopwatchTest.cpp --------------------------------------------------===//
//
// The stopwatch on a device whose clock follows a script.
//
//===----------------------------------------------------------------------===//
#include "runtime/measure/Stopwatch.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

class ScriptBuffer final : public Buffer {
public:
  explicit ScriptBuffer(uint64_t bytes) : bytes(bytes) {}
  uint64_t address() const override { return 256; }
  uint64_t size() const override { return bytes; }

private:
  uint64_t bytes;
};

/// Each run of work moves the clock by what the test says; filling a buffer is written down.
class ScriptDevice final : public Device {
public:
  ScriptDevice() {
    deviceInfo.name = "script";
    deviceInfo.vendor = "script";
  }
  double clock = 0, begin = 0, end = 0;
  uint64_t flushedBytes = 0, fills = 0;
  bool hasClock = true, records = false;
  DeviceConditions now;
  std::string log;

  std::function<Status()> work(char name, double seconds) {
    return [=, this] {
      log += name;
      clock += seconds;
      return Status::success();
    };
  }

  const DeviceInfo &info() const override { return deviceInfo; }
  Expected<std::unique_ptr<Buffer>> allocate(uint64_t bytes) override {
    return std::make_unique<ScriptBuffer>(bytes);
  }
  Status upload(Buffer &, uint64_t, std::span<const std::byte>) override { return Status::success(); }
  Status download(Buffer &, uint64_t, std::span<std::byte>) override { return Status::success(); }
  Status fill(Buffer &, uint64_t, uint64_t bytes, uint8_t) override {
    flushedBytes = bytes;
    ++fills;
    log += '.';
    return Status::success();
  }
  Expected<std::unique_ptr<Module>> load(std::span<const std::byte>) override {
    return Status::error(Exit::Unsupported, "E-CODE-OTHER-TARGET", "no code runs here");
  }
  Status launch(Kernel &, const LaunchShape &, std::span<const Argument>) override {
    return Status::success();
  }
  Status synchronize() override { return Status::success(); }
  DeviceCounters counters() const override { return {}; }
  DeviceConditions conditions() override { return now; }
  /// Each replay of what was recorded is written down as "g" and moves the clock as its runs did.
  Expected<std::unique_ptr<Recording>> record(const std::function<Status()> &work) override {
    if (!records)
      return Device::record(work);
    const double start = clock;
    const std::string before = log;
    Status done = work();
    const double seconds = clock - start;
    clock = start;
    log = before;
    if (!done.ok())
      return done;
    return std::make_unique<ScriptRecording>(*this, seconds);
  }
  Expected<std::unique_ptr<Timer>> timer() override {
    if (!hasClock)
      return Device::timer();
    return std::make_unique<ScriptTimer>(*this);
  }

private:
  class ScriptTimer final : public Timer {
  public:
    explicit ScriptTimer(ScriptDevice &device) : device(device) {}
    Status start() override {
      device.begin = device.clock;
      return Status::success();
    }
    Status stop() override {
      device.end = device.clock;
      return Status::success();
    }
    Expected<double> seconds() override { return device.end - device.begin; }

  private:
    ScriptDevice &device;
  };
  class ScriptRecording final : public Recording {
  public:
    ScriptRecording(ScriptDevice &device, double seconds) : device(device), seconds(seconds) {}
    Status replay() override {
      device.log += 'g';
      device.clock += seconds;
      return Status::success();
    }

  private:
    ScriptDevice &device;
    double seconds;
  };
  DeviceInfo deviceInfo;
};

Stopwatch stopwatchOf(ScriptDevice &device) {
  Expected<Stopwatch> stopwatch = Stopwatch::create(device);
  EXPECT_TRUE(stopwatch.ok());
  return *std::move(stopwatch);
}

TEST(Stopwatch, ColdFlushesTwiceTheCachesBeforeEachSample) {
  ScriptDevice device;
  Stopwatch stopwatch = stopwatchOf(device);
  stopwatch.limits.cacheBytes = 1000;
  Expected<Measurement> m =
      stopwatch.measure(device.work('r', 1e-6), {.operations = 4e3, .bytes = 1e3}, {.warmUpSeconds = 0});
  ASSERT_TRUE(m.ok()) << m.error().sentence();
  EXPECT_EQ(device.flushedBytes, 2000u);
  EXPECT_EQ(device.fills, m->samples.size());
  EXPECT_EQ(device.log.substr(0, 7), "r.r.r.r"); // one run to warm up
  EXPECT_EQ(m->runsPerSample, 1u);
  EXPECT_NEAR(m->seconds.median, 1e-6, 1e-12);
  EXPECT_NEAR(m->operationsPerSecond(), 4e9, 1e4);
  EXPECT_NEAR(m->bytesPerSecond(), 1e9, 1e4);
}

TEST(Stopwatch, WarmPutsShortRunsTogether) {
  ScriptDevice device;
  Stopwatch stopwatch = stopwatchOf(device);
  Expected<Measurement> m =
      stopwatch.measure(device.work('r', 1e-6), {}, {.cache = CacheState::Warm, .warmUpSeconds = 0});
  ASSERT_TRUE(m.ok());
  EXPECT_EQ(device.fills, 0u);
  EXPECT_GE(m->runsPerSample, 100u);
  EXPECT_NEAR(m->seconds.median, 1e-6, 1e-11); // of one run
}

TEST(Stopwatch, ShortRunsAreReplayedWhereTheDeviceRecords) {
  ScriptDevice device;
  device.records = true;
  Stopwatch stopwatch = stopwatchOf(device);
  const MeasureOptions warm = {.cache = CacheState::Warm, .warmUpSeconds = 0};
  Expected<Measurement> m = stopwatch.measure(device.work('r', 0.4e-6), {}, warm);
  ASSERT_TRUE(m.ok());
  EXPECT_EQ(m->replay, Replay::Graph);
  EXPECT_EQ(m->runsPerSample, 300u); // whole graphs of 100, at least 100 us
  EXPECT_NEAR(m->seconds.median, 0.4e-6, 1e-12);
  EXPECT_EQ(device.log.substr(0, 7), "rgggggg"); // the first three upload the graph and are not counted
  EXPECT_EQ(device.log.size(), 1 + 3 * (m->samples.size() + 1));

  device.log.clear(); // long runs, cold ones, and where a loop is asked for
  m = stopwatch.measure(device.work('r', 60e-6), {}, warm);
  EXPECT_EQ(m->replay, Replay::Loop);
  m = stopwatch.measure(device.work('r', 1e-6), {}, {.warmUpSeconds = 0});
  EXPECT_EQ(m->replay, Replay::Loop);
  m = stopwatch.measure(device.work('r', 1e-6), {},
                        {.cache = CacheState::Warm, .replay = Replay::Loop, .warmUpSeconds = 0});
  EXPECT_EQ(m->replay, Replay::Loop);
  EXPECT_EQ(device.log.find('g'), std::string::npos);
}

TEST(Stopwatch, ConditionsStandBesideEveryResult) {
  ScriptDevice device;
  device.now = {.clockMhz = 1700, .source = "script"};
  Stopwatch stopwatch = stopwatchOf(device);
  Expected<Measurement> m = stopwatch.measure(
      [&] {
        device.clock += 1e-3;
        device.now.clockMhz = 1500; // it throttles
        return Status::success();
      },
      {}, {.warmUpSeconds = 0, .minimumSamples = 11});
  ASSERT_TRUE(m.ok());
  EXPECT_EQ(m->before.clockMhz, 1500); // behind the warm-up
  device.now.clockMhz = 1700;
  int runs = 0;
  m = stopwatch.measure(
      [&] {
        device.clock += 1e-3;
        if (++runs == 5)
          device.now.clockMhz = 1500;
        return Status::success();
      },
      {}, {.warmUpSeconds = 0});
  EXPECT_EQ(m->before.clockMhz, 1700);
  EXPECT_EQ(m->after.clockMhz, 1500);
  EXPECT_EQ(m->flushBytes, uint64_t(128) << 20); // of a device whose caches are not known
}

TEST(Stopwatch, AClockThatJumpsMovesNoMedian) {
  ScriptDevice device;
  int runs = 0;
  Expected<Measurement> m = stopwatchOf(device).measure(
      [&] {
        device.clock += ++runs == 7 ? 3600 : 1e-3; // an hour, once
        return Status::success();
      },
      {}, {.warmUpSeconds = 0, .minimumSamples = 11});
  ASSERT_TRUE(m.ok());
  EXPECT_NEAR(m->seconds.median, 1e-3, 1e-9);
  EXPECT_NEAR(m->seconds.high, 1e-3, 1e-9);
  EXPECT_NEAR(m->seconds.maximum, 3600, 1);
  EXPECT_EQ(m->samples.size(), 11u); // and the time is used up

  runs = 0; // backwards
  m = stopwatchOf(device).measure(
      [&] {
        device.clock += ++runs == 7 ? -5 : 1e-3;
        return Status::success();
      },
      {}, {.warmUpSeconds = 0});
  ASSERT_FALSE(m.ok());
  EXPECT_EQ(m.error().id(), "E-MEASURE-NO-TIME");
}

TEST(Stopwatch, StopsWhenTheMedianIsKnown) {
  ScriptDevice device;
  Stopwatch stopwatch = stopwatchOf(device);
  Expected<Measurement> m = stopwatch.measure(device.work('r', 1e-3), {}, {.minimumSamples = 11});
  ASSERT_TRUE(m.ok());
  EXPECT_EQ(m->samples.size(), 20u); // the first multiple of ten behind the minimum
}

TEST(Stopwatch, StopsWhenTheTimeIsUsedUp) {
  ScriptDevice device;
  Stopwatch stopwatch = stopwatchOf(device);
  int i = 0;
  auto noisy = [&] { // alternates, so that the interval stays wide
    device.clock += ++i % 2 ? 0.1 : 0.3;
    return Status::success();
  };
  Expected<Measurement> m = stopwatch.measure(noisy, {}, {.minimumSamples = 11, .maximumSeconds = 4});
  ASSERT_TRUE(m.ok());
  EXPECT_NEAR(double(m->samples.size()), 20, 1); // 0.2 s each
}

TEST(Stopwatch, RefusesWhatNoDeviceCanDo) {
  ScriptDevice device;
  Stopwatch stopwatch = stopwatchOf(device);
  stopwatch.limits.operationsPerSecond = 1e12;
  stopwatch.limits.bytesPerSecond = 1e9;
  auto run = device.work('r', 1e-3);
  EXPECT_TRUE(stopwatch.measure(run, {.operations = 1.04e9, .bytes = 1.04e6}, {}).ok());
  for (Work work : {Work{.operations = 1.06e9}, Work{.bytes = 1.06e6}}) {
    Expected<Measurement> m = stopwatch.measure(run, work, {});
    ASSERT_FALSE(m.ok());
    EXPECT_EQ(m.error().id(), "E-MEASURE-ABOVE-LIMIT");
    // Warm runs may read from a cache.
    EXPECT_TRUE(stopwatch.measure(run, work, {.cache = CacheState::Warm}).ok());
  }
}

TEST(Stopwatch, RefusesAClockThatStands) {
  ScriptDevice device;
  Expected<Measurement> m = stopwatchOf(device).measure(device.work('r', 0), {}, {});
  ASSERT_FALSE(m.ok());
  EXPECT_EQ(m.error().id(), "E-MEASURE-NO-TIME");
}

TEST(Stopwatch, NeedsAClock) {
  ScriptDevice device;
  device.hasClock = false;
  Expected<Stopwatch> stopwatch = Stopwatch::create(device);
  ASSERT_FALSE(stopwatch.ok());
  EXPECT_EQ(stopwatch.error().id(), "E-DEVICE-NO-TIME");
}

TEST(Stopwatch, PassesOnTheErrorOfARun) {
  ScriptDevice device;
  Expected<Measurement> m = stopwatchOf(device).measure(
      [] { return Status::error(Exit::Unexpected, "E-DEVICE-FAULT", "it broke"); }, {}, {});
  ASSERT_FALSE(m.ok());
  EXPECT_EQ(m.error().id(), "E-DEVICE-FAULT");
}

TEST(Stopwatch, PairsTakeTurns) {
  ScriptDevice device;
  Stopwatch stopwatch = stopwatchOf(device);
  auto both = stopwatch.measurePair(device.work('a', 2e-3), device.work('b', 1e-3), {}, {.warmUpSeconds = 0});
  ASSERT_TRUE(both.ok());
  EXPECT_EQ(device.log.substr(0, 10), "ab.a.b.a.b");
  ASSERT_EQ(both->first.samples.size(), both->second.samples.size());
  EXPECT_NEAR(estimateRatio(both->first.samples, both->second.samples).median, 2, 1e-9);
}

TEST(DeviceLimits, OfACardAndOfTheHost) {
  DeviceInfo card;
  card.vendor = "nvidia";
  card.architecture = "sm_90";
  DeviceLimits limits = deviceLimits(card);
  EXPECT_GT(limits.operationsPerSecond, 1.9e15); // fp8
  EXPECT_GT(limits.bytesPerSecond, 3.3e12);
  EXPECT_GE(limits.cacheBytes, uint64_t(50) << 20);
  DeviceInfo host;
  host.vendor = "cpu";
  host.units = 2;
  EXPECT_EQ(deviceLimits(host).operationsPerSecond, 0);
}

} // namespace
