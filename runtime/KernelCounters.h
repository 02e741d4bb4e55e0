//===- KernelCounters.h - What a kernel did, counted ----------------------===//
//
// The counts of one kernel over one or more launches, as a profiler of the hardware would give them: made by
// emulated devices from the code that they execute (DeviceOptions::counters), read by reports and by the
// model of its time. Counts are exact facts of the code and its data; they depend neither on the number of
// host threads nor on the order in which warps run. They say nothing about time.
//
// A *warp* is what issues one instruction for several lanes: a warp of 32 threads, a wave of 32 or 64.
// "Issued" counts warps, "lanes" the lanes for which the instruction took effect. Where lanes are executed
// one by one, the n-th executions of an instruction by the lanes of a warp are taken as one issue, which is
// what hardware does whose lanes meet again behind every branch.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_KERNELCOUNTERS_H
#define QUERN_RUNTIME_KERNELCOUNTERS_H

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

/// What an instruction is for.
enum class InstructionClass : uint8_t {
  Integer,
  Float,
  Conversion,
  Special,    ///< exponentials, roots, reciprocals, trigonometry
  Move,       ///< between registers of one lane
  Exchange,   ///< between the lanes of a warp: shuffles, votes, permutations
  Matrix,     ///< products of the matrix unit
  MatrixMove, ///< fragments between shared or tensor memory and registers: ldmatrix and its like
  SharedLoad,
  SharedStore,
  GlobalLoad,
  GlobalStore,
  LocalMemory, ///< private memory of a lane, spills among it
  Atomic,
  AsyncCopy, ///< copies that do not pass through registers
  Barrier,   ///< what threads meet at
  Wait,      ///< what waits for memory, copies or matrix operations
  Branch,
  Scalar, ///< the scalar unit's arithmetic and loads
  Other
};
inline constexpr unsigned numInstructionClasses = unsigned(InstructionClass::Other) + 1;
/// "integer", "shared load", ...
std::string_view instructionClassName(InstructionClass kind);

struct OpcodeCount {
  InstructionClass kind = InstructionClass::Other;
  uint64_t issued = 0; ///< warps
  uint64_t lanes = 0;
  bool operator==(const OpcodeCount &) const = default;
};

/// One shape and type of matrix instruction.
struct MatrixCount {
  uint64_t operations = 0; ///< whole products; of an instruction that four warps issue together, one
  uint64_t multiplyAdds = 0;
  bool operator==(const MatrixCount &) const = default;
};

/// Requests of one direction to shared memory. A request is one access of a warp.
struct SharedCount {
  uint64_t requests = 0;
  uint64_t wavefronts = 0; ///< clocks in which some bank gives a word to them
  uint64_t ideal = 0;      ///< the same if the words were spread over all banks
  uint64_t bytes = 0;      ///< of all lanes
  bool operator==(const SharedCount &) const = default;
};

/// Requests of one direction to global memory.
struct GlobalCount {
  uint64_t requests = 0;
  uint64_t sectors = 0; ///< aligned pieces of `KernelCounters::sectorBytes` that they touch
  uint64_t ideal = 0;   ///< the fewest that could hold the bytes asked for
  uint64_t bytes = 0;   ///< of all lanes
  bool operator==(const GlobalCount &) const = default;
};

/// What one block takes of its unit; 0 where the code does not say.
struct KernelResources {
  uint32_t threads = 0;         ///< of a block
  uint32_t warpLanes = 0;       ///< lanes of a warp
  uint32_t registers = 0;       ///< of a lane, accumulation registers included
  uint32_t scalarRegisters = 0; ///< of a warp
  uint32_t sharedBytes = 0;     ///< of a block, static and dynamic
  uint32_t privateBytes = 0;    ///< of a lane: spills and arrays
  bool operator==(const KernelResources &) const = default;
};

struct KernelCounters {
  uint64_t launches = 0, blocks = 0, warps = 0;
  uint32_t sectorBytes = 0;
  std::map<std::string, OpcodeCount> opcodes;
  std::map<std::string, MatrixCount> matrix; ///< by "mma.m16n8k16.bf16": family, shape, type of A and B
  SharedCount sharedLoads, sharedStores;
  GlobalCount globalLoads, globalStores;
  uint64_t ordinaryMultiplyAdds = 0; ///< lanes of fused multiply-adds outside of the matrix unit, by element
  uint64_t operandBytes = 0;         ///< that the matrix unit reads from shared memory by descriptor
  uint64_t readBytes = 0, writtenBytes = 0; ///< of global memory, each sector once a launch
  uint64_t barriers = 0;                    ///< phases of block barriers that completed
  uint64_t incomplete = 0; ///< accesses that were counted before all lanes of their warp had come to them
  KernelResources resources;

  /// Sums; resources are those of |other|.
  void add(const KernelCounters &other);
  uint64_t issued() const;
  uint64_t lanes() const;
  std::array<OpcodeCount, numInstructionClasses> mix() const;
  uint64_t matrixMultiplyAdds() const;
  bool operator==(const KernelCounters &) const = default;
};

/// The counters of all launches of a kernel with one number of blocks.
struct CountedKernel {
  std::string symbol;
  uint32_t blocks = 0; ///< of one launch
  KernelCounters counters;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_KERNELCOUNTERS_H
