//===- Database.cpp -------------------------------------------------------===//
#include "tuner/database/Database.h"
#include "tuner/database/Sqlite.h"

#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace quern::tuner {

/// "QNTD", in the header of the file: `file` and other programs tell it from other SQLite files by it.
static constexpr int64_t applicationId = 0x514e5444;

// Labels (name, version) are the smallest of those that came in, so that the order of merging leaves no
// trace.
static constexpr const char *schema = R"sql(
CREATE TABLE device(
  key TEXT PRIMARY KEY, hardware TEXT NOT NULL, architecture TEXT NOT NULL, units INTEGER NOT NULL,
  partition TEXT NOT NULL, memory_clock_mhz INTEGER NOT NULL, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE toolchain(
  key TEXT PRIMARY KEY, compiler TEXT NOT NULL, target TEXT NOT NULL, driver TEXT NOT NULL, version TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE problem(
  key TEXT PRIMARY KEY, family TEXT NOT NULL, kernel TEXT NOT NULL, parameters TEXT NOT NULL, dtype TEXT NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX problem_family ON problem(family);
CREATE TABLE config(text TEXT PRIMARY KEY, kernel TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE measurement(
  key TEXT PRIMARY KEY,
  problem TEXT NOT NULL REFERENCES problem, device TEXT NOT NULL REFERENCES device,
  toolchain TEXT NOT NULL REFERENCES toolchain, config TEXT NOT NULL REFERENCES config,
  tokens INTEGER NOT NULL, is_default INTEGER NOT NULL, outcome TEXT NOT NULL, samples TEXT NOT NULL,
  runs_per_sample INTEGER NOT NULL, cache TEXT NOT NULL, seed INTEGER NOT NULL, error REAL NOT NULL,
  timestamp INTEGER NOT NULL, session TEXT NOT NULL, detail TEXT NOT NULL, facts TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX measurement_problem ON measurement(problem, device);
CREATE TABLE decision(
  key TEXT PRIMARY KEY, family TEXT NOT NULL, device TEXT NOT NULL, config TEXT NOT NULL, kind TEXT NOT NULL,
  timestamp INTEGER NOT NULL, note TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE seed(
  key TEXT PRIMARY KEY, problem TEXT NOT NULL REFERENCES problem, device TEXT NOT NULL,
  config TEXT NOT NULL REFERENCES config, source TEXT NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TRIGGER measurement_stays BEFORE UPDATE ON measurement BEGIN SELECT RAISE(ABORT, 'measurements stay'); END;
CREATE TRIGGER measurement_kept BEFORE DELETE ON measurement BEGIN SELECT RAISE(ABORT, 'measurements stay'); END;
CREATE TRIGGER decision_stays BEFORE UPDATE ON decision BEGIN SELECT RAISE(ABORT, 'decisions stay'); END;
CREATE TRIGGER decision_kept BEFORE DELETE ON decision BEGIN SELECT RAISE(ABORT, 'decisions stay'); END;
)sql";

bool isNetworkFileSystem(uint64_t type) {
  // Magic numbers of statfs(2) and of linux/magic.h: NFS, SMB, CIFS, SMB2, Ceph, AFS (two), Coda, 9P, Lustre,
  // GPFS, BeeGFS, OCFS2, GFS2.
  static constexpr uint64_t types[] = {0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x00c36400,
                                       0x5346414f, 0x6b414653, 0x73757245, 0x01021997, 0x0bd00bd0,
                                       0x47504653, 0x19830326, 0x7461636f, 0x01161970};
  for (uint64_t known : types)
    if ((type & 0xffffffff) == known)
      return true;
  return false;
}

struct Database::State {
  std::unique_ptr<Connection> connection;
  bool inTransaction = false;
};

Database::Database(std::unique_ptr<State> state) : state(std::move(state)) {}
Database::Database(Database &&) noexcept = default;
Database &Database::operator=(Database &&) noexcept = default;
Database::~Database() = default;

const std::string &Database::path() const { return state->connection->path(); }

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

static Status checkPlace(const std::string &path, const OpenOptions &options) {
  struct stat file{};
  const bool there = ::stat(path.c_str(), &file) == 0;
  if (there && !S_ISREG(file.st_mode))
    return Status::error(Exit::BadInput, "E-DATABASE-NOT-FOUND", "`" + path + "` is no file");
  if (!there && !options.write)
    return Status::error(Exit::BadInput, "E-DATABASE-NOT-FOUND", "there is no tuning database `" + path + "`")
        .cause(std::strerror(errno))
        .remedy("make one with `quern tune --db " + path + "` or `quern db import`");
  size_t slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct statfs system{};
  if (::statfs(folder.c_str(), &system) != 0 && !options.fileSystemType)
    return Status::error(Exit::Resource, "E-DATABASE-FAILED",
                         "cannot make the tuning database `" + path + "`")
        .cause("`" + folder + "`: " + std::strerror(errno));
  // SQLite would try again for reading alone, and then report that there is nothing to read.
  if (!there && ::access(folder.c_str(), W_OK) != 0)
    return Status::error(Exit::Resource, "E-DATABASE-READ-ONLY", "`" + path + "` cannot be made")
        .cause("`" + folder + "`: " + std::strerror(errno))
        .remedy("name a file in another folder with --db");
  if (isNetworkFileSystem(options.fileSystemType.value_or(uint64_t(system.f_type))) && options.write)
    return Status::error(Exit::Resource, "E-DATABASE-NETWORK", "`" + path + "` is on a network file system")
        .cause("locks do not hold there, and a database that two machines write at once is damaged")
        .remedy("use a local file and `quern db merge` them");
  return Status::success();
}

/// Until |seconds| have passed, as long as |body| finds the database locked: SQLite does not wait by itself
/// where the mode of the journal changes.
static Status whileLocked(double seconds, const std::function<Status()> &body) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    Status status = body();
    if (status.ok() || status.id() != "E-DATABASE-LOCKED" || std::chrono::steady_clock::now() >= end)
      return status;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

/// Success where the file is a tuning database that this program reads; |empty| where there is nothing in it.
static Status checkSchema(const Connection &connection, bool &empty) {
  QUERN_ASSIGN_OR_RETURN(int64_t version, connection.integer("PRAGMA user_version"));
  QUERN_ASSIGN_OR_RETURN(int64_t application, connection.integer("PRAGMA application_id"));
  QUERN_ASSIGN_OR_RETURN(int64_t tables, connection.integer("SELECT count(*) FROM sqlite_master"));
  empty = application == 0 && version == 0 && tables == 0;
  if (empty)
    return Status::success();
  if (application != applicationId)
    return Status::error(Exit::BadInput, "E-DATABASE-FOREIGN",
                         "`" + connection.path() + "` is no tuning database")
        .cause("it is a SQLite file of another program")
        .remedy("name another file");
  if (version > schemaVersion)
    return Status::error(Exit::BadInput, "E-DATABASE-SCHEMA-NEWER",
                         "`" + connection.path() + "` was made by a newer program")
        .cause("its tables are of version " + std::to_string(version) + ", this program knows " +
               std::to_string(schemaVersion))
        .remedy("use the newer program, or `quern db export --as jsonl` with it and import the lines here");
  return Status::success();
}

static Status prepareForWriting(const Connection &connection, double busySeconds) {
  bool empty = false;
  QUERN_RETURN_IF_ERROR(whileLocked(busySeconds, [&] { return checkSchema(connection, empty); }));
  if (connection.isReadOnly())
    return Status::error(Exit::Resource, "E-DATABASE-READ-ONLY",
                         "`" + connection.path() + "` cannot be written")
        .cause("the file or its folder is read-only")
        .remedy("name a file that can be written with --db");
  QUERN_RETURN_IF_ERROR(whileLocked(busySeconds, [&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(std::string mode, connection.text("PRAGMA journal_mode=WAL"));
    if (mode == "wal")
      return Status::success();
    return Status::error(Exit::Resource, "E-DATABASE-FAILED",
                         "the file system of `" + connection.path() + "` cannot hold a tuning database")
        .cause("the journal stays in the mode `" + mode + "`")
        .remedy("name a file on another file system");
  }));
  // On the disk at the end of each transaction, and in the folder's entry too.
  QUERN_RETURN_IF_ERROR(connection.execute("PRAGMA synchronous=FULL"));
  if (!empty)
    return Status::success();
  QUERN_RETURN_IF_ERROR(connection.execute("BEGIN IMMEDIATE"));
  Status made = checkSchema(connection, empty); // another process may have been faster
  if (made.ok() && empty) {
    made = connection.execute(schema);
    const std::string head = "PRAGMA application_id=" + std::to_string(applicationId) +
                             "; PRAGMA user_version=" + std::to_string(schemaVersion);
    if (made.ok())
      made = connection.execute(head.c_str());
  }
  if (made.ok())
    made = connection.execute("COMMIT");
  if (!made.ok())
    (void)connection.execute("ROLLBACK").ok();
  return made;
}

Expected<Database> Database::open(const std::string &path, const OpenOptions &options) {
  QUERN_RETURN_IF_ERROR(checkPlace(path, options));
  auto state = std::make_unique<State>();
  if (options.write) {
    QUERN_ASSIGN_OR_RETURN(state->connection, Connection::open(path, Access::Write, options.busySeconds));
    QUERN_RETURN_IF_ERROR(prepareForWriting(*state->connection, options.busySeconds));
    return Database(std::move(state));
  }
  auto openRead = [&](Access access) -> Status {
    QUERN_ASSIGN_OR_RETURN(state->connection, Connection::open(path, access, options.busySeconds));
    bool empty = false;
    QUERN_RETURN_IF_ERROR(checkSchema(*state->connection, empty));
    if (empty)
      return Status::error(Exit::BadInput, "E-DATABASE-CORRUPT",
                           "the tuning database `" + path + "` is empty");
    return Status::success();
  };
  Status opened = openRead(Access::Read);
  if (!opened.ok() && opened.exit() == Exit::Resource && opened.id() != "E-DATABASE-LOCKED") {
    // Reading needs a file beside it for the locks. Where that cannot be made and no transaction is pending,
    // nobody can be writing either.
    struct stat log{};
    if (::stat((path + "-wal").c_str(), &log) != 0 || log.st_size == 0)
      opened = openRead(Access::Immutable);
  }
  QUERN_RETURN_IF_ERROR(std::move(opened));
  return Database(std::move(state));
}

//===----------------------------------------------------------------------===//
// Inserting
//===----------------------------------------------------------------------===//

Status Database::transaction(const std::function<Status()> &body) {
  if (state->inTransaction)
    return body();
  QUERN_RETURN_IF_ERROR(state->connection->execute("BEGIN IMMEDIATE"));
  state->inTransaction = true;
  Status status = body();
  if (status.ok())
    status = state->connection->execute("COMMIT");
  state->inTransaction = false;
  if (!status.ok())
    (void)state->connection->execute("ROLLBACK").ok(); // what it says beyond |status| is of no use
  return status;
}

static std::string parametersText(const Problem &problem) {
  Json json = Json::object();
  for (const auto &[name, value] : problem.parameters)
    json.set(name, value);
  return writeJson(json);
}

static Status insertProblem(const Connection &connection, const Problem &problem, const std::string &config) {
  QUERN_ASSIGN_OR_RETURN(Statement row,
                         connection.prepare("INSERT INTO problem VALUES(?,?,?,?,?,?,?) ON CONFLICT "
                                            "DO NOTHING"));
  row.bind(1, problem.key())
      .bind(2, problem.familyKey())
      .bind(3, problem.kernel)
      .bind(4, parametersText(problem));
  row.bind(5, problem.dtype).bind(6, problem.tokens.first).bind(7, problem.tokens.last);
  QUERN_RETURN_IF_ERROR(row.run());
  QUERN_ASSIGN_OR_RETURN(Statement text,
                         connection.prepare("INSERT INTO config VALUES(?,?) ON CONFLICT DO NOTHING"));
  return text.bind(1, config).bind(2, problem.kernel).run();
}

static Status insertDevice(const Connection &connection, const DeviceIdentity &device) {
  QUERN_ASSIGN_OR_RETURN(
      Statement row, connection.prepare("INSERT INTO device VALUES(?,?,?,?,?,?,?) ON CONFLICT(key) DO UPDATE "
                                        "SET name=excluded.name WHERE excluded.name<>'' AND "
                                        "(name='' OR excluded.name<name)"));
  row.bind(1, device.key())
      .bind(2, device.hardware)
      .bind(3, device.architecture)
      .bind(4, int64_t(device.units));
  row.bind(5, device.partition).bind(6, int64_t(device.memoryClockMhz)).bind(7, device.name);
  return row.run();
}

static Status insertToolchain(const Connection &connection, const Toolchain &toolchain) {
  QUERN_ASSIGN_OR_RETURN(
      Statement row, connection.prepare("INSERT INTO toolchain VALUES(?,?,?,?,?) ON CONFLICT(key) DO UPDATE "
                                        "SET version=excluded.version WHERE excluded.version<>'' AND "
                                        "(version='' OR excluded.version<version)"));
  row.bind(1, toolchain.key())
      .bind(2, toolchain.compiler)
      .bind(3, toolchain.target)
      .bind(4, toolchain.driver)
      .bind(5, toolchain.version);
  return row.run();
}

static Expected<bool> insertOne(const Connection &connection, const Measurement &m) {
  QUERN_RETURN_IF_ERROR(check(m));
  QUERN_RETURN_IF_ERROR(insertProblem(connection, m.problem, m.config));
  QUERN_RETURN_IF_ERROR(insertDevice(connection, m.device));
  QUERN_RETURN_IF_ERROR(insertToolchain(connection, m.toolchain));
  QUERN_ASSIGN_OR_RETURN(
      Statement row, connection.prepare("INSERT INTO measurement VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
                                        "ON CONFLICT DO NOTHING"));
  Json samples = Json::array();
  for (double seconds : m.samples)
    samples.push(seconds);
  row.bind(1, m.key())
      .bind(2, m.problem.key())
      .bind(3, m.device.key())
      .bind(4, m.toolchain.key())
      .bind(5, m.config);
  row.bind(6, m.tokens)
      .bind(7, int64_t(m.isDefault))
      .bind(8, outcomeName(m.outcome))
      .bind(9, writeJson(samples));
  row.bind(10, int64_t(m.runsPerSample)).bind(11, m.cache).bind(12, int64_t(m.seed)).bind(13, m.error);
  row.bind(14, m.timestamp).bind(15, m.session).bind(16, m.detail).bind(17, writeJson(m.facts));
  QUERN_RETURN_IF_ERROR(row.run());
  return connection.changes() == 1;
}

Status Database::insert(const Measurement &measurement) {
  Expected<size_t> count = insert(std::span(&measurement, 1));
  return count.ok() ? Status::success() : count.takeError();
}

Expected<size_t> Database::insert(std::span<const Measurement> measurements) {
  size_t fresh = 0;
  QUERN_RETURN_IF_ERROR(transaction([&]() -> Status {
    for (const Measurement &measurement : measurements) {
      QUERN_ASSIGN_OR_RETURN(bool isNew, insertOne(*state->connection, measurement));
      fresh += isNew;
    }
    return Status::success();
  }));
  return fresh;
}

Status Database::insert(const Decision &decision) {
  return transaction([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(Statement row,
                           state->connection->prepare("INSERT INTO decision VALUES(?,?,?,?,?,?,?) ON "
                                                      "CONFLICT DO NOTHING"));
    row.bind(1, decision.key()).bind(2, decision.family).bind(3, decision.device).bind(4, decision.config);
    row.bind(5, decision.kind == Decision::Kind::Revert ? "revert" : "restore");
    return row.bind(6, decision.timestamp).bind(7, decision.note).run();
  });
}

Status Database::insert(const Seed &seed) {
  return transaction([&]() -> Status {
    QUERN_RETURN_IF_ERROR(check(seed));
    QUERN_RETURN_IF_ERROR(insertProblem(*state->connection, seed.problem, seed.config));
    QUERN_ASSIGN_OR_RETURN(Statement row,
                           state->connection->prepare("INSERT INTO seed VALUES(?,?,?,?,?,?) ON "
                                                      "CONFLICT DO NOTHING"));
    row.bind(1, seed.key()).bind(2, seed.problem.key()).bind(3, seed.device).bind(4, seed.config);
    return row.bind(5, seed.source).bind(6, seed.seconds).run();
  });
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

/// A record in the file that no program of ours can have written.
static Status damaged(const Connection &connection, const std::string &key, const Status &why) {
  return Status::error(Exit::BadInput, "E-DATABASE-CORRUPT",
                       "the tuning database `" + connection.path() + "` is damaged")
      .cause("record " + key + ": " + why.sentence())
      .remedy("take a copy of it");
}

/// kernel, parameters, dtype, first, last in the columns from |column| on.
static Expected<Problem> readProblem(const Statement &row, int column) {
  Problem problem;
  problem.kernel = row.text(column);
  QUERN_ASSIGN_OR_RETURN(JsonDocument parameters, parseJson(row.text(column + 1)));
  QUERN_ASSIGN_OR_RETURN(auto members, parameters.root().asObject());
  for (const auto &[name, value] : members) {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, value.asString());
    problem.parameters.emplace(name, text);
  }
  problem.dtype = row.text(column + 2);
  problem.tokens = {row.integer(column + 3), row.integer(column + 4)};
  return std::move(problem);
}

/// hardware, architecture, units, partition, memory_clock_mhz, name.
static DeviceIdentity readDevice(const Statement &row, int column) {
  return {row.text(column),
          row.text(column + 1),
          uint32_t(row.integer(column + 2)),
          row.text(column + 3),
          uint32_t(row.integer(column + 4)),
          row.text(column + 5)};
}

static Toolchain readToolchain(const Statement &row, int column) {
  return {row.text(column), row.text(column + 1), row.text(column + 2), row.text(column + 3)};
}

static Expected<Measurement> readMeasurement(const Statement &row) {
  Measurement m;
  QUERN_ASSIGN_OR_RETURN(m.problem, readProblem(row, 1));
  m.device = readDevice(row, 6);
  m.toolchain = readToolchain(row, 12);
  m.config = row.text(16);
  m.tokens = row.integer(17);
  m.isDefault = row.integer(18) != 0;
  QUERN_ASSIGN_OR_RETURN(m.outcome, parseOutcome(row.text(19)));
  QUERN_ASSIGN_OR_RETURN(JsonDocument samples, parseJson(row.text(20)));
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, samples.root().asArray());
  for (JsonRef item : items) {
    QUERN_ASSIGN_OR_RETURN(double seconds, item.asFloat());
    m.samples.push_back(seconds);
  }
  m.runsPerSample = uint32_t(row.integer(21));
  m.cache = row.text(22);
  m.seed = uint64_t(row.integer(23));
  m.error = row.number(24);
  m.timestamp = row.integer(25);
  m.session = row.text(26);
  m.detail = row.text(27);
  QUERN_ASSIGN_OR_RETURN(JsonDocument facts, parseJson(row.text(28)));
  m.facts = facts.value();
  QUERN_RETURN_IF_ERROR(check(m));
  return std::move(m);
}

Expected<std::vector<Measurement>> Database::measurements(const Query &query) const {
  std::string sql =
      "SELECT m.key, p.kernel, p.parameters, p.dtype, p.first, p.last, d.hardware, d.architecture, d.units, "
      "d.partition, d.memory_clock_mhz, d.name, t.compiler, t.target, t.driver, t.version, m.config, "
      "m.tokens, "
      "m.is_default, "
      "m.outcome, m.samples, m.runs_per_sample, m.cache, m.seed, m.error, m.timestamp, m.session, m.detail, "
      "m.facts "
      "FROM measurement m JOIN problem p ON p.key=m.problem JOIN device d ON d.key=m.device "
      "JOIN toolchain t ON t.key=m.toolchain WHERE 1";
  std::vector<std::string> values;
  auto where = [&](const char *column, const std::optional<std::string> &value) {
    if (!value)
      return;
    sql += std::string(" AND ") + column + "=?";
    values.push_back(*value);
  };
  where("p.kernel", query.kernel);
  where("p.key", query.problem);
  where("p.family", query.family);
  where("d.key", query.device);
  where("d.architecture", query.architecture);
  where("t.key", query.toolchain);
  where("m.config", query.config);
  if (query.outcome)
    where("m.outcome", std::string(outcomeName(*query.outcome)));
  if (query.tokens)
    sql += " AND p.first<=? AND p.last>=?";
  sql += " ORDER BY m.key";
  const Connection &connection = *state->connection;
  QUERN_ASSIGN_OR_RETURN(Statement row, connection.prepare(sql));
  int parameter = 1;
  for (const std::string &value : values)
    row.bind(parameter++, value);
  if (query.tokens)
    row.bind(parameter, query.tokens->last).bind(parameter + 1, query.tokens->first);
  std::vector<Measurement> result;
  for (;;) {
    QUERN_ASSIGN_OR_RETURN(bool more, row.step());
    if (!more)
      return std::move(result);
    Expected<Measurement> measurement = readMeasurement(row);
    if (!measurement.ok())
      return damaged(connection, row.text(0), measurement.error());
    result.push_back(*std::move(measurement));
  }
}

Expected<std::vector<Decision>> Database::decisions() const {
  QUERN_ASSIGN_OR_RETURN(Statement row,
                         state->connection->prepare("SELECT family, device, config, kind, timestamp, "
                                                    "note FROM decision ORDER BY key"));
  std::vector<Decision> result;
  for (;;) {
    QUERN_ASSIGN_OR_RETURN(bool more, row.step());
    if (!more)
      return std::move(result);
    const auto kind = row.text(3) == "revert" ? Decision::Kind::Revert : Decision::Kind::Restore;
    result.push_back({row.text(0), row.text(1), row.text(2), kind, row.integer(4), row.text(5)});
  }
}

Expected<std::vector<Seed>> Database::seeds(const std::optional<std::string> &family) const {
  QUERN_ASSIGN_OR_RETURN(
      Statement row,
      state->connection->prepare("SELECT s.key, p.kernel, p.parameters, p.dtype, p.first, p.last, "
                                 "s.device, s.config, s.source, s.seconds FROM seed s JOIN problem "
                                 "p ON p.key=s.problem WHERE ?1='' OR p.family=?1 ORDER BY s.key"));
  row.bind(1, family.value_or(""));
  std::vector<Seed> result;
  for (;;) {
    QUERN_ASSIGN_OR_RETURN(bool more, row.step());
    if (!more)
      return std::move(result);
    Seed seed;
    Expected<Problem> problem = readProblem(row, 1);
    if (!problem.ok())
      return damaged(*state->connection, row.text(0), problem.error());
    seed.problem = *std::move(problem);
    seed.device = row.text(6);
    seed.config = row.text(7);
    seed.source = row.text(8);
    seed.seconds = row.number(9);
    if (Status status = check(seed); !status.ok())
      return damaged(*state->connection, row.text(0), status);
    result.push_back(std::move(seed));
  }
}

Expected<std::vector<DeviceIdentity>> Database::devices() const {
  QUERN_ASSIGN_OR_RETURN(Statement row,
                         state->connection->prepare("SELECT hardware, architecture, units, partition, "
                                                    "memory_clock_mhz, name FROM device ORDER BY key"));
  std::vector<DeviceIdentity> result;
  for (;;) {
    QUERN_ASSIGN_OR_RETURN(bool more, row.step());
    if (!more)
      return std::move(result);
    result.push_back(readDevice(row, 0));
  }
}

Expected<std::vector<Toolchain>> Database::toolchains() const {
  QUERN_ASSIGN_OR_RETURN(
      Statement row,
      state->connection->prepare("SELECT compiler, target, driver, version FROM toolchain ORDER BY key"));
  std::vector<Toolchain> result;
  for (;;) {
    QUERN_ASSIGN_OR_RETURN(bool more, row.step());
    if (!more)
      return std::move(result);
    result.push_back(readToolchain(row, 0));
  }
}

Expected<Database::Counts> Database::counts() const {
  Counts counts;
  const std::pair<const char *, uint64_t *> tables[] = {
      {"measurement", &counts.measurements}, {"problem", &counts.problems},     {"config", &counts.configs},
      {"device", &counts.devices},           {"toolchain", &counts.toolchains}, {"seed", &counts.seeds},
      {"decision", &counts.decisions}};
  for (const auto &[table, count] : tables) {
    QUERN_ASSIGN_OR_RETURN(int64_t rows,
                           state->connection->integer(std::string("SELECT count(*) FROM ") + table));
    *count = uint64_t(rows);
  }
  return counts;
}

Status Database::verify() const {
  const Connection &connection = *state->connection;
  QUERN_ASSIGN_OR_RETURN(std::string words, connection.text("PRAGMA integrity_check(1)"));
  if (words != "ok")
    return damaged(connection, "check", Status::error(Exit::BadInput, "E-DATABASE-CORRUPT", words));
  QUERN_ASSIGN_OR_RETURN(int64_t orphans,
                         connection.integer("SELECT count(*) FROM pragma_foreign_key_check"));
  if (orphans)
    return damaged(connection, "check",
                   Status::error(Exit::BadInput, "E-DATABASE-CORRUPT",
                                 std::to_string(orphans) + " records refer to what is not there"));
  QUERN_ASSIGN_OR_RETURN(std::vector<Measurement> all, measurements());
  QUERN_ASSIGN_OR_RETURN(Statement row, connection.prepare("SELECT key FROM measurement ORDER BY key"));
  for (const Measurement &measurement : all) {
    QUERN_ASSIGN_OR_RETURN(bool more, row.step());
    if (!more || row.text(0) != measurement.key())
      return damaged(
          connection, row.text(0),
          Status::error(Exit::BadInput, "E-DATABASE-CORRUPT", "its contents are not those of its key"));
  }
  QUERN_ASSIGN_OR_RETURN(std::vector<Decision> allDecisions, decisions());
  QUERN_ASSIGN_OR_RETURN(std::vector<Seed> allSeeds, seeds());
  return Status::success();
}

} // namespace quern::tuner
