//===- EmulatedDevice.h - Devices that this host plays --------------------===//
//
// `emulated:VENDOR:ARCHITECTURE`: the device interface over host memory and a Machine that executes the
// target's own code. Device addresses are host addresses; every allocation is checked to the byte. Launches
// run when they are queued. The first fault of a kernel is kept, later launches are dropped, and
// `synchronize` or `download` reports it and clears it, as on a device that works behind the caller's back.
//
//   QUERN_ASSIGN_OR_RETURN(std::unique_ptr<EmulatedDevice> device, openEmulated("amd:gfx942"));
//   device->options().seed = 3;
//   ...
//   for (const Finding &finding : device->findings()) ...
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_EMULATEDDEVICE_H
#define QUERN_RUNTIME_EMULATED_EMULATEDDEVICE_H

#include "runtime/Backend.h"
#include "runtime/Device.h"
#include "runtime/emulated/Machine.h"

namespace quern::runtime::emulated {

class EmulatedDevice : public Device {
public:
  /// How the following launches run; may be changed at any time between calls.
  virtual RunOptions &options() = 0;
  /// Faults found since the device was opened, in order; kernels end at their first one.
  virtual const std::vector<Finding> &findings() const = 0;
  /// Dynamic counts of all launches, and of each kernel by symbol.
  virtual const RunCounters &runCounters() const = 0;
  virtual const std::map<std::string, RunCounters> &kernelCounters() const = 0;
};

/// Opens the emulated device for |target|: "nvidia:sm_90a", also with "emulated:" before it.
/// Exit::Unsupported "E-EMULATED-TARGET" where there is none, with the targets there are.
/// |memoryLimit|: bytes that may be allocated at one time, 0 for what the emulated device claims to have.
Expected<std::unique_ptr<EmulatedDevice>> openEmulated(const std::string &target, RunOptions options = {},
                                                       uint64_t memoryLimit = 0);

/// The same as an EmulatedFactory, for DeviceOptions::emulated.
Expected<std::unique_ptr<Device>> openEmulatedDevice(const std::string &target, const DeviceOptions &options);

} // namespace quern::runtime::emulated

#endif // QUERN_RUNTIME_EMULATED_EMULATEDDEVICE_H
