//===- MeasureVerb.cpp ----------------------------------------------------===//
#include "tools/cli/MeasureVerb.h"
#include "tools/cli/Program.h"

#include "runtime/Devices.h"
#include "support/Threads.h"
#include "tuner/bundle/MeasureBundle.h"
#include "tuner/measure/Identity.h"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>

namespace quern::tools {

using namespace quern::tuner;

Status parseShard(const std::string &text, unsigned &shard, unsigned &shards) {
  const char *end = text.data() + text.size();
  auto first = std::from_chars(text.data(), end, shard);
  auto second = first.ptr != end && *first.ptr == '/'
                    ? std::from_chars(first.ptr + 1, end, shards)
                    : std::from_chars_result{end, std::errc::invalid_argument};
  if (first.ec != std::errc() || second.ec != std::errc() || second.ptr != end || shard < 1 || shard > shards)
    return Status::error(Exit::Usage, "E-SHARD", "`" + text + "` is no shard")
        .remedy("write 1/3, 2/3 or 3/3");
  --shard;
  return Status::success();
}

namespace {

struct Options {
  std::string bundle, results, device, shard = "1/1";
  uint32_t threads = 0;
  double budget = 0, deadline = 10;
  bool warm = false;
  MeasureBundleOptions measure;
  ProgramFlags flags;
};

/// The device without opening it: a candidate must not find this process inside of the driver.
Expected<runtime::DeviceInfo> findDevice(const std::string &name) {
  for (const runtime::BackendDevices &backend : runtime::listDevices())
    for (const runtime::DeviceInfo &info : backend.devices)
      if (name.empty() || info.name == name || info.name == name + ":0")
        return info;
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<runtime::Device> device, runtime::openDevice(name));
  return device->info();
}

Status measure(Options &options) {
  QUERN_RETURN_IF_ERROR(parseShard(options.shard, options.measure.shard, options.measure.shards));
  QUERN_ASSIGN_OR_RETURN(Bundle bundle, Bundle::open(options.bundle));
  if (options.results.empty())
    options.results = options.bundle + ".jsonl";
  if (options.device.starts_with("emulated:"))
    return Status::error(Exit::Unsupported, "E-DEVICE-NO-TIME", "an emulated device has no time")
        .remedy("name a real device");
  QUERN_ASSIGN_OR_RETURN(runtime::DeviceInfo info, findDevice(options.device));
  const std::string targets[] = {bundle.target()};
  if (Expected<size_t> code = runtime::chooseCode(info, targets); !code.ok())
    return Status::error(Exit::Unsupported, "E-BUNDLE-DEVICE",
                         "the bundle is for `" + bundle.target() + "`, which `" + info.name + "` cannot run")
        .cause(code.error().sentence())
        .remedy("name another device with --device, or make a bundle with another --target");
  if (info.vendor == "cpu")
    info.units = options.threads ? options.threads : defaultThreads();
  options.measure.driver = info.driver;
  size_t total = 0;
  for (size_t p = options.measure.shard; p < bundle.problems().size(); p += options.measure.shards)
    total += bundle.problems()[p].candidates.size();
  Progress progress(options.flags.progressMode(), "measure", total);
  size_t failures = 0;
  double best = 0;
  std::string bestConfig;
  options.measure.told = [&](const std::string &config, const TrialResult &result) {
    failures += !result.ok();
    if (result.ok() && !result.samples.empty()) {
      if (const double time = result.seconds().median; best == 0 || time < best) {
        best = time;
        bestConfig = config;
      }
    }
    char text[200];
    std::snprintf(text, sizeof text, "fastest %.2f us %s; %zu failed", best * 1e6, bestConfig.c_str(),
                  failures);
    progress.note(text);
    progress.add(1);
  };
  options.measure.now = [] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  options.measure.measure.cache = options.warm ? runtime::CacheState::Warm : runtime::CacheState::Cold;
  options.measure.measure.minimumSamples = 11;
  options.measure.measure.maximumSamples = 101;
  options.measure.measure.maximumSeconds = 0.3;
  options.measure.deadline = std::chrono::milliseconds(int64_t(options.deadline * 1000));
  if (options.budget > 0)
    options.measure.end =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(int64_t(options.budget * 1000));
  MeasureProcess process("/proc/self/exe", info.name, options.threads);
  QUERN_ASSIGN_OR_RETURN(MeasureBundleResult result,
                         measureBundle(bundle, process, identityOf(info), options.results, options.measure));
  progress.finish();
  std::printf("%zu candidates on %s (%s): %zu measured, %zu known before, %zu failed%s\n", result.candidates,
              info.name.c_str(), info.description.c_str(), result.measured, result.known, result.failed,
              result.complete ? "" : "; the time was over, the same command goes on from here");
  std::printf("results in %s; `quern db merge` takes them in\n", options.results.c_str());
  return Status::success();
}

} // namespace

VerbBody addMeasureFlags(CLI::App &app) {
  auto options = std::make_shared<Options>();
  app.add_option("BUNDLE", options->bundle, "The tuning bundle (*.qbundle)")->required();
  app.add_option("-o,--output", options->results, "File that results are added to")
      ->default_str("<BUNDLE>.jsonl");
  app.add_option("--device", options->device, "cpu, cuda:0, hip:0")->default_str("the best present");
  app.add_option("--threads", options->threads, "Host threads of a CPU device; 0 for all allowed")
      ->check(CLI::Range(0u, 4096u));
  app.add_option("--shard", options->shard, "Which part of the problems: 1/3 is the first of three");
  app.add_option("--budget", options->budget, "Seconds after which nothing new is begun; 0 for no limit")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--deadline", options->deadline, "Seconds after which a candidate counts as hung")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_flag("--warm-cache", options->warm, "Leave in the caches what the last run left");
  addProgramFlags(app, options->flags);
  return [=]() -> Status { return measure(*options); };
}

} // namespace quern::tools
