//===- CudaDevice.h - NVIDIA GPUs through the driver API ------------------===//
//
// One device is the primary context and one stream. Devices are numbered as the driver numbers them, so
// CUDA_VISIBLE_DEVICES works as everywhere.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_CUDA_CUDADEVICE_H
#define QUERN_RUNTIME_CUDA_CUDADEVICE_H

#include "runtime/Backend.h"

namespace quern::runtime::cuda {

extern const Backend backend;

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_CUDADEVICE_H
