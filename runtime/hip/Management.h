//===- Management.h - Clock, power and temperature of an AMD GPU ----------===//
//
// From ROCm SMI where its library can be opened, and from what the kernel's driver shows below /sys for the
// rest: clocks pass ROCm SMI in a structure whose layout changed.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_MANAGEMENT_H
#define QUERN_RUNTIME_HIP_MANAGEMENT_H

#include "runtime/DeviceConditions.h"

#include <cstdint>
#include <memory>

namespace quern::runtime::hip {

class Management {
public:
  /// |pciBusId| as HIP writes it, "0000:c1:00.0". |devices| is where the system lists PCI devices.
  static std::unique_ptr<Management> open(const std::string &pciBusId,
                                          const std::string &devices = "/sys/bus/pci/devices");
  DeviceConditions read() const;

private:
  struct Entries;
  std::shared_ptr<const Entries> entries; ///< null where there is no library or no such device
  uint32_t device = 0;                    ///< the library's number
  std::string folder;                     ///< of the sensors; empty where there is none
  std::string libraryName;
};

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_MANAGEMENT_H
