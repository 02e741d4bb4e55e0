//===- Symbols.cpp --------------------------------------------------------===//
#include "runtime/cuda/Symbols.h"

#include "runtime/cuda/Error.h"

#include <dlfcn.h>

namespace quern::runtime::cuda {

namespace {

constexpr const char *libraryName = "libcuda.so.1";

/// The first with PTX 7.0, the lowest that code for sm_80 can have.
constexpr int oldestVersion = 11000;

Status tooOld(std::string cause) {
  return Status::error(Exit::NoDevice, "E-DRIVER-TOO-OLD", "the NVIDIA driver is too old")
      .cause(std::move(cause))
      .remedy("install a driver for CUDA " + versionText(oldestVersion) + " or newer");
}

} // namespace

std::string versionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

Expected<std::shared_ptr<const Symbols>> Symbols::load() {
  void *library = dlopen(libraryName, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *text = dlerror();
    return Status::error(Exit::NoDevice, "E-DEVICE-NO-LIBRARY", std::string("cannot open ") + libraryName)
        .cause(text ? text : "the dynamic linker gives no reason")
        .remedy("install the NVIDIA driver");
  }
  auto symbols = std::make_shared<Symbols>();
#define QUERN_OPTIONAL(name, exported, ...)                                                                  \
  symbols->name = reinterpret_cast<Result (*)(__VA_ARGS__)>(dlsym(library, #exported));
#define QUERN_REQUIRED(name, exported, ...)                                                                  \
  QUERN_OPTIONAL(name, exported, __VA_ARGS__)                                                                \
  if (!symbols->name)                                                                                        \
    return tooOld(std::string(libraryName) + " has no " #exported);
#include "runtime/cuda/Symbols.def"

  // The version can be asked before cuInit; the stub refuses even that.
  if (symbols->cuDriverGetVersion(&symbols->driverVersion) == success &&
      symbols->driverVersion < oldestVersion)
    return tooOld("it supports CUDA " + versionText(symbols->driverVersion));
  if (Result result = symbols->cuInit(0); result != success)
    return initialisationFailed(*symbols, result);
  return std::shared_ptr<const Symbols>(std::move(symbols));
}

} // namespace quern::runtime::cuda
