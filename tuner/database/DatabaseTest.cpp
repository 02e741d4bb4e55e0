//===- DatabaseTest.cpp ---------------------------------------------------===//
#include "tuner/database/Database.h"
#include "support/Files.h"
#include "support/ScratchDirectory.h"
#include "tuner/database/TestRecords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

using namespace quern;
using namespace quern::tuner;
using testing::HasSubstr;

namespace {

constexpr const char *fast = "linear{tile=32x64x64 warps=4}";
constexpr const char *slow = "linear{tile=4x8x64 warps=4}";

Database openOrDie(const std::string &path, OpenOptions options = {}) {
  Expected<Database> database = Database::open(path, options);
  if (!database.ok()) {
    ADD_FAILURE() << database.error().message();
    std::abort();
  }
  return *std::move(database);
}

std::string idOf(const std::string &path, OpenOptions options = {}) {
  Expected<Database> database = Database::open(path, options);
  return database.ok() ? "" : database.error().id();
}

/// Runs SQL on the file behind the database's back.
void tamper(const std::string &path, const char *sql) {
  sqlite3 *handle = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &handle), SQLITE_OK);
  char *words = nullptr;
  EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, &words), SQLITE_OK) << words;
  sqlite3_free(words);
  sqlite3_close(handle);
}

TEST(Database, GivesBackWhatWasInserted) {
  ScratchDirectory folder;
  Measurement m = testMeasurement(fast, 1.25e-5);
  m.facts.set("registers", 168);
  m.session = "s1";
  m.seed = 0xffffffffffffffff;
  m.error = 0.1;
  m.samples[3] = 1.2345678901234567e-5;
  Measurement broken = failedMeasurement(slow, Outcome::Hung);
  {
    Database database = openOrDie(folder / "t.db");
    EXPECT_TRUE(database.insert(m).ok());
    EXPECT_TRUE(database.insert(broken).ok());
  }
  Database database = openOrDie(folder / "t.db", {.write = false});
  Expected<std::vector<Measurement>> all = database.measurements({.config = fast});
  ASSERT_TRUE(all.ok()) << all.error().message();
  ASSERT_EQ(all->size(), 1u);
  EXPECT_EQ(writeJson(toJson((*all)[0])), writeJson(toJson(m)));
  EXPECT_EQ((*all)[0].key(), m.key());
  EXPECT_EQ((*all)[0].device.name, "Example 80");
  EXPECT_EQ((*all)[0].toolchain.version, "0.1.0");
  Expected<std::vector<Measurement>> hung = database.measurements({.outcome = Outcome::Hung});
  ASSERT_TRUE(hung.ok() && hung->size() == 1);
  EXPECT_EQ((*hung)[0].detail, "it failed");
  EXPECT_TRUE(database.verify().ok());
  // Closed by its writer, it is one file.
  EXPECT_THAT(folder.entries(), testing::Contains("t.db"));
}

TEST(Database, EveryMemberOfTheQuerySelects) {
  ScratchDirectory folder;
  Database database = openOrDie(folder / "t.db");
  Measurement a = testMeasurement(fast, 1e-5), b = a, c = a, d = a;
  b.problem.tokens = {17, 64};
  b.tokens = 64;
  c.device.architecture = "sm_100";
  d.toolchain.compiler = "other";
  for (const Measurement &m : {a, b, c, d})
    ASSERT_TRUE(database.insert(m).ok());
  auto count = [&](const Query &query) {
    Expected<std::vector<Measurement>> found = database.measurements(query);
    return found.ok() ? found->size() : 99;
  };
  EXPECT_EQ(count({}), 4u);
  EXPECT_EQ(count({.problem = b.problem.key()}), 1u);
  EXPECT_EQ(count({.family = b.problem.familyKey()}), 4u);
  EXPECT_EQ(count({.device = c.device.key()}), 1u);
  EXPECT_EQ(count({.architecture = "sm_90"}), 3u);
  EXPECT_EQ(count({.toolchain = d.toolchain.key()}), 1u);
  EXPECT_EQ(count({.tokens = TokenRange{16, 16}}), 3u);
  EXPECT_EQ(count({.tokens = TokenRange{16, 17}}), 4u);
  EXPECT_EQ(count({.tokens = TokenRange{65, 100}}), 0u);
  EXPECT_EQ(count({.kernel = "rope"}), 0u);
  EXPECT_EQ(count({.config = slow}), 0u);
  EXPECT_EQ(count({.outcome = Outcome::Wrong}), 0u);
}

TEST(Database, NothingIsRecordedTwiceOrChanged) {
  ScratchDirectory folder;
  Database database = openOrDie(folder / "t.db");
  Measurement m = testMeasurement(fast, 1e-5);
  std::vector<Measurement> twice = {m, m};
  Expected<size_t> fresh = database.insert(std::span<const Measurement>(twice));
  ASSERT_TRUE(fresh.ok());
  EXPECT_EQ(*fresh, 1u);
  sqlite3 *handle = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "t.db").c_str(), &handle), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(handle, "UPDATE measurement SET outcome='wrong'", nullptr, nullptr, nullptr),
            SQLITE_CONSTRAINT);
  EXPECT_EQ(sqlite3_exec(handle, "DELETE FROM measurement", nullptr, nullptr, nullptr), SQLITE_CONSTRAINT);
  sqlite3_close(handle);
}

TEST(Database, RefusesRecordsThatContradictThemselves) {
  ScratchDirectory folder;
  Database database = openOrDie(folder / "t.db");
  auto refused = [&](auto change) {
    Measurement m = testMeasurement(fast, 1e-5);
    change(m);
    Status status = database.insert(m);
    return !status.ok() && status.id() == "E-DATABASE-RECORD";
  };
  EXPECT_TRUE(refused([](Measurement &m) { m.config = "linear{tile=4"; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.config = "linear{warps=4 tile=4x8x64}"; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.config = "rope{tile=4}"; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.tokens = 17; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.samples.clear(); }));
  EXPECT_TRUE(refused([](Measurement &m) { m.samples[2] = 0; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.samples[2] = -1e-5; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.outcome = Outcome::Wrong; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.device.hardware = ""; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.toolchain.compiler = ""; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.cache = "lukewarm"; }));
  EXPECT_TRUE(refused([](Measurement &m) { m.problem.tokens = {16, 1}; }));
  Expected<Database::Counts> counts = database.counts();
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->measurements, 0u);
}

TEST(Database, AnErrorInATransactionUndoesAllOfIt) {
  ScratchDirectory folder;
  Database database = openOrDie(folder / "t.db");
  std::vector<Measurement> batch = {testMeasurement(fast, 1e-5), testMeasurement(slow, 1e-4)};
  batch[1].tokens = 99;
  EXPECT_FALSE(database.insert(std::span<const Measurement>(batch)).ok());
  Expected<Database::Counts> counts = database.counts();
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->measurements + counts->problems + counts->devices, 0u);
  EXPECT_TRUE(database.insert(batch[0]).ok());
}

//===----------------------------------------------------------------------===//
// Bad input
//===----------------------------------------------------------------------===//

TEST(DatabaseBadInput, Corrupt) {
  ScratchDirectory folder;
  ASSERT_TRUE(writeFile(folder / "text.db", std::string(8192, 'x')).ok());
  EXPECT_EQ(idOf(folder / "text.db"), "E-DATABASE-CORRUPT");
  EXPECT_EQ(idOf(folder / "text.db", {.write = false}), "E-DATABASE-CORRUPT");
  ASSERT_TRUE(writeFile(folder / "empty.db", "").ok());
  EXPECT_EQ(idOf(folder / "empty.db", {.write = false}), "E-DATABASE-CORRUPT");

  const std::string path = folder / "t.db";
  {
    Database database = openOrDie(path);
    for (int i = 0; i < 200; ++i)
      ASSERT_TRUE(database.insert(testMeasurement(fast, 1e-5, i)).ok());
  }
  Expected<std::string> whole = readFile(path, 1 << 26);
  ASSERT_TRUE(whole.ok());
  // Every page destroyed in turn: it is seen, and nothing crashes.
  size_t seen = 0, pages = whole->size() / 4096;
  for (size_t page = 0; page < pages; ++page) {
    std::string damaged = *whole;
    for (size_t i = 0; i < 4096; ++i)
      damaged[page * 4096 + i] = char(damaged[page * 4096 + i] ^ (i % 3 ? 0x5a : 0xa7));
    ASSERT_TRUE(writeFile(folder / "damaged.db", damaged).ok());
    Expected<Database> database = Database::open(folder / "damaged.db", {.write = false});
    Status status = database.ok() ? database->verify() : database.takeError();
    EXPECT_TRUE(status.ok() || status.exit() == Exit::BadInput) << status.message();
    seen += !status.ok() && status.id() == "E-DATABASE-CORRUPT";
  }
  EXPECT_EQ(seen, pages) << "of " << pages;
  // Cut off.
  ASSERT_TRUE(writeFile(folder / "cut.db", whole->substr(0, whole->size() / 2)).ok());
  Expected<Database> cut = Database::open(folder / "cut.db", {.write = false});
  EXPECT_FALSE((cut.ok() ? cut->verify() : cut.takeError()).ok());
}

TEST(DatabaseBadInput, RecordsChangedByHandAreFound) {
  ScratchDirectory folder;
  const std::string path = folder / "t.db";
  {
    Database database = openOrDie(path);
    ASSERT_TRUE(database.insert(testMeasurement(fast, 1e-5)).ok());
  }
  tamper(path, "DROP TRIGGER measurement_stays; UPDATE measurement SET samples='[1e-9]'");
  Database database = openOrDie(path);
  Status status = database.verify();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-DATABASE-CORRUPT");
  tamper(path, "UPDATE measurement SET samples='[\"fast\"]'");
  Expected<std::vector<Measurement>> read = database.measurements();
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().id(), "E-DATABASE-CORRUPT");
}

TEST(DatabaseBadInput, NewerSchemaAndForeignFile) {
  ScratchDirectory folder;
  {
    openOrDie(folder / "t.db");
  }
  tamper(folder / "t.db", "PRAGMA user_version=2");
  EXPECT_EQ(idOf(folder / "t.db"), "E-DATABASE-SCHEMA-NEWER");
  EXPECT_EQ(idOf(folder / "t.db", {.write = false}), "E-DATABASE-SCHEMA-NEWER");
  tamper(folder / "other.db", "CREATE TABLE a(b)");
  EXPECT_EQ(idOf(folder / "other.db"), "E-DATABASE-FOREIGN");
}

TEST(DatabaseBadInput, NotThere) {
  ScratchDirectory folder;
  EXPECT_EQ(idOf(folder / "none.db", {.write = false}), "E-DATABASE-NOT-FOUND");
  EXPECT_EQ(idOf(folder.path(), {.write = false}), "E-DATABASE-NOT-FOUND");
  EXPECT_EQ(idOf(folder / "none/t.db"), "E-DATABASE-FAILED");
}

TEST(DatabaseBadInput, NetworkFileSystem) {
  ScratchDirectory folder;
  EXPECT_EQ(idOf(folder / "t.db", {.fileSystemType = 0x6969}), "E-DATABASE-NETWORK");
  EXPECT_EQ(idOf(folder / "t.db", {.fileSystemType = 0xffffffffff534d42}), "E-DATABASE-NETWORK");
  EXPECT_TRUE(folder.entries().empty());
  {
    openOrDie(folder / "t.db");
  }
  // What nobody writes can be read from anywhere.
  EXPECT_EQ(idOf(folder / "t.db", {.write = false, .fileSystemType = 0x6969}), "");
  EXPECT_FALSE(isNetworkFileSystem(0xef53)) << "ext4";
  EXPECT_FALSE(isNetworkFileSystem(0x794c7630)) << "overlayfs";
}

/// Runs |body| in a child process and gives back what it returns.
int inChild(const std::function<int()> &body) {
  pid_t child = ::fork();
  if (child == 0)
    ::_exit(body());
  int state = 0;
  ::waitpid(child, &state, 0);
  return WIFEXITED(state) ? WEXITSTATUS(state) : 100 + WTERMSIG(state);
}

TEST(DatabaseBadInput, ReadOnlyFileAndFolder) {
  ScratchDirectory folder;
  const std::string path = folder / "t.db";
  {
    Database database = openOrDie(path);
    ASSERT_TRUE(database.insert(testMeasurement(fast, 1e-5)).ok());
  }
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  int result = inChild([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0)
      return 1;
    if (idOf(path) != "E-DATABASE-READ-ONLY")
      return 2;
    if (std::string id = idOf(folder / "new.db"); id != "E-DATABASE-READ-ONLY")
      return 3;
    // Reading works: nobody can be writing.
    Expected<Database> database = Database::open(path, {.write = false});
    if (!database.ok())
      return 4;
    Expected<std::vector<Measurement>> all = database->measurements();
    return all.ok() && all->size() == 1 ? 0 : 5;
  });
  EXPECT_EQ(result, 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
}

TEST(DatabaseBadInput, LockedByAnotherProcess) {
  ScratchDirectory folder;
  const std::string path = folder / "t.db";
  Database database = openOrDie(path, {.busySeconds = 0.05});
  sqlite3 *other = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  Status status = database.insert(testMeasurement(fast, 1e-5));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-DATABASE-LOCKED");
  EXPECT_EQ(status.exit(), Exit::Resource);
  // Readers go on meanwhile, and the writer once the other one has finished.
  EXPECT_TRUE(openOrDie(path, {.write = false}).measurements().ok());
  ASSERT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_TRUE(database.insert(testMeasurement(fast, 1e-5)).ok());
}

TEST(DatabaseBadInput, DiskFull) {
  ScratchDirectory folder;
  const std::string path = folder / "t.db";
  int result = inChild([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{400 << 10, 400 << 10};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0)
      return 1;
    Expected<Database> database = Database::open(path);
    if (!database.ok())
      return 2;
    for (int i = 0; i < 5000; ++i)
      if (Status status = database->insert(testMeasurement(fast, 1e-5, i)); !status.ok())
        return status.id() == "E-DATABASE-DISK-FULL" && i > 10 ? 0 : 3;
    return 4;
  });
  EXPECT_EQ(result, 0);
  // What was recorded before is there.
  Database database = openOrDie(path);
  EXPECT_TRUE(database.verify().ok());
  Expected<Database::Counts> counts = database.counts();
  ASSERT_TRUE(counts.ok());
  EXPECT_GT(counts->measurements, 10u);
}

//===----------------------------------------------------------------------===//
// Acceptance
//===----------------------------------------------------------------------===//

// What a writer was told is recorded is recorded, however it ends.
TEST(Acceptance, KillNineLosesNothingCommitted) {
  ScratchDirectory folder;
  const std::string path = folder / "t.db";
  uint64_t told = 0;
  for (int round = 0; round < 8; ++round) {
    int lines[2];
    ASSERT_EQ(::pipe(lines), 0);
    pid_t child = ::fork();
    if (child == 0) {
      Expected<Database> database = Database::open(path);
      for (int i = 0; database.ok(); ++i) {
        if (!database->insert(testMeasurement(fast, 1e-5, round * 1000000 + i)).ok())
          ::_exit(1);
        if (::write(lines[1], "x", 1) != 1)
          ::_exit(2);
      }
      ::_exit(3);
    }
    ::close(lines[1]);
    // At another moment in each round: before the file exists, while it is made, in the middle of inserts.
    std::this_thread::sleep_for(std::chrono::microseconds(500 + 7919 * round));
    ::kill(child, SIGKILL);
    int state = 0;
    ::waitpid(child, &state, 0);
    EXPECT_TRUE(WIFSIGNALED(state)) << WEXITSTATUS(state);
    char byte = 0;
    while (::read(lines[0], &byte, 1) == 1)
      ++told;
    ::close(lines[0]);
    Database database = openOrDie(path);
    Status status = database.verify();
    EXPECT_TRUE(status.ok()) << status.message();
    Expected<Database::Counts> counts = database.counts();
    ASSERT_TRUE(counts.ok());
    EXPECT_GE(counts->measurements, told) << "round " << round;
    EXPECT_LE(counts->measurements, told + round + 1) << "one at most was recorded and not told";
  }
  EXPECT_GT(told, 0u);
}

TEST(Acceptance, ManyWritersLoseNothing) {
  ScratchDirectory folder;
  const std::string path = folder / "t.db";
  std::vector<pid_t> children;
  for (int writer = 0; writer < 4; ++writer) {
    pid_t child = ::fork();
    if (child == 0) {
      Expected<Database> database = Database::open(path);
      if (!database.ok())
        ::_exit(1);
      for (int i = 0; i < 25; ++i)
        if (!database->insert(testMeasurement(fast, 1e-5, writer * 1000 + i)).ok())
          ::_exit(2);
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int state = 0;
    ::waitpid(child, &state, 0);
    EXPECT_TRUE(WIFEXITED(state) && WEXITSTATUS(state) == 0) << WEXITSTATUS(state);
  }
  Database database = openOrDie(path);
  Expected<Database::Counts> counts = database.counts();
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->measurements, 100u);
  EXPECT_TRUE(database.verify().ok());
}

TEST(Acceptance, MovedDirectoriesChangeNoKey) {
  ScratchDirectory here, there;
  Measurement m = testMeasurement(fast, 1e-5);
  std::vector<std::string> keys;
  for (const std::string &path : {here / "a.db", there / "b.db"}) {
    Database database = openOrDie(path);
    ASSERT_TRUE(database.insert(m).ok());
    Expected<std::vector<Measurement>> all = database.measurements();
    ASSERT_TRUE(all.ok());
    keys.push_back((*all)[0].key() + (*all)[0].problem.key() + (*all)[0].device.key() +
                   (*all)[0].toolchain.key());
  }
  EXPECT_EQ(keys[0], keys[1]);
  // Written down, so that no later change of the code changes the keys of databases that exist.
  EXPECT_EQ(m.problem.key(), "10f719d8fbc0d52b277bb304d21f82e6");
  EXPECT_EQ(m.problem.familyKey(), "b838938ecb97988bd6707d2bf741bd9a");
  EXPECT_EQ(m.device.key(), "54166a0fdb900cebc9d2f1f04adca265");
  EXPECT_EQ(m.toolchain.key(), "f22911d0582301cf5f98533b3a0e2c8d");
  EXPECT_EQ(m.key(), "4316ed8d38684a1fa01fd7563b83567b");
}

TEST(Acceptance, EqualNameIsNotEqualDevice) {
  const DeviceIdentity device = testDevice();
  auto other = [&](auto change) {
    DeviceIdentity changed = device;
    change(changed);
    return !(changed == device) && changed.key() != device.key();
  };
  EXPECT_TRUE(other([](DeviceIdentity &d) { d.hardware = "pci:10de:2331"; }));
  EXPECT_TRUE(other([](DeviceIdentity &d) { d.architecture = "sm_90a"; }));
  EXPECT_TRUE(other([](DeviceIdentity &d) { d.units = 114; }));
  EXPECT_TRUE(other([](DeviceIdentity &d) { d.partition = "1g.10gb"; }));
  EXPECT_TRUE(other([](DeviceIdentity &d) { d.memoryClockMhz = 1600; }));
  // The other way round: one device under two names.
  EXPECT_FALSE(other([](DeviceIdentity &d) { d.name = "Graphics Device"; }));
  EXPECT_EQ(memoryClockClass(2619), memoryClockClass(2601));
  EXPECT_NE(memoryClockClass(2619), memoryClockClass(1593));
}

} // namespace
