//===- Compile.cpp - The order of the phases ------------------------------===//
#include "lowering/Compile.h"
#include "dialects/model/Model.h"
#include "lowering/KernelCache.h"
#include "lowering/PlanKernel.h"
#include "lowering/WeightsOutput.h"
#include "lowering/WorkerPool.h"
#include "lowering/import/Import.h"
#include "lowering/import/MemoryPlan.h"
#include "lowering/model_to_tile/ModelToTile.h"
#include "runtime/artifact/ArtifactWriter.h"
#include "support/Files.h"
#include "support/Hash.h"
#include "support/Interrupt.h"
#include "support/target/CpuFeatures.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <set>
#include <thread>

using namespace quern::runtime;

namespace quern::lowering {

static constexpr std::pair<Phase, const char *> phases[] = {
    {Phase::Import, "import"}, {Phase::Model, "model"},   {Phase::Tile, "tile"}, {Phase::Layouts, "layouts"},
    {Phase::Rings, "rings"},   {Phase::Target, "target"}, {Phase::Llvm, "llvm"}, {Phase::Code, "code"}};

const char *phaseName(Phase phase) { return phases[size_t(phase)].second; }

Expected<Phase> parsePhase(const std::string &name) {
  std::string known;
  for (auto [phase, text] : phases) {
    if (name == text)
      return phase;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  return Status::error(Exit::Usage, "E-PHASE-UNKNOWN", "there is no phase `" + name + "`")
      .remedy("choose one of " + known);
}

/// Texts of a kernel and the phases that leave them.
static constexpr std::pair<KernelStage, const char *> stages[] = {
    {KernelStage::Tile, "tile"},     {KernelStage::Layouts, "layouts"}, {KernelStage::Rings, "rings"},
    {KernelStage::Target, "target"}, {KernelStage::Llvm, "llvm"},       {KernelStage::Assembly, "code"}};

/// Where a kernel's way ends when |phase| is the last one.
static KernelStage lastStage(Phase phase) {
  switch (phase) {
  case Phase::Tile:
    return KernelStage::Tile;
  case Phase::Layouts:
    return KernelStage::Layouts;
  case Phase::Rings:
    return KernelStage::Rings;
  case Phase::Target:
    return KernelStage::Target;
  case Phase::Llvm:
    return KernelStage::Llvm;
  default:
    return KernelStage::Assembly;
  }
}

namespace {

/// Seconds since the last call.
class Lap {
public:
  double next() {
    auto now = std::chrono::steady_clock::now();
    double seconds = std::chrono::duration<double>(now - last).count();
    last = now;
    return seconds;
  }

private:
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
};

/// One target with its plan and the code of its kernels.
struct TargetBuild {
  CodeTarget target;
  LoweredModel lowered;
  std::vector<CompiledKernel> kernels;
  std::vector<double> seconds;
};

std::string print(mlir::ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text + "\n";
}

class Compilation {
public:
  explicit Compilation(const CompileOptions &options)
      : options(options), registry(makeRegistry()), context(registry) {
    context.disableMultithreading();
    context.loadAllAvailableDialects();
  }

  Expected<CompileReport> run() {
    QUERN_RETURN_IF_ERROR(import());
    if (options.stopAfter <= Phase::Model)
      return std::move(report);
    QUERN_RETURN_IF_ERROR(lower());
    if (options.dryRun) {
      for (const TargetBuild &build : builds)
        for (size_t k = 0; k < build.lowered.requests.size(); ++k)
          report.kernels.push_back(describe(build, k));
      return std::move(report);
    }
    QUERN_RETURN_IF_ERROR(compileKernels());
    if (!options.output.empty() && !stopsEarly())
      QUERN_RETURN_IF_ERROR(write());
    return std::move(report);
  }

private:
  bool stopsEarly() const { return options.stopAfter < Phase::Code; }

  void say(LogLevel level, const std::string &text) const {
    if (options.log)
      options.log->say(level, text);
  }

  static mlir::DialectRegistry makeRegistry() {
    mlir::DialectRegistry registry;
    model::registerModelDialect(registry);
    registry.insert<mlir::func::FuncDialect>();
    return registry;
  }

  Status dump(const std::string &name, const std::string &text) {
    if (options.dumpTo.empty())
      return Status::success();
    QUERN_RETURN_IF_ERROR(makeDirectories(options.dumpTo + "/" + name.substr(0, name.rfind('/'))));
    return writeFile(options.dumpTo + "/" + name, text);
  }

  Status import() {
    import::ReadOptions read;
    read.family = options.family;
    read.configOnly = options.weights == WeightsMode::Random;
    QUERN_ASSIGN_OR_RETURN(import::ImportedModel read_, import::readModel(options.directory, read));
    imported.emplace(std::move(read_));
    for (const std::string &note : imported->config().notes)
      say(LogLevel::Debug, note);
    for (const std::string &note : imported->census().notes)
      say(LogLevel::Debug, note);
    QUERN_RETURN_IF_ERROR(imported->census().status());
    if (!imported->checkpoint() && options.weights != WeightsMode::Random)
      return Status::error(Exit::BadInput, "E-COMPILE-NO-WEIGHTS",
                           "`" + options.directory + "` holds no weights")
          .remedy("add the safetensors files, or pass --weights random");
    QUERN_ASSIGN_OR_RETURN(module,
                           import::buildModule(*imported, context, {.validTokens = options.validTokens}));
    if (options.weights == WeightsMode::Random)
      makeRecipesRandom(*module);
    moduleText = print(*module);
    report.model = imported->family().name;
    report.importSeconds = lap.next();
    QUERN_RETURN_IF_ERROR(dump("import/model.mlir", moduleText));
    if (options.stopAfter == Phase::Import)
      return Status::success();
    return dump("model/model.mlir", moduleText);
  }

  Expected<Rung> rungOf(const TargetInfo &info) {
    CheckpointKind kind = import::checkpointKind(*imported);
    if (options.precision == "auto")
      return rungFor(info, kind);
    std::optional<Rung> rung = parseRung(options.precision);
    if (!rung)
      return Status::error(Exit::Usage, "E-PRECISION-UNKNOWN",
                           "there is no precision `" + options.precision + "`")
          .remedy("choose auto, fp8, fp8-weights or bf16");
    if (*rung == Rung::Fp8 && info.fp8 == Fp8Flavour::None)
      return Status::error(Exit::Unsupported, "E-PRECISION-TARGET",
                           "`" + std::string(info.architecture) + "` has no fp8 matrix unit")
          .remedy("use --precision auto, which takes fp8 weights with bf16 mathematics there");
    return *rung;
  }

  /// `cpu:native` by the name of what it stands for: the artifact's bytes do not depend on how it was asked
  /// for.
  Expected<std::vector<TargetSpec>> wantedTargets() {
    QUERN_ASSIGN_OR_RETURN(std::vector<TargetSpec> named, parseTargets(options.targets));
    std::vector<TargetSpec> specs;
    for (TargetSpec &spec : named) {
      const bool native = spec.isNative();
      QUERN_ASSIGN_OR_RETURN(TargetSpec known,
                             resolveNative(std::move(spec), decideCpuFeatures(readCpuid())));
      if (native)
        say(LogLevel::Info, "cpu:native is " + known.name() + " on this machine");
      if (std::ranges::find(specs, known) == specs.end())
        specs.push_back(std::move(known));
    }
    return specs;
  }

  Status lower() {
    QUERN_ASSIGN_OR_RETURN(std::vector<TargetSpec> specs, wantedTargets());
    for (const TargetSpec &spec : specs) {
      QUERN_ASSIGN_OR_RETURN(std::vector<CodeTarget> targets, codeTargets(spec.text()));
      std::vector<const TargetInfo *> infos = spec.members();
      for (size_t i = 0; i < targets.size(); ++i) {
        std::string name = targets.size() == 1 ? spec.text() : targets[i].name;
        if (std::ranges::any_of(builds, [&](const TargetBuild &b) { return b.lowered.plan.target == name; }))
          continue; // a member of the fixed set that is also named by itself
        QUERN_ASSIGN_OR_RETURN(Rung rung, rungOf(*infos[i]));
        builds.emplace_back().target = targets[i];
        QUERN_ASSIGN_OR_RETURN(builds.back().lowered, lowerModel(*module, builds.back().target, infos[i]->fp8,
                                                                 rung, options.schedules));
        Plan &plan = builds.back().lowered.plan;
        plan.target = std::move(name);
        plan.maxTokens = maxStepTokens(targets[i]);
        plan.contextLimit = imported->config().context;
        report.rungs.push_back({plan.target, plan.rung});
      }
    }
    report.lowerSeconds = lap.next();
    return Status::success();
  }

  /// All kernels of all targets, on all cores; the first error wins.
  Status compileKernels() {
    struct Job {
      size_t build, kernel;
    };
    std::vector<Job> jobs;
    for (size_t b = 0; b < builds.size(); ++b) {
      builds[b].kernels.resize(builds[b].lowered.requests.size());
      builds[b].seconds.resize(builds[b].kernels.size());
      for (size_t k = 0; k < builds[b].kernels.size(); ++k)
        jobs.push_back({b, k});
    }
    KernelCache cache(options.useCache && options.dumpTo.empty() && !stopsEarly());
    Progress progress(options.progress, "compile kernels", jobs.size());
    CompileKernelOptions kernelOptions;
    kernelOptions.last = lastStage(options.stopAfter);
    if (!options.dumpTo.empty())
      for (auto [stage, name] : stages)
        if (stage <= kernelOptions.last)
          kernelOptions.keep.push_back(stage);
    std::atomic<size_t> next = 0;
    std::atomic<unsigned> compiled = 0, cached = 0;
    std::mutex errorMutex;
    Status error = Status::success();
    unsigned threads = options.jobs ? options.jobs : std::max(1u, std::thread::hardware_concurrency());
    threads = unsigned(std::min<size_t>(threads, std::max<size_t>(jobs.size(), 1)));
    WorkerPool pool(options.workerProgram, threads);
    auto work = [&](unsigned slot) {
      for (size_t i; (i = next++) < jobs.size();) {
        TargetBuild &build = builds[jobs[i].build];
        const KernelRequest &request = build.lowered.requests[jobs[i].kernel];
        CompiledKernel &kernel = build.kernels[jobs[i].kernel];
        if (cache.find(request, build.target, kernel)) {
          ++cached;
          say(LogLevel::Trace, kernel.symbol + " for " + build.target.name + ": from the cache");
        } else {
          Lap own;
          Status stop = checkInterrupt();
          Expected<CompiledKernel> fresh =
              stop.ok() ? pool.compile(slot, request, build.target, kernelOptions) : std::move(stop);
          if (!fresh.ok()) {
            std::lock_guard<std::mutex> lock(errorMutex);
            if (error.ok())
              error = fresh.takeError();
            next = jobs.size();
            return;
          }
          kernel = *std::move(fresh);
          const double seconds = build.seconds[jobs[i].kernel] = own.next();
          if (options.log && options.log->enabled(LogLevel::Debug)) {
            char time[32];
            std::snprintf(time, sizeof time, "%.1f ms", seconds * 1e3);
            say(LogLevel::Debug, kernel.symbol + " for " + build.target.name + ": " + time);
          }
          cache.store(request, build.target, kernel);
          ++compiled;
        }
        progress.add(1);
      }
    };
    std::vector<std::thread> workers;
    for (unsigned t = 1; t < threads; ++t)
      workers.emplace_back(work, t);
    work(0);
    for (std::thread &worker : workers)
      worker.join();
    QUERN_RETURN_IF_ERROR(std::move(error));
    progress.finish();
    report.compiled = compiled;
    report.fromCache = cached;
    for (TargetBuild &build : builds)
      QUERN_RETURN_IF_ERROR(finishPlan(build));
    report.compileSeconds = lap.next();
    return Status::success();
  }

  /// What is known of a kernel before it is compiled.
  static KernelRow describe(const TargetBuild &build, size_t k) {
    KernelRow row;
    row.target = build.lowered.plan.target;
    row.kernel = build.lowered.requests[k].kernel;
    row.text = build.lowered.plan.kernels[k].text;
    forEachLaunch(build.lowered.plan.entries.front().steps, [&](const PlacedLaunch &placed) {
      row.launches += size_t(placed.launch.kernel) == k ? int32_t(placed.runs) : 0;
    });
    return row;
  }

  static std::string folderOf(const Plan &plan) {
    Expected<TargetSpec> spec = parseTarget(plan.target);
    return spec.ok() ? spec->folder() : plan.target;
  }

  static const char *extensionOf(const CodeTarget &target) {
    Expected<TargetSpec> spec = parseTarget(target.name);
    return spec.ok() && spec->info() ? codeExtension(spec->info()->form).data() : "bin";
  }

  /// What only the compiled kernels know goes into the plan and the report.
  Status finishPlan(TargetBuild &build) {
    Plan &plan = build.lowered.plan;
    for (size_t k = 0; k < build.kernels.size(); ++k) {
      const CompiledKernel &kernel = build.kernels[k];
      PlanKernel &out = plan.kernels[k];
      out.member = "kernels/" + folderOf(plan) + "/" + kernel.symbol + "." + extensionOf(build.target);
      describeToPlan(kernel, out);
      KernelRow row = describe(build, k);
      row.symbol = kernel.symbol;
      row.threads = kernel.threads;
      row.sharedBytes = kernel.sharedBytes;
      row.codeBytes = kernel.code.size();
      row.seconds = build.seconds[k];
      report.kernels.push_back(row);
      for (auto [stage, name] : stages)
        if (auto it = kernel.texts.find(stage); it != kernel.texts.end())
          QUERN_RETURN_IF_ERROR(dump(std::string(name) + "/" + folderOf(plan) + "/" + kernel.symbol +
                                         (stage == KernelStage::Assembly ? ".s"
                                          : stage == KernelStage::Llvm   ? ".ll"
                                                                         : ".mlir"),
                                     it->second));
    }
    return Status::success();
  }

  Status addFile(ArtifactWriter &writer, const std::string &name) {
    Expected<std::string> text = readFile(options.directory + "/" + name, uint64_t(256) << 20);
    return text.ok() ? writer.addMember(name, *std::move(text)) : Status::success();
  }

  Status write() {
    QUERN_ASSIGN_OR_RETURN(ArtifactWriter writer, ArtifactWriter::create(options.output));
    Manifest manifest;
    Sha256 modelHash;
    // A CPU reads the weights where they are in the file; the other targets copy them in any order.
    auto reader = std::ranges::find_if(builds, [](const TargetBuild &build) { return build.target.simd; });
    const Plan &order = (reader == builds.end() ? builds.front() : *reader).lowered.plan;
    QUERN_RETURN_IF_ERROR(writeWeights(options, *imported, *module, order, writer, modelHash));
    std::set<std::string> written;
    for (TargetBuild &build : builds) {
      const Plan &plan = build.lowered.plan;
      manifest.targets.push_back({plan.target, folderOf(plan), plan.rung});
      QUERN_RETURN_IF_ERROR(writer.addMember("plan/" + folderOf(plan) + ".json", writePlan(plan)));
      for (size_t k = 0; k < build.kernels.size(); ++k)
        if (written.insert(plan.kernels[k].member).second)
          QUERN_RETURN_IF_ERROR(writer.addMember(plan.kernels[k].member, build.kernels[k].code));
    }
    QUERN_RETURN_IF_ERROR(writer.addMember("model.mlir", moduleText));
    if (std::string record = options.schedules ? options.schedules->record() : ""; !record.empty())
      QUERN_RETURN_IF_ERROR(writer.addMember("tuning.jsonl", std::move(record)));
    for (const char *name : {"config.json", "tokenizer.json", "tokenizer_config.json",
                             "generation_config.json", "chat_template.jinja"})
      QUERN_RETURN_IF_ERROR(addFile(writer, name));
    static const char *const modes[] = {"embed", "link", "random"};
    manifest.model = report.model;
    modelHash.update(moduleText);
    manifest.modelHash = modelHash.finish().hex();
    manifest.fingerprint = compilerFingerprint();
    manifest.weights = modes[size_t(options.weights)];
    manifest.trustedDigests = options.weights == WeightsMode::Link && options.trustDigests;
    manifest.limits["max_context"] = uint64_t(builds.front().lowered.plan.contextLimit);
    manifest.numericContract = {{"accumulate", "f32"},
                                {"activations", "bf16"},
                                {"fp8_promotion", "every 128 of K"},
                                {"logits", "f32"}};
    QUERN_RETURN_IF_ERROR(writer.finish(std::move(manifest)));
    QUERN_ASSIGN_OR_RETURN(MappedFile file, MappedFile::open(options.output));
    report.artifactBytes = file.bytes().size();
    report.writeSeconds = lap.next();
    return Status::success();
  }

  const CompileOptions &options;
  mlir::DialectRegistry registry;
  mlir::MLIRContext context;
  CompileReport report;
  Lap lap;
  std::optional<import::ImportedModel> imported;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string moduleText;
  std::vector<TargetBuild> builds;
};

} // namespace

Expected<CompileReport> compileModel(const CompileOptions &options) { return Compilation(options).run(); }

} // namespace quern::lowering
