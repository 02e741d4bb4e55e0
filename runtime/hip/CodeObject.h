//===- CodeObject.h - What the runtime reads out of a code object ---------===//
//
// A code object is an ELF file whose note AMDGPU/32 holds a MessagePack map (AMDGPU backend's user guide,
// code object V3 to V6 metadata): the target and, per kernel, its arguments. Launches are checked against
// them, and a file for another device is refused by name, because HIP says only that it does not load.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_CODEOBJECT_H
#define QUERN_RUNTIME_HIP_CODEOBJECT_H

#include "runtime/KernelSignature.h"

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace quern::runtime::hip {

struct CodeObjectKernel {
  KernelSignature signature; ///< hidden arguments are left out
  uint32_t maxThreads = 0;   ///< of a block; 0 where the metadata does not say
};

struct CodeObjectSummary {
  std::string architecture; ///< "gfx942"; without features; empty where the metadata does not say
  std::map<std::string, CodeObjectKernel> kernels; ///< by name
};

/// Exit::BadInput "E-CODE-DAMAGED" where |code| is no code object or its metadata cannot be read.
Expected<CodeObjectSummary> summariseCodeObject(std::span<const std::byte> code);

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_CODEOBJECT_H
