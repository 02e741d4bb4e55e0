//===- CpuDevice.h - The processor as a device ----------------------------===//
//
// The queue is synchronous: every call has taken effect when it returns. One device may be used by several
// threads, whose launches then follow one another.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CPU_CPUDEVICE_H
#define QUERN_RUNTIME_CPU_CPUDEVICE_H

#include "runtime/Backend.h"

namespace quern::runtime::cpu {

extern const Backend backend;

} // namespace quern::runtime::cpu

#endif // QUERN_RUNTIME_CPU_CPUDEVICE_H
