//===- Machine.h - Executes one target's code on the host -----------------===//
//
// An emulated device is an EmulatedDevice (memory, queue, counters: the part that all targets share) around
// one Machine (how the code of one target is loaded and executed). `nvidia/` executes PTX text, `amd/` the
// machine code of code objects. A machine never reads or writes global memory except through `GlobalMemory`,
// so that every access is checked against the buffers that exist.
//
// The semantics here are written from the vendors' manuals, apart from the compiler's tables (dialects/tile):
// the two never share code.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_MACHINE_H
#define QUERN_RUNTIME_EMULATED_MACHINE_H

#include "runtime/Device.h"
#include "runtime/KernelCounters.h"
#include "support/Status.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace quern::runtime::emulated {

/// The live allocations of a device, by host address. Global addresses in kernels are host addresses.
class GlobalMemory {
public:
  void add(uint64_t base, uint64_t size) { ranges[base] = size; }
  void remove(uint64_t base) { ranges.erase(base); }

  /// True if [address, address + size) lies inside one live allocation.
  bool contains(uint64_t address, uint64_t size) const {
    auto it = ranges.upper_bound(address);
    if (it == ranges.begin())
      return false;
    --it;
    return address >= it->first && address + size <= it->first + it->second && address + size >= address;
  }

  /// The allocation that |address| lies in; false where there is none.
  bool find(uint64_t address, uint64_t &base, uint64_t &size) const {
    auto it = ranges.upper_bound(address);
    if (it == ranges.begin())
      return false;
    --it;
    base = it->first;
    size = it->second;
    return address - base < size;
  }

private:
  std::map<uint64_t, uint64_t> ranges;
};

/// A fault of the program that runs, found while it runs.
struct Finding {
  std::string kind; ///< "out-of-bounds", "misaligned", "race", "uninitialised", "deadlock", "divergence"
  std::string kernel;
  uint32_t block = 0;
  uint32_t thread = 0;     ///< thread in the block, or first lane of the wave
  std::string instruction; ///< text of the instruction, with its line or address
  std::string detail;      ///< the address, the two threads, ...
};

/// When asynchronous operations take effect: at the earliest or at the latest legal moment, or by chance.
enum class AsyncOrder : uint8_t {
  BySeed, ///< latest for seed 0 and its multiples of 3, earliest and random for the others
  Earliest,
  Latest,
  Random
};

/// Which waits had something to wait for. A wait of a compiler's that never has is not needed by what ran.
class WaitRecord {
public:
  /// |address| of the wait in the code object.
  void note(uint64_t address) {
    std::lock_guard guard(lock);
    useful.insert(address);
  }
  bool isUseful(uint64_t address) const { return useful.contains(address); }

private:
  std::mutex lock;
  std::set<uint64_t> useful;
};

/// How to run; the defaults find most faults at little cost.
struct RunOptions {
  uint64_t seed = 0;         ///< order in which warps run; results must not depend on it
  bool poisonShared = true;  ///< shared memory starts as 0xCB bytes rather than zeros
  bool sanitize = true;      ///< check bounds, alignment and shared-memory races
  bool uninitialised = true; ///< with sanitize: report reads of shared memory that nothing has written
  bool registers = false;    ///< with sanitize: report registers that nothing has written
  bool globalRaces = false;  ///< with sanitize, NVIDIA: report data races in global memory
  bool smallNans = false;    ///< with sanitize, NVIDIA: report conversions to NaN of an 8-bit format
  bool counters = false;     ///< count what kernels do: RunCounters::detail
  AsyncOrder asynchronous = AsyncOrder::BySeed;
  WaitRecord *waits = nullptr; ///< AMD: filled, where given
  uint32_t workers = 0;        ///< host threads over blocks; 0 = all
  uint64_t stepLimit = 0; ///< instructions of one thread after which a kernel counts as endless; 0 = default
};

/// Dynamic counts of one or more launches.
struct RunCounters {
  uint64_t threadInstructions = 0; ///< instructions times active lanes
  uint64_t warpInstructions =
      0; ///< issued; a machine that runs lanes one by one takes the warp's longest path
  uint64_t globalLoadBytes = 0, globalStoreBytes = 0, sharedLoadBytes = 0, sharedStoreBytes = 0;
  uint64_t barriers = 0;
  KernelCounters detail; ///< with RunOptions::counters
};

/// A kernel that a machine has loaded. Arguments are checked against |parameters| by the device before `run`.
class Program {
public:
  virtual ~Program() = default;
  virtual const std::vector<ArgumentKind> &parameters() const = 0;

  /// Runs all blocks to the end. A finding or an instruction that is not modelled (E-EMULATED-NOT-MODELLED,
  /// naming the instruction, the kernel and the place) ends the run with an error; |findings| says more.
  virtual Status run(const LaunchShape &shape, std::span<const Argument> arguments,
                     const GlobalMemory &memory, const RunOptions &options, RunCounters &counters,
                     std::vector<Finding> &findings) = 0;
};

class Machine {
public:
  virtual ~Machine() = default;
  /// Loads one code member; returns its kernels by symbol. Exit::BadInput "E-EMULATED-CODE" where it cannot
  /// be read.
  virtual Expected<std::map<std::string, std::unique_ptr<Program>>> load(std::span<const std::byte> code) = 0;
  /// See Device::encodeTensorMap.
  virtual Expected<EncodedTensorMap> encodeTensorMap(const TensorMap &) {
    return Status::error(Exit::Unsupported, "E-DEVICE-TENSOR-MAP", "the emulated device has no tensor maps");
  }
};

/// |target| as in "sm_90a" or "gfx942"; Exit::Unsupported where the machine does not model it.
Expected<std::unique_ptr<Machine>> makeNvidiaMachine(const std::string &target);
Expected<std::unique_ptr<Machine>> makeAmdMachine(const std::string &target);

} // namespace quern::runtime::emulated

#endif // QUERN_RUNTIME_EMULATED_MACHINE_H
