//===- Management.cpp -----------------------------------------------------===//
#include "runtime/hip/Management.h"

#include <algorithm>
#include <cstdio>
#include <dlfcn.h>
#include <filesystem>
#include <fstream>

namespace quern::runtime::hip {

namespace {

constexpr const char *libraryNames[] = {"librocm_smi64.so.1", "librocm_smi64.so.7", "librocm_smi64.so.6",
                                        "librocm_smi64.so.5", "librocm_smi64.so"};

// rsmi_temperature_type_t and rsmi_temperature_metric_t of the ROCm SMI manual.
constexpr uint32_t sensorJunction = 1, sensorEdge = 0;
constexpr int metricCurrent = 0;

/// The number in |folder|/|file|; nothing where there is none.
std::optional<double> number(const std::string &folder, const char *file) {
  std::ifstream in(folder + "/" + file);
  double value = 0;
  return in >> value ? std::optional(value) : std::nullopt;
}

/// ROCm SMI's form of a PCI address: domain << 32 | bus << 8 | device << 3 | function.
std::optional<uint64_t> addressBits(const std::string &pciBusId) {
  unsigned domain = 0, bus = 0, device = 0, function = 0;
  if (std::sscanf(pciBusId.c_str(), "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
    return std::nullopt;
  return uint64_t(domain) << 32 | bus << 8 | device << 3 | function;
}

} // namespace

/// Entry points of the library; each returns 0 for success.
struct Management::Entries {
  int (*init)(uint64_t) = nullptr;
  int (*count)(uint32_t *) = nullptr;
  int (*pciId)(uint32_t, uint64_t *) = nullptr;
  int (*socketPower)(uint32_t, uint64_t *) = nullptr;               // uW, since ROCm 6.0
  int (*averagePower)(uint32_t, uint32_t, uint64_t *) = nullptr;    // uW
  int (*powerCap)(uint32_t, uint32_t, uint64_t *) = nullptr;        // uW
  int (*temperature)(uint32_t, uint32_t, int, int64_t *) = nullptr; // thousandths of a degree
};

std::unique_ptr<Management> Management::open(const std::string &pciBusId, const std::string &devices) {
  std::unique_ptr<Management> result(new Management);
  std::string lower = pciBusId;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  std::error_code ignored;
  for (const auto &entry : std::filesystem::directory_iterator(devices + "/" + lower + "/hwmon", ignored))
    result->folder = entry.path();

  void *library = nullptr;
  for (const char *name : libraryNames)
    if ((library = dlopen(name, RTLD_NOW | RTLD_LOCAL))) {
      result->libraryName = name;
      break;
    }
  if (!library)
    return result;
  auto entries = std::make_shared<Entries>();
  auto bind = [&](auto &entry, const char *name) {
    entry = reinterpret_cast<std::decay_t<decltype(entry)>>(dlsym(library, name));
  };
  bind(entries->init, "rsmi_init");
  bind(entries->count, "rsmi_num_monitor_devices");
  bind(entries->pciId, "rsmi_dev_pci_id_get");
  bind(entries->socketPower, "rsmi_dev_current_socket_power_get");
  bind(entries->averagePower, "rsmi_dev_power_ave_get");
  bind(entries->powerCap, "rsmi_dev_power_cap_get");
  bind(entries->temperature, "rsmi_dev_temp_metric_get");
  uint32_t count = 0;
  std::optional<uint64_t> wanted = addressBits(pciBusId);
  if (!wanted || !entries->init || !entries->count || !entries->pciId || entries->init(0) != 0 ||
      entries->count(&count) != 0)
    return result;
  for (uint32_t i = 0; i < count; ++i) {
    uint64_t bits = 0;
    if (entries->pciId(i, &bits) != 0 || bits != *wanted)
      continue;
    result->device = i;
    result->entries = std::move(entries);
    break;
  }
  return result;
}

DeviceConditions Management::read() const {
  DeviceConditions now;
  uint64_t value = 0;
  int64_t degrees = 0;
  if (entries) {
    now.source = libraryName;
    if ((entries->socketPower && entries->socketPower(device, &value) == 0) ||
        (entries->averagePower && entries->averagePower(device, 0, &value) == 0))
      now.powerWatts = plausibleWatts(double(value), 1e-6);
    if (entries->powerCap && entries->powerCap(device, 0, &value) == 0)
      now.powerLimitWatts = plausibleWatts(double(value), 1e-6);
    for (uint32_t sensor : {sensorJunction, sensorEdge})
      if (!now.temperatureCelsius && entries->temperature &&
          entries->temperature(device, sensor, metricCurrent, &degrees) == 0)
        now.temperatureCelsius = plausibleCelsius(double(degrees), 1e-3);
  }
  if (!folder.empty()) {
    now.source += (now.source.empty() ? "" : " and ") + std::string("amdgpu");
    // Names and units: "GPU sensors and power control" of the kernel's amdgpu documentation.
    auto fill = [&](std::optional<double> &figure, const char *file, auto *check, double scale) {
      if (figure)
        return;
      if (std::optional<double> found = number(folder, file))
        figure = check(*found, scale);
    };
    fill(now.clockMhz, "freq1_input", plausibleMhz, 1e-6);
    fill(now.memoryClockMhz, "freq2_input", plausibleMhz, 1e-6);
    fill(now.powerWatts, "power1_average", plausibleWatts, 1e-6);
    fill(now.powerWatts, "power1_input", plausibleWatts, 1e-6);
    fill(now.powerLimitWatts, "power1_cap", plausibleWatts, 1e-6);
    fill(now.temperatureCelsius, "temp2_input", plausibleCelsius, 1e-3);
    fill(now.temperatureCelsius, "temp1_input", plausibleCelsius, 1e-3);
  }
  if (now.source.empty())
    now.absence = libraryName.empty() ? "there is no librocm_smi64.so, and the kernel shows no sensors"
                                      : libraryName + " does not know the device";
  return now;
}

} // namespace quern::runtime::hip
