//===- ExchangeTest.cpp ---------------------------------------------------===//
#include "tuner/database/Exchange.h"
#include "support/ScratchDirectory.h"
#include "tuner/database/TestRecords.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

using namespace quern;
using namespace quern::tuner;
using testing::HasSubstr;

namespace {

constexpr const char *standard = "linear{tile=4x8x64 warps=4}";
constexpr const char *small = "linear{tile=32x32x64 warps=4}";
constexpr const char *large = "linear{tile=64x64x64 warps=4}";

Measurement of(const char *config, double seconds, int64_t time) {
  Measurement m = testMeasurement(config, seconds, time);
  m.isDefault = config == standard;
  return m;
}

class Exchange : public testing::Test {
protected:
  Database open(const std::string &name, bool write = true) {
    Expected<Database> database = Database::open(folder / name, {.write = write});
    if (!database.ok()) {
      ADD_FAILURE() << database.error().message();
      std::abort();
    }
    return *std::move(database);
  }
  std::string linesOf(const Database &database) {
    Expected<std::string> lines = exportLines(database);
    return lines.ok() ? *lines : lines.error().message();
  }
  std::string merged(const std::string &into, std::initializer_list<const char *> sources) {
    Database database = open(into);
    for (const char *source : sources) {
      Expected<MergeCounts> counts = mergeInto(database, open(source, false));
      EXPECT_TRUE(counts.ok()) << counts.error().message();
    }
    EXPECT_TRUE(database.verify().ok());
    return linesOf(database);
  }
  /// Two machines that measured some of the same, on a device that each calls by another name.
  void makeTwo() {
    Database a = open("a.db"), b = open("b.db");
    Measurement shared = of(small, 1e-5, 3);
    for (const Measurement &m : {of(standard, 2e-5, 1), of(large, 1.5e-5, 2), shared})
      ASSERT_TRUE(a.insert(m).ok());
    shared.device.name = "Another name";
    shared.toolchain.version = "0.0.9";
    for (Measurement m : {shared, of(small, 1.1e-5, 4)}) {
      m.device.name = "Another name";
      ASSERT_TRUE(b.insert(m).ok());
    }
    ASSERT_TRUE(b.insert(Decision{shared.problem.familyKey(), shared.device.key(), small,
                                  Decision::Kind::Revert, 9, "why"})
                    .ok());
    ASSERT_TRUE(a.insert(Seed{testProblem(), "Somebody's", large, "table.json", 0}).ok());
  }
  ScratchDirectory folder;
};

TEST_F(Exchange, MergeTakesWhatIsNew) {
  makeTwo();
  Database into = open("c.db");
  Expected<MergeCounts> first = mergeInto(into, open("a.db", false));
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->measurements, 3u);
  EXPECT_EQ(first->seeds, 1u);
  EXPECT_EQ(first->fresh, 4u);
  Expected<MergeCounts> second = mergeInto(into, open("b.db", false));
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(second->measurements, 2u);
  EXPECT_EQ(second->decisions, 1u);
  EXPECT_EQ(second->fresh, 2u) << "one measurement is there already";
}

using MergeAcceptance = Exchange;

TEST_F(MergeAcceptance, MergeIsIdempotentAndCommutative) {
  makeTwo();
  const std::string ab = merged("ab.db", {"a.db", "b.db"});
  EXPECT_EQ(ab, merged("ba.db", {"b.db", "a.db"}));
  EXPECT_EQ(ab, merged("ab.db", {"a.db", "b.db", "ab.db"}));
  EXPECT_EQ(ab, merged("abba.db", {"ba.db", "b.db", "a.db", "ab.db"}));
  EXPECT_THAT(ab, HasSubstr("Another name"));
  EXPECT_THAT(ab, testing::Not(HasSubstr("Example 80")))
      << "of two labels of one device the smaller one is kept";
}

TEST_F(Exchange, AMergeThatIsKilledLeavesAllOrNothing) {
  {
    Database source = open("a.db"), into = open("into.db");
    std::vector<Measurement> many;
    for (int i = 0; i < 400; ++i)
      many.push_back(of(small, 1e-5, i));
    ASSERT_TRUE(source.insert(std::span<const Measurement>(many)).ok());
    ASSERT_TRUE(into.insert(of(standard, 2e-5, 5)).ok());
  }
  bool whole = false;
  for (int round = 0; round < 12 && !whole; ++round) {
    pid_t child = ::fork();
    if (child == 0) {
      Expected<Database> into = Database::open(folder / "into.db"),
                         from = Database::open(folder / "a.db", {.write = false});
      ::_exit(into.ok() && from.ok() && mergeInto(*into, *from).ok() ? 0 : 1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1 + 9 * round));
    ::kill(child, SIGKILL);
    int state = 0;
    ::waitpid(child, &state, 0);
    Database into = open("into.db");
    EXPECT_TRUE(into.verify().ok());
    Expected<Database::Counts> counts = into.counts();
    ASSERT_TRUE(counts.ok());
    EXPECT_TRUE(counts->measurements == 1 || counts->measurements == 401) << counts->measurements;
    whole = counts->measurements == 401;
  }
  // Again, to its end.
  Database into = open("into.db");
  ASSERT_TRUE(mergeInto(into, open("a.db", false)).ok());
  EXPECT_EQ(into.counts()->measurements, 401u);
}

TEST_F(Exchange, ABatchWithABadRecordLeavesWhatWasThere) {
  makeTwo();
  {
    Database into = open("into.db");
    ASSERT_TRUE(into.insert(of(standard, 2e-5, 5)).ok());
  }
  // One record that cannot be taken: everything in front of it is undone.
  Database into = open("into.db");
  std::vector<Measurement> many = {of(small, 1e-5, 1), of(large, 1e-5, 2)};
  many[1].cache = "lukewarm";
  EXPECT_FALSE(into.insert(std::span<const Measurement>(many)).ok());
  EXPECT_EQ(into.counts()->measurements, 1u);
}

TEST_F(Exchange, LinesReadBack) {
  makeTwo();
  const std::string lines = merged("ab.db", {"a.db", "b.db"});
  Database copy = open("copy.db");
  Expected<MergeCounts> counts = importLines(copy, lines, "ab.jsonl");
  ASSERT_TRUE(counts.ok()) << counts.error().message();
  EXPECT_EQ(counts->fresh, 6u);
  EXPECT_EQ(linesOf(copy), lines);
  counts = importLines(copy, lines, "ab.jsonl");
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->fresh, 0u);
}

TEST_F(Exchange, LinesThatAreNoneAreRefusedWhole) {
  makeTwo();
  const std::string lines = linesOf(open("a.db", false));
  auto refused = [&](std::string text) {
    Database copy = open("copy.db");
    Expected<MergeCounts> counts = importLines(copy, text, "a.jsonl");
    EXPECT_EQ(copy.counts()->measurements, 0u);
    return counts.ok() ? "" : counts.error().id();
  };
  EXPECT_EQ(refused(lines + "{}\n"), "E-JSON-MISSING");
  EXPECT_EQ(refused(lines + "{\"record\":\"rumour\"}\n"), "E-DATABASE-RECORD");
  EXPECT_EQ(refused(lines.substr(0, lines.size() - 20)), "E-JSON-SYNTAX");
  EXPECT_EQ(refused("{\"schema\":\"quern.tuning-database\",\"schema_version\":2}\n"),
            "E-DATABASE-SCHEMA-NEWER");
  EXPECT_EQ(refused("{\"schema\":\"other\",\"schema_version\":1}\n"), "E-DATABASE-SCHEMA-NEWER");
  std::string wrong = lines;
  wrong.replace(wrong.find("\"ok\""), 4, "\"OK\"");
  EXPECT_EQ(refused(wrong), "E-DATABASE-RECORD");
}

TEST_F(Exchange, DifferencesAreThoseOfTheChoices) {
  {
    Database a = open("a.db"), b = open("b.db");
    for (const Measurement &m : {of(standard, 2e-5, 1), of(small, 1e-5, 2)}) {
      ASSERT_TRUE(a.insert(m).ok());
      ASSERT_TRUE(b.insert(m).ok());
    }
  }
  auto compare = [&] {
    return differences(*Lookup::load(open("a.db", false)), *Lookup::load(open("b.db", false)));
  };
  EXPECT_TRUE(compare().empty());
  {
    Database b = open("b.db");
    ASSERT_TRUE(b.insert(of(large, 0.8e-5, 3)).ok());
  }
  std::vector<Difference> found = compare();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].before, small);
  EXPECT_EQ(found[0].after, large);
  EXPECT_EQ(found[0].problem.tokens, (TokenRange{1, 16}));
  EXPECT_NEAR(found[0].ratioAfter.median, 0.4, 1e-6);
  // Taken back: what it was before.
  {
    Database b = open("b.db");
    ASSERT_TRUE(b.insert(Decision{testProblem().familyKey(), testDevice().key(), large,
                                  Decision::Kind::Revert, 1, ""})
                    .ok());
  }
  EXPECT_TRUE(compare().empty());
}

} // namespace
