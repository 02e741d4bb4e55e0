//===- Limits.h - What a device can do at most ----------------------------===//
//
// A figure above what the hardware can do is a mistake of the measurement: work that was optimised away, a
// clock that stopped, a cache that was not flushed. The stopwatch refuses it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_MEASURE_LIMITS_H
#define QUERN_RUNTIME_MEASURE_LIMITS_H

#include "runtime/Device.h"

namespace quern::runtime {

/// Zero where a limit is not known.
struct DeviceLimits {
  double operationsPerSecond = 0; ///< of the fastest unit; a multiply-add is two
  double bytesPerSecond = 0;      ///< of device memory
  uint64_t cacheBytes = 0;        ///< that keep data between two launches
};

/// From the cards of support/target for a GPU: the largest figures of all that have the device's
/// architecture, since a product's name is not a key. The caches of the machine for the CPU, whose peaks are
/// measured where they are needed (HostPeaks.h).
DeviceLimits deviceLimits(const DeviceInfo &info);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_LIMITS_H
