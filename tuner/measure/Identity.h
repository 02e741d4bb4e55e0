//===- Identity.h - The device as the database knows it -------------------===//
#ifndef QUERN_TUNER_MEASURE_IDENTITY_H
#define QUERN_TUNER_MEASURE_IDENTITY_H

#include "runtime/Device.h"
#include "tuner/database/Records.h"

namespace quern::tuner {

/// Maker, family, model and stepping of the processor from |cpuInfo|, the text of /proc/cpuinfo:
/// "cpu:AuthenticAMD-26-17-0"; "cpu:unknown" where it does not say.
std::string processorName(std::string_view cpuInfo);

/// |threads| that a CPU device works with are its units: other numbers are other devices.
DeviceIdentity identityOf(const runtime::DeviceInfo &info);

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_IDENTITY_H
