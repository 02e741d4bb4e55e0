//===- NvidiaMachine.cpp - Executes PTX text ------------------------------===//
//
// Loads PTX modules, compiles their kernels when they are first run, and runs the blocks of a launch on host
// threads.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/Machine.h"
#include "runtime/emulated/nvidia/BlockCounts.h"
#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/FaultReport.h"
#include "runtime/emulated/nvidia/Jit.h"
#include "runtime/emulated/nvidia/LoadedModule.h"
#include "runtime/emulated/nvidia/TensorMapCode.h"
#include "support/Threads.h"

#include <algorithm>
#include <cstring>
#include <mutex>

namespace quern::runtime::emulated {

namespace {

using namespace nvidia;

/// Facts of an architecture that a launch is checked against (CUDA C++ Programming Guide, "Compute
/// Capabilities").
struct TargetFacts {
  const char *name;
  uint32_t sharedBytes;   ///< largest shared memory of one block, opted in
  uint32_t clusterBlocks; ///< largest cluster that every device has, 0: none
};
constexpr TargetFacts targets[] = {
    {"sm_80", 163 * 1024, 0},   {"sm_86", 99 * 1024, 0},   {"sm_89", 99 * 1024, 0},
    {"sm_90", 227 * 1024, 8},   {"sm_90a", 227 * 1024, 8}, {"sm_100", 227 * 1024, 8},
    {"sm_100a", 227 * 1024, 8}, {"sm_120", 99 * 1024, 8},  {"sm_120a", 99 * 1024, 8}};
/// Shared memory that code may declare; more must be dynamic.
constexpr uint64_t maxStaticShared = 48 * 1024;

/// What all modules of one machine share: the compiler, and the runners that idle.
struct Workshop {
  std::unique_ptr<Jit> jit;
  TargetFacts facts;
  std::mutex lock;
  std::shared_ptr<ThreadPool> threads;
  std::vector<std::unique_ptr<BlockRun>> idle;
  /// The texts loaded last, newest at the end, so that loading one again compiles nothing.
  std::vector<std::pair<std::string, std::shared_ptr<LoadedModule>>> recent;

  /// The host threads; kept while the number that is asked for stays the same.
  std::shared_ptr<ThreadPool> pool(uint32_t workers) {
    std::lock_guard guard(lock);
    workers = std::min(workers, 256u);
    if (!threads || threads->size() != workers)
      threads = std::make_shared<ThreadPool>(workers);
    return threads;
  }
  std::unique_ptr<BlockRun> borrow() {
    std::lock_guard guard(lock);
    if (idle.empty())
      return std::make_unique<BlockRun>();
    std::unique_ptr<BlockRun> run = std::move(idle.back());
    idle.pop_back();
    return run;
  }
  void giveBack(std::unique_ptr<BlockRun> run) {
    std::lock_guard guard(lock);
    idle.push_back(std::move(run));
  }
};

class NvidiaProgram : public Program {
public:
  NvidiaProgram(std::shared_ptr<Workshop> workshop, std::shared_ptr<LoadedModule> loaded,
                LoadedKernel &kernel)
      : workshop(std::move(workshop)), loaded(std::move(loaded)), kernel(kernel), image(kernel.image) {
    for (uint32_t index : image.kernel->parameters) {
      const Variable &variable = image.kernel->variables[index];
      if (variable.bytes == sizeof(EncodedTensorMap) && variable.align >= alignof(EncodedTensorMap))
        kinds.push_back(ArgumentKind::TensorMap);
      else if (variable.bytes == 4)
        kinds.push_back(variable.type.kind == 'f' ? ArgumentKind::F32 : ArgumentKind::I32);
      else
        kinds.push_back(variable.isPointer ? ArgumentKind::Pointer : ArgumentKind::I64);
      simple &= variable.bytes == 4 || variable.bytes == 8 || kinds.back() == ArgumentKind::TensorMap;
    }
  }

  const std::vector<ArgumentKind> &parameters() const override { return kinds; }

  Status run(const LaunchShape &shape, std::span<const Argument> arguments, const GlobalMemory &memory,
             const RunOptions &options, RunCounters &counters, std::vector<Finding> &findings) override;

private:
  Status check(const LaunchShape &shape) const;
  uint32_t clusterBlocks() const { return std::max(1u, image.kernel->clusterBlocks); }

  std::shared_ptr<Workshop> workshop;
  std::shared_ptr<LoadedModule> loaded;
  LoadedKernel &kernel; ///< of |loaded|
  const KernelImage &image;
  std::vector<ArgumentKind> kinds;
  bool simple = true; ///< every parameter fits into one slot
};

Status NvidiaProgram::check(const LaunchShape &shape) const {
  const Function &kernel = *image.kernel;
  auto error = [&](std::string sentence) {
    return Status::error(Exit::Usage, "E-LAUNCH-SHAPE",
                         "kernel `" + kernel.name + "`: " + std::move(sentence));
  };
  if (shape.threads == 0 || shape.threads > maxThreads)
    return error("a block has from 1 to 1024 threads, not " + std::to_string(shape.threads));
  uint32_t required = kernel.requiredThreads[0] * kernel.requiredThreads[1] * kernel.requiredThreads[2];
  if (required && required != shape.threads)
    return error("it is compiled for " + std::to_string(required) + " threads a block and launched with " +
                 std::to_string(shape.threads));
  if (kernel.maximumThreads && shape.threads > kernel.maximumThreads)
    return error("it is compiled for at most " + std::to_string(kernel.maximumThreads) +
                 " threads a block and launched with " + std::to_string(shape.threads));
  uint32_t cluster = clusterBlocks();
  if (cluster > 1 && workshop->facts.clusterBlocks == 0)
    return error(std::string(workshop->facts.name) + " has no clusters of blocks");
  if (cluster > std::max(1u, workshop->facts.clusterBlocks) || !kernel.clusterIsFlat)
    return error("a cluster has from 1 to " + std::to_string(workshop->facts.clusterBlocks) +
                 " blocks along x, not " + std::to_string(cluster));
  if (shape.blocks % cluster != 0)
    return error(std::to_string(shape.blocks) + " blocks are no whole number of clusters of " +
                 std::to_string(cluster));
  if (image.staticSharedBytes > maxStaticShared)
    return error("it declares " + std::to_string(image.staticSharedBytes) +
                 " bytes of shared memory; more than 49152 must be dynamic");
  if (image.staticSharedBytes + shape.sharedBytes > workshop->facts.sharedBytes)
    return error("it needs " + std::to_string(image.staticSharedBytes + shape.sharedBytes) +
                 " bytes of shared memory and " + workshop->facts.name + " has " +
                 std::to_string(workshop->facts.sharedBytes));
  return Status::success();
}

Status NvidiaProgram::run(const LaunchShape &shape, std::span<const Argument> arguments,
                          const GlobalMemory &memory, const RunOptions &options, RunCounters &counters,
                          std::vector<Finding> &findings) {
  if (shape.blocks == 0)
    return Status::success();
  QUERN_RETURN_IF_ERROR(check(shape));
  if (!simple || arguments.size() != kinds.size())
    return Status::error(Exit::Unsupported, "E-EMULATED-NOT-MODELLED",
                         "kernel `" + image.kernel->name +
                             "` has parameters that do not fit the argument slots");
  QUERN_ASSIGN_OR_RETURN(KernelEntry code, kernel.entry(*workshop->jit, Checks::of(options)));
  // Tensor maps among them are aligned.
  struct alignas(EncodedTensorMap) Line {
    std::byte bytes[alignof(EncodedTensorMap)];
  };
  std::vector<Line> parameterLines(image.parameterBytes / sizeof(Line) + 2);
  std::byte *parameters = parameterLines[0].bytes;
  for (size_t i = 0; i < arguments.size(); ++i)
    std::memcpy(parameters + image.parameterOffset[i],
                kinds[i] == ArgumentKind::TensorMap ? reinterpret_cast<const void *>(arguments[i].bits)
                                                    : &arguments[i].bits,
                image.kernel->variables[image.kernel->parameters[i]].bytes);

  std::atomic<uint32_t> lowestFault = ~0u;
  BlockSetup setup;
  setup.entry = code;
  setup.threads = shape.threads;
  setup.shape[0] = shape.threads;
  if (image.kernel->requiredThreads[0])
    for (int i = 0; i < 3; ++i)
      setup.shape[i] = image.kernel->requiredThreads[i];
  setup.blocks[0] = shape.blocks;
  setup.clusterBlocks = clusterBlocks();
  setup.isExplicitCluster = image.kernel->clusterBlocks > 0;
  setup.knowsClusters = image.knowsClusters;
  setup.usesTensorMemory = image.usesTensorMemory;
  setup.parameters = parameters;
  setup.parameterBytes = image.parameterBytes;
  setup.sharedBytes = image.staticSharedBytes + shape.sharedBytes;
  setup.dynamicSharedBytes = shape.sharedBytes;
  setup.localBytes = image.localBytes;
  setup.sites = static_cast<uint32_t>(image.sites.size());
  setup.granuleBytes = image.granuleBytes;
  setup.canWait = image.canWait;
  std::unique_ptr<GlobalShadow> globalShadow;
  if (options.sanitize && options.globalRaces)
    globalShadow = std::make_unique<GlobalShadow>(image.globalGranuleBytes);
  setup.globalShadow = globalShadow.get();
  if (options.counters)
    setup.counts = &kernel.countPlan();
  setup.memory = &memory;
  setup.variables = &loaded->variables;
  setup.constants = &loaded->constants;
  setup.options = &options;
  setup.lowestFault = &lowestFault;

  // Of several faults the one of the lowest block is reported: blocks below a faulty one run to their end.
  struct Result {
    std::unique_ptr<BlockRun> run;
    uint32_t cluster = ~0u;
    Fault fault;
    RunCounters counters;
    bool outOfMemory = false;
  };
  std::shared_ptr<ThreadPool> pool = workshop->pool(options.workers ? options.workers : availableThreads());
  std::vector<Result> results(pool->size());
  auto work = [&](uint64_t begin, uint64_t end, unsigned worker) {
    Result &result = results[worker];
    if (!result.run) {
      result.run = workshop->borrow();
      result.outOfMemory = !result.run->prepare(setup);
    }
    for (uint64_t i = begin; i < end && i < lowestFault && !result.outOfMemory; ++i) {
      auto index = static_cast<uint32_t>(i);
      if (result.run->run(index, result.counters) || result.run->fault().kind == Fault::Stopped)
        continue;
      uint32_t lowest = lowestFault;
      while (index < lowest && !lowestFault.compare_exchange_weak(lowest, index)) {
      }
      if (index < result.cluster) {
        result.cluster = index;
        result.fault = result.run->fault();
      }
    }
  };
  constexpr uint64_t piecesPerWorker = 8;
  uint32_t clusters = shape.blocks / setup.clusterBlocks;
  pool->parallelFor(0, clusters, std::max<uint64_t>(1, clusters / (pool->size() * piecesPerWorker)), work);
  if (options.counters) {
    std::vector<Counters *> counted;
    for (Result &result : results)
      if (result.run && !result.outOfMemory) {
        result.run->counts()->close();
        counted.push_back(&result.run->counts()->counters());
      }
    counters.detail = Counters::collect(counted);
    counters.detail.launches = 1;
    counters.detail.blocks = shape.blocks;
    counters.detail.resources = {
        .threads = shape.threads,
        .warpLanes = warpSize,
        .sharedBytes = static_cast<uint32_t>(setup.sharedBytes),
        .privateBytes = static_cast<uint32_t>(image.localBytes),
    };
  }
  for (Result &result : results)
    if (result.run)
      workshop->giveBack(std::move(result.run));

  const Result *first = nullptr;
  for (const Result &result : results) {
    if (result.outOfMemory)
      return Status::error(Exit::Resource, "E-EMULATED-MEMORY",
                           "no host memory for the threads of kernel `" + image.kernel->name + "`");
    counters.threadInstructions += result.counters.threadInstructions;
    counters.warpInstructions += result.counters.warpInstructions;
    counters.globalLoadBytes += result.counters.globalLoadBytes;
    counters.globalStoreBytes += result.counters.globalStoreBytes;
    counters.sharedLoadBytes += result.counters.sharedLoadBytes;
    counters.sharedStoreBytes += result.counters.sharedStoreBytes;
    counters.barriers += result.counters.barriers;
    if (result.cluster != ~0u && (!first || result.cluster < first->cluster))
      first = &result;
  }
  return first ? report(first->fault, image, findings) : Status::success();
}

class NvidiaMachine : public Machine {
public:
  explicit NvidiaMachine(std::shared_ptr<Workshop> workshop) : workshop(std::move(workshop)) {}

  Expected<std::map<std::string, std::unique_ptr<Program>>> load(std::span<const std::byte> code) override {
    std::string_view text(reinterpret_cast<const char *>(code.data()), code.size());
    while (!text.empty() && text.back() == '\0')
      text.remove_suffix(1);
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<LoadedModule> loaded, loadOnce(text));
    QUERN_RETURN_IF_ERROR(checkTarget(loaded->ptx().target));
    std::map<std::string, std::unique_ptr<Program>> programs;
    for (const auto &[name, kernel] : loaded->kernels())
      programs[name] = std::make_unique<NvidiaProgram>(workshop, loaded, *kernel);
    return programs;
  }

  Expected<EncodedTensorMap> encodeTensorMap(const TensorMap &map) override {
    if (workshop->facts.clusterBlocks == 0)
      return Machine::encodeTensorMap(map);
    return encode(map);
  }

private:
  /// The module of |text|, the one that is there if it was loaded lately.
  Expected<std::shared_ptr<LoadedModule>> loadOnce(std::string_view text) {
    constexpr size_t kept = 64;
    std::lock_guard guard(workshop->lock);
    auto &recent = workshop->recent;
    for (auto &entry : recent)
      if (entry.first == text) {
        std::rotate(recent.begin() + (&entry - recent.data()), recent.begin() + (&entry - recent.data()) + 1,
                    recent.end());
        return recent.back().second;
      }
    QUERN_ASSIGN_OR_RETURN(std::shared_ptr<LoadedModule> loaded, LoadedModule::load(text));
    if (!loaded->hasVariables()) {
      if (recent.size() == kept)
        recent.erase(recent.begin());
      recent.emplace_back(std::string(text), loaded);
    }
    return loaded;
  }

  /// Code for "sm_90a" runs on sm_90 alone; plain code also on everything newer (PTX ISA 11.1.2, ".target").
  Status checkTarget(const std::string &wanted) const {
    std::string have = workshop->facts.name;
    auto number = [](const std::string &name) { return std::strtoul(name.c_str() + 3, nullptr, 10); };
    bool specific = !wanted.empty() && !std::isdigit(static_cast<unsigned char>(wanted.back()));
    if (wanted.starts_with("sm_") && (specific ? wanted == have : number(wanted) <= number(have)))
      return Status::success();
    return Status::error(Exit::Unsupported, "E-EMULATED-TARGET",
                         "PTX for " + wanted + " does not run on " + have);
  }

  std::shared_ptr<Workshop> workshop;
};

} // namespace

Expected<std::unique_ptr<Machine>> makeNvidiaMachine(const std::string &target) {
  for (const TargetFacts &facts : targets) {
    if (target != facts.name)
      continue;
    auto workshop = std::make_shared<Workshop>();
    workshop->facts = facts;
    QUERN_ASSIGN_OR_RETURN(workshop->jit, Jit::create());
    return std::unique_ptr<Machine>(std::make_unique<NvidiaMachine>(std::move(workshop)));
  }
  return Status::error(Exit::Unsupported, "E-EMULATED-TARGET",
                       "no emulated device for the target `" + target + "`");
}

} // namespace quern::runtime::emulated
