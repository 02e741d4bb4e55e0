//===- Symbols.cpp --------------------------------------------------------===//
#include "runtime/hip/Symbols.h"

#include "runtime/hip/Error.h"

#include <dlfcn.h>

namespace quern::runtime::hip {

namespace {

// Newest first. The plain name belongs to development packages. ROCm's own packages install to /opt/rocm and
// do not always tell the dynamic linker.
constexpr const char *libraryNames[] = {"libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5",
                                        "libamdhip64.so"};
constexpr const char *rocmDirectory = "/opt/rocm/lib/";
constexpr const char *hsaName = "libhsa-runtime64.so.1";

Status noLibrary(const std::string &name, std::string cause, std::string package) {
  return Status::error(Exit::NoDevice, "E-DEVICE-NO-LIBRARY", "cannot open " + name)
      .cause(std::move(cause))
      .remedy("install the HIP runtime (" + package + ")");
}

/// |name| from where the dynamic linker looks, else from ROCm's directory.
void *openLibrary(const std::string &name) {
  if (void *library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL))
    return library;
  return dlopen((rocmDirectory + name).c_str(), RTLD_NOW | RTLD_LOCAL);
}

} // namespace

std::string versionText(int version) {
  return std::to_string(version / 10000000) + "." + std::to_string(version / 100000 % 100) + "." +
         std::to_string(version % 100000);
}

Expected<std::shared_ptr<const Symbols>> Symbols::load() {
  auto symbols = std::make_shared<Symbols>();
  void *library = nullptr;
  std::string cause;
  for (const char *name : libraryNames) {
    if ((library = openLibrary(name))) {
      symbols->libraryName = name;
      break;
    }
    // One that is there and lacks another library says what is missing; one that is not there says nothing
    // new.
    const char *text = dlerror();
    if (text && std::string(text).find(std::string(name) + ": cannot open") == std::string::npos)
      cause = text;
  }
  if (!library)
    return noLibrary("libamdhip64.so.7, .6 or .5", cause.empty() ? "none is installed" : cause,
                     "package hip-runtime-amd of ROCm, or libamdhip64-5");
  void *hsa = openLibrary(hsaName); // already in the process, as libamdhip64 needs it
  if (!hsa) {
    const char *text = dlerror();
    return noLibrary(hsaName, text ? text : "", "package hsa-rocr of ROCm, or libhsa-runtime64-1");
  }

  auto tooOld = [](const std::string &name, const char *entry) {
    return Status::error(Exit::NoDevice, "E-DRIVER-TOO-OLD", "the HIP runtime is too old")
        .cause(name + " has no " + entry)
        .remedy("install ROCm 5.2 or newer");
  };
#define QUERN_BIND(name, library, libraryText, exported, ...)                                                \
  symbols->name = reinterpret_cast<decltype(symbols->name)>(dlsym(library, exported));                       \
  if (!symbols->name)                                                                                        \
    return tooOld(libraryText, exported);
#define QUERN_REQUIRED(name, exported, ...) QUERN_BIND(name, library, symbols->libraryName, #exported)
#define QUERN_OPTIONAL(name, exported, ...)                                                                  \
  symbols->name = reinterpret_cast<decltype(symbols->name)>(dlsym(library, #exported));
#define QUERN_REQUIRED_HSA(name, exported, ...) QUERN_BIND(name, hsa, hsaName, #exported)
#include "runtime/hip/Symbols.def"
  QUERN_BIND(hipGetErrorName, library, symbols->libraryName, "hipGetErrorName")
  QUERN_BIND(hipGetErrorString, library, symbols->libraryName, "hipGetErrorString")
#undef QUERN_BIND

  if (Result result = symbols->hipInit(0); result != success)
    return initialisationFailed(*symbols, result);
  symbols->hipRuntimeGetVersion(&symbols->runtimeVersion); // 0 where it does not say
  return std::shared_ptr<const Symbols>(std::move(symbols));
}

} // namespace quern::runtime::hip
