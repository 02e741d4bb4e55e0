//===- Identity.h - The device as the database knows it -------------------===//
#ifndef QUERN_TUNER_MEASURE_IDENTITY_H
#define QUERN_TUNER_MEASURE_IDENTITY_H

#include "runtime/Device.h"
#include "tuner/database/Records.h"

namespace quern::tuner {

/// The identity of a device that is present. |threads| that a CPU device works with are its units: other
/// numbers are other devices. An emulated device is one of its own kind, which no real one equals.
DeviceIdentity identityOf(const runtime::DeviceInfo &info);

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_IDENTITY_H
