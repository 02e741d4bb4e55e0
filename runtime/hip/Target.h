//===- Target.h - Which code object fits this device ----------------------===//
//
// A code object runs on exactly the architecture that it was made for.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_TARGET_H
#define QUERN_RUNTIME_HIP_TARGET_H

#include "runtime/Device.h"

#include <cstddef>
#include <span>
#include <string>

namespace quern::runtime::hip {

/// Index of the one for |info|'s architecture (options behind a comma do not matter), or -1.
ptrdiff_t chooseCode(const DeviceInfo &info, std::span<const std::string> targets);

std::string targetFor(const DeviceInfo &info);

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_TARGET_H
