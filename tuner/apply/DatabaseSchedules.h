//===- DatabaseSchedules.h - Schedules from a tuning database -------------===//
//
//   QUERN_ASSIGN_OR_RETURN(DatabaseSchedules schedules, DatabaseSchedules::open("tuning.db", {}));
//   compileOptions.schedules = &schedules;
//
// Each answer is kept, with the default where there was none, and becomes a line of the artifact's
// `tuning.jsonl` (tuner/database/TuningSlice.h).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_APPLY_DATABASESCHEDULES_H
#define QUERN_TUNER_APPLY_DATABASESCHEDULES_H

#include "lowering/ScheduleSource.h"
#include "tuner/database/KernelKey.h"
#include "tuner/database/Lookup.h"
#include "tuner/database/TuningSlice.h"

namespace quern::tuner {

/// For whom code is compiled.
struct ApplyOptions {
  std::string compiler; ///< fingerprint of today
  /// Devices that answers may be exact for: at most one of each architecture. For other architectures nothing
  /// is exact, only near.
  std::vector<DeviceIdentity> devices = {};
  bool allowNear = true;
};

class DatabaseSchedules : public lowering::ScheduleSource {
public:
  /// Reads the whole database at |path|, which may change afterwards. Errors as in Database.h.
  static Expected<DatabaseSchedules> open(const std::string &path, ApplyOptions options);
  DatabaseSchedules(Lookup lookup, ApplyOptions options)
      : lookup(std::move(lookup)), options(std::move(options)) {}

  std::optional<tile::Schedule> find(const lowering::KernelRequest &request,
                                     const lowering::CodeTarget &target, int64_t firstRows,
                                     int64_t lastRows) override;
  /// The buckets of the kernel; neighbours with equal answers are one range.
  std::vector<int64_t> starts(const lowering::KernelRequest &request, const lowering::CodeTarget &target,
                              int64_t firstRows, int64_t lastRows) override;
  std::string record() const override { return writeSlice(entries); }

  const std::vector<SliceEntry> &answers() const { return entries; }

private:
  struct Asked {
    LookupRequest question;
    LookupAnswer answer;
    bool hasSpace = false; ///< what the kernel's problems are is declared
  };
  Asked ask(const lowering::KernelRequest &request, const lowering::CodeTarget &target,
            TokenRange rows) const;

  Lookup lookup;
  ApplyOptions options;
  std::vector<SliceEntry> entries;
};

/// The answers of before: what `record` wrote is given again, so that an artifact can be lowered once more.
class FrozenSchedules : public lowering::ScheduleSource {
public:
  explicit FrozenSchedules(std::vector<SliceEntry> entries) : entries(std::move(entries)) {}

  std::optional<tile::Schedule> find(const lowering::KernelRequest &request,
                                     const lowering::CodeTarget &target, int64_t firstRows,
                                     int64_t lastRows) override;
  std::vector<int64_t> starts(const lowering::KernelRequest &request, const lowering::CodeTarget &target,
                              int64_t firstRows, int64_t lastRows) override;
  std::string record() const override { return writeSlice(entries); }

private:
  std::vector<SliceEntry> entries;
};

/// The problem of |request| for a number of rows; nothing where its kernel declares no key (space.json).
Expected<std::optional<Problem>> problemOf(const lowering::KernelRequest &request, TokenRange rows);
/// The same for the text of a kernel in a plan.
Expected<std::optional<Problem>> problemOfText(const std::string &kernel, std::string_view text,
                                               TokenRange rows);
/// What |kernel| declares about its problems; nothing where it declares none.
Expected<std::optional<KernelKey>> keyOf(const std::string &kernel);

} // namespace quern::tuner

#endif // QUERN_TUNER_APPLY_DATABASESCHEDULES_H
