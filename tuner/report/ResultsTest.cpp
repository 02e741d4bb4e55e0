//===- ResultsTest.cpp ----------------------------------------------------===//
#include "tuner/report/Results.h"
#include "support/Files.h"
#include "support/ScratchDirectory.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::report;

namespace {

Expected<ResultSet> parse(const std::string &text) {
  Expected<JsonDocument> document = parseJson(text, {.name = "r.json"});
  EXPECT_TRUE(document.ok()) << text;
  return parseResults(*document);
}

/// Google Benchmark's form around rows.
std::string google(const std::string &rows, const std::string &context = "") {
  return "{\"context\": {" + context + "}, \"benchmarks\": [" + rows + "]}";
}

TEST(Results, UnitsAreMixedWithoutHarm) {
  Expected<ResultSet> set =
      parse(google(R"({"name": "a", "run_type": "iteration", "real_time": 2500, "time_unit": "ns"},
    {"name": "b", "real_time": 2.5, "time_unit": "us"}, {"name": "c", "real_time": 0.0025, "time_unit": "ms"},
    {"name": "d", "real_time": 2.5e-6, "time_unit": "s"}, {"name": "e", "real_time": 2500})"));
  ASSERT_TRUE(set.ok()) << set.error().message();
  ASSERT_EQ(set->rows.size(), 5u);
  for (const ResultRow &row : set->rows)
    EXPECT_NEAR(row.seconds.median, 2.5e-6, 1e-18) << row.name;
}

TEST(Results, RepetitionsAreSamplesAndAggregatesAreLeftOut) {
  Expected<ResultSet> set = parse(google(
      R"({"name": "a/repeats:3", "run_name": "a", "run_type": "iteration", "repetition_index": 0, "real_time": 3, "time_unit": "us"},
    {"name": "a/repeats:3", "run_name": "a", "run_type": "iteration", "repetition_index": 1, "real_time": 1, "time_unit": "us"},
    {"name": "a/repeats:3", "run_name": "a", "run_type": "iteration", "repetition_index": 2, "real_time": 2, "time_unit": "us"},
    {"name": "a_mean", "run_name": "a", "run_type": "aggregate", "real_time": 2, "time_unit": "us"})"));
  ASSERT_TRUE(set.ok()) << set.error().message();
  ASSERT_EQ(set->rows.size(), 1u);
  EXPECT_EQ(set->rows[0].samples.size(), 3u);
  EXPECT_NEAR(set->rows[0].seconds.median, 2e-6, 1e-18);
}

TEST(Results, NonsenseIsRefused) {
  const std::pair<const char *, std::string> cases[] = {
      {"E-RESULTS-TIME", google(R"({"name": "a", "real_time": 0, "time_unit": "us"})")},
      {"E-RESULTS-TIME", google(R"({"name": "a", "real_time": -1, "time_unit": "us"})")},
      {"E-RESULTS-TIME", google(R"({"name": "a", "real_time": 1e300, "time_unit": "s"})")},
      {"E-RESULTS-TIME", google(R"({"name": "a", "real_time": 1, "time_unit": "us", "samples": [1, 0]})")},
      {"E-RESULTS-TIME", google(R"({"name": "a", "real_time": 1, "time_unit": "us", "operations": -5})")},
      {"E-RESULTS-UNIT", google(R"({"name": "a", "real_time": 1, "time_unit": "fortnights"})")},
      {"E-RESULTS-EMPTY", google("")},
      {"E-RESULTS-EMPTY", google(R"({"name": "a", "error_occurred": true})")},
      {"E-RESULTS-FORM", R"({"hello": 1})"},
      {"E-RESULTS-FORM", R"([{"name": "a"}])"},
      {"E-RESULTS-NEWER", R"({"schema": "quern.bench.model", "schema_version": 2, "rows": []})"},
      {"E-RESULTS-NEWER", google(R"({"name": "a", "real_time": 1})", R"("schema_version": 99)")},
      {"E-RESULTS-TWICE", google(R"({"name": "a", "real_time": 1}, {"name": "a", "real_time": 2})")},
      {"E-JSON-TYPE", google(R"({"name": "a", "real_time": "fast"})")},
      {"E-JSON-TYPE", google(R"({"name": 5, "real_time": 1})")},
      {"E-JSON-MISSING", google(R"({"name": "a"})")},
      {"E-JSON-RANGE", R"([{"n_prompt": -1, "n_gen": 0, "avg_ns": 5}])"},
  };
  for (const auto &[id, text] : cases) {
    Expected<ResultSet> set = parse(text);
    ASSERT_FALSE(set.ok()) << text;
    EXPECT_EQ(set.error().id(), id) << text << "\n" << set.error().message();
    EXPECT_EQ(set.error().exit(), Exit::BadInput);
  }
}

// users.md section 6, number 12.
TEST(Results, ARateAboveTheDeviceLimitFailsTheBenchmark) {
  const std::string context =
      R"("cache_state": "cold", "limits": {"operations_per_second": 1e12, "bytes_per_second": 1e11})";
  auto row = [](double operations, double bytes) {
    return R"({"name": "k", "real_time": 1, "time_unit": "ms", "operations": )" + std::to_string(operations) +
           R"(, "bytes": )" + std::to_string(bytes) + "}";
  };
  EXPECT_TRUE(parse(google(row(1.04e9, 1.04e8), context)).ok());
  for (auto [operations, bytes] : {std::pair(1.06e9, 0.0), {0.0, 1.06e8}}) {
    Expected<ResultSet> set = parse(google(row(operations, bytes), context));
    ASSERT_FALSE(set.ok());
    EXPECT_EQ(set.error().id(), "E-MEASURE-ABOVE-LIMIT");
    EXPECT_NE(set.error().sentence().find("`k`"), std::string::npos);
    // Warm runs may read from a cache.
    EXPECT_TRUE(
        parse(google(row(0, bytes), R"("cache_state": "warm", "limits": {"bytes_per_second": 1e11})")).ok());
  }
}

TEST(Results, LlamaBenchRowsAreRead) {
  Expected<ResultSet> set = parse(
      R"([{"n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ns": 2e9, "avg_ts": 256, "samples_ns": [1.9e9, 2e9, 2.1e9]},
          {"n_prompt": 0, "n_gen": 128, "n_depth": 4096, "avg_ns": 1e9}])");
  ASSERT_TRUE(set.ok()) << set.error().message();
  EXPECT_EQ(set->rows[0].name, "pp512");
  EXPECT_EQ(set->rows[0].tokens, 512);
  EXPECT_NEAR(set->rows[0].seconds.median, 2, 1e-12);
  EXPECT_EQ(set->rows[1].name, "tg128 @ d4096");
  EXPECT_EQ(set->rows[1].samples.size(), 1u);
}

TEST(Results, WhatIsWrittenIsReadBack) {
  ScratchDirectory scratch;
  ResultSet set;
  set.name = "cpu";
  set.context.set("device", "cpu");
  set.context.set("cache_state", "cold");
  set.peaks = {1e12, 1e11};
  set.rows.push_back(makeRow("linear/q/tokens:1", "kernel", {3e-6, 1e-6, 2e-6}));
  set.rows[0].weight = 4;
  set.rows[0].operations = 1000;
  set.rows[0].facts["kernel"] = "linear{tile=3x3x8} K=256";
  ASSERT_TRUE(writeFile(scratch / "k.json", writeJson(kernelResults(set))).ok());
  Expected<ResultSet> back = readResults(scratch / "k.json");
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->name, "k");
  EXPECT_EQ(*back->context.find("device"), Json("cpu"));
  EXPECT_EQ(back->peaks.bytesPerSecond, 1e11);
  ASSERT_EQ(back->rows[0].samples.size(), 3u);
  EXPECT_NEAR(back->rows[0].samples[0], 3e-6, 1e-18); // in order
  EXPECT_EQ(back->rows[0].weight, 4);
  EXPECT_EQ(back->rows[0].operations, 1000);
  EXPECT_EQ(back->rows[0].facts["kernel"], "linear{tile=3x3x8} K=256");

  ResultSet model;
  model.rows.push_back(makeRow("pp512 @ d64", "model", {2.0, 1.0}));
  model.rows[0].tokens = 512;
  model.rows[0].facts = {{"n_prompt", "512"}, {"n_gen", "0"}, {"n_depth", "64"}};
  const Json json = modelResults(model);
  EXPECT_EQ(json.find("rows")->items()[0].find("avg_ts")->number(), (256.0 + 512.0) / 2);
  ASSERT_TRUE(writeFile(scratch / "m.json", writeJson(json)).ok());
  back = readResults(scratch / "m.json");
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(back->rows[0].name, "pp512 @ d64");
  EXPECT_EQ(back->rows[0].group, "model");
  EXPECT_EQ(back->rows[0].samples.size(), 2u);
}

TEST(Results, LinesAreReadAndNamedWhereTheyAreWrong) {
  ScratchDirectory scratch;
  ASSERT_TRUE(
      writeFile(scratch / "m.jsonl", R"({"event":"start","schema":"quern.bench.model","schema_version":1}
{"event":"result","n_prompt":8,"n_gen":0,"avg_ns":1000}
{"n_prompt":0,"n_gen":8,"avg_ns":2000}
{"event":"end","rows":2}
)")
          .ok());
  Expected<ResultSet> set = readResults(scratch / "m.jsonl");
  ASSERT_TRUE(set.ok()) << set.error().message();
  EXPECT_EQ(set->rows.size(), 2u);
  ASSERT_TRUE(
      writeFile(scratch / "bad.jsonl", "{\"n_prompt\":8,\"n_gen\":0,\"avg_ns\":1000}\n{\"n_pro").ok());
  set = readResults(scratch / "bad.jsonl");
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().id(), "E-JSON-SYNTAX");
  EXPECT_NE(set.error().message().find("bad.jsonl:2"), std::string::npos) << set.error().message();
}

} // namespace
