//===- Doctor.h - What is wrong with this machine, and how to mend it -----===//
//
// Data behind the verbs `doctor` and `devices`: a list of checks in the order of their dependence. A check
// that is Absent is no fault: the machine just lacks that kind of device.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DOCTOR_H
#define QUERN_RUNTIME_DOCTOR_H

#include <cstdint>
#include <string>
#include <vector>

namespace quern::runtime {

enum class CheckState : uint8_t { Ok, Absent, Warning, Failed };

/// "ok", "absent", "warning", "failed".
const char *checkStateName(CheckState state);

struct Check {
  std::string name; ///< stable, "cpu.level", "cuda.driver"; part before the dot is the backend or "host"
  CheckState state = CheckState::Ok;
  std::string detail; ///< what was found
  std::string fix;    ///< what to do; empty where there is nothing to do
};

/// Checks the host (memory, free disk space and permission of |cacheDirectory|, which may not exist yet) and
/// every backend. Changes nothing and takes no device context.
std::vector<Check> diagnose(const std::string &cacheDirectory);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_DOCTOR_H
