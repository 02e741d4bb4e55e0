//===- Database.h - The tuning database -----------------------------------===//
//
// One SQLite file in WAL mode. Measurements, seeds and decisions are appended and never changed; what is
// chosen is a view of them (Choices.h). Each insert is one transaction that is on the disk when the call
// returns: Ctrl-C, kill -9 and a power cut lose nothing that was inserted, and leave nothing half-inserted.
//
//   QUERN_ASSIGN_OR_RETURN(Database database, Database::open("tuning.db"));
//   QUERN_RETURN_IF_ERROR(database.insert(measurement));
//   QUERN_ASSIGN_OR_RETURN(std::vector<Measurement> known,
//                          database.measurements({.family = problem.familyKey(), .device = device.key()}));
//
// Any number of processes of one machine may use a file at once; writers take turns. An object belongs to one
// thread at a time. SQLite's locks do not hold on network file systems, which are therefore refused.
//
// Errors. Exit::BadInput: "E-DATABASE-NOT-FOUND", "E-DATABASE-CORRUPT" (damaged, or no database at all),
// "E-DATABASE-FOREIGN" (of another program), "E-DATABASE-SCHEMA-NEWER", "E-DATABASE-RECORD". Exit::Resource:
// "E-DATABASE-READ-ONLY", "E-DATABASE-NETWORK", "E-DATABASE-LOCKED", "E-DATABASE-DISK-FULL",
// "E-DATABASE-FAILED" (the operating system's error is the cause).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_DATABASE_H
#define QUERN_TUNER_DATABASE_DATABASE_H

#include "support/Status.h"
#include "tuner/database/Records.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace quern::tuner {

/// Version of the tables. An older one is brought up to date when it is opened for writing.
inline constexpr int schemaVersion = 1;

struct OpenOptions {
  bool write = true;       ///< a file that is not there is made; else it must exist and is never changed
  double busySeconds = 10; ///< to wait for another process's transaction
  /// What `statfs` says of the file's folder in place of asking it; for tests.
  std::optional<uint64_t> fileSystemType = std::nullopt;
};

/// Which measurements; members that are absent admit all.
struct Query {
  std::optional<std::string> kernel = std::nullopt;
  std::optional<std::string> problem = std::nullopt;      ///< `Problem::key()`
  std::optional<std::string> family = std::nullopt;       ///< `Problem::familyKey()`
  std::optional<std::string> device = std::nullopt;       ///< `DeviceIdentity::key()`
  std::optional<std::string> architecture = std::nullopt; ///< of the device
  std::optional<std::string> toolchain = std::nullopt;    ///< `Toolchain::key()`
  std::optional<std::string> config = std::nullopt;
  std::optional<Outcome> outcome = std::nullopt;
  std::optional<TokenRange> tokens = std::nullopt; ///< problems whose range has a number in common with it
};

class Database {
public:
  static Expected<Database> open(const std::string &path, const OpenOptions &options = {});
  Database(Database &&) noexcept;
  Database &operator=(Database &&) noexcept;
  ~Database();

  const std::string &path() const;

  /// Appends. A record that is there already (by its key) is left alone. Several at once are one transaction:
  /// all or none. The result counts those that were new.
  Status insert(const Measurement &measurement);
  Expected<size_t> insert(std::span<const Measurement> measurements);
  Status insert(const Decision &decision);
  Status insert(const Seed &seed);

  /// Everything between here and the end of |body| is one transaction; an error of |body| undoes it all.
  Status transaction(const std::function<Status()> &body);

  /// In the order of their keys, which is the same for equal contents however they came in.
  Expected<std::vector<Measurement>> measurements(const Query &query = {}) const;
  Expected<std::vector<Decision>> decisions() const;
  Expected<std::vector<Seed>> seeds(const std::optional<std::string> &family = std::nullopt) const;
  /// Devices and toolchains that have measurements, in the order of their keys.
  Expected<std::vector<DeviceIdentity>> devices() const;
  Expected<std::vector<Toolchain>> toolchains() const;

  struct Counts {
    uint64_t measurements = 0, problems = 0, configs = 0, devices = 0, toolchains = 0, seeds = 0,
             decisions = 0;
  };
  Expected<Counts> counts() const;

  /// Reads every page and every record. "E-DATABASE-CORRUPT" names the first fault.
  Status verify() const;

private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// True for the `f_type` of `statfs` of file systems whose files live on other machines.
bool isNetworkFileSystem(uint64_t type);

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_DATABASE_H
