//===- Ranges.h - Ranges that NVIDIA's profilers show ---------------------===//
#ifndef QUERN_RUNTIME_CUDA_RANGES_H
#define QUERN_RUNTIME_CUDA_RANGES_H

#include "support/Trace.h"

#include <memory>

namespace quern::runtime::cuda {

/// NVTX: the library that a profiler names in NVTX_INJECTION64_PATH, as the header-only NVTX 3 finds it, else
/// libnvToolsExt.so.1 of older toolkits. Null where there is neither.
std::unique_ptr<RangeMarks> openRangeMarks();

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_RANGES_H
