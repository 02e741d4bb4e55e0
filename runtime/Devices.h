//===- Devices.h - Finds and opens devices by name ------------------------===//
//
// Names: `cpu`, `cuda:0`, `hip:1` (a number left out is 0), `emulated:<target>` as in `emulated:amd:gfx942`,
// or the empty name for the best device present: a GPU before the CPU, never an emulated one. Variables that
// hide devices (CUDA_VISIBLE_DEVICES and the like) are the drivers' business.
//
//   QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, openDevice("cuda:0", options));
//   QUERN_ASSIGN_OR_RETURN(size_t entry, chooseCode(device->info(), artifactTargets));
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICES_H
#define QUERN_RUNTIME_DEVICES_H

#include "runtime/Backend.h"
#include "runtime/Device.h"
#include "support/Status.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern::runtime {

/// What one backend found: its devices, or why there are none.
struct BackendDevices {
  std::string backend;
  std::vector<DeviceInfo> devices;
  Status absence; ///< the reason where |devices| is empty
};

/// Every backend, best first, whether it has devices or not.
std::vector<BackendDevices> listDevices();

/// Exit::Usage "E-DEVICE-NAME" for a name of no known form; Exit::NoDevice "E-DEVICE-NO-LIBRARY",
/// "E-DEVICE-NONE", "E-DRIVER-TOO-OLD" where it is not there; Exit::Unsupported where an emulated target is
/// not modelled.
Expected<std::unique_ptr<Device>> openDevice(const std::string &name, const DeviceOptions &options = {});

/// Index in |targets| ("nvidia:sm_90a", "cpu:x86-64-v4", in any order and of any vendor) of the code that
/// runs best on |info|. Exit::Unsupported "E-TARGET-NOT-IN-ARTIFACT" names the `--target` to add.
Expected<size_t> chooseCode(const DeviceInfo &info, std::span<const std::string> targets);

/// What libquern-emulated.so exports as `quernEmulatedLibrary`. The interface crosses the library's border as
/// C++ objects, so both sides must come from one build: |interfaceVersion| is compared before anything is
/// called.
struct EmulatedLibrary {
  uint32_t interfaceVersion;
  EmulatedFactory open;
};
inline constexpr uint32_t emulatedInterfaceVersion = 2;

} // namespace quern::runtime

#endif // QUERN_RUNTIME_DEVICES_H
