//===- Limits.cpp ---------------------------------------------------------===//
#include "runtime/measure/Limits.h"

#include "support/target/KnownTargets.h"

#include <algorithm>
#include <unistd.h>

namespace quern::runtime {

DeviceLimits deviceLimits(const DeviceInfo &info) {
  DeviceLimits limits;
  if (info.vendor == "cpu") {
    long outer = std::max(sysconf(_SC_LEVEL3_CACHE_SIZE), 0L);
    limits.cacheBytes = uint64_t(outer) + uint64_t(std::max(sysconf(_SC_LEVEL2_CACHE_SIZE), 0L)) * info.units;
    return limits;
  }
  for (const TargetInfo &target : knownTargets()) {
    if (target.vendor != info.vendor || baseArchitecture(target.vendor, target.architecture) !=
                                            baseArchitecture(info.vendor, info.architecture))
      continue;
    for (const CardInfo &card : knownCards()) {
      if (card.architecture != target.architecture)
        continue;
      double tera = std::max({card.bf16Tflops, card.fp8Tflops, card.fp4Tflops, card.int8Tops});
      limits.operationsPerSecond = std::max(limits.operationsPerSecond, tera * 1e12);
      limits.bytesPerSecond = std::max(limits.bytesPerSecond, card.bandwidthTb * 1e12);
      limits.cacheBytes =
          std::max(limits.cacheBytes, uint64_t((card.l2Mb + card.memoryCacheMb) * 1024 * 1024));
    }
  }
  return limits;
}

} // namespace quern::runtime
