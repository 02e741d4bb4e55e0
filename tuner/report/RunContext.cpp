//===- RunContext.cpp -----------------------------------------------------===//
#include "tuner/report/RunContext.h"

#include "runtime/measure/HostPeaks.h"
#include "support/Threads.h"

#include <algorithm>
#include <cmath>

namespace quern::report {

using namespace runtime;

namespace {

constexpr const char *rangeNames[] = {"clock_mhz", "memory_clock_mhz", "power_watts", "power_limit_watts",
                                      "temperature_celsius"};
/// A measured peak on a busy machine may be this many times too low.
constexpr double measuredSlack = 2;
/// Beyond every cache of the machines that are known.
constexpr size_t bandwidthBytes = size_t(256) << 20;

std::string digestOf(const Artifact &artifact, const std::string &member) {
  auto found = artifact.manifest().members.find(member);
  return found == artifact.manifest().members.end() ? std::string() : found->second.hex();
}

} // namespace

void ConditionsLog::add(const DeviceConditions &now) {
  const std::optional<double> values[] = {now.clockMhz, now.memoryClockMhz, now.powerWatts,
                                          now.powerLimitWatts, now.temperatureCelsius};
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!values[i])
      continue;
    Range &range = ranges[i];
    range.low = range.seen ? std::min(range.low, *values[i]) : *values[i];
    range.high = range.seen ? std::max(range.high, *values[i]) : *values[i];
    range.seen = true;
  }
  source = now.source;
  absence = now.absence;
}

void ConditionsLog::write(Json &context) const {
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!ranges[i].seen)
      continue;
    Json &json = context.set(rangeNames[i], Json::object());
    json.set("min", ranges[i].low);
    json.set("max", ranges[i].high);
  }
  if (!source.empty())
    context.set("conditions_source", source);
  if (!absence.empty())
    context.set("conditions_absence", absence);
}

Json sessionContext(Session &session) {
  const DeviceInfo &info = session.deviceInfo();
  const Artifact &artifact = session.artifact();
  const Manifest &manifest = artifact.manifest();
  Json context = Json::object();
  context.set("num_cpus", uint64_t(availableThreads()));
  context.set("device", info.name);
  context.set("device_description", info.description);
  context.set("architecture", info.architecture);
  context.set("units", uint64_t(info.units));
  context.set("memory_bytes", info.memoryBytes);
  context.set("driver", info.driver.empty() ? "none" : info.driver);
  // Host threads that compute: those of a CPU; a GPU has one that launches.
  context.set("threads", info.vendor == "cpu" ? uint64_t(info.units) : uint64_t(1));
  context.set("artifact", artifact.name());
  context.set("model", manifest.model);
  context.set("model_bytes", artifact.weights().totalBytes());
  context.set("target", session.plan().target);
  context.set("rung", session.plan().rung);
  context.set("compiler", manifest.fingerprint);
  context.set("module", digestOf(artifact, "model.mlir"));
  for (const ManifestTarget &target : manifest.targets)
    if (target.target == session.plan().target)
      context.set("plan", digestOf(artifact, "plan/" + target.folder + ".json"));
  const std::string tuning = digestOf(artifact, "tuning.jsonl");
  context.set("tuning", tuning.empty() ? "none: default schedules" : tuning);
  return context;
}

DeviceRates deviceRates(const DeviceInfo &device, unsigned threads) {
  DeviceRates rates;
  rates.limits = deviceLimits(device);
  if (device.vendor != "cpu") {
    rates.peaks = {rates.limits.operationsPerSecond, rates.limits.bytesPerSecond};
    return rates;
  }
  for (HostUnit unit : {HostUnit::Fma256, HostUnit::Fma512, HostUnit::Bf16Dot512})
    if (std::optional<Estimate> peak = hostPeak(unit, threads))
      rates.peaks.operationsPerSecond = std::max(rates.peaks.operationsPerSecond, peak->maximum);
  rates.peaks.bytesPerSecond = hostReadBandwidth(threads, bandwidthBytes).maximum;
  rates.limits.operationsPerSecond = measuredSlack * rates.peaks.operationsPerSecond;
  rates.limits.bytesPerSecond = measuredSlack * rates.peaks.bytesPerSecond;
  return rates;
}

std::vector<std::string> rowNames(const std::vector<StepKernel> &kernels, int64_t tokens) {
  std::vector<std::string> names;
  std::map<std::string, int> seen;
  for (const StepKernel &kernel : kernels) {
    std::string name = kernel.name(tokens);
    const int count = ++seen[name];
    names.push_back(count == 1 ? name : name + "#" + std::to_string(count));
  }
  return names;
}

void describeKernel(const StepKernel &kernel, ResultRow &row) {
  row.weight = kernel.launches;
  row.operations = kernel.work.operations;
  row.bytes = kernel.work.bytes;
  row.facts["symbol"] = kernel.symbol;
  row.facts["kernel"] = kernel.text;
  row.facts["note"] = kernel.note;
  row.facts["blocks"] = std::to_string(kernel.blocks);
  row.facts["threads"] = std::to_string(kernel.threads);
}

std::optional<double> vectorDifference(std::span<const float> x, std::span<const float> y) {
  if (x.size() != y.size() || x.empty())
    return std::nullopt;
  double product = 0, squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]) && x[i] == y[i])
      continue; // columns that stand for no token
    product += double(x[i]) * double(y[i]);
    squares += double(x[i]) * double(x[i]) + double(y[i]) * double(y[i]);
  }
  if (!std::isfinite(product) || !std::isfinite(squares))
    return std::nullopt;
  return squares == 0 ? 0 : 1 - 2 * product / squares;
}

} // namespace quern::report
