//===- BenchVerb.cpp ------------------------------------------------------===//
#include "tools/cli/BenchVerb.h"
#include "tools/cli/Counters.h"
#include "tools/cli/Program.h"
#include "tools/cli/Rows.h"

#include "runtime/measure/StepTimes.h"
#include "support/Files.h"
#include "support/Interrupt.h"
#include "tuner/report/RunContext.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <memory>

namespace quern::tools {

using namespace quern::runtime;

namespace {

struct BenchOptions {
  std::string artifact, filter, counters;
  std::vector<int64_t> tokens = {1, 128};
  bool warm = false, loop = false;
  MeasureOptions measure;
  ModelTestFlags tests;
  uint32_t repetitions = 5;
  SessionOptions session;
  OutputFormat format = OutputFormat::Text;
  ProgramFlags flags;
};

/// "95 GFLOP/s and 12 GB/s measured on 2 threads"; the device's peak stands beside every result.
std::string ratesText(const DeviceInfo &info, const report::Peaks &peaks) {
  if (!peaks.operationsPerSecond && !peaks.bytesPerSecond)
    return "peaks not known";
  char text[120];
  std::snprintf(text, sizeof text, "peaks %.4g GFLOP/s, %.4g GB/s%s", peaks.operationsPerSecond / 1e9,
                peaks.bytesPerSecond / 1e9, info.vendor == "cpu" ? " (measured now)" : " (of the card)");
  return text;
}

void printHead(const Session &session, const report::ResultSet &set) {
  const DeviceInfo &info = session.deviceInfo();
  std::printf("%s, %s, %u units%s%s; plan %s (%s); %s\n", info.name.c_str(), info.description.c_str(),
              info.units, info.driver.empty() ? "" : ", driver ", info.driver.c_str(),
              session.plan().target.c_str(), session.plan().rung.c_str(), ratesText(info, set.peaks).c_str());
  std::string conditions;
  auto show = [&](const char *key, const char *unit) {
    if (const Json *range = set.context.find(key)) {
      char text[80];
      std::snprintf(text, sizeof text, "%s%.5g to %.5g %s", conditions.empty() ? "" : ", ",
                    range->find("min")->number(), range->find("max")->number(), unit);
      conditions += text;
    }
  };
  show("clock_mhz", "MHz");
  show("power_watts", "W");
  show("temperature_celsius", "degrees C");
  if (const Json *absence = set.context.find("conditions_absence"))
    conditions += (conditions.empty() ? "" : "; ") + absence->string();
  std::printf("conditions: %s\n", conditions.c_str());
}

// One size of step, with the kernels that take longest first.
void printKernels(int64_t tokens, const std::vector<KernelTime> &kernels) {
  double sum = 0;
  for (const KernelTime &kernel : kernels)
    sum += kernel.stepSeconds();
  std::printf("\nstep of %lld tokens: %.1f us in kernels\n", static_cast<long long>(tokens), sum * 1e6);
  std::printf("  %-32s %-14s %8s %10s %10s %21s %6s %9s\n", "kernel", "for", "launches", "blocks",
              "median us", "95 % interval us", "share", "GB/s read");
  for (const KernelTime &kernel : kernels) {
    const Estimate &e = kernel.measurement.seconds;
    std::printf("  %-32s %-14s %8u %10u %10.2f %10.2f-%-10.2f %5.1f%% %9.3g\n", kernel.symbol.c_str(),
                kernel.note.c_str(), kernel.launches, kernel.blocks, e.median * 1e6, e.low * 1e6,
                e.high * 1e6, 100 * kernel.stepSeconds() / sum, kernel.measurement.bytesPerSecond() / 1e9);
  }
}

/// What `--format` asks for of rows that are Google Benchmark's.
void printRows(const report::ResultSet &set, OutputFormat format) {
  const Json document = report::kernelResults(set);
  if (format == OutputFormat::Json) {
    std::printf("%s\n", writeJson(document, {.indent = 2}).c_str());
    return;
  }
  std::vector<Json> rows;
  for (const Json &row : document.find("benchmarks")->items()) {
    Json &one = rows.emplace_back(Json::object());
    for (const Json::Member &member : row.members())
      if (format == OutputFormat::Jsonl || !member.value.isArray())
        one.set(member.key, member.value);
  }
  std::printf("%s", rowsText(report::kernelSchema, rows, format).c_str());
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
  // An emulated device is refused before host peaks are measured for it.
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Timer> clock, session->launchDevice().timer());
  const DeviceInfo &info = session->deviceInfo();
  const report::DeviceRates rates = report::deviceRates(info, info.units);
  report::ResultSet set;
  set.name = info.name;
  set.peaks = rates.peaks;
  set.limits = {rates.limits.operationsPerSecond, rates.limits.bytesPerSecond};
  set.context = report::sessionContext(*session);
  report::ConditionsLog conditions;
  std::vector<std::pair<int64_t, std::vector<KernelTime>>> steps;
  uint64_t flushBytes = 0;
  size_t graphs = 0, loops = 0;
  for (int64_t tokens : options.tokens) {
    QUERN_ASSIGN_OR_RETURN(std::vector<KernelTime> kernels,
                           timeKernels(*session, tokens, options.filter, options.measure, rates.limits));
    const std::vector<StepKernel> plain(kernels.begin(), kernels.end());
    const std::vector<std::string> names = report::rowNames(plain, tokens);
    for (size_t i = 0; i < kernels.size(); ++i) {
      const Measurement &m = kernels[i].measurement;
      conditions.add(m.before);
      conditions.add(m.after);
      flushBytes = m.flushBytes;
      ++(m.replay == Replay::Graph ? graphs : loops);
      report::ResultRow row = report::makeRow(names[i], "kernel", m.samples);
      report::describeKernel(kernels[i], row);
      row.facts["replay"] = replayName(m.replay);
      row.facts["runs_per_sample"] = std::to_string(m.runsPerSample);
      set.rows.push_back(std::move(row));
    }
    std::sort(kernels.begin(), kernels.end(), [](const KernelTime &a, const KernelTime &b) {
      return std::pair(b.stepSeconds(), a.symbol) < std::pair(a.stepSeconds(), b.symbol);
    });
    steps.emplace_back(tokens, std::move(kernels));
  }
  Json tokens = Json::array();
  for (int64_t count : options.tokens)
    tokens.push(count);
  set.context.set("executable", "quern bench kernel");
  set.context.set("cache_state", cacheStateName(options.measure.cache));
  set.context.set("flush_bytes", flushBytes);
  set.context.set("replay", graphs && loops ? "graph where it is short" : graphs ? "graph" : "loop");
  set.context.set("batch", 1);
  set.context.set("tokens", std::move(tokens));
  set.context.set("discarded", Json::array());
  set.context.set("clock_requested", "none: as the device runs by itself");
  conditions.write(set.context);
  if (options.format != OutputFormat::Text) {
    printRows(set, options.format);
    return Status::success();
  }
  printHead(*session, set);
  std::printf("caches %s, %s\n", cacheStateName(options.measure.cache),
              set.context.find("replay")->string().c_str());
  for (const auto &[count, kernels] : steps)
    printKernels(count, kernels);
  return Status::success();
}

void printModel(const report::ResultSet &set, OutputFormat format) {
  if (format == OutputFormat::Json) {
    std::printf("%s\n", writeJson(report::modelResults(set), {.indent = 2}).c_str());
    return;
  }
  std::vector<Json> rows;
  for (const report::ResultRow &row : set.rows) {
    Json whole = report::modelRow(set, row);
    if (format != OutputFormat::Md) {
      rows.push_back(std::move(whole));
      continue;
    }
    // The columns that llama-bench shows people.
    Json &one = rows.emplace_back(Json::object());
    for (auto [column, key] : {std::pair("model", "model_filename"),
                               {"size", "model_size"},
                               {"device", "device"},
                               {"threads", "n_threads"},
                               {"test", "test"}})
      if (const Json *value = whole.find(key))
        one.set(column, key == std::string("model_size") ? Json(formatBytes(value->number())) : *value);
    char rate[64];
    std::snprintf(rate, sizeof rate, "%.2f ± %.2f", whole.find("avg_ts")->number(),
                  whole.find("stddev_ts")->number());
    one.set("t/s", rate);
  }
  std::printf("%s", rowsText(report::modelSchema, rows, format).c_str());
}

Status benchModel(const BenchOptions &options) {
  ModelTestFlags flags = options.tests;
  if (flags.prompts.empty() && flags.generated.empty() && flags.both.empty()) {
    flags.prompts = {512};
    flags.generated = {128};
  }
  QUERN_ASSIGN_OR_RETURN(std::vector<ModelTest> tests, flags.tests());
  SessionOptions own = options.session;
  for (const ModelTest &test : tests)
    own.context = std::max(own.context, test.positions());
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Session> session, Session::open(options.artifact, own));
  report::ResultSet set;
  set.name = session->deviceInfo().name;
  set.context = report::sessionContext(*session);
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Timer> clock,
                         session->launchDevice().timer()); // an emulated device has none
  set.peaks = report::deviceRates(session->deviceInfo(), session->deviceInfo().units).peaks;
  report::ConditionsLog conditions;
  Progress progress(options.flags.progressMode(), "bench model", tests.size() * (options.repetitions + 1));
  for (const ModelTest &test : tests) {
    std::vector<double> samples;
    for (uint32_t i = 0; i <= options.repetitions; ++i) { // the first is warm-up
      QUERN_RETURN_IF_ERROR(checkInterrupt());
      QUERN_ASSIGN_OR_RETURN(double seconds, timeModel(*session, test));
      conditions.add(session->launchDevice().conditions());
      if (i)
        samples.push_back(seconds);
      progress.add(1);
    }
    report::ResultRow row = report::makeRow(test.name(), "model", std::move(samples));
    row.tokens = test.tokens();
    row.facts = {{"n_prompt", std::to_string(test.prompt)},
                 {"n_gen", std::to_string(test.generated)},
                 {"n_depth", std::to_string(test.depth)}};
    set.rows.push_back(std::move(row));
  }
  progress.finish();
  Json discarded = Json::array();
  discarded.push("the first run of each test");
  set.context.set("executable", "quern bench model");
  set.context.set("cache_state", "as the step leaves it");
  set.context.set("replay", "loop");
  set.context.set("batch", 1);
  set.context.set("discarded", std::move(discarded));
  set.context.set("clock_requested", "none: as the device runs by itself");
  conditions.write(set.context);
  if (options.format != OutputFormat::Text) {
    printModel(set, options.format);
    return Status::success();
  }
  printHead(*session, set);
  std::printf("\n  %-24s %12s %12s %12s %23s\n", "test", "tokens/s", "+-", "median ms", "95 % interval ms");
  for (const report::ResultRow &row : set.rows) {
    const Json json = report::modelRow(set, row);
    std::printf("  %-24s %12.2f %12.2f %12.3f %11.3f-%-11.3f\n", row.name.c_str(),
                json.find("avg_ts")->number(), json.find("stddev_ts")->number(), row.seconds.median * 1e3,
                row.seconds.low * 1e3, row.seconds.high * 1e3);
  }
  if (options.repetitions < 6)
    std::printf("  (fewer than 6 runs: from the smallest to the largest)\n");
  return Status::success();
}

void addKernelVerb(CLI::App &app, const std::shared_ptr<BenchOptions> &options) {
  CLI::App *verb = app.add_subcommand("kernel", "Time every kernel of a step of the model");
  verb->add_option("ARTIFACT", options->artifact, "The artifact (*.quern)")->required();
  verb->add_option("--kernel", options->filter, "Only kernels with this in their text")->default_str("all");
  verb->add_option("--tokens", options->tokens, "Tokens of a step, several with commas between")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  verb->add_flag("--warm-cache", options->warm,
                 "Leave in the caches what the last run left; default: they are emptied before each run");
  addCountersFlag(*verb, options->counters);
  verb->add_flag("--no-graph", options->loop, "Queue short warm runs one by one, not as a recorded graph");
  verb->add_option("--max-time", options->measure.maximumSeconds, "Seconds of samples for one kernel")
      ->check(CLI::Range(0.001, 3600.0));
  addSessionFlags(*verb, options->session);
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
}

void addModelVerb(CLI::App &app, const std::shared_ptr<BenchOptions> &options) {
  CLI::App *verb = app.add_subcommand("model", "Time prompts and generation: tokens per second");
  verb->add_option("ARTIFACT", options->artifact, "The artifact (*.quern)")->required();
  options->tests.add(*verb);
  verb->add_option("-r,--repetitions", options->repetitions, "Runs of each test, behind one that is left out")
      ->check(CLI::Range(1u, 100000u));
  addSessionFlags(*verb, options->session);
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
}

} // namespace

void ModelTestFlags::add(CLI::App &app) {
  const auto counts = CLI::Range(int64_t(1), int64_t(1) << 24);
  app.add_option("-p,--prompt", prompts, "Tokens of a prompt, several with commas between")
      ->delimiter(',')
      ->check(counts);
  app.add_option("-n,--gen", generated, "Tokens that are generated one by one, several with commas")
      ->delimiter(',')
      ->check(counts);
  app.add_option("--pg", both, "A prompt and generation behind it, as 512,128; repeatable")->take_all();
  app.add_option("-d,--depth", depths, "Tokens that the sequence holds before, several with commas")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(0), int64_t(1) << 24));
}

Expected<std::vector<ModelTest>> ModelTestFlags::tests() const {
  std::vector<ModelTest> tests;
  for (int64_t depth : depths) {
    for (int64_t count : prompts)
      tests.push_back({count, 0, depth});
    for (int64_t count : generated)
      tests.push_back({0, count, depth});
    for (const std::string &text : both) {
      ModelTest test{0, 0, depth};
      const char *end = text.data() + text.size();
      auto [comma, first] = std::from_chars(text.data(), end, test.prompt);
      if (first == std::errc() && comma != end && *comma == ',') {
        auto [stop, second] = std::from_chars(comma + 1, end, test.generated);
        if (second == std::errc() && stop == end && test.prompt > 0 && test.generated > 0 &&
            std::max(test.prompt, test.generated) <= int64_t(1) << 24) {
          tests.push_back(test);
          continue;
        }
      }
      return Status::error(Exit::Usage, "E-BENCH-TESTS",
                           "`" + text + "` is no pair of a prompt and generation")
          .remedy("write for example --pg 512,128");
    }
  }
  return tests;
}

void addSessionFlags(CLI::App &app, SessionOptions &options) {
  app.add_option("--device", options.device, "cpu, cuda:0, hip:0; default: the best present");
  app.add_option("--threads", options.deviceOptions.threads, "Host threads; default: all allowed")
      ->check(CLI::Range(1u, 4096u));
  app.add_option("--weights-dir", options.weightsDirectory,
                 "The checkpoint of an artifact with linked weights");
}

VerbBody addBenchFlags(CLI::App &app, EmulatedFactory emulated) {
  auto kernel = std::make_shared<BenchOptions>(), model = std::make_shared<BenchOptions>();
  for (const auto &options : {kernel, model})
    options->session.deviceOptions.emulated = emulated;
  app.require_subcommand(1);
  addKernelVerb(app, kernel);
  addModelVerb(app, model);
  return [kernel, model, &app]() -> Status {
    if (app.got_subcommand("model"))
      return benchModel(*model);
    if (kernel->filter == "all")
      kernel->filter.clear();
    kernel->session.deviceOptions.counters = !kernel->counters.empty();
    kernel->measure.cache = kernel->warm ? CacheState::Warm : CacheState::Cold;
    kernel->measure.replay = kernel->loop ? Replay::Loop : Replay::Graph;
    return benchKernels(*kernel);
  };
}

} // namespace quern::tools
