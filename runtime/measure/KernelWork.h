//===- KernelWork.h - What a kernel must do at least ----------------------===//
#ifndef QUERN_RUNTIME_MEASURE_KERNELWORK_H
#define QUERN_RUNTIME_MEASURE_KERNELWORK_H

#include "runtime/Device.h"
#include "runtime/measure/Stopwatch.h"

#include <string_view>

namespace quern::runtime {

/// The work of one launch of a kernel, from its text as plans have it ("linear{tile=...} K=256 N=128 ...")
/// and its number of rows. Operations are those of matrix products. Bytes are what must be read from memory
/// once; what is written may stay in a cache, and what depends on data that is not known here (experts that
/// are hit beyond the first, the length of a context) is left out. Zero for a kernel that is not known.
Work kernelWork(std::string_view text, int64_t rows);

/// The number of rows of a launch: by the kernels' convention the first of its scalars.
int64_t rowsOf(std::span<const Argument> arguments);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_KERNELWORK_H
