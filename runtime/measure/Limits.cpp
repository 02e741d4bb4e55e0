//===- Limits.cpp ---------------------------------------------------------===//
#include "runtime/measure/Limits.h"

#include "support/target/KnownTargets.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <unistd.h>

namespace quern::runtime {

/// Bytes of the outermost caches of all cores: each once that Linux lists below /sys (a "32768K" and the
/// cores that share it). What sysconf says of it would be the whole processor's, of which a virtual machine
/// has a part.
static uint64_t outerCacheBytes() {
  std::set<std::string> counted;
  uint64_t bytes = 0;
  for (unsigned cpu = 0;; ++cpu) {
    const std::string folder = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cache/index3/";
    std::ifstream size(folder + "size"), sharers(folder + "shared_cpu_list");
    uint64_t kilobytes = 0;
    std::string list;
    if (!(size >> kilobytes) || !(sharers >> list))
      return bytes;
    if (counted.insert(list).second)
      bytes += kilobytes << 10;
  }
}

DeviceLimits deviceLimits(const DeviceInfo &info) {
  DeviceLimits limits;
  if (info.vendor == "cpu") {
    limits.cacheBytes =
        outerCacheBytes() + uint64_t(std::max(sysconf(_SC_LEVEL2_CACHE_SIZE), 0L)) * info.units;
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
