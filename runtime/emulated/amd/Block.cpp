//===- Block.cpp - Scheduling of a block's waves, and local memory --------===//
//
// See Block.h. Waves run one at a time, each to its next barrier, in a seeded order; a wave that runs long
// without one (it may poll a flag) is put back so that the others advance.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Block.h"

#include "runtime/emulated/amd/InstructionCounts.h"
#include "runtime/emulated/amd/Wave.h"

#include <algorithm>

namespace quern::runtime::emulated::amd {

/// Instructions of one turn, and of a wave before it is taken to run for ever (RunOptions::stepLimit).
static constexpr uint64_t kTurn = 200'000, kStepLimit = 2'000'000'000;

Block::Block(const LaunchContext &launch, uint32_t index, uint32_t localBytes)
    : launch(launch), index(index), local(localBytes, launch.options->poisonShared ? 0xCB : 0) {
  if (launch.options->sanitize)
    shadow.resize(localBytes);
}
Block::~Block() = default;

bool Block::checkLocal(Wave &wave, unsigned lane, uint64_t address, unsigned size) {
  if (address <= local.size() && size <= local.size() - address) [[likely]]
    return true;
  wave.fault("out-of-bounds",
             "local address " + std::to_string(address) + " + " + std::to_string(size) +
                 " bytes, the block has " + std::to_string(local.size()),
             lane);
  return false;
}

/// Reports an access to bytes that a load of the same wave writes and that no wait has covered yet.
bool Block::meetsDirectLoad(Wave &wave, unsigned lane, uint32_t address, unsigned size) {
  for (const auto &operation : wave.unfinishedMemory())
    if (operation->toLocal)
      for (uint32_t written : operation->addresses)
        if (address < written + operation->addressSize && written < address + size) {
          wave.fault("missing-wait",
                     "local byte " + std::to_string(std::max(address, written)) +
                         " is accessed before the wait of the load that writes it",
                     lane);
          return true;
        }
  return false;
}

bool Block::touchLocal(Wave &wave, unsigned lane, uint32_t address, unsigned size, LocalAccess kind) {
  if (shadow.empty() || address + size > shadow.size())
    return true;
  if (kind == LocalAccess::Direct)
    kind = LocalAccess::Write;
  else if (wave.unfinishedDirectLoads() && meetsDirectLoad(wave, lane, address, size)) [[unlikely]]
    return false;
  uint16_t self = uint16_t(wave.number);
  for (unsigned i = 0; i < size; ++i) {
    Shadow &byte = shadow[address + i];
    bool afterWrite = byte.writePhase > wave.barrierWaits && byte.writer != self;
    bool afterRead = byte.readPhase > wave.barrierWaits && byte.reader != self;
    if (launch.loadsAreAtomic && byte.atomic && kind == LocalAccess::Read)
      afterWrite = false;
    if (launch.loadsAreAtomic && kind == LocalAccess::Atomic)
      afterRead = false;
    bool conflict = kind == LocalAccess::Read     ? afterWrite
                    : kind == LocalAccess::Atomic ? (afterWrite && !byte.atomic) || afterRead
                                                  : afterWrite || afterRead;
    if (conflict) [[unlikely]] {
      unsigned other = afterWrite ? byte.writer : byte.reader;
      wave.fault("race",
                 std::string(kind == LocalAccess::Read ? "reads" : "writes") + " local byte " +
                     std::to_string(address + i) + " that " +
                     (other == kManyReaders ? "several waves" : "wave " + std::to_string(other)) +
                     (afterWrite ? " wrote" : " read") + " without a barrier between",
                 lane);
      return false;
    }
    if (kind != LocalAccess::Write && !byte.written && launch.options->uninitialised) [[unlikely]] {
      // Compilers reach 8- and 16-bit atomics through the dword around them: its other bytes may be nobody's.
      const Shadow *dword = &shadow[(address + i) & ~3u];
      if (!dword[0].written && !dword[1].written && !dword[2].written && !dword[3].written) {
        wave.fault("uninitialised",
                   "local byte " + std::to_string(address + i) + " is read before anything has written it",
                   lane);
        return false;
      }
    }
    if (kind == LocalAccess::Read) {
      bool others = byte.readPhase > wave.barrierWaits && byte.reader != self;
      byte.reader = others ? kManyReaders : self;
      byte.readPhase = wave.barrierSignals + 1;
    } else {
      byte.writer = self;
      byte.writePhase = wave.barrierSignals + 1;
      byte.atomic = kind == LocalAccess::Atomic;
      byte.written = true;
    }
  }
  return true;
}

bool Block::touchGlobal(Wave &wave, unsigned lane, uint64_t address, unsigned size, bool writes) {
  GlobalShadow::Conflict conflict;
  if (!launch.globalShadow ||
      !launch.globalShadow->touch(
          address, size, {index, wave.number, wave.barrierSignals, wave.barrierWaits, writes}, conflict))
    return true;
  wave.fault("race",
             std::string(writes ? "writes" : "reads") + " global byte " + std::to_string(conflict.address) +
                 " that wave " + std::to_string(conflict.wave) + " of block " +
                 std::to_string(conflict.block) + " wrote, without an order between the two",
             lane);
  return false;
}

void Block::signalBarrier(Wave &wave) {
  ++wave.barrierSignals;
  if (shadow.empty())
    return;
  // What is still in flight may happen as late as after the barrier.
  for (const auto &operation : wave.unfinishedLocal())
    for (uint32_t address : operation->addresses)
      touchLocal(wave, 0, address, operation->addressSize, LocalAccess(operation->addressKind));
  for (const auto &operation : wave.unfinishedMemory())
    if (operation->toLocal)
      for (uint32_t address : operation->addresses)
        touchLocal(wave, 0, address, operation->addressSize, LocalAccess::Direct);
}

bool Block::isFirstSignal(const Wave &wave) const {
  return std::none_of(waves.begin(), waves.end(), [&](const std::unique_ptr<Wave> &other) {
    return other.get() != &wave && other->barrierSignals > wave.barrierSignals;
  });
}

/// A phase is complete when every wave that still runs has signalled it; ended waves leave the barrier.
bool Block::allSignalled() const {
  bool any = false;
  for (const auto &wave : waves) {
    if (wave->signal == Signal::Ended)
      continue;
    any = true;
    if (wave->barrierSignals <= phase)
      return false;
  }
  return any;
}

/// An instruction under s_set_gpr_idx_on: M0 7:0 is added to the register numbers that M0 15:12 selects
/// (sources 0 to 2, then the destination). CDNA3 manual, "VGPR indexing".
static void runIndexed(Wave &wave, const Instruction &in) {
  Instruction moved = in;
  uint32_t m0 = wave.scalars[scalar::M0], offset = m0 & 0xff;
  for (unsigned i = 0; i < moved.operandCount; ++i) {
    unsigned bit = i < moved.destinations ? 3 : i - moved.destinations;
    Operand &op = moved.operands[i];
    if (op.kind != OperandKind::Vector || bit > 3 || !(m0 >> (12 + bit) & 1))
      continue;
    op.index = uint16_t(op.index + offset);
    if (op.index + op.dwords > wave.rowCount()) {
      wave.fault("out-of-bounds", "register number past the end of the file, M0 = " + std::to_string(m0));
      return;
    }
  }
  in.handler(wave, moved);
}

/// Runs one turn of the wave. False when the block must stop.
bool Block::step(Wave &wave) {
  const std::vector<Instruction> &code = *launch.code;
  wave.signal = Signal::None;
  uint64_t stepLimit = launch.options->stepLimit ? launch.options->stepLimit : kStepLimit;
  uint64_t limit = wave.instructions + std::min(kTurn, stepLimit);
  bool sanitize = launch.options->sanitize;
  while (wave.signal == Signal::None) {
    const Instruction &in = code[wave.pc];
    wave.current = wave.pc;
    wave.pc = in.next;
    if (sanitize && ((wave.hasOutstanding() && wave.touchesOutstanding(in)) ||
                     !wave.registers.check(wave, in))) [[unlikely]]
      break;
    ++wave.instructions;
    if (in.unit == Unit::Vector || in.unit == Unit::Local || in.unit == Unit::Memory)
      wave.laneInstructions += unsigned(std::popcount(wave.mask(scalar::Exec)));
    if (counts) [[unlikely]]
      counts->issue(wave.current, unsigned(std::popcount(wave.mask(scalar::Exec))));
    if (wave.indexing && in.unit == Unit::Vector) [[unlikely]]
      runIndexed(wave, in);
    else
      in.handler(wave, in);
    if (sanitize)
      wave.registers.record(wave, in);
    if (wave.instructions >= limit && wave.signal == Signal::None)
      wave.signal = Signal::Pause;
  }
  if (wave.instructions >= stepLimit && wave.signal == Signal::Pause)
    wave.fault("endless",
               "the wave has run " + std::to_string(wave.instructions) + " instructions without ending");
  return wave.signal != Signal::Fault;
}

void Block::run(uint64_t seed) {
  uint64_t state = seed * 0x9E3779B97F4A7C15ull + index * 0xBF58476D1CE4E5B9ull + 1;
  auto random = [&] { // SplitMix64
    uint64_t z = (state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  };
  std::vector<Wave *> ready;
  for (;;) {
    ready.clear();
    for (auto &wave : waves)
      if (wave->signal == Signal::None || wave->signal == Signal::Pause)
        ready.push_back(wave.get());
    for (size_t i = ready.size(); i > 1; --i)
      std::swap(ready[i - 1], ready[random() % i]);
    for (Wave *wave : ready)
      if (!step(*wave))
        return;
    // Release the waits of completed phases.
    bool running = false, ended = false;
    while (allSignalled())
      ++phase;
    for (auto &wave : waves) {
      if (wave->signal == Signal::Barrier && wave->barrierWaits < phase) {
        ++wave->barrierWaits;
        wave->signal = Signal::None;
      }
      running |= wave->signal != Signal::Ended;
      ended |= wave->signal == Signal::Ended;
    }
    if (!running)
      return;
    bool anyReady = std::any_of(waves.begin(), waves.end(), [](const std::unique_ptr<Wave> &wave) {
      return wave->signal == Signal::None || wave->signal == Signal::Pause;
    });
    if (!anyReady) {
      for (auto &wave : waves)
        if (wave->signal == Signal::Barrier) {
          wave->fault("deadlock", "waits for a barrier that not all waves of the block can signal");
          return;
        }
    }
    if (ended && launch.options->sanitize)
      for (auto &wave : waves)
        if (wave->signal == Signal::Ended && wave->barrierSignals < phase) {
          wave->fault("divergence",
                      "ended without reaching a barrier that other waves of the block wait for");
          return;
        }
  }
}

} // namespace quern::runtime::emulated::amd
