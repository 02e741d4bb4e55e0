//===- Lookup.h - The configuration for a kernel: exact, near or default --===//
//
// Three levels, and each answer says on which it was found and why:
//
//   exact    measured on a device equal to the one that is asked for, with code of the same target
//   near     measured on another device of the same architecture, with code of the same target
//   default  what the analytical model says
//
// On a level measurements by the compiler of today go before older ones, which are still used and named as
// such. Measurements of other targets or architectures never count, whatever the device is called.
//
// Where the default was measured on the exact device and nothing beat it, the answer is exact and is the
// default: another device's choice does not overrule it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_LOOKUP_H
#define QUERN_TUNER_DATABASE_LOOKUP_H

#include "tuner/database/Choices.h"
#include "tuner/database/Database.h"

#include <functional>
#include <map>

namespace quern::tuner {

enum class Nearness : uint8_t { Exact, Near, Default };
/// "exact", "near", "default".
const char *nearnessName(Nearness nearness);
std::optional<Nearness> parseNearness(std::string_view name);

struct LookupRequest {
  Problem problem;                      ///< its range: all numbers of rows that one kernel serves
  std::string target;                   ///< of the code: "nvidia:sm_90a"
  std::string architecture;             ///< of the devices that the code is made for: "sm_90"
  std::optional<DeviceIdentity> device; ///< absent: any of the architecture, so that nothing is exact
  std::string compiler;                 ///< fingerprint of today
  std::string defaultConfig;            ///< of today
  bool allowNear = true;
  /// False for a configuration that cannot run; absent: all can.
  std::function<bool(const std::string &)> usable = {};
};

struct LookupAnswer {
  Nearness nearness = Nearness::Default;
  std::string config; ///< the default's on the level `Default`
  std::string why;    ///< one clause
  Choice choice;      ///< the evidence; of the group that answered, or of the best one that did not
  std::optional<DeviceIdentity> device; ///< on which it was measured
  std::optional<Toolchain> toolchain;
  bool stale = false; ///< measured with another compiler
};

/// A database as it was when it was loaded.
class Lookup {
public:
  static Expected<Lookup> load(const Database &database);
  Lookup(std::vector<Measurement> measurements, std::vector<Decision> decisions);

  LookupAnswer find(const LookupRequest &request) const;
  const std::vector<MeasuredGroup> &groups() const { return all; }
  const std::vector<Decision> &decisions() const { return taken; }

private:
  std::vector<MeasuredGroup> all;
  std::vector<Decision> taken;
  std::multimap<std::string, size_t> byFamily; ///< family key to index in |all|
};

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_LOOKUP_H
