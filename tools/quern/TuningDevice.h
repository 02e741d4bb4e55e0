//===- TuningDevice.h - The device that a tuning database is asked about ----===//
#ifndef QUERN_TOOLS_QUERN_TUNINGDEVICE_H
#define QUERN_TOOLS_QUERN_TUNINGDEVICE_H

#include "tuner/database/Database.h"

namespace quern::tools {

/// |name| is a device of this machine ("cpu", "cuda:0", "hip:1"), or one that |database| knows: its product
/// name or the beginning of its key. Exit::Usage "E-TUNING-DEVICE" where it is neither, or means several;
/// errors of openDevice.
Expected<tuner::DeviceIdentity> findTuningDevice(const std::string &name, const tuner::Database &database);

/// True where |wanted| is empty, the device's product name, or the beginning of its key.
bool meansDevice(const std::string &wanted, const tuner::DeviceIdentity &device);

} // namespace quern::tools

#endif // QUERN_TOOLS_QUERN_TUNINGDEVICE_H
