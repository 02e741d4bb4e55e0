//===- Ptx.h - What the runtime reads out of PTX text ---------------------===//
//
// The version that decides whether a driver takes the text, and the parameters of each kernel, against which
// launches are checked. Not a parser of PTX: it skips all but directives.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CUDA_PTX_H
#define QUERN_RUNTIME_CUDA_PTX_H

#include "runtime/KernelSignature.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace quern::runtime::cuda {

struct PtxSummary {
  std::string version;                            ///< "8.3"
  std::string target;                             ///< "sm_90a"
  std::map<std::string, KernelSignature> kernels; ///< those whose parameters could be read
};

/// Nothing where |text| does not begin like PTX.
std::optional<PtxSummary> summarisePtx(std::string_view text);

/// The newest PTX version that a driver for CUDA |version| (12040 for 12.4) takes; "" where it is newer than
/// the table (PTX ISA, release history).
std::string newestPtx(int cudaVersion);

/// The first CUDA whose drivers take PTX |version|; "" where the table does not have it.
std::string cudaForPtx(const std::string &version);

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_PTX_H
