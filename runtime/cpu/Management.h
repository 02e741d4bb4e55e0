//===- Management.h - Clock and temperature of the processor --------------===//
#ifndef QUERN_RUNTIME_CPU_MANAGEMENT_H
#define QUERN_RUNTIME_CPU_MANAGEMENT_H

#include "runtime/DeviceConditions.h"

namespace quern::runtime::cpu {

/// From what the kernel shows below |system| and in |processors|. The clock is the mean over the processors;
/// a virtual machine often shows a constant, or nothing. Power is not read: its counter needs privileges.
DeviceConditions readConditions(const std::string &system = "/sys",
                                const std::string &processors = "/proc/cpuinfo");

} // namespace quern::runtime::cpu

#endif // QUERN_RUNTIME_CPU_MANAGEMENT_H
