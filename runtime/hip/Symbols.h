//===- Symbols.h - The HIP runtime, opened at run time --------------------===//
//
// On AMD the HIP runtime counts as the driver. Nothing of it is linked or included: the few types and numbers
// that pass its interface are declared here, from the HIP API reference and the HSA Runtime Programmer's
// Reference Manual 1.2 with AMD's extension header (names of their enumerators in the comments).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_SYMBOLS_H
#define QUERN_RUNTIME_HIP_SYMBOLS_H

#include "support/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace quern::runtime::hip {

using Result = int;                          // hipError_t
using HsaResult = int;                       // hsa_status_t
using StreamHandle = struct Stream_ *;       // hipStream_t
using EventHandle = struct Event_ *;         // hipEvent_t
using ModuleHandle = struct Module_ *;       // hipModule_t
using FunctionHandle = struct Function_ *;   // hipFunction_t
using GraphHandle = struct Graph_ *;         // hipGraph_t
using GraphExecHandle = struct GraphExec_ *; // hipGraphExec_t

/// hipError_t: those that are told apart.
enum : Result {
  success = 0,
  errorInvalidValue = 1,
  errorOutOfMemory = 2,
  errorInsufficientDriver = 35,
  errorNoDevice = 100,
  errorInvalidImage = 200,
  errorNoBinaryForDevice = 209,
  errorInvalidSource = 300,
  errorSharedObjectInit = 303,
  errorNotFound = 500,
  errorIllegalAddress = 700,
  errorLaunchTimeout = 702,
  errorLaunchFailed = 719,
};

/// hsa_agent_info_t and hsa_amd_agent_info_t. Part of a stable interface: their numbers never changed.
enum : int {
  agentName = 0,             ///< HSA_AGENT_INFO_NAME, char[64]: "gfx942"
  agentDevice = 17,          ///< HSA_AGENT_INFO_DEVICE, uint32_t: 1 for a GPU
  agentChip = 0xA000,        ///< HSA_AMD_AGENT_INFO_CHIP_ID, uint32_t: PCI device
  agentUnits = 0xA002,       ///< HSA_AMD_AGENT_INFO_COMPUTE_UNIT_COUNT, uint32_t
  agentBdf = 0xA006,         ///< HSA_AMD_AGENT_INFO_BDFID, uint32_t: bus << 8 | device << 3 | function
  agentMemoryClock = 0xA008, ///< HSA_AMD_AGENT_INFO_MEMORY_MAX_FREQUENCY, uint32_t: MHz
  agentDomain = 0xA00F,      ///< HSA_AMD_AGENT_INFO_DOMAIN, uint32_t
};

/// hipStreamCaptureMode: calls of this thread that are not safe beside a capture are refused.
enum : int { captureThreadLocal = 1 };

struct Symbols {
#define QUERN_REQUIRED(name, exported, ...) Result (*name)(__VA_ARGS__) = nullptr;
#define QUERN_OPTIONAL(name, exported, ...) Result (*name)(__VA_ARGS__) = nullptr;
#define QUERN_REQUIRED_HSA(name, exported, ...) HsaResult (*name)(__VA_ARGS__) = nullptr;
#include "runtime/hip/Symbols.def"
  // These return a text that is never released.
  const char *(*hipGetErrorName)(Result) = nullptr;
  const char *(*hipGetErrorString)(Result) = nullptr;

  std::string libraryName; ///< the one that was opened, "libamdhip64.so.6"
  int runtimeVersion = 0; ///< as hipRuntimeGetVersion gives it: major * 10^7 + minor * 10^5 + patch since 5.0

  /// Opens both libraries and initialises HIP. Exit::NoDevice: "E-DEVICE-NO-LIBRARY" names the package,
  /// "E-DRIVER-TOO-OLD", "E-DEVICE-NONE". The libraries are never closed again: they do not bear it.
  static Expected<std::shared_ptr<const Symbols>> load();
};

/// "6.2.41133" from 60241133.
std::string versionText(int version);

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_SYMBOLS_H
