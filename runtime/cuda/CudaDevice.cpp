//===- CudaDevice.cpp -----------------------------------------------------===//
#include "runtime/cuda/CudaDevice.h"

#include "runtime/DriverDevice.h"
#include "runtime/PciDevice.h"
#include "runtime/cuda/Error.h"
#include "runtime/cuda/Kernel.h"
#include "runtime/cuda/Management.h"
#include "runtime/cuda/Ranges.h"
#include "runtime/cuda/Stream.h"

#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace quern::runtime::cuda {

namespace {

/// "12.4", with the version of the kernel module behind it where the system shows it: "12.4 (550.54.15)".
std::string driverText(const Symbols &driver) {
  std::string text = versionText(driver.driverVersion);
  std::ifstream file("/sys/module/nvidia/version");
  if (std::string module; file >> module)
    text += " (" + module + ")";
  return text;
}

/// What only tuning asks for: absence is no error.
void describeIdentity(const Symbols &driver, DeviceHandle device, DeviceInfo &info) {
  int domain = 0, bus = 0, slot = 0, clock = 0;
  if (driver.cuDeviceGetAttribute(&domain, attributePciDomain, device) == success &&
      driver.cuDeviceGetAttribute(&bus, attributePciBus, device) == success &&
      driver.cuDeviceGetAttribute(&slot, attributePciDevice, device) == success)
    info.hardware = pciHardware(pciAddress(uint32_t(domain), uint32_t(bus), uint32_t(slot)));
  if (driver.cuDeviceGetAttribute(&clock, attributeMemoryClock, device) == success)
    info.memoryClockMhz = uint32_t(clock) / 1000;
  // An instance of a partitioned card is named "<product> MIG 1g.10gb".
  if (size_t at = info.description.find(" MIG "); at != std::string::npos)
    info.partition = info.description.substr(at + 5);
}

Expected<DeviceInfo> describe(const Symbols &driver, int index, DeviceHandle device) {
  const std::string what = "cannot read the facts of `cuda:" + std::to_string(index) + "`";
  char name[256] = {};
  int major = 0, minor = 0, units = 0;
  size_t memory = 0;
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetName(name, sizeof(name) - 1, device), what);
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetAttribute(&major, attributeCapabilityMajor, device), what);
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetAttribute(&minor, attributeCapabilityMinor, device), what);
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetAttribute(&units, attributeMultiprocessors, device), what);
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuDeviceTotalMem(&memory, device), what);
  DeviceInfo info;
  info.name = "cuda:" + std::to_string(index);
  info.description = name;
  info.vendor = "nvidia";
  info.architecture = "sm_" + std::to_string(major) + std::to_string(minor);
  info.driver = driverText(driver);
  info.memoryBytes = memory;
  info.units = static_cast<uint32_t>(units);
  describeIdentity(driver, device, info);
  return info;
}

Expected<int> countDevices(const Symbols &driver) {
  int count = 0;
  QUERN_CUDA_RETURN_IF_ERROR(driver, cuDeviceGetCount(&count), "cannot count the devices");
  if (count <= 0)
    return initialisationFailed(driver, errorNoDevice);
  return count;
}

class CudaDevice final : public DriverDevice {
public:
  CudaDevice(DeviceInfo info, std::shared_ptr<Stream> stream, uint64_t limit, std::string pciBusId)
      : DriverDevice(std::move(info), stream, limit), stream(stream), pciBusId(std::move(pciBusId)) {}

  Expected<EncodedTensorMap> encodeTensorMap(const TensorMap &map) override {
    const Symbols &driver = stream->symbols();
    // The first architecture that copies by tensor maps is sm_90.
    const int architecture = std::atoi(info().architecture.c_str() + 3);
    if (!driver.cuTensorMapEncodeTiled || architecture < 90)
      return Device::encodeTensorMap(map);
    QUERN_RETURN_IF_ERROR(stream->enter());
    EncodedTensorMap encoded;
    Result result = driver.cuTensorMapEncodeTiled(
        encoded.bytes.data(), int(map.element), map.rank, reinterpret_cast<void *>(map.address),
        map.extents.data(), map.strides.data(), map.box.data(), map.elementSteps.data(), int(map.interleave),
        int(map.swizzle), int(map.promotion), int(map.fill));
    if (result == errorInvalidValue)
      return Status::error(Exit::Usage, "E-TENSOR-MAP", "the tensor map cannot be encoded")
          .cause(errorText(driver, result));
    if (result != success)
      return callFailed(driver, result, "cuTensorMapEncodeTiled", "cannot encode a tensor map");
    return encoded;
  }

  Expected<std::unique_ptr<Module>> load(std::span<const std::byte> bytes) override {
    return CudaModule::create(stream, bytes);
  }

  DeviceConditions conditions() override {
    if (!management)
      management = Management::open(pciBusId);
    return management->read();
  }

  RangeMarks *rangeMarks() override {
    if (!marks)
      marks = openRangeMarks();
    return marks.get();
  }

private:
  std::shared_ptr<Stream> stream;
  std::string pciBusId; ///< empty where the driver does not tell
  std::unique_ptr<Management> management;
  std::unique_ptr<RangeMarks> marks;
};

std::string pciBusIdOf(const Symbols &driver, DeviceHandle device) {
  char text[32] = {};
  if (!driver.cuDeviceGetPCIBusId || driver.cuDeviceGetPCIBusId(text, sizeof(text) - 1, device) != success)
    return {};
  return text;
}

Expected<std::vector<DeviceInfo>> list() {
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<const Symbols> driver, Symbols::load());
  QUERN_ASSIGN_OR_RETURN(int count, countDevices(*driver));
  std::vector<DeviceInfo> devices;
  for (int index = 0; index < count; ++index) {
    DeviceHandle device = 0;
    QUERN_CUDA_RETURN_IF_ERROR(*driver, cuDeviceGet(&device, index), "cannot find the device");
    QUERN_ASSIGN_OR_RETURN(DeviceInfo info, describe(*driver, index, device));
    devices.push_back(std::move(info));
  }
  return devices;
}

Expected<std::unique_ptr<Device>> open(uint32_t index, const DeviceOptions &options) {
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<const Symbols> driver, Symbols::load());
  QUERN_ASSIGN_OR_RETURN(int count, countDevices(*driver));
  if (index >= static_cast<uint32_t>(count))
    return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "there is no `cuda:" + std::to_string(index) + "`")
        .cause("the driver shows " + std::to_string(count) + " device" + (count == 1 ? "" : "s"))
        .remedy("see `quern devices`, and check CUDA_VISIBLE_DEVICES");
  DeviceHandle device = 0;
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuDeviceGet(&device, static_cast<int>(index)),
                             "cannot find the device");
  QUERN_ASSIGN_OR_RETURN(DeviceInfo info, describe(*driver, static_cast<int>(index), device));
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<Stream> stream, Stream::create(driver, device));
  return std::unique_ptr<Device>(
      new CudaDevice(std::move(info), std::move(stream), options.memoryLimit, pciBusIdOf(*driver, device)));
}

void diagnose(std::vector<Check> &checks) {
  Expected<std::vector<DeviceInfo>> devices = list();
  Check &driver = checks.emplace_back();
  driver.name = "cuda.driver";
  if (!devices.ok()) {
    Status error = devices.takeError();
    // A machine that has the device node has the hardware, so that no library is a fault there.
    bool isFault = error.id() != "E-DEVICE-NO-LIBRARY" || access("/dev/nvidiactl", F_OK) == 0;
    driver.state = isFault ? CheckState::Failed : CheckState::Absent;
    driver.detail = error.sentence() + (error.causeText().empty() ? "" : " (" + error.causeText() + ")");
    driver.fix = error.remedyText().empty() ? "check `nvidia-smi`" : error.remedyText();
    return;
  }
  driver.detail = "CUDA " + devices->front().driver;
  if (access("/dev/nvidiactl", F_OK) == 0 && access("/dev/nvidiactl", R_OK | W_OK) != 0) {
    driver.state = CheckState::Failed;
    driver.detail += ", no access to /dev/nvidiactl";
    driver.fix = "let this user read and write /dev/nvidia*";
  }
  for (const DeviceInfo &info : *devices) {
    Check &check = checks.emplace_back();
    check.name = "cuda.device";
    check.detail = info.name + ": " + info.description + ", " + info.architecture + ", " +
                   std::to_string(info.units) + " multiprocessors, " +
                   std::to_string(info.memoryBytes >> 20) + " MiB";
  }
}

} // namespace

const Backend backend = {"cuda", "nvidia", /*numbered=*/true, list, open, nullptr, diagnose};

} // namespace quern::runtime::cuda
