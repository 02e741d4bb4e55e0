//===- Checks.h - What translated code looks for --------------------------===//
//
// Each set of checks has a translation of its own, so that what is not looked for costs nothing.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_CHECKS_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_CHECKS_H

#include "runtime/emulated/Machine.h"

namespace quern::runtime::emulated::nvidia {

struct Checks {
  bool memory = false;      ///< alignment, races in shared memory, its uninitialised words
  bool registers = false;   ///< registers that nothing has written
  bool globalRaces = false; ///< races in global memory
  bool smallNans = false;   ///< conversions that give NaN of an 8-bit format
  bool counters = false;    ///< nothing: it counts (CountPlan.h)

  static constexpr uint32_t sets = 32;
  uint32_t number() const {
    return uint32_t(memory) | uint32_t(registers) << 1 | uint32_t(globalRaces) << 2 |
           uint32_t(smallNans) << 3 | uint32_t(counters) << 4;
  }
  static Checks of(const RunOptions &options) {
    Checks checks;
    if (options.sanitize)
      checks = {true, options.registers, options.globalRaces, options.smallNans};
    checks.counters = options.counters;
    return checks;
  }
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_CHECKS_H
