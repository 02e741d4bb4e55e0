//===- HipSignatures.cpp - runtime/hip's declarations against HIP's and HSA's ----===//
//
// Compiles only where they agree.
//
//===----------------------------------------------------------------------===//
#define __HIP_PLATFORM_AMD__ 1
#define __HIP_PLATFORM_HCC__ 1        // HIP 5
#define __HIP_DISABLE_CPP_FUNCTIONS__ // templates that overload some of the entry points
#include <hip/hip_runtime_api.h>
#include <hsa/hsa.h>
#include <hsa/hsa_ext_amd.h>

#include "runtime/hip/Symbols.h"
#include "tests/conformance/SignatureCheck.h"

namespace quern::runtime::hip {

#define QUERN_REQUIRED(name, exported, ...)                                                                  \
  static_assert(conformance::IsCalledAlike<decltype(&::exported), Result (*)(__VA_ARGS__)>::value, #exported);
#define QUERN_REQUIRED_HSA(name, exported, ...)                                                              \
  static_assert(conformance::IsCalledAlike<decltype(&::exported), HsaResult (*)(__VA_ARGS__)>::value,        \
                #exported);
#include "runtime/hip/Symbols.def"

#define SAME(ours, theirs) static_assert(static_cast<int>(ours) == static_cast<int>(::theirs), #theirs);
SAME(success, hipSuccess)
SAME(errorInvalidValue, hipErrorInvalidValue)
SAME(errorOutOfMemory, hipErrorOutOfMemory)
SAME(errorInsufficientDriver, hipErrorInsufficientDriver)
SAME(errorNoDevice, hipErrorNoDevice)
SAME(errorInvalidImage, hipErrorInvalidImage)
SAME(errorNoBinaryForDevice, hipErrorNoBinaryForGpu)
SAME(errorInvalidSource, hipErrorInvalidSource)
SAME(errorSharedObjectInit, hipErrorSharedObjectInitFailed)
SAME(errorNotFound, hipErrorNotFound)
SAME(errorIllegalAddress, hipErrorIllegalAddress)
SAME(errorLaunchTimeout, hipErrorLaunchTimeOut)
SAME(errorLaunchFailed, hipErrorLaunchFailure)
SAME(agentName, HSA_AGENT_INFO_NAME)
SAME(agentDevice, HSA_AGENT_INFO_DEVICE)
SAME(agentUnits, HSA_AMD_AGENT_INFO_COMPUTE_UNIT_COUNT)
SAME(agentBdf, HSA_AMD_AGENT_INFO_BDFID)
SAME(agentDomain, HSA_AMD_AGENT_INFO_DOMAIN)
#undef SAME
static_assert(hipStreamNonBlocking == 1);                           // Stream.cpp
static_assert(HSA_DEVICE_TYPE_GPU == 1 && HSA_STATUS_SUCCESS == 0); // Agents.cpp

} // namespace quern::runtime::hip

int main() { return 0; }
