//===- FaultReport.h - What a fault says to its reader --------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_FAULTREPORT_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_FAULTREPORT_H

#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/KernelImage.h"

namespace quern::runtime::emulated::nvidia {

/// The error for a fault, with kernel, block, thread, instruction and place. A fault of the
/// program is also added to |findings|; an instruction that is not modelled is none.
Status report(const Fault &fault, const KernelImage &image, std::vector<Finding> &findings);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_FAULTREPORT_H
