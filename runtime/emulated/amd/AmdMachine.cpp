//===- AmdMachine.cpp - Launches kernels of a code object -----------------===//
//
// The initial state of registers is that of the AMDGPU usage guide, "Initial Kernel Execution State": user
// SGPRs in descriptor order, preloaded arguments, block indices (system SGPRs, or trap-temporary registers on
// gfx12), packed thread indices in v0. Blocks are independent and run on several host threads.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Block.h"
#include "runtime/emulated/amd/CodeObject.h"
#include "runtime/emulated/amd/Decoder.h"
#include "runtime/emulated/amd/InstructionCounts.h"
#include "runtime/emulated/amd/Wave.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

namespace quern::runtime::emulated::amd {
namespace {

/// Bits of KernelCode::properties.
enum Property : uint16_t {
  PrivateBuffer = 1 << 0,
  DispatchPointer = 1 << 1,
  QueuePointer = 1 << 2,
  KernargPointer = 1 << 3,
  DispatchId = 1 << 4,
  FlatScratchInit = 1 << 5,
  PrivateSize = 1 << 6,
  Wave32 = 1 << 10
};

/// Threads of a block at most, on every target.
constexpr uint32_t kLargestBlock = 1024;

/// A loaded code object; its programs share it.
struct Loaded {
  TargetFacts target;
  CodeObject object;
  DecodedCode code;
};

/// hsa_kernel_dispatch_packet_t, as far as kernels read it.
struct DispatchPacket {
  uint16_t header = 0, setup = 1;
  uint16_t blockX = 1, blockY = 1, blockZ = 1, reserved0 = 0;
  uint32_t gridX = 1, gridY = 1, gridZ = 1;
  uint32_t privateBytes = 0, localBytes = 0;
  uint64_t kernelObject = 0, kernarg = 0, reserved2 = 0, completion = 0;
};
static_assert(sizeof(DispatchPacket) == 64);

/// Everything that one launch hands to its kernel; lives until the last block has ended.
struct LaunchMemory {
  std::vector<uint64_t> kernarg; ///< 8-byte aligned at least; see alignment below
  uint8_t *arguments = nullptr;
  DispatchPacket packet;
  uint64_t queue[32] = {};
};

class AmdProgram final : public Program {
public:
  AmdProgram(std::shared_ptr<const Loaded> loaded, const KernelCode &kernel)
      : loaded(std::move(loaded)), kernel(kernel) {
    for (const KernelArgument &argument : kernel.arguments) {
      if (argument.hidden())
        continue;
      bool pointer = argument.valueKind == "global_buffer" || argument.valueKind == "dynamic_shared_pointer";
      // The metadata does not tell float from integer: 4 bytes are I32 here, and F32 is accepted in its
      // place.
      kinds.push_back(pointer              ? ArgumentKind::Pointer
                      : argument.size == 8 ? ArgumentKind::I64
                                           : ArgumentKind::I32);
      visible.push_back(argument);
    }
  }

  const std::vector<ArgumentKind> &parameters() const override { return kinds; }

  Status run(const LaunchShape &shape, std::span<const Argument> arguments, const GlobalMemory &memory,
             const RunOptions &options, RunCounters &counters, std::vector<Finding> &findings) override;

private:
  Status checkLaunch(const LaunchShape &shape, std::span<const Argument> arguments) const;
  void packArguments(const LaunchShape &shape, std::span<const Argument> arguments, LaunchMemory &out) const;
  void startWave(Wave &wave, const LaunchShape &shape, const LaunchMemory &memory,
                 unsigned firstThread) const;

  std::shared_ptr<const Loaded> loaded;
  KernelCode kernel;
  std::vector<ArgumentKind> kinds;
  std::vector<KernelArgument> visible;
};

Status AmdProgram::checkLaunch(const LaunchShape &shape, std::span<const Argument> arguments) const {
  auto refuse = [&](const char *id, const std::string &cause) {
    return Status::error(Exit::Usage, id, "kernel `" + kernel.name + "` cannot be launched like this")
        .cause(cause);
  };
  auto usage = [&](const std::string &cause) { return refuse("E-LAUNCH-ARGUMENTS", cause); };
  auto badShape = [&](const std::string &cause) { return refuse("E-LAUNCH-SHAPE", cause); };
  if (arguments.size() != visible.size())
    return usage("it takes " + std::to_string(visible.size()) + " arguments, " +
                 std::to_string(arguments.size()) + " were given");
  for (size_t i = 0; i < arguments.size(); ++i) {
    bool wide = arguments[i].kind == ArgumentKind::Pointer || arguments[i].kind == ArgumentKind::I64;
    if (wide != (visible[i].size == 8) && visible[i].size >= 4)
      return usage("argument " + std::to_string(i) + " has " + std::to_string(visible[i].size) + " bytes");
  }
  if (shape.threads == 0 || shape.threads > std::min(kernel.maxThreads, kLargestBlock))
    return badShape("a block of it has 1 to " + std::to_string(kernel.maxThreads) + " threads, " +
                    std::to_string(shape.threads) + " were asked for");
  if (uint64_t(kernel.localBytes) + shape.sharedBytes > loaded->target.localBytes)
    return badShape("it needs " + std::to_string(uint64_t(kernel.localBytes) + shape.sharedBytes) +
                    " bytes of local memory, the target has " + std::to_string(loaded->target.localBytes));
  return Status::success();
}

void AmdProgram::packArguments(const LaunchShape &shape, std::span<const Argument> arguments,
                               LaunchMemory &out) const {
  // The segment may ask for more alignment than 8; 256 serves all.
  out.kernarg.assign(kernel.kernargBytes / 8 + 1 + 64, 0);
  uint64_t base = (reinterpret_cast<uint64_t>(out.kernarg.data()) + 255) / 256 * 256;
  out.arguments = reinterpret_cast<uint8_t *>(base);
  for (size_t i = 0; i < arguments.size(); ++i)
    std::memcpy(out.arguments + visible[i].offset, &arguments[i].bits,
                std::min<uint32_t>(visible[i].size, 8));
  auto hidden = [&](const KernelArgument &argument, uint64_t value) {
    std::memcpy(out.arguments + argument.offset, &value, std::min<uint32_t>(argument.size, 8));
  };
  for (const KernelArgument &argument : kernel.arguments) {
    const std::string &kind = argument.valueKind;
    if (kind == "hidden_block_count_x")
      hidden(argument, shape.blocks);
    else if (kind == "hidden_block_count_y" || kind == "hidden_block_count_z" ||
             kind == "hidden_group_size_y" || kind == "hidden_group_size_z" || kind == "hidden_grid_dims")
      hidden(argument, 1);
    else if (kind == "hidden_group_size_x")
      hidden(argument, shape.threads);
    else if (kind == "hidden_dynamic_lds_size")
      hidden(argument, shape.sharedBytes);
    else if (kind == "hidden_private_base")
      hidden(argument, kPrivateAperture >> 32);
    else if (kind == "hidden_shared_base")
      hidden(argument, kLocalAperture >> 32);
    else if (kind == "hidden_queue_ptr")
      hidden(argument, reinterpret_cast<uint64_t>(out.queue));
    // Offsets, remainders and service pointers are 0.
  }
  out.packet.blockX = uint16_t(shape.threads);
  out.packet.gridX = shape.blocks * shape.threads;
  out.packet.privateBytes = kernel.privateBytes;
  out.packet.localBytes = kernel.localBytes + shape.sharedBytes;
  out.packet.kernarg = base;
}

void AmdProgram::startWave(Wave &wave, const LaunchShape &shape, const LaunchMemory &memory,
                           unsigned firstThread) const {
  const TargetFacts &target = loaded->target;
  unsigned threads = std::min(shape.threads - firstThread, target.waveSize);
  wave.initialExec = threads == 64 ? ~uint64_t(0) : (uint64_t(1) << threads) - 1;
  wave.setWide(scalar::Exec, wave.initialExec);

  // The kernel's modes: COMPUTE_PGM_RSRC1.
  uint32_t r1 = kernel.resource1;
  wave.mode.round32 = Rounding(r1 >> 12 & 3);
  wave.mode.round64 = Rounding(r1 >> 14 & 3);
  wave.mode.denormal32 = r1 >> 16 & 3;
  wave.mode.denormal64 = r1 >> 18 & 3;
  if (!target.atLeast(Generation::Gfx12)) {
    wave.mode.clampNan = r1 >> 21 & 1;
    wave.mode.ieee = r1 >> 23 & 1;
  }
  wave.mode.saturate16 = r1 >> 26 & 1;

  // User SGPRs, in the order of the descriptor's bits.
  unsigned next = 0;
  auto push = [&](uint32_t value) { wave.scalars[next++] = value; };
  auto pushWide = [&](uint64_t value) {
    push(uint32_t(value));
    push(uint32_t(value >> 32));
  };
  if (kernel.properties & PrivateBuffer) {
    // A swizzled descriptor that adds the lane: element of 4 bytes, index stride of a wave.
    push(uint32_t(wave.scratchBase));
    push(uint32_t(wave.scratchBase >> 32 & 0xffff) | 1u << 31);
    push(~0u);
    push(1u << 23 | (target.wave32() ? 2u : 3u) << 21 | 1u << 19);
  }
  if (kernel.properties & DispatchPointer)
    pushWide(reinterpret_cast<uint64_t>(&memory.packet));
  if (kernel.properties & QueuePointer)
    pushWide(reinterpret_cast<uint64_t>(memory.queue));
  if (kernel.properties & KernargPointer)
    pushWide(reinterpret_cast<uint64_t>(memory.arguments));
  if (kernel.properties & DispatchId)
    pushWide(0);
  if (kernel.properties & FlatScratchInit)
    pushWide(0);
  if (kernel.properties & PrivateSize)
    push(kernel.privateBytes);
  for (unsigned i = 0; i < kernel.preloadDwords && next < 32; ++i) {
    uint32_t value = 0;
    uint64_t offset = (uint64_t(kernel.preloadOffset) + i) * 4;
    if (offset + 4 <= kernel.kernargBytes + 3)
      std::memcpy(&value, memory.arguments + offset, 4);
    push(value);
  }
  // System SGPRs: block indices, block information, scratch offset.
  uint32_t r2 = kernel.resource2;
  unsigned userCount = r2 >> 1 & 31;
  next = std::max(next, userCount);
  if (target.architectedIds) {
    wave.scalars[scalar::Ttmp0 + 9] = wave.block.index;
    wave.scalars[scalar::Ttmp0 + 7] = 0; // y in the low half, z in the high half
    wave.scalars[scalar::Ttmp0 + 8] =
        wave.number & 0x1f; // wave in the block, bits 29:25 of the architected register
    wave.scalars[scalar::Ttmp0 + 8] = (wave.number & 0x1f) << 25;
  } else {
    if (r2 >> 7 & 1)
      push(wave.block.index);
    if (r2 >> 8 & 1)
      push(0);
    if (r2 >> 9 & 1)
      push(0);
    if (r2 >> 10 & 1)
      push(0);
    if ((r2 & 1) && !target.atLeast(Generation::Gfx942))
      push(0); // private segment wave offset; targets since gfx942 have it in hardware registers
  }
  wave.scalars[scalar::M0] = ~0u;

  // Thread index, packed in v0 (x in bits 9:0); y and z are 0.
  for (unsigned lane = 0; lane < threads; ++lane)
    wave.row(0)[lane] = firstThread + lane;
  wave.registers.markWritten(0, wave.initialExec);
  // Kernels that preload arguments begin with code for firmware that does not; it is skipped.
  uint64_t entry = kernel.entry + (kernel.preloadDwords ? 256 : 0);
  wave.pc = uint32_t(loaded->code.indexByDword[(entry - loaded->object.textAddress) / 4]);
}

/// BySeed, resolved: latest for multiples of 3, then earliest and random.
AsyncOrder asyncOrder(const RunOptions &options) {
  static constexpr AsyncOrder bySeed[] = {AsyncOrder::Latest, AsyncOrder::Earliest, AsyncOrder::Random};
  return options.asynchronous == AsyncOrder::BySeed ? bySeed[options.seed % 3] : options.asynchronous;
}

/// The error that a finding ends the run with.
Status reported(const Finding &finding) {
  static const struct {
    const char *kind, *id, *sentence;
  } kinds[] = {
      {"out-of-bounds", "E-EMULATED-OUT-OF-BOUNDS", "an access lies outside of every allocation"},
      {"misaligned", "E-EMULATED-MISALIGNED", "an access is not aligned to its size"},
      {"race", "E-EMULATED-RACE", "two waves access the same memory without an order"},
      {"uninitialised", "E-EMULATED-UNINITIALISED",
       "memory or a register is read before anything has written it"},
      {"missing-wait", "E-EMULATED-MISSING-WAIT", "a register is used before the wait of its load"},
      {"deadlock", "E-EMULATED-DEADLOCK", "no wave of a block can go on"},
      {"divergence", "E-EMULATED-DIVERGENCE", "a barrier is not reached by all threads of the block"},
      {"operand", "E-EMULATED-OPERAND", "an operand is not what the instruction needs"},
      {"hazard", "E-EMULATED-HAZARD", "a register is used too soon after a matrix instruction"},
      {"nan", "E-EMULATED-NAN", "a number becomes a NaN of eight bits"},
      {"trap", "E-EMULATED-TRAP", "the kernel has trapped"},
      {"endless", "E-EMULATED-STEP-LIMIT", "a wave does not end within the step limit"},
  };
  std::string cause = "kernel `" + finding.kernel + "`, block " + std::to_string(finding.block) +
                      ", thread " + std::to_string(finding.thread) + ", " + finding.instruction + ": " +
                      finding.detail;
  for (auto &[kind, id, sentence] : kinds)
    if (finding.kind == kind)
      return Status::error(Exit::Unexpected, id, sentence).cause(cause);
  return Status::error(Exit::Unexpected, "E-EMULATED-FINDING", "the kernel is faulty").cause(cause);
}

Status AmdProgram::run(const LaunchShape &shape, std::span<const Argument> arguments,
                       const GlobalMemory &memory, const RunOptions &options, RunCounters &counters,
                       std::vector<Finding> &findings) {
  if (shape.blocks == 0)
    return Status::success();
  QUERN_RETURN_IF_ERROR(checkLaunch(shape, arguments));
  const TargetFacts &target = loaded->target;
  LaunchMemory launchMemory;
  packArguments(shape, arguments, launchMemory);

  LaunchContext launch;
  launch.target = &target;
  launch.code = &loaded->code.instructions;
  launch.indexByDword = &loaded->code.indexByDword;
  launch.textBase = loaded->object.textAddress;
  launch.imageBase = reinterpret_cast<uint64_t>(loaded->object.image);
  launch.memory = &memory;
  launch.options = &options;
  launch.kernel = kernel.name;
  launch.asynchronous = asyncOrder(options);
  std::optional<GlobalShadow> globalShadow;
  if (options.sanitize && !loaded->code.hasGlobalAtomics)
    launch.globalShadow = &globalShadow.emplace(memory);
  launch.loadsAreAtomic = loaded->code.comparesAndSwapsLocal;
  launch.extra = {
      {launch.imageBase, loaded->object.imageBytes},
      {reinterpret_cast<uint64_t>(launchMemory.arguments), (uint64_t(kernel.kernargBytes) + 3) / 4 * 4},
      {reinterpret_cast<uint64_t>(&launchMemory.packet), sizeof(DispatchPacket)},
      {reinterpret_cast<uint64_t>(launchMemory.queue), sizeof(launchMemory.queue)},
  };
  for (auto [address, size] : loaded->object.writable)
    launch.extra.push_back({launch.imageBase + address, size, true});

  unsigned waves = (shape.threads + target.waveSize - 1) / target.waveSize;
  // A kernel with a stack of unknown size gets a generous one.
  uint32_t privateBytes = (kernel.privateBytes + (kernel.usesDynamicStack ? 65536 : 0) + 15) / 16 * 16;
  // Hardware allots whole dwords and more; dword accesses around the last bytes are no fault.
  uint32_t localBytes = (kernel.localBytes + shape.sharedBytes + 3) / 4 * 4;
  // What the code names, and what the descriptor allots (registers with computed numbers): COMPUTE_PGM_RSRC1
  // 5:0 in units of 8, before gfx10 with the accumulation registers from RSRC3 5:0 in units of 4 on.
  unsigned allotted = ((kernel.resource1 & 63) + 1) * 8, rows = loaded->code.vectorRows;
  if (target.isGfx9()) {
    unsigned vectors = ((kernel.resource3 & 63) + 1) * 4;
    rows = std::max(rows, allotted > vectors ? kAccumulationBase + allotted - vectors : allotted);
  } else {
    rows = std::max(rows, allotted);
  }
  rows = std::min(rows, kVectorRows);

  std::atomic<uint32_t> nextBlock{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  Status firstError = Status::success();
  uint32_t firstErrorBlock = ~0u;
  std::vector<Finding> found;
  std::vector<std::unique_ptr<InstructionCounts>> counted;
  auto work = [&] {
    std::vector<uint8_t> scratch;
    RunCounters local;
    std::unique_ptr<InstructionCounts> counts;
    if (options.counters)
      counts = std::make_unique<InstructionCounts>(target, loaded->code.instructions);
    for (;;) {
      uint32_t index = nextBlock.fetch_add(1);
      if (index >= shape.blocks || stop.load())
        break;
      Block block(launch, index, localBytes);
      block.counts = counts.get();
      scratch.assign(size_t(privateBytes) * target.waveSize * waves + 64, 0xCB);
      uint64_t scratchBase = (reinterpret_cast<uint64_t>(scratch.data()) + 63) / 64 * 64;
      for (unsigned number = 0; number < waves; ++number) {
        auto wave = std::make_unique<Wave>(block, target, number, rows);
        wave->scratchBytesPerLane = privateBytes;
        wave->scratchBase = scratchBase + uint64_t(number) * privateBytes * target.waveSize;
        startWave(*wave, shape, launchMemory, number * target.waveSize);
        block.waves.push_back(std::move(wave));
      }
      block.run(options.seed);
      for (const auto &wave : block.waves) {
        local.warpInstructions += wave->instructions;
        local.threadInstructions += wave->laneInstructions;
        local.globalLoadBytes += wave->globalLoadBytes;
        local.globalStoreBytes += wave->globalStoreBytes;
        local.sharedLoadBytes += wave->localLoadBytes;
        local.sharedStoreBytes += wave->localStoreBytes;
      }
      local.barriers += block.phase;
      if (counts) {
        counts->counters.total().warps += waves;
        counts->counters.total().barriers += block.phase;
      }
      if (!block.error.ok() || !block.findings.empty()) {
        std::lock_guard lock(mutex);
        stop = true;
        if (!block.error.ok() && index < firstErrorBlock) {
          firstErrorBlock = index;
          firstError = std::move(block.error);
        }
        found.insert(found.end(), block.findings.begin(), block.findings.end());
      }
    }
    if (counts)
      counts->close();
    std::lock_guard lock(mutex);
    if (counts)
      counted.push_back(std::move(counts));
    counters.warpInstructions += local.warpInstructions;
    counters.threadInstructions += local.threadInstructions;
    counters.globalLoadBytes += local.globalLoadBytes;
    counters.globalStoreBytes += local.globalStoreBytes;
    counters.sharedLoadBytes += local.sharedLoadBytes;
    counters.sharedStoreBytes += local.sharedStoreBytes;
    counters.barriers += local.barriers;
  };
  unsigned workers = options.workers ? options.workers : std::max(1u, std::thread::hardware_concurrency());
  workers = std::min(workers, shape.blocks);
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < workers; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();

  if (options.counters) {
    std::vector<Counters *> all;
    for (const auto &one : counted)
      all.push_back(&one->counters);
    counters.detail = Counters::collect(all);
    counters.detail.launches = 1;
    counters.detail.blocks = shape.blocks;
    counters.detail.resources = {shape.threads,          target.waveSize, kernel.vectorRegisters,
                                 kernel.scalarRegisters, localBytes,      kernel.privateBytes};
  }
  std::sort(found.begin(), found.end(), [](const Finding &a, const Finding &b) { return a.block < b.block; });
  findings.insert(findings.end(), found.begin(), found.end());
  if (!firstError.ok())
    return firstError;
  if (found.empty())
    return Status::success();
  return reported(found.front());
}

class AmdMachine final : public Machine {
public:
  explicit AmdMachine(const TargetFacts &target) : target(target) {}

  Expected<std::map<std::string, std::unique_ptr<Program>>> load(std::span<const std::byte> code) override {
    auto loaded = std::make_shared<Loaded>();
    loaded->target = target;
    QUERN_ASSIGN_OR_RETURN(loaded->object, readCodeObject(code));
    if (loaded->object.target != target.name)
      return Status::error(Exit::BadInput, "E-EMULATED-CODE",
                           "the code object is for `" + loaded->object.target + "`, the device is `" +
                               target.name + "`");
    QUERN_ASSIGN_OR_RETURN(loaded->code, decode(target, loaded->object.text(), loaded->object.textAddress));
    std::map<std::string, std::unique_ptr<Program>> programs;
    for (const KernelCode &kernel : loaded->object.kernels) {
      if (kernel.waveSize != target.waveSize || bool(kernel.properties & Wave32) != target.wave32())
        return Status::error(Exit::BadInput, "E-EMULATED-CODE",
                             "kernel `" + kernel.name + "` is compiled for waves of " +
                                 std::to_string(kernel.waveSize) + " lanes, the machine models " +
                                 std::to_string(target.waveSize) + " on " + target.name);
      uint64_t entry = kernel.entry + (kernel.preloadDwords ? 256 : 0) - loaded->object.textAddress;
      if (entry >= loaded->object.textBytes || loaded->code.indexByDword[entry / 4] < 0)
        return Status::error(Exit::BadInput, "E-EMULATED-CODE",
                             "the entry of `" + kernel.name + "` is no instruction");
      programs[kernel.name] = std::make_unique<AmdProgram>(loaded, kernel);
    }
    return programs;
  }

private:
  TargetFacts target;
};

} // namespace
} // namespace quern::runtime::emulated::amd

namespace quern::runtime::emulated {

Expected<std::unique_ptr<Machine>> makeAmdMachine(const std::string &target) {
  auto facts = amd::findTarget(target);
  if (!facts)
    return Status::error(Exit::Unsupported, "E-EMULATED-TARGET", "no emulated device models `" + target + "`")
        .remedy("use gfx90a, gfx942, gfx950, gfx1100 or gfx1201");
  return std::unique_ptr<Machine>(std::make_unique<amd::AmdMachine>(*facts));
}

} // namespace quern::runtime::emulated
