//===- TuneVerb.cpp - `quern tune` ----------------------------------------===//
#include "lowering/Compile.h"
#include "support/Files.h"
#include "support/Json.h"
#include "tools/cli/MeasureVerb.h"
#include "tools/cli/Rows.h"
#include "tools/quern/Verb.h"
#include "tuner/tune/TuneKernels.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <unistd.h>

namespace quern::tools {

using namespace quern::tuner;

namespace {

struct Options : TuneKernelsOptions {
  std::string source, effortText = "normal", budget, bundle, shardText = "1/1";
  std::vector<int64_t> tokens = {1, 16, 128, 512};
  std::vector<std::string> ops;
  bool warm = false;
  OutputFormat format = OutputFormat::Text;
  ProgramFlags flags;
};

/// A directory that goes away with what is in it.
struct Scratch {
  std::string path;
  ~Scratch() {
    std::error_code ignored;
    if (!path.empty())
      std::filesystem::remove_all(path, ignored);
  }
};

/// The target whose plan of an artifact is looked at: of several CPU levels any, since their plans launch the
/// same.
Expected<std::string> planTarget(const Options &options) {
  if (!options.target.empty() && options.target != "cpu")
    return options.target;
  return std::string("cpu:x86-64-v4");
}

/// The problems of a file of shapes, an artifact, or a checkpoint.
Expected<std::vector<KernelProblem>> readProblems(const Options &options, Log &log) {
  const std::filesystem::path source(options.source);
  std::error_code ignored;
  if (source.extension() == ".jsonl") {
    QUERN_ASSIGN_OR_RETURN(std::string text, readFile(options.source, uint64_t(64) << 20));
    return readShapes(text, options.source);
  }
  QUERN_ASSIGN_OR_RETURN(std::string target, planTarget(options));
  if (!std::filesystem::is_directory(source, ignored) && source.filename() != "config.json")
    return problemsOfArtifact(options.source, target, options.tokens);
  // The plan of a checkpoint needs its configuration alone.
  Scratch scratch;
  std::string pattern = temporaryDirectory() + "/quern-tune-XXXXXX";
  if (!mkdtemp(pattern.data()))
    return outputError(pattern, errno);
  scratch.path = pattern;
  lowering::CompileOptions compile;
  compile.directory = options.source;
  compile.targets = {target};
  compile.output = scratch.path + "/plan.quern";
  compile.weights = lowering::WeightsMode::Random;
  compile.workerProgram = options.program;
  compile.log = &log;
  QUERN_ASSIGN_OR_RETURN(lowering::CompileReport report, lowering::compileModel(compile));
  log.debug("lowered `" + options.source + "`: " + std::to_string(report.kernels.size()) + " kernels");
  return problemsOfArtifact(compile.output, target, options.tokens);
}

std::string rangeText(const TuneResult &result) {
  const Choice &choice = result.choice;
  if (!choice.config)
    return "";
  char text[64];
  std::snprintf(text, sizeof text, "%.3f (%.3f-%.3f)", choice.ratio.median, choice.ratio.low,
                choice.ratio.high);
  return text;
}

std::vector<Json> rowsOf(const TuneReport &report) {
  std::vector<Json> rows;
  for (const TunedProblem &each : report.problems) {
    const TuneResult &r = each.result;
    Json row = Json::object();
    row.set("problem", r.record.text());
    row.set("rows", each.problem.rows);
    row.set("device", report.device);
    row.set("target", report.target);
    row.set("space", uint64_t(r.space));
    row.set("tried", uint64_t(r.tried));
    row.set("failed", uint64_t(r.failed));
    row.set("compiled_now", uint64_t(r.compiles));
    row.set("measured_now", uint64_t(r.measurements));
    row.set("complete", r.complete);
    row.set("default", r.standard);
    row.set("choice", r.choice.config.value_or(r.standard));
    row.set("ratio", r.choice.config ? r.choice.ratio.median : 1.0);
    row.set("ratio_low", r.choice.config ? r.choice.ratio.low : 1.0);
    row.set("ratio_high", r.choice.config ? r.choice.ratio.high : 1.0);
    row.set("why", r.choice.why);
    rows.push_back(std::move(row));
  }
  return rows;
}

void printReport(const TuneReport &report, const Options &options) {
  if (isRows(options.format)) {
    std::printf("%s", rowsText("quern.tune", rowsOf(report), options.format).c_str());
    return;
  }
  if (options.format == OutputFormat::Json) {
    Json root = Json::object();
    root.set("schema", "quern.tune");
    root.set("schema_version", 1);
    root.set("database", options.database);
    root.set("compiles", uint64_t(report.compiles));
    root.set("measurements", uint64_t(report.measurements));
    root.set("complete", report.complete);
    root.set("problems", Json::array(rowsOf(report)));
    std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
    return;
  }
  std::printf("%s, %s\n", report.device.c_str(), report.target.c_str());
  for (const TunedProblem &each : report.problems) {
    const TuneResult &r = each.result;
    std::printf("%s\n  tried %zu of %zu, %zu failed; %zu compiles and %zu measurements now%s\n",
                r.record.text().c_str(), r.tried, r.space, r.failed, r.compiles, r.measurements,
                r.complete ? "" : "; not finished");
    if (r.choice.config)
      std::printf("  %s takes %s of the default's time\n", r.choice.config->c_str(), rangeText(r).c_str());
    else
      std::printf("  the default stays, %s: %s\n", r.standard.c_str(), r.choice.why.c_str());
  }
  for (const auto &[problem, why] : report.skipped)
    std::printf("%s\n  skipped: %s\n", problem.text().c_str(), why.c_str());
  std::printf("%zu compiles, %zu measurements, %zu failed, %.1f s; `%s`%s\n", report.compiles,
              report.measurements, report.failures, report.seconds, options.database.c_str(),
              report.complete ? "" : "; the budget is used up, the same command goes on from here");
}

Status printModel(const std::vector<KernelProblem> &problems, const Options &options,
                  const std::string &target) {
  QUERN_ASSIGN_OR_RETURN(std::vector<ModelledProblem> all, modelKernels(problems, target, 5));
  std::vector<Json> rows;
  for (const ModelledProblem &each : all)
    for (const ModelledConfig &config : each.best) {
      Json row = Json::object();
      row.set("problem", each.problem.text());
      row.set("target", target);
      row.set("config", config.config);
      row.set("modelled_us", config.seconds * 1e6);
      row.set("default", config.isDefault);
      rows.push_back(std::move(row));
    }
  if (isRows(options.format) || options.format == OutputFormat::Json) {
    std::printf("%s", rowsText("quern.tune.modelled", rows,
                               options.format == OutputFormat::Json ? OutputFormat::Jsonl : options.format)
                          .c_str());
    return Status::success();
  }
  std::printf("modelled, not measured: costs of %s by the analytical model; nothing is kept\n",
              target.c_str());
  for (const ModelledProblem &each : all) {
    std::printf("%s: %zu points\n", each.problem.text().c_str(), each.space);
    for (const ModelledConfig &config : each.best)
      std::printf("  %10.2f  %s%s\n", config.seconds * 1e6, config.config.c_str(),
                  config.isDefault ? "  (default)" : "");
  }
  return Status::success();
}

Status tune(Options &options) {
  Log log(options.flags.logLevel());
  options.log = &log;
  options.progress = options.flags.progressMode();
  QUERN_ASSIGN_OR_RETURN(options.effort, parseEffort(options.effortText));
  if (!options.budget.empty()) {
    QUERN_ASSIGN_OR_RETURN(options.budgetSeconds, parseBudget(options.budget));
  }
  QUERN_RETURN_IF_ERROR(parseShard(options.shardText, options.shard, options.shards));
  options.cache = options.warm ? runtime::CacheState::Warm : runtime::CacheState::Cold;
  const bool emulated = options.device.starts_with("emulated:");
  if (emulated && options.target.empty())
    options.target = options.device.substr(std::string("emulated:").size());
  QUERN_ASSIGN_OR_RETURN(std::vector<KernelProblem> problems, readProblems(options, log));
  if (!options.ops.empty()) {
    std::erase_if(problems, [&](const KernelProblem &problem) {
      return std::find(options.ops.begin(), options.ops.end(), problem.kernel) == options.ops.end();
    });
    if (problems.empty())
      return Status::error(Exit::Usage, "E-TUNE-NOTHING", "`--ops` leaves no problem");
  }
  if (!options.bundle.empty()) {
    QUERN_ASSIGN_OR_RETURN(BundleReport report, emitBundle(problems, options.bundle, options));
    std::printf("%zu problems, %zu candidates (%zu did not compile) in %s\n", report.problems,
                report.candidates, report.failed, options.bundle.c_str());
    for (const auto &[problem, why] : report.skipped)
      std::printf("skipped %s: %s\n", problem.text().c_str(), why.c_str());
    std::printf("`quern-run measure %s` measures them\n", options.bundle.c_str());
    return Status::success();
  }
  if (emulated)
    return printModel(problems, options, options.target);
  if (options.database.empty())
    return Status::error(Exit::Usage, "E-USAGE", "no database is named").remedy("add --db FILE");
  QUERN_ASSIGN_OR_RETURN(TuneReport report, tuneKernels(problems, options));
  printReport(report, options);
  return Status::success();
}

} // namespace

VerbBody addTuneVerb(CLI::App &app) {
  auto options = std::make_shared<Options>();
  CLI::App *verb =
      app.add_subcommand("tune", "Search for the fastest configurations of kernels and remember them");
  verb->add_option("SOURCE", options->source,
                   "Checkpoint directory, artifact (*.quern) or file of problems (*.jsonl, docs/Tuning.md)")
      ->required();
  verb->add_option("--db", options->database, "Database that keeps every measurement")->envname("QUERN_DB");
  verb->add_option("--target", options->target, "Target of the code")
      ->default_str("the best that the device runs");
  verb->add_option("--device", options->device,
                   "cpu, cuda:0, hip:0; emulated:TARGET prints modelled costs and measures nothing")
      ->default_str("the best present");
  verb->add_option("--budget", options->budget, "Time after which nothing new is begun: 90s, 30m, 2h")
      ->default_str("no limit");
  verb->add_option("--effort", options->effortText,
                   "Configurations tried of each problem: min 8, quick 16, normal 32, full all");
  verb->add_option("--ops", options->ops, "Only these kernels, with commas between")->delimiter(',');
  verb->add_option("--tokens", options->tokens, "Tokens of a step, for checkpoints and artifacts")
      ->delimiter(',')
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20));
  verb->add_option("--emit-bundle", options->bundle,
                   "Write candidates for `quern-run measure`; no device is needed");
  verb->add_option("--shard", options->shardText, "Which part of the problems: 1/3 is the first of three");
  verb->add_option("--seed", options->seed, "Seed of the search and of the inputs");
  verb->add_option("--workers", options->workers, "Compiling processes; 0 for one for each core");
  verb->add_option("--threads", options->threads, "Host threads of a CPU device; 0 for all allowed");
  verb->add_option("--deadline", options->deadlineSeconds, "Seconds after which a candidate counts as hung")
      ->check(CLI::Range(0.1, 3600.0));
  verb->add_flag("--warm-cache", options->warm, "Leave in the caches what the last run left");
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status { return tune(*options); };
}

} // namespace quern::tools
