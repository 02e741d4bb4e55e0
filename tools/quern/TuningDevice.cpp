//===- TuningDevice.cpp ---------------------------------------------------===//
#include "tools/quern/TuningDevice.h"
#include "runtime/Devices.h"
#include "tuner/measure/Identity.h"

#include <algorithm>

namespace quern::tools {

bool meansDevice(const std::string &wanted, const tuner::DeviceIdentity &device) {
  return wanted.empty() || wanted == device.name || (wanted.size() >= 6 && device.key().starts_with(wanted));
}

Expected<tuner::DeviceIdentity> findTuningDevice(const std::string &name, const tuner::Database &database) {
  for (const char *own : {"cpu", "cuda", "hip"})
    if (name == own || name.starts_with(std::string(own) + ":")) {
      QUERN_ASSIGN_OR_RETURN(std::unique_ptr<runtime::Device> device, runtime::openDevice(name));
      return tuner::identityOf(device->info());
    }
  QUERN_ASSIGN_OR_RETURN(std::vector<tuner::DeviceIdentity> known, database.devices());
  std::string names;
  std::vector<tuner::DeviceIdentity> found;
  for (const tuner::DeviceIdentity &device : known) {
    names += (names.empty() ? "" : ", ") + device.key().substr(0, 8) + " (" + device.name + ")";
    if (meansDevice(name, device))
      found.push_back(device);
  }
  if (found.size() == 1)
    return found.front();
  return Status::error(Exit::Usage, "E-TUNING-DEVICE",
                       found.empty() ? "no device is called `" + name + "`"
                                     : "`" + name + "` means " + std::to_string(found.size()) + " devices")
      .remedy("name cpu, cuda:N or hip:N, or one of the database: " +
              (names.empty() ? "it knows none" : names));
}

} // namespace quern::tools
