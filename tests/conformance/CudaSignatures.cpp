//===- CudaSignatures.cpp - runtime/cuda's declarations against cuda.h ----===//
//
// Compiles only where they agree.
//
//===----------------------------------------------------------------------===//
#define __CUDA_API_VERSION_INTERNAL // the header's names are then the exported ones, "_v2" and all
#include <cuda.h>

#include "runtime/cuda/Symbols.h"
#include "tests/conformance/SignatureCheck.h"

namespace quern::runtime::cuda {

#define QUERN_REQUIRED(name, exported, ...)                                                                  \
  static_assert(conformance::IsCalledAlike<decltype(&::exported), Result (*)(__VA_ARGS__)>::value, #exported);
#define QUERN_OPTIONAL(name, exported, ...) QUERN_REQUIRED(name, exported, __VA_ARGS__)
#include "runtime/cuda/Symbols.def"

#define SAME(ours, theirs) static_assert(static_cast<int>(ours) == static_cast<int>(::theirs), #theirs);
SAME(success, CUDA_SUCCESS)
SAME(errorInvalidValue, CUDA_ERROR_INVALID_VALUE)
SAME(errorOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY)
SAME(errorStubLibrary, CUDA_ERROR_STUB_LIBRARY)
SAME(errorNoDevice, CUDA_ERROR_NO_DEVICE)
SAME(errorInvalidImage, CUDA_ERROR_INVALID_IMAGE)
SAME(errorNoBinaryForDevice, CUDA_ERROR_NO_BINARY_FOR_GPU)
SAME(errorInvalidPtx, CUDA_ERROR_INVALID_PTX)
SAME(errorJitCompilerNotFound, CUDA_ERROR_JIT_COMPILER_NOT_FOUND)
SAME(errorUnsupportedPtxVersion, CUDA_ERROR_UNSUPPORTED_PTX_VERSION)
SAME(errorInvalidSource, CUDA_ERROR_INVALID_SOURCE)
SAME(errorNotFound, CUDA_ERROR_NOT_FOUND)
SAME(errorIllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS)
SAME(errorLaunchTimeout, CUDA_ERROR_LAUNCH_TIMEOUT)
SAME(errorHardwareStack, CUDA_ERROR_HARDWARE_STACK_ERROR)
SAME(errorLaunchFailed, CUDA_ERROR_LAUNCH_FAILED)
SAME(errorSystemNotReady, CUDA_ERROR_SYSTEM_NOT_READY)
SAME(errorDriverMismatch, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH)
SAME(errorCompatNotSupported, CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE)
SAME(attributeMultiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
SAME(attributeCapabilityMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
SAME(attributeCapabilityMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
SAME(attributeSharedPerBlockOptin, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)
SAME(functionMaxThreads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)
SAME(functionSharedBytes, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)
SAME(functionMaxDynamicSharedBytes, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
SAME(jitErrorLogBuffer, CU_JIT_ERROR_LOG_BUFFER)
SAME(jitErrorLogBufferBytes, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES)
SAME(captureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL)
#undef SAME
static_assert(CU_STREAM_NON_BLOCKING == 1); // Stream.cpp

} // namespace quern::runtime::cuda

int main() { return 0; }
