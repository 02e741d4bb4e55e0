//===- Lookup.cpp ---------------------------------------------------------===//
#include "tuner/database/Lookup.h"

#include <algorithm>
#include <tuple>

namespace quern::tuner {

static constexpr const char *nearnessNames[] = {"exact", "near", "default"};

const char *nearnessName(Nearness nearness) { return nearnessNames[size_t(nearness)]; }

std::optional<Nearness> parseNearness(std::string_view name) {
  for (size_t i = 0; i < 3; ++i)
    if (name == nearnessNames[i])
      return Nearness(i);
  return std::nullopt;
}

Lookup::Lookup(std::vector<Measurement> measurements, std::vector<Decision> decisions)
    : all(groupMeasurements(std::move(measurements))), taken(std::move(decisions)) {
  for (size_t i = 0; i < all.size(); ++i)
    byFamily.emplace(all[i].problem().familyKey(), i);
}

Expected<Lookup> Lookup::load(const Database &database) {
  QUERN_ASSIGN_OR_RETURN(std::vector<Measurement> measurements, database.measurements());
  QUERN_ASSIGN_OR_RETURN(std::vector<Decision> decisions, database.decisions());
  return Lookup(std::move(measurements), std::move(decisions));
}

/// How a device stands to the one that is asked for: smaller is nearer. Where none is asked for, all are
/// alike.
static std::tuple<bool, uint64_t, uint64_t> distance(const DeviceIdentity &device,
                                                     const std::optional<DeviceIdentity> &wanted) {
  if (!wanted)
    return {};
  auto apart = [](uint64_t a, uint64_t b) { return a > b ? a - b : b - a; };
  return {device.partition != wanted->partition, apart(device.units, wanted->units),
          apart(device.memoryClockMhz, wanted->memoryClockMhz)};
}

static std::string label(const DeviceIdentity &device) {
  return (device.name.empty() ? device.hardware : device.name) + " (" + std::to_string(device.units) +
         " units)";
}

LookupAnswer Lookup::find(const LookupRequest &request) const {
  LookupAnswer answer;
  answer.config = request.defaultConfig;

  struct Candidate {
    const MeasuredGroup *group;
    bool exact, stale;
  };
  std::vector<Candidate> candidates;
  auto [begin, end] = byFamily.equal_range(request.problem.familyKey());
  size_t elsewhere = 0;
  for (auto it = begin; it != end; ++it) {
    const MeasuredGroup &group = all[it->second];
    const bool exact = request.device && group.device() == *request.device;
    const bool fits = group.toolchain().target == request.target &&
                      (exact || group.device().architecture == request.architecture);
    if (fits && (exact || request.allowNear))
      candidates.push_back({&group, exact, group.toolchain().compiler != request.compiler});
    else
      ++elsewhere;
  }
  auto rank = [&](const Candidate &c) {
    return std::tuple(!c.exact, c.stale, distance(c.group->device(), request.device), -c.group->latest(),
                      c.group->device().key(), c.group->toolchain().key());
  };
  std::ranges::sort(candidates, [&](const Candidate &a, const Candidate &b) { return rank(a) < rank(b); });

  auto evidence = [&](const Candidate &c, Choice choice) {
    answer.choice = std::move(choice);
    answer.device = c.group->device();
    answer.toolchain = c.group->toolchain();
    answer.stale = c.stale;
  };
  std::string refused;
  for (const Candidate &candidate : candidates) {
    Choice choice =
        choose(candidate.group->measurements, request.problem.tokens, taken, request.defaultConfig);
    const std::string where = (candidate.exact ? "this device, " : "another device of the architecture, ") +
                              label(candidate.group->device()) +
                              (candidate.stale ? ", with another compiler" : "");
    if (choice.config && request.usable && !request.usable(*choice.config)) {
      choice.why = "`" + *choice.config + "` cannot run on " + request.target;
      choice.config.reset();
    }
    if (choice.config) {
      answer.nearness = candidate.exact ? Nearness::Exact : Nearness::Near;
      answer.config = *choice.config;
      answer.why = choice.why + "; measured on " + where;
      evidence(candidate, std::move(choice));
      return answer;
    }
    if (candidate.exact && choice.defaultHolds) {
      answer.nearness = Nearness::Exact;
      answer.why = choice.why + "; measured on " + where;
      evidence(candidate, std::move(choice));
      return answer;
    }
    if (refused.empty()) {
      refused = choice.why + "; measured on " + where;
      evidence(candidate, std::move(choice));
    }
  }
  answer.why = !refused.empty() ? refused
               : elsewhere      ? "measured for other devices, architectures or targets only"
                                : "never measured";
  return answer;
}

} // namespace quern::tuner
