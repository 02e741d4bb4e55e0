//===- Backend.h - What each kind of device provides ----------------------===//
//
// A backend is a folder beside this file (cpu, cuda, hip) with the same file names as its siblings and one
// `Backend` record. `Backends.cpp` is the table of them; nothing else names a vendor.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_BACKEND_H
#define QUERN_RUNTIME_BACKEND_H

#include "runtime/Device.h"
#include "runtime/Doctor.h"
#include "runtime/Sanitize.h"
#include "support/Status.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern::runtime {

struct DeviceOptions;

/// Opens `emulated:<target>`; |target| as in "nvidia:sm_90a".
using EmulatedFactory = Expected<std::unique_ptr<Device>> (*)(const std::string &target,
                                                              const DeviceOptions &options);

/// How to open a device; a backend ignores what does not concern it.
struct DeviceOptions {
  uint32_t threads = 0; ///< host threads of CPU and emulated devices; 0: OMP_NUM_THREADS, else all allowed
  uint64_t memoryLimit = 0; ///< bytes that may be allocated at one time; 0: what the device has
  uint64_t seed = 0;        ///< emulated: order in which warps run
  SanitizeSet sanitize = SanitizeSet::standard(); ///< emulated: what is looked for
  bool counters = false;              ///< emulated: count what kernels do, Device::takeKernelCounts
  EmulatedFactory emulated = nullptr; ///< linked in; null: libquern-emulated.so beside the program
  std::string emulatedLibrary = {};   ///< path of that library where it is elsewhere
};

struct Backend {
  const char *name;   ///< first part of device names
  const char *vendor; ///< first part of target names, DeviceInfo::vendor
  bool numbered;      ///< devices are `name:N`

  /// The devices present, in the driver's order, without making a context on any. Exit::NoDevice
  /// "E-DEVICE-NO-LIBRARY" or "E-DEVICE-NONE" where there is none.
  Expected<std::vector<DeviceInfo>> (*list)();

  /// |index| is below the length of that list, else Exit::NoDevice "E-DEVICE-NONE".
  Expected<std::unique_ptr<Device>> (*open)(uint32_t index, const DeviceOptions &options);

  /// Index of the best of |targets| (this vendor's, without "vendor:") that |info| can run, or -1. Null where
  /// support/target decides, which knows GPUs but not which features a processor has.
  ptrdiff_t (*chooseCode)(const DeviceInfo &info, std::span<const std::string> targets);

  /// Adds this backend's checks.
  void (*diagnose)(std::vector<Check> &checks);
};

/// All backends, best device first.
std::span<const Backend *const> backends();

} // namespace quern::runtime

#endif // QUERN_RUNTIME_BACKEND_H
