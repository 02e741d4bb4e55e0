//===- Ranges.h - Ranges that AMD's profilers show ------------------------===//
#ifndef QUERN_RUNTIME_HIP_RANGES_H
#define QUERN_RUNTIME_HIP_RANGES_H

#include "support/Trace.h"

#include <memory>

namespace quern::runtime::hip {

/// ROCTX: librocprofiler-sdk-roctx.so.1, else libroctx64.so.4 of older ROCm. Null where there is neither.
std::unique_ptr<RangeMarks> openRangeMarks();

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_RANGES_H
