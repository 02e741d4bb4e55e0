//===- CountPlan.h - What is counted in one kernel ------------------------===//
//
// With Checks::counters, translated code counts how often each thread comes through each *segment*: a run of
// instructions that are executed equally often. What a segment's count means for the kernel's counters is
// known from its instructions and is worked out when the block has ended, so that counting costs one addition
// for each segment and one call for each access to memory.
//
// A guarded instruction issues with the segment it stands in and takes effect as often as the segment of its
// own.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_COUNTPLAN_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_COUNTPLAN_H

#include "runtime/emulated/Counters.h"
#include "runtime/emulated/nvidia/KernelImage.h"

namespace quern::runtime::emulated::nvidia {

struct SiteCount {
  InstructionClass kind = InstructionClass::Other;
  std::string name;              ///< opcode with all its words
  std::string matrix;            ///< name of the matrix operation, where the text tells it
  uint64_t multiplyAdds = 0;     ///< of one matrix operation
  uint64_t operandBytes = 0;     ///< of one matrix operation, from shared memory by descriptor
  uint32_t issuers = 1;          ///< warps that issue one matrix operation together
  uint32_t laneMultiplyAdds = 0; ///< of one lane, outside of the matrix unit
  uint32_t outer = 0, inner = 0; ///< segments: issued, took effect
  bool opensOuter = false;       ///< the first instruction of |outer|
  int32_t access = -1;           ///< its accesses to memory take two numbers from here on
};

struct CountPlan {
  explicit CountPlan(const KernelImage &image);
  std::vector<SiteCount> sites; ///< as KernelImage::sites
  uint32_t segments = 0, accesses = 0;
};

/// What |instruction| is for.
InstructionClass classOf(const Instruction &instruction);

/// How the architecture |target| ("sm_90a") serves accesses: 32 lanes, 32-byte sectors; phases of a warp of
/// 4-byte accesses, half a warp of 8, a quarter of 16, over 32 banks (CUDA C++ Best Practices Guide and the
/// sections on shared memory of the tuning guides).
const MemoryRules &memoryRules();

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_COUNTPLAN_H
