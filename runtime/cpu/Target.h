//===- Target.h - Which code member fits this processor -------------------===//
//
// Target names: a level, then the features that its code uses beyond the level: "x86-64-v3", "x86-64-v4",
// "x86-64-v4+avx512bf16" (a comma may stand for the plus).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CPU_TARGET_H
#define QUERN_RUNTIME_CPU_TARGET_H

#include "runtime/Device.h"

#include <cstddef>
#include <span>
#include <string>

namespace quern::runtime::cpu {

/// Index of the highest level that |info| reaches, of those the one with most features, all of which |info|
/// has; -1 where none fits.
ptrdiff_t chooseCode(const DeviceInfo &info, std::span<const std::string> targets);

} // namespace quern::runtime::cpu

#endif // QUERN_RUNTIME_CPU_TARGET_H
