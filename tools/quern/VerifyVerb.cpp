//===- VerifyVerb.cpp - `quern verify` ------------------------------------===//
#include "runtime/emulated/EmulatedDevice.h"
#include "support/Json.h"
#include "tools/cli/Counters.h"
#include "tools/cli/Rows.h"
#include "tools/quern/Verb.h"
#include "tuner/validate/Verify.h"

#include <cstdio>
#include <memory>

namespace quern::tools {

static void printText(const validate::VerifyReport &report) {
  std::printf("%s on %s, rung %s\n", report.target.c_str(), report.device.c_str(), report.rung.c_str());
  std::printf("  %-32s %8s %10s  %s\n", "kernel", "compared", "worst", "operators");
  for (const validate::KernelVerdict &kernel : report.kernels) {
    if (kernel.compared == 0)
      std::printf("  %-32s %8s %10s  %s\n", kernel.kernel.c_str(), "-", "-",
                  "judged by what reads its results");
    else
      std::printf("  %-32s %8llu %10.2e  %s\n", kernel.kernel.c_str(),
                  static_cast<unsigned long long>(kernel.compared), kernel.worst, kernel.operators.c_str());
    if (kernel.failed)
      std::printf("  %-32s FAILED %llu: %s\n", "", static_cast<unsigned long long>(kernel.failed),
                  kernel.failure.c_str());
  }
  std::string draft =
      report.draftPositions ? " and " + std::to_string(report.draftPositions) + " of the draft head" : "";
  std::printf("logits of %lld positions%s: log-probabilities differ by %.4f at most (limit %.2f)\n",
              static_cast<long long>(report.positions), draft.c_str(), report.worstLogProbability,
              report.logProbabilityLimit);
  if (report.tied || report.rerouted)
    std::printf(
        "routers: %llu tokens where scores tie, %llu sent elsewhere than in the oracle's own run, whose "
        "logits would have to move by %.4f at most\n",
        static_cast<unsigned long long>(report.tied), static_cast<unsigned long long>(report.rerouted),
        report.worstRerouting);
  std::string sampled =
      report.sampled ? " (" + std::to_string(report.sampled) + " of them on a sample of rows)" : "";
  std::printf(
      "%llu results compared on the launches' own inputs%s, %llu launches without an operator of their own\n",
      static_cast<unsigned long long>(report.compared), sampled.c_str(),
      static_cast<unsigned long long>(report.unchecked));
}

static Json reportJson(const validate::VerifyReport &report) {
  Json root = Json::object(), kernels = Json::array();
  root.set("schema", "quern.verify");
  root.set("schema_version", 1);
  root.set("device", report.device);
  root.set("target", report.target);
  root.set("rung", report.rung);
  root.set("passed", report.status().ok());
  root.set("compared", report.compared);
  root.set("sampled", report.sampled);
  root.set("unchecked_launches", report.unchecked);
  root.set("positions", report.positions);
  root.set("draft_positions", report.draftPositions);
  root.set("tied_tokens", report.tied);
  root.set("rerouted_tokens", report.rerouted);
  root.set("worst_rerouting", report.worstRerouting);
  root.set("worst_log_probability", report.worstLogProbability);
  for (const validate::KernelVerdict &kernel : report.kernels) {
    Json &row = kernels.push(Json::object());
    row.set("kernel", kernel.kernel);
    row.set("operators", kernel.operators);
    row.set("compared", kernel.compared);
    row.set("failed", kernel.failed);
    row.set("worst", kernel.worst);
    row.set("failure", kernel.failure);
  }
  root.set("kernels", std::move(kernels));
  return root;
}

VerbBody addVerifyVerb(CLI::App &app) {
  struct Options : validate::VerifyOptions {
    std::string artifact, counters;
    OutputFormat format = OutputFormat::Text;
    ProgramFlags flags;
  };
  auto options = std::make_shared<Options>();
  options->session.deviceOptions.emulated = runtime::emulated::openEmulatedDevice;
  CLI::App *verb =
      app.add_subcommand("verify", "Compare every kernel with the oracle, on the inputs that it reads");
  verb->add_option("FILE", options->artifact, "Artifact")->required();
  verb->add_option("--device", options->session.device, "cpu, cuda:0, hip:0, emulated:TARGET")
      ->default_str("the best present");
  addSanitizeFlag(*verb, options->session.deviceOptions);
  verb->add_option("--threads", options->session.deviceOptions.threads, "Host threads; 0 for all allowed");
  verb->add_option("--tokens", options->promptTokens, "Tokens of the first step")->check(CLI::Range(1, 512));
  verb->add_option("--steps", options->newTokens, "Steps of one token behind it")->check(CLI::Range(0, 512));
  verb->add_option("--seed", options->seed, "Seed of the token ids");
  verb->add_flag(
      "--batch-invariant", options->session.batchInvariant,
      "The same kernels for every number of tokens; without it, those of few and of many are compared");
  verb->add_option("--sample-above", options->sampleAbove,
                   "Floating-point operations above which a product is compared on a sample of its rows")
      ->check(CLI::NonNegativeNumber);
  verb->add_option("--weights-dir", options->session.weightsDirectory, "Where linked weights are");
  addCountersFlag(*verb, options->counters);
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status {
    options->progress = options->flags.progressMode();
    options->session.deviceOptions.counters = !options->counters.empty();
    if (!options->counters.empty())
      QUERN_RETURN_IF_ERROR(checkCountersDevice(options->session.device));
    QUERN_ASSIGN_OR_RETURN(validate::VerifyReport report,
                           validate::verifyArtifact(options->artifact, *options));
    if (isRows(options->format))
      std::printf(
          "%s",
          rowsText("quern.verify", reportJson(report).find("kernels")->items(), options->format).c_str());
    else if (options->format == OutputFormat::Json)
      std::printf("%s\n", writeJson(reportJson(report), {.indent = 2}).c_str());
    else
      printText(report);
    if (!options->counters.empty())
      QUERN_RETURN_IF_ERROR(
          reportCounters({report.device, report.counted, nullptr}, options->counters, stderr));
    return report.status();
  };
}

} // namespace quern::tools
