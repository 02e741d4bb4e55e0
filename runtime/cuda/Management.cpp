//===- Management.cpp -----------------------------------------------------===//
#include "runtime/cuda/Management.h"

#include <dlfcn.h>

namespace quern::runtime::cuda {

namespace {

constexpr const char *libraryName = "libnvidia-ml.so.1";

// nvmlClockType_t and nvmlTemperatureSensors_t of the NVML API reference.
constexpr int clockSm = 1, clockMemory = 2, sensorGpu = 0;

} // namespace

/// Entry points of the library; each returns 0 for success. The handle of a device is a pointer.
struct Management::Entries {
  int (*init)() = nullptr;
  int (*byPciBusId)(const char *, void **) = nullptr;
  int (*clock)(void *, int, unsigned *) = nullptr;       // MHz
  int (*power)(void *, unsigned *) = nullptr;            // mW
  int (*powerLimit)(void *, unsigned *) = nullptr;       // mW
  int (*temperature)(void *, int, unsigned *) = nullptr; // degrees Celsius
};

std::unique_ptr<Management> Management::open(const std::string &pciBusId) {
  std::unique_ptr<Management> result(new Management);
  void *library = dlopen(libraryName, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    result->absence = std::string("there is no ") + libraryName;
    return result;
  }
  auto entries = std::make_shared<Entries>();
  auto bind = [&](auto &entry, const char *name) {
    entry = reinterpret_cast<std::decay_t<decltype(entry)>>(dlsym(library, name));
  };
  bind(entries->init, "nvmlInit_v2");
  bind(entries->byPciBusId, "nvmlDeviceGetHandleByPciBusId_v2");
  bind(entries->clock, "nvmlDeviceGetClockInfo");
  bind(entries->power, "nvmlDeviceGetPowerUsage");
  bind(entries->powerLimit, "nvmlDeviceGetEnforcedPowerLimit");
  bind(entries->temperature, "nvmlDeviceGetTemperature");
  if (!entries->init || !entries->byPciBusId || entries->init() != 0)
    result->absence = std::string(libraryName) + " does not start";
  else if (pciBusId.empty() || entries->byPciBusId(pciBusId.c_str(), &result->device) != 0)
    result->absence = std::string(libraryName) + " does not know the device";
  else
    result->entries = std::move(entries);
  return result;
}

DeviceConditions Management::read() const {
  DeviceConditions now;
  now.absence = absence;
  if (!entries)
    return now;
  now.source = libraryName;
  unsigned value = 0;
  if (entries->clock && entries->clock(device, clockSm, &value) == 0)
    now.clockMhz = plausibleMhz(value);
  if (entries->clock && entries->clock(device, clockMemory, &value) == 0)
    now.memoryClockMhz = plausibleMhz(value);
  if (entries->power && entries->power(device, &value) == 0)
    now.powerWatts = plausibleWatts(value, 1e-3);
  if (entries->powerLimit && entries->powerLimit(device, &value) == 0)
    now.powerLimitWatts = plausibleWatts(value, 1e-3);
  if (entries->temperature && entries->temperature(device, sensorGpu, &value) == 0)
    now.temperatureCelsius = plausibleCelsius(value);
  return now;
}

} // namespace quern::runtime::cuda
