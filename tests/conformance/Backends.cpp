//===- Backends.cpp -------------------------------------------------------===//
#include "tests/conformance/Backends.h"

namespace quern::conformance {

namespace {

constexpr const char *noFile = "code is not loaded through a file";

const BackendUnderTest backends[] = {
    {"cpu",
     "cpu",
     "kernels-cpu.so",
     1,
     true,
     {{"WildStoreIsReported", "a wild store of CPU code ends the process"}},
     {}},
    {"cuda",
     "cuda:0",
     "kernels.ptx",
     64,
     false,
     {{"LimitOfOpenFilesIsSaid", noFile}, {"DeviceThatHsaDoesNotShow", "no second library tells facts"}},
     {}},
    {"hip",
     "hip:0",
     "kernels-%a.co",
     64,
     false,
     {{"LimitOfOpenFilesIsSaid", noFile},
      {"DriverOlderThanThePtxNamesBothVersions", "code objects have no version that depends on the driver"},
      {"DriverThatIsTooOldForAll", "HIP has the entry points or it has not"},
      {"DriverWithoutAssembler", "nothing is assembled"},
      {"AssemblersWordsAreTheCause", "nothing is assembled"}},
     {}},
    {"emulated-nvidia",
     "emulated:nvidia:sm_90a",
     "kernels.ptx",
     64,
     false,
     {{"LimitOfOpenFilesIsSaid", noFile}},
     {}},
    {"emulated-gfx942",
     "emulated:amd:gfx942",
     "kernels-gfx942.co",
     64,
     false,
     {{"LimitOfOpenFilesIsSaid", noFile}},
     {}},
    {"emulated-gfx1201",
     "emulated:amd:gfx1201",
     "kernels-gfx1201.co",
     64,
     false,
     {{"LimitOfOpenFilesIsSaid", noFile}},
     {}},
};

} // namespace

const BackendUnderTest *findBackend(const std::string &name) {
  for (const BackendUnderTest &backend : backends)
    if (name == backend.name)
      return &backend;
  return nullptr;
}

std::string backendNames() {
  std::string names;
  for (const BackendUnderTest &backend : backends)
    names += (names.empty() ? "" : ", ") + std::string(backend.name);
  return names;
}

} // namespace quern::conformance
