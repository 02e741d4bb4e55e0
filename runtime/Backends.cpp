//===- Backends.cpp - The table of backends, best device first ------------===//
#include "runtime/Backend.h"
#include "runtime/cpu/CpuDevice.h"
#include "runtime/cuda/CudaDevice.h"
#include "runtime/hip/HipDevice.h"

namespace quern::runtime {

std::span<const Backend *const> backends() {
  static constexpr const Backend *table[] = {&cuda::backend, &hip::backend, &cpu::backend};
  return table;
}

} // namespace quern::runtime
