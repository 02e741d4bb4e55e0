//===- Target.cpp ---------------------------------------------------------===//
#include "runtime/hip/Target.h"

namespace quern::runtime::hip {

ptrdiff_t chooseCode(const DeviceInfo &info, std::span<const std::string> targets) {
  for (size_t i = 0; i < targets.size(); ++i)
    if (!info.architecture.empty() && targets[i].substr(0, targets[i].find(',')) == info.architecture)
      return static_cast<ptrdiff_t>(i);
  return -1;
}

std::string targetFor(const DeviceInfo &info) { return info.architecture; }

} // namespace quern::runtime::hip
