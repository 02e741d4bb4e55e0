//===- BenchVerb.cpp ------------------------------------------------------===//
#include "tools/cli/BenchVerb.h"
#include "tools/cli/Counters.h"
#include "tools/cli/Program.h"

#include "runtime/measure/StepTimes.h"
#include "support/Files.h"
#include "support/Json.h"

#include <algorithm>
#include <cstdio>
#include <memory>

namespace quern::tools {

using namespace quern::runtime;

namespace {

struct BenchOptions {
  std::string artifact, filter, counters;
  std::vector<int64_t> tokens = {1, 128};
  bool warm = false;
  MeasureOptions measure;
  SessionOptions session;
  OutputFormat format = OutputFormat::Text;
  ProgramFlags flags;
};

/// The kernels of one size of step.
struct StepRows {
  int64_t tokens;
  std::vector<KernelTime> kernels;

  double seconds() const {
    double sum = 0;
    for (const KernelTime &kernel : kernels)
      sum += kernel.stepSeconds();
    return sum;
  }
};

void printText(const Session &session, const BenchOptions &options, const std::vector<StepRows> &steps) {
  const DeviceInfo &info = session.deviceInfo();
  std::printf("%s, %s, %u units%s%s; plan %s (%s), caches %s\n", info.name.c_str(), info.description.c_str(),
              info.units, info.driver.empty() ? "" : ", driver ", info.driver.c_str(),
              session.plan().target.c_str(), session.plan().rung.c_str(),
              cacheStateName(options.measure.cache));
  for (const StepRows &step : steps) {
    std::printf("\nstep of %lld tokens: %.1f us in kernels\n", static_cast<long long>(step.tokens),
                step.seconds() * 1e6);
    std::printf("  %-32s %-14s %8s %10s %10s %21s %6s\n", "kernel", "for", "launches", "blocks", "median us",
                "95 % interval us", "share");
    for (const KernelTime &kernel : step.kernels) {
      const Estimate &e = kernel.measurement.seconds;
      std::printf("  %-32s %-14s %8u %10u %10.2f %10.2f-%-10.2f %5.1f%%\n", kernel.symbol.c_str(),
                  kernel.note.c_str(), kernel.launches, kernel.blocks, e.median * 1e6, e.low * 1e6,
                  e.high * 1e6, 100 * kernel.stepSeconds() / step.seconds());
    }
  }
}

/// The form of Google Benchmark's --benchmark_format=json, which its tools/compare.py reads: one entry per
/// kernel with the median as its time, and fields of our own beside.
void printJson(const Session &session, const BenchOptions &options, const std::vector<StepRows> &steps) {
  const DeviceInfo &info = session.deviceInfo();
  Json root = Json::object(), context = Json::object(), list = Json::array();
  context.set("executable", "quern bench kernel");
  context.set("num_cpus", uint64_t(info.units));
  context.set("device", info.name);
  context.set("device_description", info.description);
  context.set("architecture", info.architecture);
  context.set("driver", info.driver);
  context.set("artifact", session.artifact().name());
  context.set("target", session.plan().target);
  context.set("rung", session.plan().rung);
  context.set("compiler", session.artifact().manifest().fingerprint);
  context.set("cache_state", cacheStateName(options.measure.cache));
  root.set("context", std::move(context));
  for (const StepRows &step : steps)
    for (const KernelTime &kernel : step.kernels) {
      const Measurement &m = kernel.measurement;
      Json &row = list.push(Json::object());
      const std::string name = kernel.symbol + "/" + kernel.note + "/tokens:" + std::to_string(step.tokens) +
                               "/scalars:" + kernel.scalars;
      row.set("name", name);
      row.set("run_name", name);
      row.set("run_type", "iteration");
      row.set("repetitions", uint64_t(m.samples.size()));
      row.set("iterations", uint64_t(m.samples.size()) * m.runsPerSample);
      row.set("real_time", m.seconds.median * 1e6);
      row.set("cpu_time", m.seconds.median * 1e6);
      row.set("time_unit", "us");
      row.set("real_time_low", m.seconds.low * 1e6);
      row.set("real_time_high", m.seconds.high * 1e6);
      row.set("real_time_min", m.seconds.minimum * 1e6);
      row.set("blocks", uint64_t(kernel.blocks));
      row.set("launches_per_step", uint64_t(kernel.launches));
      row.set("kernel", kernel.text);
    }
  root.set("benchmarks", std::move(list));
  std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
}

/// In place of times, which an emulated device does not have. The document holds a report for each size.
Status countKernels(Session &session, const BenchOptions &options) {
  Json root = Json::object(), steps = Json::array();
  for (int64_t tokens : options.tokens) {
    QUERN_ASSIGN_OR_RETURN(CounterReport report, countStep(session, tokens, options.filter));
    if (options.format == OutputFormat::Text)
      std::printf("step of %lld tokens: %s\n", static_cast<long long>(tokens),
                  countersText(report, false).c_str());
    Json &step = steps.push(countersJson(report));
    step.set("tokens", tokens);
  }
  root.set("schema", "quern.counters.steps");
  root.set("schema_version", 1);
  root.set("steps", std::move(steps));
  const std::string text = writeJson(root, {.indent = 2}) + "\n";
  if (options.format == OutputFormat::Json)
    std::printf("%s", text.c_str());
  return options.counters == "-" ? Status::success() : writeFile(options.counters, text);
}

Status benchKernels(const BenchOptions &options) {
  if (!options.counters.empty())
    QUERN_RETURN_IF_ERROR(checkCountersDevice(options.session.device));
  SessionOptions own = options.session;
  own.tokensPerStep = *std::max_element(options.tokens.begin(), options.tokens.end());
  own.context = own.tokensPerStep;
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::open(options.artifact, own));
  if (!options.counters.empty())
    return countKernels(*session, options);
  std::vector<StepRows> steps;
  for (int64_t tokens : options.tokens) {
    QUERN_ASSIGN_OR_RETURN(std::vector<KernelTime> kernels,
                           timeKernels(*session, tokens, options.filter, options.measure));
    std::sort(kernels.begin(), kernels.end(), [](const KernelTime &a, const KernelTime &b) {
      return std::pair(b.stepSeconds(), a.symbol) < std::pair(a.stepSeconds(), b.symbol);
    });
    steps.push_back({tokens, std::move(kernels)});
  }
  if (options.format == OutputFormat::Json)
    printJson(*session, options, steps);
  else
    printText(*session, options, steps);
  return Status::success();
}

} // namespace

VerbBody addBenchFlags(CLI::App &app, EmulatedFactory emulated) {
  auto options = std::make_shared<BenchOptions>();
  options->session.deviceOptions.emulated = emulated;
  app.require_subcommand(1);
  CLI::App *verb = app.add_subcommand("kernel", "Time every kernel of a step of the model");
  verb->add_option("ARTIFACT", options->artifact, "The artifact (*.quern)")->required();
  verb->add_option("--kernel", options->filter, "Only kernels with this in their text")->default_str("all");
  verb->add_option("--tokens", options->tokens, "Tokens of a step, several with commas between")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  verb->add_flag("--warm-cache", options->warm,
                 "Leave in the caches what the last run left; default: they are emptied before each run");
  verb->add_option("--max-time", options->measure.maximumSeconds, "Seconds of samples for one kernel")
      ->check(CLI::Range(0.001, 3600.0));
  verb->add_option("--device", options->session.device, "cpu, cuda:0, hip:0; default: the best present");
  verb->add_option("--threads", options->session.deviceOptions.threads, "Host threads; default: all allowed")
      ->check(CLI::Range(1u, 4096u));
  verb->add_option("--weights-dir", options->session.weightsDirectory,
                   "The checkpoint of an artifact with linked weights");
  addCountersFlag(*verb, options->counters);
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status {
    if (options->filter == "all")
      options->filter.clear();
    options->session.deviceOptions.counters = !options->counters.empty();
    options->measure.cache = options->warm ? CacheState::Warm : CacheState::Cold;
    return benchKernels(*options);
  };
}

} // namespace quern::tools
