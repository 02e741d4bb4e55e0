//===- PageTest.cpp -------------------------------------------------------===//
#include "tuner/report/Page.h"
#include "support/Files.h"
#include "support/ScratchDirectory.h"
#include "tuner/report/Replay.h"
#include "tuner/report/Svg.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>
#include <stack>

using namespace quern;
using namespace quern::report;
using testing::HasSubstr;
using testing::Not;

namespace {

std::vector<double> ramp(double first, size_t count = 9) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(first * (1 + 0.01 * double(i)));
  return values;
}

ResultSet side(const char *name, double factor) {
  ResultSet set;
  set.name = name;
  set.context.set("device", name);
  set.context.set("compiler", "f00d");
  set.peaks = {1e12, 1e11};
  set.rows.push_back(makeRow("linear/<q & \"k\">/tokens:1", "kernel", ramp(factor * 2e-6)));
  set.rows[0].operations = 1e5;
  set.rows[0].bytes = 1e4;
  set.rows[0].weight = 4;
  set.rows.push_back(makeRow("rms_norm/norm/tokens:1", "kernel", ramp(1e-6)));
  set.rows.push_back(makeRow("pp8", "model", ramp(factor * 1e-3)));
  return set;
}

/// That every element is closed in the order in which they were opened: what browsers forgive elsewhere.
void expectWellFormed(const std::string &html) {
  std::stack<std::string> open;
  const std::regex tag("<(/?)([a-zA-Z0-9]+)([^<>]*)>");
  for (std::sregex_iterator it(html.begin(), html.end(), tag), end; it != end; ++it) {
    const std::string name = (*it)[2], rest = (*it)[3];
    if (name == "meta" || (!rest.empty() && rest.back() == '/'))
      continue;
    if ((*it)[1] == "") {
      open.push(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    ASSERT_EQ(open.top(), name);
    open.pop();
  }
  EXPECT_TRUE(open.empty());
}

/// Nothing is fetched, nothing runs.
void expectSelfContained(const std::string &html) {
  for (const char *outside :
       {"<script", "http:", "https:", "src=", "href=", "url(", "@import", "<link", "<img"})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  for (const char *nonsense : {"nan", "inf\""})
    EXPECT_THAT(html, Not(HasSubstr(nonsense)));
}

TEST(Page, HoldsAllOfItAndFetchesNothing) {
  ResultSet a = side("cpu", 1), b = side("other", 1.5);
  Expected<Comparison> comparison = compareResults(a, b, true);
  ASSERT_TRUE(comparison.ok());
  const std::string html =
      comparisonPage(*comparison, makeLedger(*comparison), "quern compare a.json b.json");
  expectWellFormed(html);
  expectSelfContained(html);
  for (const char *part :
       {"Ratios", "Roofline", "Samples", "Results", "Ledger", "Asymmetries", "quern compare a.json",
        "Incomplete", "A faster", "no winner", "&lt;q &amp; &quot;k&quot;&gt;", "<svg"})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_THAT(html, Not(HasSubstr("<q &")));
}

TEST(Page, HoldsUpWithFewSamplesAndExtremeRatios) {
  ResultSet a, b;
  a.name = b.name = "x";
  a.rows = {makeRow("k", "kernel", {1e-9}), makeRow("l", "kernel", ramp(1))};
  b.rows = {makeRow("k", "kernel", {1e3}), makeRow("l", "kernel", ramp(1e-9))};
  Expected<Comparison> comparison = compareResults(a, b, false);
  ASSERT_TRUE(comparison.ok());
  const std::string html = comparisonPage(*comparison, makeLedger(*comparison), "");
  expectWellFormed(html);
  expectSelfContained(html);
  EXPECT_THAT(html, HasSubstr("too few samples"));
  EXPECT_THAT(html, HasSubstr("no roofline"));
}

TEST(Page, ModelledIsCalledSoAndNamesNoWinner) {
  ModelledComparison comparison;
  comparison.artifact = "m.quern";
  comparison.a.target = "one";
  comparison.b.target = "two";
  ModelledKernel kernel{.name = "linear/q/tokens:1",
                        .symbol = "s",
                        .text = "linear{tile=1x2} K=3",
                        .launches = 4,
                        .threads = 128,
                        .sharedBytes = 4096,
                        .codeBytes = 100,
                        .operations = 10,
                        .bytes = 20,
                        .floorSeconds = 1e-9,
                        .memoryBound = true,
                        .counts = {{"mma", 12.0}}};
  comparison.a.kernels = {kernel};
  kernel.floorSeconds = 3e-9;
  comparison.b.kernels = {kernel, kernel};
  comparison.b.kernels[1].name = "only/b";
  const std::string html = modelledPage(comparison, "quern compare m.quern --target one --target two");
  expectWellFormed(html);
  expectSelfContained(html);
  EXPECT_THAT(html, HasSubstr("Modelled, not measured."));
  EXPECT_THAT(html, HasSubstr("tile=1x2"));
  EXPECT_THAT(html, HasSubstr("only/b"));
  EXPECT_THAT(html, Not(HasSubstr("A faster")));
  EXPECT_THAT(html, Not(HasSubstr("B faster")));
  EXPECT_EQ(*modelledJson(comparison).find("measured"), Json(false));
}

TEST(Svg, NumbersAndPlaces) {
  EXPECT_EQ(numberText(1.23456, 3), "1.23");
  EXPECT_EQ(numberText(123456, 3), "123456");
  EXPECT_EQ(numberText(0.012345, 3), "0.0123");
  EXPECT_EQ(numberText(0), "0");
  EXPECT_EQ(numberText(1e12, 3), "1e+12");
  EXPECT_EQ(numberText(std::nan("")), "-");
  LogAxis axis(1, 100, 0, 200);
  EXPECT_DOUBLE_EQ(axis.at(10), 100);
  EXPECT_DOUBLE_EQ(axis.at(1e9), 200); // stays inside
  EXPECT_EQ(escaped("<a href=\"x\">&\n"), "&lt;a href=&quot;x&quot;&gt;&amp; ");
}

class ReplayDirectory : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_TRUE(writeFile(scratch / "x.json", writeJson(resultsJson(side("cpu", 1)))).ok());
    ASSERT_TRUE(writeFile(scratch / "y.json", writeJson(resultsJson(side("other", 1.5)))).ok());
    command.kind = "files";
    command.inputs = {scratch / "x.json", scratch / "y.json"};
  }
  /// Of two files of the scratch directory.
  Expected<Comparison> compare(const std::string &first, const std::string &second) {
    Expected<ResultSet> left = readResults(scratch / first), right = readResults(scratch / second);
    EXPECT_TRUE(left.ok() && right.ok()) << (left.ok() ? right : left).error().message();
    a = *std::move(left);
    b = *std::move(right);
    return compareResults(a, b, takenInTurns(a, b));
  }
  ScratchDirectory scratch;
  ReplayCommand command;
  ResultSet a, b;
};

TEST_F(ReplayDirectory, ComesOutTheSame) {
  Expected<Comparison> first = compare("x.json", "y.json");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->pairs.size(), 3u); // kernels and the model
  ASSERT_TRUE(writeReplay(scratch / "r", command, *first, makeLedger(*first), "page").ok());
  EXPECT_EQ(*readFile(scratch / "r/report.html", 100), "page");
  for (const char *name :
       {"a.json", "b.json", "command.json", "comparison.json", "environment.json", "ledger.json"})
    EXPECT_TRUE(readJsonFile(scratch / (std::string("r/") + name)).ok()) << name;
  Expected<ReplayCommand> back = readReplay(scratch / "r");
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->kind, "files");
  EXPECT_EQ(back->inputs, command.inputs);
  // The names of the sides are those of the files.
  ASSERT_TRUE(writeFile(scratch / "r/x.json", *readFile(scratch / "r/a.json", 1 << 20)).ok());
  ASSERT_TRUE(writeFile(scratch / "r/y.json", *readFile(scratch / "r/b.json", 1 << 20)).ok());
  Expected<Comparison> again = compare("r/x.json", "r/y.json");
  EXPECT_TRUE(checkReplay(scratch / "r", *again).ok());
  std::string changed = *readFile(scratch / "r/y.json", 1 << 20);
  changed.replace(changed.find("\"real_time\":"), 12, "\"real_time\":1");
  Expected<Comparison> other = compare("r/y.json", "r/x.json");
  Status refused = checkReplay(scratch / "r", *other);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.id(), "E-REPLAY-CHANGED");
}

TEST_F(ReplayDirectory, NonsenseIsRefused) {
  EXPECT_EQ(readReplay(scratch / "none").takeError().id(), "E-DIRECTORY-NOT-FOUND");
  for (
      const char *text :
      {R"({"schema": "quern.other", "schema_version": 1})",
       R"({"schema": "quern.replay", "schema_version": 2})",
       R"({"schema": "quern.replay", "schema_version": 1, "kind": "dance"})",
       R"({"schema": "quern.replay", "schema_version": 1, "kind": "files", "options": {}, "inputs": ["a"], "digests": [], "results": ["../../etc/passwd", "b"]})",
       R"({"schema": "quern.replay", "schema_version": 1, "kind": "files", "options": {}, "inputs": [], "digests": [], "results": ["a", "b"]})"}) {
    ASSERT_TRUE(writeFile(scratch / "command.json", text).ok());
    Expected<ReplayCommand> refused = readReplay(scratch.path());
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_EQ(refused.error().id(), "E-REPLAY-FORM") << refused.error().message();
  }
}

} // namespace
