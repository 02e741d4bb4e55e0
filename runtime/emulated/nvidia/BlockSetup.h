//===- BlockSetup.h - How a block runs, and why it ends early -------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKSETUP_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKSETUP_H

#include "runtime/emulated/Machine.h"
#include "runtime/emulated/nvidia/SharedShadow.h"
#include "runtime/emulated/nvidia/ThreadContext.h"

#include <atomic>
#include <string>

namespace quern::runtime::emulated::nvidia {

class GlobalShadow;
struct CountPlan;

/// Why a block ended early. |text| points to static storage.
struct Fault {
  enum Kind : uint8_t {
    None,
    OutOfBounds,   ///< |address|, |bytes|; |text| names the space
    Misaligned,    ///< |address|, |bytes|
    Race,          ///< |address| in shared memory, or global memory where |text| says so; |other|
    Uninitialised, ///< |address| in shared memory, or without |bytes| the register |text|
    SmallNan,      ///< a conversion gives NaN of an 8-bit format
    Deadlock,      ///< |waiters| says who waits
    Divergence,    ///< |text|, |other|
    NotModelled,   ///< an instruction
    Trap,          ///< the kernel executed trap or reached brkpt
    StepLimit,     ///< the kernel does not end
    Stopped,       ///< a block before this one has failed
    StackDepth,    ///< calls are nested too deeply, or local memory is used up
    BadOperand,    ///< |text|: an operand has a value that the instruction does not allow
    Asynchronous, ///< |text|: an asynchronous operation is used against its rules; |other| where there is one
  };
  Kind kind = None;
  bool isAgent = false;          ///< an asynchronous operation that the thread has started is at fault
  uint32_t block = 0;            ///< of the grid
  uint32_t thread = 0, site = 0; ///< of the block
  uint32_t otherBlock = 0;       ///< of |other|
  bool isForeign = false;        ///< |other| is of run |otherRun|, not of this one
  uint32_t otherRun = 0;
  uint64_t address = 0, bytes = 0;
  Conflict other; ///< its thread is one of |otherBlock|
  const char *text = "";
  std::string waiters;
};

/// How the threads of a block are to be run; the same for all blocks of a launch.
struct BlockSetup {
  KernelEntry entry = nullptr;
  uint32_t threads = 1; ///< one-dimensional launches only: the threads of the block, x major
  uint32_t shape[3] = {1, 1, 1};
  uint32_t blocks[3] = {1, 1, 1};
  uint32_t clusterBlocks = 1;
  bool isExplicitCluster = false;
  bool knowsClusters = false; ///< see ThreadContext.h
  bool usesTensorMemory = false;
  const std::byte *parameters = nullptr;
  uint64_t parameterBytes = 0, sharedBytes = 0, localBytes = 0;
  uint32_t dynamicSharedBytes = 0;
  uint32_t sites = 0;
  uint32_t granuleBytes = 4; ///< of the shared-memory shadow
  bool canWait = true;       ///< false: no instruction of the kernel waits, threads run one after the other
  const CountPlan *counts = nullptr;    ///< with RunOptions::counters
  GlobalShadow *globalShadow = nullptr; ///< with RunOptions::globalRaces
  const GlobalMemory *memory = nullptr;
  const GlobalMemory *variables = nullptr; ///< .global of the module
  const GlobalMemory *constants = nullptr; ///< .const of the module
  const RunOptions *options = nullptr;
  const std::atomic<uint32_t> *lowestFault = nullptr; ///< the lowest cluster that has failed so far
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKSETUP_H
