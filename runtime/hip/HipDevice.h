//===- HipDevice.h - AMD GPUs through the HIP runtime ----------------------===//
//
// One device is one stream. Devices are numbered as HIP numbers them, so that
// HIP_VISIBLE_DEVICES and ROCR_VISIBLE_DEVICES work as everywhere.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_HIPDEVICE_H
#define QUERN_RUNTIME_HIP_HIPDEVICE_H

#include "runtime/Backend.h"

namespace quern::runtime::hip {

extern const Backend backend;

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_HIPDEVICE_H
