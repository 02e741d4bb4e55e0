//===- NvmlShim.cpp - A test-only libnvidia-ml.so.1 -----------------------===//
//
// NVML's documented meaning for one device at the PCI address of CudaShim.cpp. QUERN_SHIM_POWER is its draw
// in mW, QUERN_SHIM_NO_MANAGEMENT makes it refuse to start.
//
//===----------------------------------------------------------------------===//
#include <cstdlib>
#include <cstring>

#define EXPORT extern "C" __attribute__((visibility("default"))) int

namespace {
constexpr int success = 0, notFound = 6, notSupported = 3;
char handle;
} // namespace

EXPORT nvmlInit_v2() { return std::getenv("QUERN_SHIM_NO_MANAGEMENT") ? 999 : success; }
EXPORT nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device) {
  *device = &handle;
  return std::strcmp(address, "0000:C0:00.0") == 0 ? success : notFound;
}
EXPORT nvmlDeviceGetClockInfo(void *device, int type, unsigned *megahertz) {
  if (device != &handle || (type != 1 && type != 2))
    return notSupported;
  *megahertz = type == 1 ? 1755 : 2619;
  return success;
}
EXPORT nvmlDeviceGetPowerUsage(void *, unsigned *milliwatts) {
  const char *power = std::getenv("QUERN_SHIM_POWER");
  *milliwatts = power ? unsigned(std::atoi(power)) : 412345;
  return success;
}
EXPORT nvmlDeviceGetEnforcedPowerLimit(void *, unsigned *milliwatts) { return *milliwatts = 700000, success; }
EXPORT nvmlDeviceGetTemperature(void *, int sensor, unsigned *degrees) {
  *degrees = 61;
  return sensor == 0 ? success : notSupported;
}
