//===- Error.cpp ----------------------------------------------------------===//
#include "runtime/hip/Error.h"

namespace quern::runtime::hip {

std::string errorText(const Symbols &symbols, Result result) {
  const char *name = symbols.hipGetErrorName(result), *text = symbols.hipGetErrorString(result);
  if (name && text) // HIP 5 gives the name for both
    return std::string(name) == text ? std::string(name) : std::string(name) + ": " + text;
  return "HIP error " + std::to_string(result);
}

Status callFailed(const Symbols &symbols, Result result, const char *call, const std::string &what) {
  std::string cause = std::string(call) + ": " + errorText(symbols, result);
  if (result == errorOutOfMemory)
    return Status::error(Exit::Resource, "E-DEVICE-OUT-OF-MEMORY", what)
        .cause(std::move(cause))
        .remedy("choose a smaller batch or context, or a device with more memory");
  if (result == errorIllegalAddress || result == errorLaunchTimeout || result == errorLaunchFailed)
    return Status::error(Exit::Unexpected, "E-DEVICE-FAULT", "a kernel failed while it ran")
        .cause(std::move(cause))
        .remedy("run the same artifact on the emulated device of this target, which names the instruction");
  return Status::error(Exit::Unexpected, "E-DEVICE-CALL", what).cause(std::move(cause));
}

Status initialisationFailed(const Symbols &symbols, Result result) {
  std::string cause = "hipInit: " + errorText(symbols, result);
  if (result == errorInsufficientDriver)
    return Status::error(Exit::NoDevice, "E-DRIVER-TOO-OLD", "the amdgpu kernel driver is too old")
        .cause(std::move(cause))
        .remedy("install the kernel driver that belongs to this ROCm");
  return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "the HIP runtime finds no device")
      .cause(std::move(cause))
      .remedy("check `rocminfo`, access to /dev/kfd (group render), HIP_VISIBLE_DEVICES and "
              "ROCR_VISIBLE_DEVICES");
}

} // namespace quern::runtime::hip
