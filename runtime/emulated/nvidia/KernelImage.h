//===- KernelImage.h - One kernel with what it needs, laid out ------------===//
//
// A kernel, the functions that it reaches, and the places of its variables: shared memory as offsets, local
// frames as sizes, parameters as offsets into the parameter buffer (PTX ISA 5.1: each space is separate).
// Module variables in .global and .const have host memory that belongs to the loaded module.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_KERNELIMAGE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_KERNELIMAGE_H

#include "runtime/emulated/nvidia/Ptx.h"

#include <map>
#include <vector>

namespace quern::runtime::emulated::nvidia {

/// An instruction by number; findings and the code that is translated name instructions so.
struct Site {
  const Function *function;
  const Instruction *instruction;
};

struct KernelImage {
  const Module *module = nullptr;
  const Function *kernel = nullptr;
  std::vector<const Function *> functions; ///< the kernel first, then every function that it reaches
  std::map<const Function *, uint32_t> firstSite;
  std::vector<Site> sites;
  std::map<const Variable *, uint64_t> sharedOffset;
  uint64_t staticSharedBytes = 0;
  std::map<const Function *, std::vector<uint64_t>> localOffset; ///< by variable of the function
  std::map<const Function *, uint64_t> frameBytes;
  uint64_t localBytes = 0; ///< local memory of one thread
  std::vector<uint64_t> parameterOffset;
  uint64_t parameterBytes = 0;
  const std::map<const Variable *, uint64_t> *globalAddress = nullptr; ///< .global and .const of the module
  uint32_t granuleBytes = 16;                                          ///< smallest shared-memory access
  uint32_t globalGranuleBytes = 16;                                    ///< smallest global-memory access
  bool canWait = false;          ///< some instruction waits for other threads
  bool usesTensorMemory = false; ///< some instruction is on "tcgen05"
  bool knowsClusters = false;    ///< shared addresses hold the rank of their block, see ThreadContext.h
};

/// Lays out |kernel| of |module|.
KernelImage layOut(const Module &module, const Function &kernel,
                   const std::map<const Variable *, uint64_t> &globalAddress);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_KERNELIMAGE_H
