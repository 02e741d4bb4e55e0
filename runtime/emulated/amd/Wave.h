//===- Wave.h - Registers, outstanding loads and faults of one wave -------===//
//
// A wave runs until its next barrier or its end. Results of loads are captured when the load issues (the
// memory pipeline is in order) and reach the registers at the wait that covers them: a program that reads a
// register too early is reported, as is one that overwrites it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_WAVE_H
#define QUERN_RUNTIME_EMULATED_AMD_WAVE_H

#include "runtime/emulated/Machine.h"
#include "runtime/emulated/amd/Instruction.h"
#include "runtime/emulated/amd/Numeric.h"
#include "runtime/emulated/amd/RegisterChecks.h"
#include "runtime/emulated/amd/Target.h"

#include <bitset>
#include <deque>
#include <memory>
#include <vector>

namespace quern::runtime::emulated::amd {

class Block;

/// The MODE register's fields.
struct Mode {
  Rounding round32 = Rounding::NearestEven, round64 = Rounding::NearestEven;
  uint8_t denormal32 = 3, denormal64 = 3; ///< bit 0: inputs keep subnormals, bit 1: outputs keep them
  bool clampNan = true;                   ///< DX10_CLAMP: clamp makes NaN 0
  bool ieee = true;
  bool saturate16 = false; ///< FP16_OVFL
};

enum class Counter : uint8_t { Load, Store, Local, ScalarLoad };

/// A load (or store, which holds a place in the queue) that has not been waited for.
struct Outstanding {
  Counter counter;
  bool alsoLocal = false; ///< flat: counts in the local counter as well
  bool toVector = false, d16 = false, d16High = false;
  uint16_t first = 0; ///< register
  uint8_t dwords = 0; ///< 0: nothing to write
  uint64_t lanes = 0;
  std::vector<uint32_t> addresses = {}; ///< local bytes touched, while they may still be in flight
  uint8_t addressSize = 0;              ///< bytes at each address
  uint8_t addressKind = 0;              ///< LocalAccess
  std::vector<uint32_t> data = {};      ///< dwords x lanes, or dwords for scalars
  /// A load that writes local memory: |data| holds addressSize / 4 dwords for each of |addresses|.
  bool toLocal = false;
  bool applied = false; ///< its results have taken effect already
};

enum class Signal : uint8_t { None, Barrier, Ended, Fault, Pause };

class Wave {
public:
  /// |rows|: vector registers that the code names (accumulation registers count from 256).
  Wave(Block &block, const TargetFacts &target, unsigned number, unsigned rows);

  Block &block;
  const TargetFacts &target;
  const unsigned width;  ///< lanes
  const unsigned number; ///< in the block
  uint32_t pc = 0;       ///< index of the next instruction
  uint32_t current = 0;  ///< index of the instruction being executed
  Signal signal = Signal::None;
  bool scc = false;
  bool indexing = false; ///< s_set_gpr_idx_on: vector register numbers are relative to M0
  Mode mode;
  uint64_t initialExec = 0; ///< lanes that exist
  uint64_t instructions = 0, laneInstructions = 0;
  uint64_t globalLoadBytes = 0, globalStoreBytes = 0, localLoadBytes = 0, localStoreBytes = 0;
  uint32_t scalars[scalar::Count] = {};
  uint64_t scratchBase = 0; ///< host address of this wave's private memory
  uint32_t scratchBytesPerLane = 0;
  RegisterChecks registers;
  uint32_t barrierSignals = 0, barrierWaits = 0; ///< barrier phases that this wave has signalled, and passed

  // --- registers
  unsigned rowCount() const { return rows; }
  uint32_t *row(unsigned index) { return &vectors[size_t(index) * width]; }
  uint64_t exec() const { return wide(scalar::Exec); }
  uint64_t wide(unsigned index) const { return scalars[index] | uint64_t(scalars[index + 1]) << 32; }
  void setWide(unsigned index, uint64_t value) {
    scalars[index] = uint32_t(value);
    scalars[index + 1] = uint32_t(value >> 32);
  }
  /// A mask register of the wave's width: one or two scalars.
  uint64_t mask(unsigned index) const { return width == 32 ? scalars[index] : wide(index); }
  void setMask(unsigned index, uint64_t value) {
    scalars[index] = uint32_t(value);
    if (width == 64)
      scalars[index + 1] = uint32_t(value >> 32);
  }
  uint64_t allLanes() const { return width == 64 ? ~uint64_t(0) : 0xffffffffull; }
  /// 0 or ~0 per lane of |lanes|; valid until the next call.
  const uint32_t *laneMasks(uint64_t lanes);

  // --- scalar operands
  uint32_t read32(const Operand &op) const;
  uint64_t read64(const Operand &op) const;
  uint64_t readMask(const Operand &op) const { return width == 32 ? read32(op) : read64(op); }
  void write32(const Operand &op, uint32_t value) {
    if (op.kind == OperandKind::Scalar)
      scalars[op.index] = value;
  }
  void write64(const Operand &op, uint64_t value) {
    if (op.kind == OperandKind::Scalar)
      setWide(op.index, value);
  }
  void writeMask(const Operand &op, uint64_t value) {
    width == 32 ? write32(op, uint32_t(value)) : write64(op, value);
  }

  // --- outstanding memory operations
  void issue(Outstanding &&operation);
  /// Completes what must be complete once at most |left| operations of the counter remain.
  void waitMemory(unsigned left);
  /// LDS and scalar loads, which share one counter before gfx12 (|shared|).
  void waitLocal(unsigned left, bool scalarsShareCounter);
  void waitScalar(unsigned left);
  /// True if |in| touches a register whose load is outstanding; reports it.
  bool touchesOutstanding(const Instruction &in);
  bool hasOutstanding() const { return !memoryQueue.empty() || !localQueue.empty() || !scalarQueue.empty(); }
  unsigned outstandingLocal() const { return unsigned(localQueue.size()); }
  const std::deque<std::shared_ptr<Outstanding>> &unfinishedLocal() const { return localQueue; }
  const std::deque<std::shared_ptr<Outstanding>> &unfinishedMemory() const { return memoryQueue; }
  /// Loads to local memory that have not been waited for.
  unsigned unfinishedDirectLoads() const { return directLoads; }

  // --- faults
  void fault(std::string kind, std::string detail, unsigned lane = 0);
  /// The instruction is not modelled: ends the run with E-EMULATED-NOT-MODELLED.
  void notModelled(std::string detail);

private:
  void apply(Outstanding &operation);
  void complete(Outstanding &operation);
  bool takesEffectAtOnce() const;
  void refreshPending();
  /// The current instruction had something to wait for.
  void noteWait();
  unsigned rows, directLoads = 0;
  std::vector<uint32_t> vectors; ///< more rows than |rows|, so that no handler can leave it
  alignas(64) uint32_t masks[64];
  uint64_t masksFor = 0;
  std::deque<std::shared_ptr<Outstanding>> memoryQueue, localQueue;
  std::vector<std::shared_ptr<Outstanding>> scalarQueue;
  std::bitset<kVectorRows> pendingVectors,
      pendingInOrder; ///< the second: by vector memory, which returns in order
  std::bitset<scalar::Count> pendingScalars;
};

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_WAVE_H
