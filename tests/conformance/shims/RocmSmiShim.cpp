//===- RocmSmiShim.cpp - A test-only librocm_smi64.so.6 -------------------===//
//
// ROCm SMI's documented meaning for two devices, the second at the PCI address of HipShim.cpp. Variables as
// in NvmlShim.cpp, QUERN_SHIM_POWER in mW. The average power is not supported, as on MI300.
//
//===----------------------------------------------------------------------===//
#include <cstdint>
#include <cstdlib>

#define EXPORT extern "C" __attribute__((visibility("default"))) int

namespace {
constexpr int success = 0, invalid = 1, notSupported = 2;
}

EXPORT rsmi_init(uint64_t) { return std::getenv("QUERN_SHIM_NO_MANAGEMENT") ? 8 : success; }
EXPORT rsmi_num_monitor_devices(uint32_t *count) { return *count = 2, success; }
EXPORT rsmi_dev_pci_id_get(uint32_t device, uint64_t *address) {
  *address = device == 1 ? 0xc100 : 0x0300;
  return device < 2 ? success : invalid;
}
EXPORT rsmi_dev_current_socket_power_get(uint32_t device, uint64_t *microwatts) {
  const char *power = std::getenv("QUERN_SHIM_POWER");
  *microwatts = (power ? uint64_t(std::atoi(power)) : 512345) * 1000;
  return device == 1 ? success : invalid;
}
EXPORT rsmi_dev_power_ave_get(uint32_t, uint32_t, uint64_t *) { return notSupported; }
EXPORT rsmi_dev_power_cap_get(uint32_t device, uint32_t, uint64_t *microwatts) {
  *microwatts = 750000000;
  return device == 1 ? success : invalid;
}
EXPORT rsmi_dev_temp_metric_get(uint32_t device, uint32_t sensor, int metric, int64_t *milli) {
  *milli = 66000;
  return device == 1 && sensor == 1 && metric == 0 ? success : notSupported;
}
