//===- CompileVerb.cpp - `quern compile` ----------------------------------===//
#include "lowering/Compile.h"
#include "tools/quern/Verb.h"

#include <cstdio>
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

VerbBody addCompileVerb(CLI::App &app) {
  auto options = std::make_shared<lowering::CompileOptions>();
  auto weights = std::make_shared<std::string>("embed");
  auto phase = std::make_shared<std::string>("code");
  auto quiet = std::make_shared<bool>(false);
  CLI::App *verb = app.add_subcommand("compile", "Build the artifact of a checkpoint");
  verb->add_option("DIR", options->directory, "Checkpoint directory (config.json, *.safetensors, tokenizer.json)")
      ->required();
  verb->add_option("-o,--output", options->output, "Artifact to write");
  verb->add_option("--target", options->targets, "Target, repeatable: cpu, nvidia:sm_90a, amd:gfx942, ...")
      ->default_str("cpu");
  verb->add_option("--family", options->family, "Family description of your own (docs/Families.md)");
  verb->add_option("--weights", *weights, "embed, link or random")->check(CLI::IsMember({"embed", "link", "random"}));
  verb->add_flag("--trust-digests", options->trustDigests, "With --weights link: do not read the weights");
  verb->add_option("--seed", options->seed, "Seed of random weights");
  verb->add_option("--precision", options->precision, "auto, fp8, fp8-weights or bf16");
  verb->add_option("-j,--jobs", options->jobs, "Kernels compiled at one time");
  verb->add_flag("!--no-cache", options->useCache, "Compile every kernel anew");
  verb->add_option("--compile-to", *phase, "Stop after a phase: import, model, tile, layouts, rings, target, llvm, code");
  verb->add_option("--dump-to", options->dumpTo, "Directory for the text of every phase");
  verb->add_flag("-q,--quiet", *quiet, "No table");
  return [=]() -> Status {
    if (options->targets.empty())
      options->targets = {"cpu"};
    options->weights = *weights == "link"     ? lowering::WeightsMode::Link
                       : *weights == "random" ? lowering::WeightsMode::Random
                                              : lowering::WeightsMode::Embed;
    options->progress = ProgressMode::Auto;
    options->workerProgram = "/proc/self/exe";
    QUERN_ASSIGN_OR_RETURN(options->stopAfter, lowering::parsePhase(*phase));
    QUERN_ASSIGN_OR_RETURN(lowering::CompileReport report, lowering::compileModel(*options));
    if (!*quiet)
      printTable(report);
    std::fprintf(stderr, "import %.2f s, lower %.2f s, compile %.2f s (%u kernels, %u from the cache), write %.2f s\n",
                 report.importSeconds, report.lowerSeconds, report.compileSeconds, report.compiled, report.fromCache,
                 report.writeSeconds);
    return Status::success();
  };
}

} // namespace quern::tools
