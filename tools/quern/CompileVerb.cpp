//===- CompileVerb.cpp - `quern compile` ----------------------------------===//
#include "lowering/Compile.h"
#include "support/Files.h"
#include "tools/quern/CheckpointTokenizer.h"
#include "tools/quern/TuningDevice.h"
#include "tools/quern/Verb.h"
#include "tuner/apply/DatabaseSchedules.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace quern::tools {

static void printTable(const lowering::CompileReport &report) {
  std::string target;
  for (const lowering::KernelRow &row : report.kernels) {
    if (row.target != target) {
      target = row.target;
      std::string rung;
      for (const auto &[name, text] : report.rungs)
        if (name == target)
          rung = text;
      std::printf("%s (%s)\n", target.c_str(), rung.c_str());
      std::printf("  %-18s %8s %7s %7s %9s %8s\n", "kernel", "launches", "threads", "shared", "code", "ms");
    }
    std::printf("  %-18s %8d %7d %7d %9llu %8.1f  %s\n", row.kernel.c_str(), row.launches, row.threads,
                row.sharedBytes, static_cast<unsigned long long>(row.codeBytes), row.seconds * 1e3,
                row.text.substr(0, row.text.find('}') + 1).c_str());
  }
}

/// "demo.quern" of "models/demo/" or "models/demo/config.json".
static std::string defaultOutput(const std::string &directory) {
  std::filesystem::path path(directory);
  if (path.filename() == "config.json")
    path = path.parent_path();
  if (!path.has_filename())
    path = path.parent_path();
  std::string name = path.filename().string();
  return (name.empty() || name == "." || name == ".." ? "model" : name) + ".quern";
}

/// The database at |path| for the devices that |names| say; `cpu:native` among the targets means this
/// machine's CPU.
static Expected<tuner::DatabaseSchedules> openSchedules(const std::string &path,
                                                        std::vector<std::string> names,
                                                        const std::vector<std::string> &targets,
                                                        bool allowNear) {
  tuner::ApplyOptions apply{
      .compiler = lowering::compilerFingerprint(), .devices = {}, .allowNear = allowNear};
  if (std::ranges::find(targets, "cpu:native") != targets.end() &&
      std::ranges::find(names, "cpu") == names.end())
    names.push_back("cpu");
  QUERN_ASSIGN_OR_RETURN(tuner::Database database, tuner::Database::open(path, {.write = false}));
  for (const std::string &name : names) {
    QUERN_ASSIGN_OR_RETURN(tuner::DeviceIdentity device, findTuningDevice(name, database));
    apply.devices.push_back(std::move(device));
  }
  return tuner::DatabaseSchedules::open(path, std::move(apply));
}

/// No miss is silent: how many kernels were found on which level, and what the others need.
static void sayLevels(const tuner::DatabaseSchedules &schedules, const std::string &path, Log &log) {
  size_t levels[3] = {}, stale = 0;
  for (const tuner::SliceEntry &entry : schedules.answers()) {
    ++levels[size_t(entry.nearness)];
    stale += entry.stale && entry.nearness != tuner::Nearness::Default;
    if (entry.nearness != tuner::Nearness::Exact)
      log.debug(entry.symbol + " for " + entry.target + ": " + tuner::nearnessName(entry.nearness) + ", " +
                entry.why);
  }
  log.info("`" + path + "`: " + std::to_string(levels[0]) + " launches exact, " + std::to_string(levels[1]) +
           " near, " + std::to_string(levels[2]) + " default" +
           (stale ? "; " + std::to_string(stale) + " measured with another compiler" : "") +
           (levels[1] + levels[2] ? "; `quern explain` says why and what would improve it" : ""));
}

VerbBody addCompileVerb(CLI::App &app) {
  struct Options : lowering::CompileOptions {
    std::string weightsText = "embed", phase = "code", tuning;
    std::vector<std::string> tuningDevices;
    bool tuningExact = false;
    ProgramFlags flags;
  };
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand("compile", "Build the artifact of a checkpoint");
  verb->add_option("DIR", options->directory,
                   "Checkpoint directory (config.json, *.safetensors, tokenizer.json)")
      ->required();
  verb->add_option("-o,--output", options->output, "Artifact to write")->default_str("<name of DIR>.quern");
  verb->add_option("--target", options->targets,
                   "Target, repeatable: cpu, nvidia:sm_90a, amd:gfx942, an alias such as h100, ...")
      ->default_str("cpu");
  verb->add_option("--family", options->family, "Family description of your own (docs/Families.md)");
  verb->add_option("--weights", options->weightsText, "embed, link or random")
      ->check(CLI::IsMember({"embed", "link", "random"}));
  verb->add_flag("--trust-digests", options->trustDigests, "With --weights link: do not read the weights");
  verb->add_option("--seed", options->seed, "Seed of random weights");
  verb->add_option("--precision", options->precision, "auto, fp8, fp8-weights or bf16");
  verb->add_option("-j,--jobs", options->jobs, "Kernels compiled at one time; 0 for one per core");
  verb->add_flag("!--no-cache", options->useCache, "Compile every kernel anew");
  CLI::Option *tuning = verb->add_option("--tuning", options->tuning,
                                         "Tuning database; what is used of it is frozen in the artifact");
  verb->add_option("--tuning-device", options->tuningDevices,
                   "With --tuning, repeatable: the device that its choices must be exact for: cpu, cuda:0, "
                   "or one that "
                   "the database knows, by name or key")
      ->needs(tuning);
  verb->add_flag("--tuning-exact", options->tuningExact,
                 "With --tuning: take nothing that was measured on another device")
      ->needs(tuning);
  verb->add_flag("--dry-run", options->dryRun,
                 "Check everything and list the kernels; compile and write nothing");
  verb->add_option(
      "--compile-to", options->phase,
      "Stop after a phase, without an artifact unless it is the last: import, model, tile, layouts, "
      "rings, target, llvm, code");
  verb->add_option("--dump-to", options->dumpTo, "Directory for the text of every phase that runs");
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status {
    if (options->targets.empty())
      options->targets = {"cpu"};
    options->weights = options->weightsText == "link"     ? lowering::WeightsMode::Link
                       : options->weightsText == "random" ? lowering::WeightsMode::Random
                                                          : lowering::WeightsMode::Embed;
    options->progress = options->flags.progressMode();
    Log log(options->flags.logLevel());
    options->log = &log;
    options->workerProgram = "/proc/self/exe";
    QUERN_ASSIGN_OR_RETURN(options->stopAfter, lowering::parsePhase(options->phase));
    const bool writes = options->stopAfter == lowering::Phase::Code && !options->dryRun;
    if (options->output.empty() && writes)
      options->output = defaultOutput(options->directory);
    // Refused now rather than after minutes of compilation; what is opened here goes away unwritten.
    if (writes)
      if (Expected<AtomicFile> trial = AtomicFile::create(options->output); !trial.ok())
        return trial.takeError();
    QUERN_ASSIGN_OR_RETURN(std::optional<runtime::Tokenizer> tokenizer,
                           readCheckpointTokenizer(options->directory));
    if (tokenizer)
      options->validTokens = int64_t(tokenizer->size());
    std::optional<tuner::DatabaseSchedules> schedules;
    if (!options->tuning.empty()) {
      QUERN_ASSIGN_OR_RETURN(schedules, openSchedules(options->tuning, options->tuningDevices,
                                                      options->targets, !options->tuningExact));
      options->schedules = &*schedules;
    }
    QUERN_ASSIGN_OR_RETURN(lowering::CompileReport report, lowering::compileModel(*options));
    if (schedules)
      sayLevels(*schedules, options->tuning, log);
    if (options->flags.quiet)
      return Status::success();
    printTable(report);
    char line[160];
    std::snprintf(line, sizeof line,
                  "import %.2f s, lower %.2f s, compile %.2f s (%u kernels, %u from the cache), write %.2f s",
                  report.importSeconds, report.lowerSeconds, report.compileSeconds, report.compiled,
                  report.fromCache, report.writeSeconds);
    log.info(line);
    if (writes)
      log.info("wrote `" + options->output + "`, " + formatBytes(double(report.artifactBytes)));
    else if (!options->dryRun)
      log.info("stopped after the phase `" + options->phase + "`: no artifact");
    return Status::success();
  };
}

} // namespace quern::tools
