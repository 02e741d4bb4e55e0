//===- Machines.h - The machines that there are ---------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_MACHINES_H
#define QUERN_RUNTIME_EMULATED_MACHINES_H

#include "runtime/emulated/Machine.h"

namespace quern::runtime::emulated {

struct MachineMaker {
  const char *vendor; ///< first part of a target's name
  Expected<std::unique_ptr<Machine>> (*make)(const std::string &architecture);
  /// The architecture without its sub-features, for DeviceInfo.
  std::string (*plainName)(const std::string &architecture);
};

/// Those that this build has. Machines.cpp is the table; nothing else beside the machines names a vendor.
std::span<const MachineMaker> machineMakers();

} // namespace quern::runtime::emulated

#endif // QUERN_RUNTIME_EMULATED_MACHINES_H
