//===- Error.cpp ----------------------------------------------------------===//
#include "runtime/cuda/Error.h"

namespace quern::runtime::cuda {

std::string errorText(const Symbols &symbols, Result result) {
  const char *name = nullptr, *text = nullptr;
  const bool known = symbols.cuGetErrorName(result, &name) == success && name &&
                     symbols.cuGetErrorString(result, &text) == success && text;
  if (known)
    return std::string(name) + ": " + text;
  return "CUDA error " + std::to_string(result); // the stub library knows no text
}

Status callFailed(const Symbols &symbols, Result result, const char *call, const std::string &what) {
  std::string cause = std::string(call) + ": " + errorText(symbols, result);
  if (result == errorOutOfMemory)
    return Status::error(Exit::Resource, "E-DEVICE-OUT-OF-MEMORY", what)
        .cause(std::move(cause))
        .remedy("choose a smaller batch or context, or a device with more memory");
  // CUresult 700 to 719 are what a running kernel can do wrong.
  if (result == errorIllegalAddress || result == errorLaunchTimeout ||
      (result >= errorHardwareStack && result <= errorLaunchFailed))
    return Status::error(Exit::Unexpected, "E-DEVICE-FAULT", "a kernel failed while it ran")
        .cause(std::move(cause))
        .remedy("run the same artifact on the emulated device of this target, which names the instruction");
  return Status::error(Exit::Unexpected, "E-DEVICE-CALL", what).cause(std::move(cause));
}

Status initialisationFailed(const Symbols &symbols, Result result) {
  std::string cause = "cuInit: " + errorText(symbols, result);
  switch (result) {
  case errorNoDevice:
    return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "the NVIDIA driver finds no device")
        .cause(std::move(cause))
        .remedy("check `nvidia-smi`, /dev/nvidia* and CUDA_VISIBLE_DEVICES");
  case errorStubLibrary:
    return Status::error(Exit::NoDevice, "E-DEVICE-NO-LIBRARY", "libcuda.so.1 is the CUDA toolkit's stub")
        .cause(std::move(cause))
        .remedy("install the NVIDIA driver, or take the stubs directory out of LD_LIBRARY_PATH");
  case errorDriverMismatch:
  case errorCompatNotSupported:
    return Status::error(Exit::NoDevice, "E-DRIVER-MISMATCH",
                         "the NVIDIA driver's library and kernel module do not fit together")
        .cause(std::move(cause))
        .remedy("restart the machine after a driver update, or take compatibility libraries out of "
                "LD_LIBRARY_PATH");
  default:
    return Status::error(Exit::NoDevice, "E-DEVICE-NONE", "the NVIDIA driver does not start")
        .cause(std::move(cause))
        .remedy("check `nvidia-smi` and the kernel's log");
  }
}

} // namespace quern::runtime::cuda
