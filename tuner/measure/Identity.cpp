//===- Identity.cpp -------------------------------------------------------===//
#include "tuner/measure/Identity.h"

namespace quern::tuner {

DeviceIdentity identityOf(const runtime::DeviceInfo &info) {
  DeviceIdentity identity;
  // Where the system shows no number, the product's name is better than to take all such devices for one.
  identity.hardware = info.emulated           ? info.name
                      : info.hardware.empty() ? "name:" + info.description
                                              : info.hardware;
  identity.architecture = info.architecture;
  identity.units = info.units;
  identity.partition = info.partition;
  identity.memoryClockMhz = memoryClockClass(info.memoryClockMhz);
  identity.name = info.description;
  return identity;
}

} // namespace quern::tuner
