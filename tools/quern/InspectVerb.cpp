//===- InspectVerb.cpp - `quern inspect` ----------------------------------===//
#include "runtime/Runtime.h"
#include "runtime/artifact/ExtractWeights.h"
#include "runtime/emulated/EmulatedDevice.h"
#include "support/Files.h"
#include "support/target/TargetSpec.h"
#include "tools/cli/Counters.h"
#include "tools/cli/Rows.h"
#include "tools/quern/Inspect.h"
#include "tools/quern/Verb.h"

#include <cstdio>
#include <memory>

using namespace quern::runtime;

namespace quern::tools {

static uint64_t memberBytes(const Artifact &artifact, const std::string &name) {
  for (const ZipMember &member : artifact.members())
    if (member.name == name)
      return member.size;
  return 0;
}

static void printText(const Artifact &artifact, const std::vector<InspectedTarget> &targets) {
  const Manifest &manifest = artifact.manifest();
  uint64_t bytes = 0;
  for (const ZipMember &member : artifact.members())
    bytes += member.size;
  std::printf("%s: model %s, format %u.%u, %s\n", artifact.name().c_str(), manifest.model.c_str(),
              manifest.major, manifest.minor, formatBytes(double(bytes)).c_str());
  std::printf("  model hash  %s\n  compiler    %s\n", manifest.modelHash.c_str(),
              manifest.fingerprint.c_str());
  std::printf("  weights     %s: %zu tensors, %s%s\n", manifest.weights.c_str(), artifact.weights().size(),
              formatBytes(double(artifact.weights().totalBytes())).c_str(),
              manifest.trustedDigests ? ", digests trusted unseen" : "");
  for (const auto &[name, value] : manifest.limits)
    std::printf("  %-11s %llu\n", name.c_str(), static_cast<unsigned long long>(value));
  for (const InspectedTarget &target : targets) {
    const Plan &plan = target.plan;
    int64_t launches = 0;
    for (size_t k = 0; k < plan.kernels.size(); ++k)
      launches += launchesInStep(plan, k);
    uint64_t prepared = 0;
    for (const PreparedTensor &tensor : plan.tensors)
      prepared += tensor.bytes() * uint64_t(tensor.layers ? tensor.layers->second - tensor.layers->first : 1);
    std::printf(
        "\n%s: rung %s, %zu kernels, %lld launches in one step, weights %s, cache %llu bytes a token\n",
        target.target.target.c_str(), target.target.rung.c_str(), plan.kernels.size(),
        static_cast<long long>(launches), formatBytes(double(prepared)).c_str(),
        static_cast<unsigned long long>(plan.cache.bytesPerToken()));
    std::printf("  %-32s %8s %7s %7s %9s  %s\n", "kernel", "launches", "threads", "shared", "code", "grid");
    for (size_t k = 0; k < plan.kernels.size(); ++k) {
      const PlanKernel &kernel = plan.kernels[k];
      std::printf("  %-32s %8lld %7u %7u %9llu  %s\n", kernel.symbol.c_str(),
                  static_cast<long long>(launchesInStep(plan, k)), kernel.threads, kernel.sharedBytes,
                  static_cast<unsigned long long>(memberBytes(artifact, kernel.member)),
                  gridText(kernel).c_str());
    }
  }
}

static Json kernelRow(const Artifact &artifact, const InspectedTarget &target, size_t k) {
  const PlanKernel &kernel = target.plan.kernels[k];
  Json row = Json::object();
  row.set("symbol", kernel.symbol);
  row.set("text", kernel.text);
  row.set("member", kernel.member);
  row.set("launches", launchesInStep(target.plan, k));
  row.set("threads", kernel.threads);
  row.set("shared_bytes", kernel.sharedBytes);
  row.set("code_bytes", memberBytes(artifact, kernel.member));
  row.set("grid", gridText(kernel));
  return row;
}

/// A row for each kernel of each target.
static void printRows(const Artifact &artifact, const std::vector<InspectedTarget> &targets,
                      OutputFormat format) {
  std::vector<Json> rows;
  for (const InspectedTarget &target : targets)
    for (size_t k = 0; k < target.plan.kernels.size(); ++k) {
      Json &row = rows.emplace_back(Json::object());
      row.set("target", target.target.target);
      row.set("rung", target.target.rung);
      const Json own = kernelRow(artifact, target, k);
      for (const Json::Member &member : own.members())
        row.set(member.key, member.value);
    }
  std::printf("%s", rowsText("quern.inspect", rows, format).c_str());
}

static void printJson(const Artifact &artifact, const std::vector<InspectedTarget> &targets) {
  const Manifest &manifest = artifact.manifest();
  Json root = Json::object();
  root.set("schema", "quern.inspect");
  root.set("schema_version", 1);
  root.set("artifact", artifact.name());
  root.set("format", std::to_string(manifest.major) + "." + std::to_string(manifest.minor));
  root.set("model", manifest.model);
  root.set("model_hash", manifest.modelHash);
  root.set("compiler", manifest.fingerprint);
  root.set("weights", manifest.weights);
  root.set("weight_tensors", uint64_t(artifact.weights().size()));
  root.set("weight_bytes", artifact.weights().totalBytes());
  root.set("trusted_digests", manifest.trustedDigests);
  Json limits = Json::object(), list = Json::array();
  for (const auto &[name, value] : manifest.limits)
    limits.set(name, value);
  root.set("limits", std::move(limits));
  for (const InspectedTarget &target : targets) {
    Json &one = list.push(Json::object());
    one.set("target", target.target.target);
    one.set("rung", target.target.rung);
    one.set("cache_bytes_per_token", target.plan.cache.bytesPerToken());
    Json kernels = Json::array();
    for (size_t k = 0; k < target.plan.kernels.size(); ++k)
      kernels.push(kernelRow(artifact, target, k));
    one.set("kernels", std::move(kernels));
  }
  root.set("targets", std::move(list));
  std::printf("%s\n", writeJson(root, {.indent = 2}).c_str());
}

/// The targets that |wanted| names, or all. A name may stand for a set (`cpu`).
static Expected<std::vector<InspectedTarget>> readTargets(const Artifact &artifact,
                                                          const std::string &wanted) {
  std::vector<std::string> names;
  if (!wanted.empty()) {
    QUERN_ASSIGN_OR_RETURN(TargetSpec spec, parseTarget(wanted));
    names.push_back(spec.text());
    for (const TargetInfo *info : spec.members())
      names.push_back(std::string(info->vendor) + ":" + std::string(info->architecture));
  }
  std::vector<InspectedTarget> targets;
  for (const ManifestTarget &target : artifact.manifest().targets) {
    if (!names.empty() && std::find(names.begin(), names.end(), target.target) == names.end())
      continue;
    QUERN_ASSIGN_OR_RETURN(std::string_view text, artifact.readText("plan/" + target.folder + ".json"));
    QUERN_ASSIGN_OR_RETURN(Plan plan, readPlan(text));
    targets.push_back({target, std::move(plan)});
  }
  if (targets.empty() && !wanted.empty())
    return Status::error(Exit::Unsupported, "E-TARGET-NOT-IN-ARTIFACT",
                         "`" + artifact.name() + "` has no code for `" + wanted + "`")
        .remedy("compile with --target " + wanted);
  return std::move(targets);
}

/// A step on an emulated device, with everything that it counts.
static Status inspectCounters(Artifact artifact, SessionOptions session, int64_t tokens,
                              const std::string &kernel, const std::string &file, OutputFormat format) {
  QUERN_RETURN_IF_ERROR(checkCountersDevice(session.device));
  session.deviceOptions.counters = true;
  session.tokensPerStep = tokens;
  session.context = tokens;
  QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Session> opened, Session::open(std::move(artifact), session));
  QUERN_ASSIGN_OR_RETURN(CounterReport report, countStep(*opened, tokens, kernel));
  if (format == OutputFormat::Text)
    return reportCounters(report, file, stdout, true);
  if (format == OutputFormat::Json)
    std::printf("%s\n", writeJson(countersJson(report), {.indent = 2}).c_str());
  else
    std::printf("%s", rowsText("quern.counters", countersRows(report), format).c_str());
  return file == "-" ? Status::success()
                     : writeFile(file, writeJson(countersJson(report), {.indent = 2}) + "\n");
}

VerbBody addInspectVerb(CLI::App &app) {
  struct Options {
    std::string artifact, target, kernel, stage, extractTo, weightsDirectory, counters;
    SessionOptions session;
    int64_t tokens = 8;
    bool check = false;
    OutputFormat format = OutputFormat::Text;
    ProgramFlags flags;
  };
  auto options = std::make_shared<Options>();
  CLI::App *verb = app.add_subcommand("inspect", "Show what is in an artifact");
  verb->add_option("FILE", options->artifact, "Artifact")->required();
  verb->add_option("--target", options->target, "Only this target")->default_str("all");
  CLI::Option *kernel =
      verb->add_option("--kernel", options->kernel, "One kernel, by symbol or by name of its text");
  verb->add_option("--stage", options->stage, "With --kernel: compile it again and print it at this stage")
      ->check(CLI::IsMember({"tile", "layouts", "rings", "target", "llvm", "code"}))
      ->needs(kernel);
  verb->add_option("--extract-weights", options->extractTo, "Write the weights to DIR/model.safetensors");
  verb->add_option("--weights-dir", options->weightsDirectory, "Where linked weights are");
  verb->add_flag("--check", options->check, "Read and check every byte");
  addCountersFlag(*verb, options->counters);
  verb->add_option("--device", options->session.device, "With --counters: emulated:TARGET that runs a step");
  verb->add_option("--tokens", options->tokens, "With --counters: tokens of the step")
      ->check(CLI::Range(1, 2048));
  verb->add_option("--threads", options->session.deviceOptions.threads, "With --counters: host threads");
  addFormatFlag(*verb, options->format);
  addProgramFlags(*verb, options->flags);
  return [=]() -> Status {
    QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open(options->artifact));
    if (!options->counters.empty()) {
      options->session.weightsDirectory = options->weightsDirectory;
      options->session.deviceOptions.emulated = emulated::openEmulatedDevice;
      return inspectCounters(std::move(artifact), options->session, options->tokens, options->kernel,
                             options->counters, options->format);
    }
    if (!options->weightsDirectory.empty())
      artifact.setWeightsDirectory(options->weightsDirectory);
    const ProgressMode mode = options->flags.progressMode();
    if (!options->extractTo.empty()) {
      QUERN_RETURN_IF_ERROR(makeDirectories(options->extractTo));
      Progress progress(mode, "extract weights", artifact.weights().totalBytes(), ProgressUnit::Bytes);
      return extractWeights(artifact, options->extractTo + "/model.safetensors",
                            [&](uint64_t bytes) { progress.add(bytes); });
    }
    if (options->check) {
      Progress progress(mode, "check", artifact.verifyBytes(), ProgressUnit::Bytes);
      QUERN_RETURN_IF_ERROR(artifact.verify([&](uint64_t bytes) { progress.add(bytes); }));
    }
    const std::string wanted = options->target == "all" ? "" : options->target;
    QUERN_ASSIGN_OR_RETURN(std::vector<InspectedTarget> targets, readTargets(artifact, wanted));
    if (!options->kernel.empty())
      return inspectKernel(artifact, targets, options->kernel, options->stage, options->format);
    if (isRows(options->format))
      printRows(artifact, targets, options->format);
    else if (options->format == OutputFormat::Json)
      printJson(artifact, targets);
    else
      printText(artifact, targets);
    return Status::success();
  };
}

} // namespace quern::tools
