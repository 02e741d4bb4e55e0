//===- Symbols.h - The driver's library, opened at run time ---------------===//
//
// libcuda.so.1 comes with the driver. Nothing of NVIDIA is linked or included: the few types and numbers that
// pass its interface are declared here, from the CUDA Driver API reference (names of its enumerators in the
// comments).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CUDA_SYMBOLS_H
#define QUERN_RUNTIME_CUDA_SYMBOLS_H

#include "support/Status.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace quern::runtime::cuda {

using Result = int;                          // CUresult
using DeviceHandle = int;                    // CUdevice
using DeviceAddress = uint64_t;              // CUdeviceptr
using ContextHandle = struct Context_ *;     // CUcontext
using StreamHandle = struct Stream_ *;       // CUstream
using EventHandle = struct Event_ *;         // CUevent
using ModuleHandle = struct Module_ *;       // CUmodule
using FunctionHandle = struct Function_ *;   // CUfunction
using GraphHandle = struct Graph_ *;         // CUgraph
using GraphExecHandle = struct GraphExec_ *; // CUgraphExec

/// CUresult: those that are told apart.
enum : Result {
  success = 0,
  errorInvalidValue = 1,
  errorOutOfMemory = 2,
  errorStubLibrary = 34,
  errorNoDevice = 100,
  errorInvalidImage = 200,
  errorNoBinaryForDevice = 209,
  errorInvalidPtx = 218,
  errorJitCompilerNotFound = 221,
  errorUnsupportedPtxVersion = 222,
  errorInvalidSource = 300,
  errorNotFound = 500,
  errorIllegalAddress = 700,
  errorLaunchTimeout = 702,
  errorHardwareStack = 714,
  errorLaunchFailed = 719,
  errorSystemNotReady = 802,
  errorDriverMismatch = 803,
  errorCompatNotSupported = 804,
};

/// CUdevice_attribute.
enum : int {
  attributeMultiprocessors = 16,
  attributePciBus = 33,
  attributePciDevice = 34,
  attributeMemoryClock = 36, ///< kHz
  attributePciDomain = 50,
  attributeCapabilityMajor = 75,
  attributeCapabilityMinor = 76,
  attributeSharedPerBlockOptin = 97,
};

/// CUfunction_attribute.
enum : int { functionMaxThreads = 0, functionSharedBytes = 1, functionMaxDynamicSharedBytes = 8 };

/// CUstreamCaptureMode: calls of this thread that are not safe beside a capture are refused.
enum : int { captureThreadLocal = 1 };

/// CUjit_option.
enum : int { jitErrorLogBuffer = 5, jitErrorLogBufferBytes = 6 };

struct Symbols {
#define QUERN_REQUIRED(name, exported, ...) Result (*name)(__VA_ARGS__) = nullptr;
#define QUERN_OPTIONAL(name, exported, ...) Result (*name)(__VA_ARGS__) = nullptr;
#include "runtime/cuda/Symbols.def"

  int driverVersion = 0; ///< 1000 * major + 10 * minor of the newest CUDA that the driver knows

  /// Opens the library, checks the driver's version and initialises it. Exit::NoDevice: "E-DEVICE-NO-LIBRARY"
  /// (absent, or the toolkit's stub), "E-DRIVER-TOO-OLD", "E-DRIVER-MISMATCH", "E-DEVICE-NONE". The library
  /// is never closed again: drivers do not bear it.
  static Expected<std::shared_ptr<const Symbols>> load();
};

/// "12.4" from 12040.
std::string versionText(int version);

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_SYMBOLS_H
