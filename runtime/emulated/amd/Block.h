//===- Block.h - One block: local memory, its shadow, and its waves -------===//
//
// Local memory (LDS) has a shadow that remembers, per byte, who wrote and who read it since the last barrier.
// Two accesses to one byte by different waves without a barrier between them, at least one a plain write, are
// a race.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_BLOCK_H
#define QUERN_RUNTIME_EMULATED_AMD_BLOCK_H

#include "runtime/emulated/Machine.h"
#include "runtime/emulated/amd/GlobalShadow.h"
#include "runtime/emulated/amd/Instruction.h"
#include "runtime/emulated/amd/Target.h"

#include <memory>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

class InstructionCounts;
class Wave;

/// Flat addresses of local and private memory: the high dword of each aperture. Host addresses stay below.
inline constexpr uint64_t kLocalAperture = 0x0001000000000000ull, kPrivateAperture = 0x0002000000000000ull;

/// A range of host memory that kernels may use besides the device's buffers (code object, arguments).
struct ExtraRange {
  uint64_t base, size;
  bool writable = false; ///< variables of the code object
};

/// What all blocks of a launch share.
struct LaunchContext {
  const TargetFacts *target;
  const std::vector<Instruction> *code;
  const std::vector<int32_t> *indexByDword; ///< instruction at (address - textBase) / 4, or -1
  uint64_t textBase = 0;                    ///< address of the first instruction as linked
  uint64_t imageBase = 0;                   ///< host address of the loaded image (link address 0)
  const GlobalMemory *memory;
  const RunOptions *options;
  /// A plain local load beside an atomic of another wave is no race: code with compare-and-swap loops, whose
  /// first load cannot be told from a plain one.
  bool loadsAreAtomic = false;
  AsyncOrder asynchronous = AsyncOrder::Latest; ///< never BySeed
  GlobalShadow *globalShadow = nullptr;         ///< null: races in global memory are not looked for
  std::vector<ExtraRange> extra;
  std::string kernel;
};

/// Direct: written by a load from global memory that takes effect later.
enum class LocalAccess : uint8_t { Read, Write, Atomic, Direct };

class Block {
public:
  Block(const LaunchContext &launch, uint32_t index, uint32_t localBytes);
  ~Block();

  const LaunchContext &launch;
  const uint32_t index;
  std::vector<uint8_t> local;
  std::vector<Finding> findings;
  Status error = Status::success(); ///< what is not modelled
  uint32_t phase = 0;               ///< barrier phases that all waves have signalled
  std::vector<std::unique_ptr<Wave>> waves;
  InstructionCounts *counts = nullptr; ///< with RunOptions::counters

  /// Runs all waves to the end, in an order that follows the seed.
  void run(uint64_t seed);
  /// The wave signals the barrier: its unfinished local accesses now count as later ones.
  void signalBarrier(Wave &wave);
  /// True if no other wave has signalled the phase that |wave| is about to signal.
  bool isFirstSignal(const Wave &wave) const;

  /// True if all bytes lie in local memory; else reports.
  bool checkLocal(Wave &wave, unsigned lane, uint64_t address, unsigned size);
  /// Looks for races of an access to global memory; false after a finding.
  bool touchGlobal(Wave &wave, unsigned lane, uint64_t address, unsigned size, bool writes);
  /// Records the access in the shadow; reports a race.
  bool touchLocal(Wave &wave, unsigned lane, uint32_t address, unsigned size, LocalAccess kind);

private:
  /// Of one byte. An access by a wave that has signalled S phases precedes one by a wave that has passed W of
  /// them exactly if S + 1 <= W; the shadow keeps S + 1.
  struct Shadow {
    uint32_t writePhase = 0, readPhase = 0;
    uint16_t writer = 0, reader = 0; ///< wave numbers; reader kManyReaders: several
    bool atomic = false, written = false;
  };
  static constexpr uint16_t kManyReaders = 0xffff;
  std::vector<Shadow> shadow;
  bool step(Wave &wave);
  bool meetsDirectLoad(Wave &wave, unsigned lane, uint32_t address, unsigned size);
  bool allSignalled() const;
};

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_BLOCK_H
