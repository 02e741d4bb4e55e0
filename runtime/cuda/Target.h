//===- Target.h - Which PTX fits this device ------------------------------===//
//
// `sm_NN` PTX runs on every device of that or a higher compute capability, `sm_NNf` on those of the same
// family (major version, minor not below), `sm_NNa` on exactly that one (PTX ISA, directive .target).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CUDA_TARGET_H
#define QUERN_RUNTIME_CUDA_TARGET_H

#include "runtime/Device.h"

#include <cstddef>
#include <span>
#include <string>

namespace quern::runtime::cuda {

/// Index of the exact `sm_NNa`, else of the best `f`, else of the highest plain one not above; -1 where none
/// fits.
ptrdiff_t chooseCode(const DeviceInfo &info, std::span<const std::string> targets);

/// The target with this device's best code: `sm_90a`, `sm_100a`, `sm_120a` where such a target exists, else
/// plain.
std::string targetFor(const DeviceInfo &info);

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_TARGET_H
