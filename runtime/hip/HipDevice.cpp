//===- HipDevice.cpp ------------------------------------------------------===//
#include "runtime/hip/HipDevice.h"

#include "runtime/DriverDevice.h"
#include "runtime/PciDevice.h"
#include "runtime/hip/Agents.h"
#include "runtime/hip/Error.h"
#include "runtime/hip/Kernel.h"
#include "runtime/hip/Management.h"
#include "runtime/hip/Ranges.h"
#include "runtime/hip/Stream.h"

#include <fstream>
#include <unistd.h>

namespace quern::runtime::hip {

namespace {

constexpr uint16_t pciVendor = 0x1002;

/// "6.2.41133", with the version of the kernel module behind it where the system shows it.
std::string driverText(const Symbols &driver) {
  std::string text = versionText(driver.runtimeVersion);
  std::ifstream file("/sys/module/amdgpu/version");
  if (std::string module; file >> module)
    text += " (" + module + ")";
  return text;
}

Expected<DeviceInfo> describe(const Symbols &driver, const std::vector<Agent> &agents, int index) {
  const std::string deviceName = "hip:" + std::to_string(index);
  const std::string what = "cannot read the facts of `" + deviceName + "`";
  char name[256] = {}, address[64] = {};
  size_t memory = 0;
  QUERN_HIP_RETURN_IF_ERROR(driver, hipDeviceGetName(name, sizeof(name) - 1, index), what);
  QUERN_HIP_RETURN_IF_ERROR(driver, hipDeviceGetPCIBusId(address, sizeof(address) - 1, index), what);
  QUERN_HIP_RETURN_IF_ERROR(driver, hipDeviceTotalMem(&memory, index), what);
  std::optional<Agent> agent = findAgent(agents, address);
  if (!agent)
    return Status::error(Exit::NoDevice, "E-DEVICE-NONE",
                         "cannot tell the architecture of `" + deviceName + "`")
        .cause("HSA shows no agent at PCI address " + std::string(address))
        .remedy("check `rocminfo`: libamdhip64 and libhsa-runtime64 must be of one ROCm");
  DeviceInfo info;
  info.name = deviceName;
  info.description = name;
  info.vendor = "amd";
  info.architecture = agent->architecture;
  info.driver = driverText(driver);
  info.memoryBytes = memory;
  info.units = agent->units;
  info.hardware = agent->chip ? pciHardware(pciVendor, uint16_t(agent->chip)) : pciHardware(address);
  info.partition = pciPartition(address);
  info.memoryClockMhz = agent->memoryClockMhz;
  return info;
}

Expected<int> countDevices(const Symbols &driver) {
  int count = 0;
  Result result = driver.hipGetDeviceCount(&count);
  if (result == success && count <= 0)
    result = errorNoDevice;
  if (result != success)
    return initialisationFailed(driver, result);
  return count;
}

class HipDevice final : public DriverDevice {
public:
  HipDevice(DeviceInfo info, std::shared_ptr<Stream> stream, uint64_t limit, std::string pciBusId)
      : DriverDevice(std::move(info), stream, limit), stream(stream), pciBusId(std::move(pciBusId)) {}

  Expected<std::unique_ptr<Module>> load(std::span<const std::byte> bytes) override {
    return HipModule::create(stream, info().architecture, bytes);
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
  std::string pciBusId;
  std::unique_ptr<Management> management;
  std::unique_ptr<RangeMarks> marks;
};

Expected<std::vector<DeviceInfo>> list() {
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<const Symbols> driver, Symbols::load());
  QUERN_ASSIGN_OR_RETURN(int count, countDevices(*driver));
  const std::vector<Agent> agents = listAgents(*driver);
  std::vector<DeviceInfo> devices;
  for (int index = 0; index < count; ++index) {
    QUERN_ASSIGN_OR_RETURN(DeviceInfo info, describe(*driver, agents, index));
    devices.push_back(std::move(info));
  }
  return devices;
}

Expected<std::unique_ptr<Device>> open(uint32_t index, const DeviceOptions &options) {
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<const Symbols> driver, Symbols::load());
  QUERN_ASSIGN_OR_RETURN(int count, countDevices(*driver));
  if (index >= static_cast<uint32_t>(count))
    return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "there is no `hip:" + std::to_string(index) + "`")
        .cause("HIP shows " + std::to_string(count) + " device" + (count == 1 ? "" : "s"))
        .remedy("see `quern devices`, and check HIP_VISIBLE_DEVICES and ROCR_VISIBLE_DEVICES");
  QUERN_ASSIGN_OR_RETURN(DeviceInfo info, describe(*driver, listAgents(*driver), static_cast<int>(index)));
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<Stream> stream, Stream::create(driver, static_cast<int>(index)));
  char address[64] = {};
  QUERN_HIP_RETURN_IF_ERROR(*driver,
                            hipDeviceGetPCIBusId(address, sizeof(address) - 1, static_cast<int>(index)),
                            "cannot read the place of the device");
  return std::unique_ptr<Device>(
      new HipDevice(std::move(info), std::move(stream), options.memoryLimit, address));
}

void diagnose(std::vector<Check> &checks) {
  const bool hasHardware = access("/dev/kfd", F_OK) == 0;
  if (hasHardware && access("/dev/kfd", R_OK | W_OK) != 0)
    checks.push_back({"hip.access", CheckState::Failed, "no access to /dev/kfd",
                      "add this user to the groups render and video, and log in again"});
  Expected<std::vector<DeviceInfo>> devices = list();
  Check &driver = checks.emplace_back();
  driver.name = "hip.driver";
  if (!devices.ok()) {
    Status error = devices.takeError();
    // A library without hardware is what development machines have.
    driver.state = hasHardware || error.id() == "E-DRIVER-TOO-OLD" ? CheckState::Failed : CheckState::Absent;
    driver.detail = error.sentence() + (error.causeText().empty() ? "" : " (" + error.causeText() + ")");
    driver.fix = error.remedyText().empty() ? "check `rocminfo`" : error.remedyText();
    return;
  }
  driver.detail = "HIP " + devices->front().driver;
  for (const DeviceInfo &info : *devices) {
    Check &check = checks.emplace_back();
    check.name = "hip.device";
    check.detail = info.name + ": " + info.description + ", " + info.architecture + ", " +
                   std::to_string(info.units) + " compute units, " + std::to_string(info.memoryBytes >> 20) +
                   " MiB";
  }
}

} // namespace

const Backend backend = {"hip", "amd", /*numbered=*/true, list, open, nullptr, diagnose};

} // namespace quern::runtime::hip
