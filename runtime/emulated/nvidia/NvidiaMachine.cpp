//===- NvidiaMachine.cpp - Executes PTX text ------------------------------===//
//
// Loads PTX modules, compiles their kernels when they are first run, and runs the blocks of a launch on host
// threads.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/Machine.h"
#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/Jit.h"
#include "runtime/emulated/nvidia/PtxParser.h"
#include "support/Threads.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <thread>

namespace quern::runtime::emulated {

namespace {

using namespace nvidia;

/// Facts of an architecture that a launch is checked against (CUDA C++ Programming Guide, "Compute
/// Capabilities").
struct TargetFacts {
  const char *name;
  uint32_t sharedBytes; ///< largest shared memory of one block, opted in
};
constexpr TargetFacts targets[] = {{"sm_80", 163 * 1024},   {"sm_86", 99 * 1024},   {"sm_89", 99 * 1024},
                                   {"sm_90", 227 * 1024},   {"sm_90a", 227 * 1024}, {"sm_100", 227 * 1024},
                                   {"sm_100a", 227 * 1024}, {"sm_120", 99 * 1024},  {"sm_120a", 99 * 1024}};
/// Shared memory that code may declare; more must be dynamic.
constexpr uint64_t maxStaticShared = 48 * 1024;

/// What all modules of one machine share: the compiler, and the runners that idle.
struct Workshop {
  std::unique_ptr<Jit> jit;
  TargetFacts facts;
  std::mutex lock;
  std::vector<std::unique_ptr<BlockRun>> idle;
  std::map<std::string, std::weak_ptr<struct LoadedModule>> loaded; ///< by content

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

/// One PTX module with the memory of its variables. Programs share it.
struct LoadedModule {
  std::unique_ptr<Module> ptx;
  std::vector<std::unique_ptr<std::byte[]>> storage;
  std::map<const Variable *, uint64_t> globalAddress;
  GlobalMemory variables, constants;
};

Status placeVariables(LoadedModule &loaded) {
  for (const Variable &variable : loaded.ptx->variables) {
    if (variable.space != Space::Global && variable.space != Space::Const)
      continue;
    if (variable.isExtern || variable.bytes == 0)
      continue; // an access to it is an instruction that is not modelled
    uint64_t align = std::max<uint64_t>(variable.align, 256);
    auto bytes = std::make_unique<std::byte[]>(variable.bytes + align);
    auto base = (reinterpret_cast<uint64_t>(bytes.get()) + align - 1) / align * align;
    std::memset(reinterpret_cast<void *>(base), 0, variable.bytes);
    std::memcpy(reinterpret_cast<void *>(base), variable.init.data(), variable.init.size());
    loaded.globalAddress[&variable] = base;
    (variable.space == Space::Const ? loaded.constants : loaded.variables).add(base, variable.bytes);
    loaded.storage.push_back(std::move(bytes));
  }
  for (const Variable &variable : loaded.ptx->variables)
    for (const Relocation &relocation : variable.relocations) {
      const Variable *target = nullptr;
      for (const Variable &candidate : loaded.ptx->variables)
        if (candidate.name == relocation.symbol && loaded.globalAddress.count(&candidate))
          target = &candidate;
      if (!target || !loaded.globalAddress.count(&variable))
        return Status::error(Exit::BadInput, "E-EMULATED-CODE",
                             "an initialiser names the unknown variable `" + relocation.symbol + "`");
      uint64_t value = loaded.globalAddress[target] + relocation.addend;
      std::memcpy(reinterpret_cast<void *>(loaded.globalAddress[&variable] + relocation.offset), &value, 8);
    }
  return Status::success();
}

class NvidiaProgram : public Program {
public:
  NvidiaProgram(std::shared_ptr<Workshop> workshop, std::shared_ptr<LoadedModule> loaded,
                const Function &kernel)
      : workshop(std::move(workshop)), loaded(std::move(loaded)),
        image(layOut(*this->loaded->ptx, kernel, this->loaded->globalAddress)) {
    for (uint32_t index : kernel.parameters) {
      const Variable &variable = kernel.variables[index];
      if (variable.bytes == 4)
        kinds.push_back(variable.type.kind == 'f' ? ArgumentKind::F32 : ArgumentKind::I32);
      else
        kinds.push_back(variable.isPointer ? ArgumentKind::Pointer : ArgumentKind::I64);
      simple &= variable.bytes == 4 || variable.bytes == 8;
    }
  }

  const std::vector<ArgumentKind> &parameters() const override { return kinds; }

  Status run(const LaunchShape &shape, std::span<const Argument> arguments, const GlobalMemory &memory,
             const RunOptions &options, RunCounters &counters, std::vector<Finding> &findings) override;

private:
  Status check(const LaunchShape &shape) const;
  Expected<KernelEntry> entry(bool sanitize);
  std::string placeOf(uint32_t site) const;
  Status report(const Fault &fault, uint32_t block, std::vector<Finding> &findings) const;

  std::shared_ptr<Workshop> workshop;
  std::shared_ptr<LoadedModule> loaded;
  KernelImage image;
  std::vector<ArgumentKind> kinds;
  bool simple = true; ///< every parameter fits into one slot
  std::mutex lock;
  KernelEntry entries[2] = {nullptr, nullptr}; ///< by sanitize
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
  if (image.staticSharedBytes > maxStaticShared)
    return error("it declares " + std::to_string(image.staticSharedBytes) +
                 " bytes of shared memory; more than 49152 must be dynamic");
  if (image.staticSharedBytes + shape.sharedBytes > workshop->facts.sharedBytes)
    return error("it needs " + std::to_string(image.staticSharedBytes + shape.sharedBytes) +
                 " bytes of shared memory and " + workshop->facts.name + " has " +
                 std::to_string(workshop->facts.sharedBytes));
  return Status::success();
}

Expected<KernelEntry> NvidiaProgram::entry(bool sanitize) {
  std::lock_guard guard(lock);
  if (!entries[sanitize]) {
    QUERN_ASSIGN_OR_RETURN(entries[sanitize], workshop->jit->compile(image, sanitize));
  }
  return entries[sanitize];
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
  QUERN_ASSIGN_OR_RETURN(KernelEntry code, entry(options.sanitize));
  std::vector<std::byte> parameters(image.parameterBytes + 16);
  for (size_t i = 0; i < arguments.size(); ++i)
    std::memcpy(&parameters[image.parameterOffset[i]], &arguments[i].bits,
                image.kernel->variables[image.kernel->parameters[i]].bytes);

  std::atomic<bool> stop = false;
  std::atomic<uint32_t> nextBlock = 0;
  BlockSetup setup;
  setup.entry = code;
  setup.threads = shape.threads;
  setup.shape[0] = shape.threads;
  if (image.kernel->requiredThreads[0])
    for (int i = 0; i < 3; ++i)
      setup.shape[i] = image.kernel->requiredThreads[i];
  setup.blocks[0] = shape.blocks;
  setup.parameters = parameters.data();
  setup.parameterBytes = image.parameterBytes;
  setup.sharedBytes = image.staticSharedBytes + shape.sharedBytes;
  setup.dynamicSharedBytes = shape.sharedBytes;
  setup.localBytes = image.localBytes;
  setup.sites = static_cast<uint32_t>(image.sites.size());
  setup.granuleBytes = image.granuleBytes;
  setup.canWait = image.canWait;
  setup.memory = &memory;
  setup.variables = &loaded->variables;
  setup.constants = &loaded->constants;
  setup.options = &options;
  setup.stop = &stop;

  // Of several faults the one of the lowest block is reported.
  struct Result {
    uint32_t block = ~0u;
    Fault fault;
    RunCounters counters;
    bool outOfMemory = false;
  };
  uint32_t workers = options.workers ? options.workers : availableThreads();
  workers = std::min({workers, shape.blocks, 256u});
  std::vector<Result> results(workers);
  auto work = [&](Result &result) {
    std::unique_ptr<BlockRun> run = workshop->borrow();
    if (!run->prepare(setup)) {
      result.outOfMemory = true;
      stop = true;
      return;
    }
    for (uint32_t index; !stop && (index = nextBlock++) < shape.blocks;)
      if (!run->run(index, result.counters)) {
        if (run->fault().kind != Fault::Stopped) {
          result.block = index;
          result.fault = run->fault();
        }
        stop = true;
        break;
      }
    workshop->giveBack(std::move(run));
  };
  std::vector<std::thread> helpers;
  for (uint32_t i = 1; i < workers; ++i)
    helpers.emplace_back(work, std::ref(results[i]));
  work(results[0]);
  for (std::thread &helper : helpers)
    helper.join();

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
    if (result.block != ~0u && (!first || result.block < first->block))
      first = &result;
  }
  return first ? report(first->fault, first->block, findings) : Status::success();
}

/// "`ld.global.b32 %r1, [%rd1]` (PTX line 30, kernels/x/tile.mlir:12)"
std::string NvidiaProgram::placeOf(uint32_t site) const {
  if (site >= image.sites.size())
    return "the start of the kernel";
  const Instruction &instruction = *image.sites[site].instruction;
  std::string text = "`" + instruction.text + "` (PTX line " + std::to_string(instruction.line);
  if (instruction.sourceFile < image.module->files.size() &&
      !image.module->files[instruction.sourceFile].empty())
    text += ", " + image.module->files[instruction.sourceFile] + ":" + std::to_string(instruction.sourceLine);
  return text + ")";
}

Status NvidiaProgram::report(const Fault &fault, uint32_t block, std::vector<Finding> &findings) const {
  Finding finding;
  finding.kernel = image.kernel->name;
  finding.block = block;
  finding.thread = fault.thread;
  finding.instruction = placeOf(fault.site);
  auto hex = [](uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return std::string(text);
  };
  std::string id, sentence,
      access = std::to_string(fault.bytes) + " bytes at " + fault.text + " address " + hex(fault.address);
  Exit exit = Exit::Unexpected;
  switch (fault.kind) {
  case Fault::OutOfBounds:
    finding.kind = "out-of-bounds";
    id = "E-EMULATED-OUT-OF-BOUNDS";
    sentence = "an access lies outside of every allocation";
    finding.detail = access;
    break;
  case Fault::Misaligned:
    finding.kind = "misaligned";
    id = "E-EMULATED-MISALIGNED";
    sentence = "an access is not aligned to its size";
    finding.detail = access;
    break;
  case Fault::Race:
    finding.kind = "race";
    id = "E-EMULATED-RACE";
    sentence = "two threads access the same shared memory without an order";
    finding.detail =
        std::to_string(fault.bytes) + " bytes at shared address " + hex(fault.address) + ": thread " +
        std::to_string(fault.thread) + (fault.other.kind == Conflict::WriteRead ? " reads" : " writes") +
        ", thread " + std::to_string(fault.other.thread) +
        (fault.other.kind == Conflict::ReadWrite ? " reads" : " writes") + " in " + placeOf(fault.other.site);
    break;
  case Fault::Uninitialised:
    finding.kind = "uninitialised";
    id = "E-EMULATED-UNINITIALISED";
    sentence = "shared memory is read before anything has written it";
    finding.detail = std::to_string(fault.bytes) + " bytes at shared address " + hex(fault.address);
    break;
  case Fault::Deadlock: {
    finding.kind = "deadlock";
    id = "E-EMULATED-DEADLOCK";
    sentence = "no thread of a block can go on";
    for (size_t i = 0; i < fault.waiters.size(); ++i) {
      if (fault.waiters[i] != '@') {
        finding.detail += fault.waiters[i];
        continue;
      }
      size_t end = fault.waiters.find('@', i + 1);
      finding.detail += placeOf(static_cast<uint32_t>(std::stoul(fault.waiters.substr(i + 1, end - i - 1))));
      i = end;
    }
    break;
  }
  case Fault::Divergence:
    finding.kind = "divergence";
    id = "E-EMULATED-DIVERGENCE";
    sentence = fault.text;
    if (fault.other.kind != Conflict::None)
      finding.detail = "the other side is " + placeOf(fault.other.site);
    break;
  case Fault::NotModelled:
    exit = Exit::Unsupported;
    id = "E-EMULATED-NOT-MODELLED";
    sentence = "an instruction is not modelled";
    break;
  case Fault::Trap:
    finding.kind = "trap";
    id = "E-EMULATED-TRAP";
    sentence = "the kernel has trapped";
    break;
  case Fault::StepLimit:
  case Fault::Stopped:
  case Fault::None:
    finding.kind = "endless";
    id = "E-EMULATED-STEP-LIMIT";
    sentence = "a thread does not end within the step limit";
    break;
  case Fault::StackDepth:
    finding.kind = "stack";
    id = "E-EMULATED-STACK";
    sentence = "calls are nested too deeply or local memory is used up";
    break;
  case Fault::BadOperand:
    finding.kind = "operand";
    id = "E-EMULATED-OPERAND";
    sentence = fault.text;
    break;
  }
  if (!finding.kind.empty())
    findings.push_back(finding);
  std::string cause = "kernel `" + finding.kernel + "`, block " + std::to_string(block) + ", thread " +
                      std::to_string(fault.thread) + ", " + finding.instruction;
  if (!finding.detail.empty())
    cause += ": " + finding.detail;
  return Status::error(exit, id, sentence).cause(cause);
}

class NvidiaMachine : public Machine {
public:
  explicit NvidiaMachine(std::shared_ptr<Workshop> workshop) : workshop(std::move(workshop)) {}

  Expected<std::map<std::string, std::unique_ptr<Program>>> load(std::span<const std::byte> code) override {
    std::string_view text(reinterpret_cast<const char *>(code.data()), code.size());
    while (!text.empty() && text.back() == '\0')
      text.remove_suffix(1);
    auto loaded = std::make_shared<LoadedModule>();
    QUERN_ASSIGN_OR_RETURN(loaded->ptx, parsePtx(text));
    QUERN_RETURN_IF_ERROR(checkTarget(loaded->ptx->target));
    QUERN_RETURN_IF_ERROR(placeVariables(*loaded));
    std::map<std::string, std::unique_ptr<Program>> programs;
    for (const auto &function : loaded->ptx->functions)
      if (function->isEntry && function->isDefined)
        programs[function->name] = std::make_unique<NvidiaProgram>(workshop, loaded, *function);
    return programs;
  }

private:
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
