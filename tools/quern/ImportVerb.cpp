//===- ImportVerb.cpp - `quern import` ------------------------------------===//
#include "lowering/import/Report.h"
#include "support/Files.h"
#include "support/Interrupt.h"
#include "support/Progress.h"
#include "support/target/TargetSpec.h"
#include "tools/cli/Rows.h"
#include "tools/quern/CheckpointTokenizer.h"
#include "tools/quern/Verb.h"

#include <cstdio>
#include <memory>

namespace quern::tools {

/// What stands about the tokenizer in the report: "1024 tokens", "none", or the reason why it cannot be read.
static std::string tokenizerText(const std::string &directory, Status &fault) {
  Expected<std::optional<runtime::Tokenizer>> tokenizer = readCheckpointTokenizer(directory);
  if (!tokenizer.ok()) {
    fault = tokenizer.takeError();
    return fault.sentence();
  }
  if (!*tokenizer)
    return "none: token ids go in and come out";
  return std::to_string((*tokenizer)->size()) + " tokens";
}

/// A row for each tensor that is there, and for each that is missing.
static std::vector<Json> tensorRows(const Json &report) {
  std::vector<Json> rows = report.find("tensors")->find("list")->items();
  for (const Json &name : report.find("tensors")->find("missing")->items()) {
    Json &row = rows.emplace_back(Json::object());
    row.set("name", name);
    row.set("fate", "missing");
  }
  return rows;
}

static Status scanCodes(const import::ImportedModel &model, ProgressMode mode) {
  Progress progress(mode, "scan fp8 codes", import::fp8Bytes(model), ProgressUnit::Bytes);
  return import::checkFp8Codes(model, [&](uint64_t bytes) { progress.add(bytes); });
}

VerbBody addImportVerb(CLI::App &app) {
  struct Options {
    std::string directory, output;
    std::vector<std::string> targets;
    import::ReadOptions read;
    import::MemoryLimits limits;
    bool tensors = false, codes = false;
    OutputFormat format = OutputFormat::Text;
    ProgramFlags flags;
  };
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand(
      "import", "Account for every tensor of a checkpoint; write nothing but what -o asks for");
  verb->add_option("DIR", options->directory, "Checkpoint directory, or a config.json")->required();
  verb->add_option("-o,--output", options->output, "Write the report to this file in place of stdout");
  verb->add_option("--target", options->targets, "Target of a memory plan, repeatable")
      ->default_str("cpu nvidia:sm_90a amd:gfx942");
  verb->add_option("--family", options->read.family, "Family description of your own (docs/Families.md)");
  verb->add_option("--context", options->limits.context,
                   "Tokens of one sequence to plan for; 0: 4096 or the model's")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--sequences", options->limits.sequences, "Sequences to plan for")
      ->check(CLI::PositiveNumber);
  verb->add_flag("--tensors", options->tensors, "Name every tensor and what becomes of it");
  verb->add_flag("--codes", options->codes, "Also scan the fp8 weights for NaN; reads all of their bytes");
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status {
    std::vector<std::string> names = options->targets;
    if (names.empty())
      names = {"cpu", "nvidia:sm_90a", "amd:gfx942"};
    QUERN_ASSIGN_OR_RETURN(std::vector<TargetSpec> targets, parseTargets(names));
    QUERN_ASSIGN_OR_RETURN(import::ImportedModel model, import::readModel(options->directory, options->read));
    std::vector<import::MemoryPlan> plans;
    for (const TargetSpec &target : targets)
      plans.push_back(import::planMemory(model, target, options->limits));
    Status tokenizerFault = Status::success();
    const std::string tokenizer = tokenizerText(options->directory, tokenizerFault);
    std::string report;
    if (isRows(options->format)) {
      report = rowsText("quern.import", tensorRows(import::importJson(model, plans, true)), options->format);
    } else if (options->format == OutputFormat::Json) {
      Json json = import::importJson(model, plans, options->tensors);
      json.set("tokenizer", tokenizer);
      report = writeJson(json, {.indent = 2}) + "\n";
    } else {
      report = import::importText(model, plans, options->tensors) + "tokenizer: " + tokenizer + "\n";
    }
    Status codes = options->codes ? scanCodes(model, options->flags.progressMode()) : Status::success();
    QUERN_RETURN_IF_ERROR(checkInterrupt());
    if (options->output.empty())
      std::printf("%s", report.c_str());
    else
      QUERN_RETURN_IF_ERROR(writeFile(options->output, report));
    QUERN_RETURN_IF_ERROR(model.census().status());
    QUERN_RETURN_IF_ERROR(std::move(tokenizerFault));
    return codes;
  };
}

} // namespace quern::tools
