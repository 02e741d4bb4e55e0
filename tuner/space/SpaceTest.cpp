//===- SpaceTest.cpp - Problems, spaces and their models ------------------===//
#include "tuner/space/KernelCases.h"
#include "tuner/space/KernelSpace.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <set>

using namespace quern;
using namespace quern::tuner;

namespace {

const SpaceTarget wide{"cpu:x86-64-v4", 16, true, 1, false};

KernelProblem linear(int64_t rows, int64_t n, int64_t k, std::map<std::string, std::string> more = {}) {
  KernelProblem problem{"linear", std::move(more), rows};
  problem.parameters["N"] = std::to_string(n);
  problem.parameters["K"] = std::to_string(k);
  EXPECT_EQ(standardParameters("linear", problem.parameters), "");
  return problem;
}

TEST(KernelProblem, ComesFromAPlansRequest) {
  Expected<KernelProblem> problem =
      problemOfRequest("linear{tile=5x5x16 raster=n4} K=64 N=96 W=bf16 eps=1e-05", 7);
  ASSERT_TRUE(problem.ok());
  EXPECT_EQ(problem->text(), "linear K=64 N=96 W=bf16 eps=1e-05 rows=7");
  EXPECT_EQ(problem->request("linear{tile=1x1x16}"), "linear{tile=1x1x16} K=64 N=96 W=bf16 eps=1e-05");
  for (const char *bad : {"", "linear", "{tile=1}", "linear}{", "linear{tile=1} K", "linear{tile=1} =3"}) {
    Expected<KernelProblem> refused = problemOfRequest(bad, 1);
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(refused.error().id(), "E-TUNE-REQUEST");
  }
}

TEST(KernelProblem, ComesFromAFileOfShapes) {
  Expected<std::vector<KernelProblem>> problems = readShapes(
      R"({"kernel": "linear", "rows": [1, 16], "parameters": {"N": 96, "K": 64, "W": "f8E4M3FN", "SCALES": true}}

{"kernel": "linear", "rows": 3, "parameters": {"N": 8, "K": 16, "XS": 24}}
)",
      "shapes.jsonl");
  ASSERT_TRUE(problems.ok()) << problems.error().message();
  ASSERT_EQ(problems->size(), 3u);
  EXPECT_EQ((*problems)[1].rows, 16);
  EXPECT_EQ((*problems)[1].element("W"), "f8E4M3FN");
  EXPECT_TRUE((*problems)[1].flag("SCALES"));
  EXPECT_EQ((*problems)[0].integer("XS"), 64) << "the default is the value of K";
  EXPECT_EQ((*problems)[2].integer("XS"), 24);
}

TEST(KernelProblem, NonsenseInAFileOfShapesIsNamedByItsLine) {
  const std::string good = R"({"kernel": "linear", "rows": 1, "parameters": {"N": 8, "K": 16}})";
  for (const char *bad :
       {"not json", "[1]", "{}", R"({"kernel": "linear"})", R"({"kernel": "nonsense", "rows": 1})",
        R"({"kernel": "linear", "rows": 0, "parameters": {"N": 8, "K": 16}})",
        R"({"kernel": "linear", "rows": 99999999, "parameters": {"N": 8, "K": 16}})",
        R"({"kernel": "linear", "rows": "many", "parameters": {"N": 8, "K": 16}})",
        R"({"kernel": "linear", "rows": 1, "parameters": {"N": 8}})",
        R"({"kernel": "linear", "rows": 1, "parameters": {"N": -8, "K": 16}})",
        R"({"kernel": "linear", "rows": 1, "parameters": {"N": 0, "K": 16}})",
        R"({"kernel": "linear", "rows": 1, "parameters": {"N": 8, "K": 16, "X": 3}})",
        R"({"kernel": "linear", "rows": 1, "parameters": {"N": 8, "K": 16, "MADEUP": 3}})",
        R"({"kernel": "linear", "rows": 1, "parameters": {"N": 8, "K": 16, "W": "a b=c"}})",
        R"({"kernel": "linear", "rows": 1, "tokens": 3, "parameters": {"N": 8, "K": 16}})"}) {
    Expected<std::vector<KernelProblem>> refused = readShapes(good + "\n" + bad + "\n", "s.jsonl");
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(refused.error().id(), "E-TUNE-SHAPES") << bad;
    EXPECT_EQ(refused.error().exit(), Exit::BadInput);
    EXPECT_NE(refused.error().message().find("s.jsonl:2"), std::string::npos) << refused.error().message();
  }
  EXPECT_FALSE(readShapes("\n\n", "s.jsonl").ok());
}

TEST(KernelProblem, RowsOfOneBucketAreOneRecord) {
  Expected<Problem> a = recordOf(linear(17, 96, 64)), b = recordOf(linear(32, 96, 64)),
                    c = recordOf(linear(33, 96, 64)), d = recordOf(linear(17, 96, 128));
  ASSERT_TRUE(a.ok() && b.ok() && c.ok() && d.ok());
  EXPECT_EQ(a->tokens.text(), "17..32");
  EXPECT_EQ(a->key(), b->key());
  EXPECT_NE(a->key(), c->key());
  EXPECT_EQ(a->familyKey(), c->familyKey());
  EXPECT_NE(a->familyKey(), d->familyKey());
  EXPECT_EQ(recordOf(linear(1, 96, 64))->tokens.text(), "1");
  EXPECT_EQ(recordOf(linear(20000, 96, 64))->tokens.text(), "20000") << "beyond the last bucket";
}

TEST(KernelSpace, OfAProductOnACpuHasHundredsOfPoints) {
  for (int64_t rows : {4, 16, 64}) {
    Expected<KernelSpace> space = spaceOf(linear(rows, 384, 512), wide, "linear{tile=5x5x16 raster=n4}");
    ASSERT_TRUE(space.ok()) << space.error().message();
    EXPECT_GE(space->points.size(), 300u) << rows;
    std::set<std::string> names;
    for (const SearchPoint &point : space->points) {
      names.insert(point.config);
      EXPECT_GT(point.modelled, 0);
      EXPECT_EQ(point.axes.size(), space->points[0].axes.size());
      EXPECT_EQ(point.features.size(), space->points[0].features.size());
    }
    EXPECT_EQ(names.size(), space->points.size());
    EXPECT_EQ(space->points[space->defaultPoint].config, "linear{tile=5x5x16 raster=n4}");
    int64_t refused = 0;
    for (const auto &[reason, count] : space->refused)
      refused += count;
    EXPECT_EQ(refused + int64_t(space->points.size()) - 1, space->considered)
        << "the default is beside the grid";
  }
}

TEST(KernelSpace, KeepsToWhatTheKernelDemands) {
  KernelProblem experts =
      linear(12, 96, 256, {{"EXPERTS", "1"}, {"E", "4"}, {"W", "f8E4M3FN"}, {"SCALES", "1"}});
  Expected<KernelSpace> space = spaceOf(experts, wide, "linear{tile=1x5x16}");
  ASSERT_TRUE(space.ok());
  ASSERT_GT(space->points.size(), 20u);
  for (const SearchPoint &point : space->points)
    EXPECT_EQ(point.config.find("{tile=1x"), std::string("linear").size()) << point.config;
  Expected<KernelSpace> few =
      spaceOf(linear(64, 96, 256), wide, "linear{tile=5x5x16}",
              [](const std::string &s) { return s.find("outer") == std::string::npos; });
  ASSERT_TRUE(few.ok());
  EXPECT_GT(few->refused["the lowering makes no code for it"], 0);
}

TEST(KernelSpace, AKernelWithoutOneIsNamed) {
  Expected<KernelSpace> space = spaceOf({"sample", {}, 1}, wide, "sample{}");
  ASSERT_FALSE(space.ok());
  EXPECT_EQ(space.error().id(), "E-TUNE-NO-SPACE");
}

TEST(KernelSpace, EveryFileIsWhole) {
  for (const std::string &kernel : tunableKernels()) {
    std::map<std::string, std::string> parameters;
    EXPECT_NE(kernel, "");
    standardParameters(kernel, parameters);
  }
  EXPECT_FALSE(tunableKernels().empty());
}

TEST(VectorCost, KnowsWhatIsCheap) {
  VectorFacts facts;
  VectorProduct product{.rows = 64, .columns = 512, .k = 512};
  auto seconds = [&](int bm, int bn, int bk) {
    return vectorSeconds(product, {.bm = bm, .bn = bn, .bk = bk}, facts);
  };
  EXPECT_LT(seconds(5, 5, 16), seconds(1, 1, 16)) << "operands are read once for several sums";
  EXPECT_LT(seconds(5, 5, 16), seconds(16, 16, 16)) << "what does not fit the registers is spilled";
  product.rows = 1;
  EXPECT_LT(seconds(1, 8, 16), seconds(8, 8, 16)) << "rows that there are not cost as much";
}

TEST(KernelCases, KnowTheProduct) {
  // By hand: y = x * w + bias in f64.
  KernelProblem problem = linear(3, 5, 130, {{"BIAS", "1"}});
  Expected<std::vector<KernelCase>> cases = casesOf(problem, 1);
  ASSERT_TRUE(cases.ok()) << cases.error().message();
  ASSERT_EQ(cases->size(), 2u);
  EXPECT_TRUE((*cases)[0].expected[0].exact);
  EXPECT_FALSE((*cases)[1].expected[0].exact);
  for (const KernelCase &given : *cases) {
    const ExpectedRows &e = given.expected[0];
    ASSERT_EQ(e.known, (std::vector<int64_t>{0, 1, 2}));
    for (int64_t m = 0; m < 3; ++m)
      for (int64_t n = 0; n < 5; ++n) {
        double sum = roundTo("bf16", dataValue(given.arguments[4].data, uint64_t(n)));
        for (int64_t k = 0; k < 130; ++k)
          sum += roundTo("bf16", dataValue(given.arguments[0].data, uint64_t(m * 130 + k))) *
                 roundTo("bf16", dataValue(given.arguments[2].data, uint64_t(n * 130 + k)));
        EXPECT_NEAR(e.values[size_t(m * 5 + n)], sum, 1e-4);
      }
  }
  EXPECT_EQ(casesOf({"sample", {}, 1}, 1).error().id(), "E-TUNE-NO-ORACLE");
  EXPECT_FALSE(casesOf(linear(3, 5, 64, {{"XS", "8"}}), 1).ok()) << "rows overlap";
}

TEST(KernelCases, AWrongResultIsSeen) {
  Expected<std::vector<KernelCase>> cases = casesOf(linear(3, 5, 64, {{"YS", "7"}}), 1);
  ASSERT_TRUE(cases.ok());
  for (const KernelCase &given : *cases) {
    const ExpectedRows &e = given.expected[0];
    std::vector<std::byte> bytes(given.arguments[7].count * 2, std::byte(sentinelByte));
    for (size_t row = 0; row < 3; ++row)
      for (size_t column = 0; column < 5; ++column) {
        const float value = e.values[row * 5 + column];
        const uint16_t code = uint16_t((std::bit_cast<uint32_t>(float(roundTo("bf16", value)))) >> 16);
        std::memcpy(bytes.data() + 2 * (row * 7 + column), &code, 2);
      }
    EXPECT_EQ(checkOutput(given, e, bytes), "");
    std::vector<std::byte> between = bytes, missing = bytes, off = bytes;
    between[2 * 6] = std::byte(0);
    EXPECT_NE(checkOutput(given, e, between).find("outside"), std::string::npos);
    missing[2 * 8] = missing[2 * 8 + 1] = std::byte(sentinelByte);
    EXPECT_NE(checkOutput(given, e, missing).find("nothing was written"), std::string::npos);
    off[2 * 8 + 1] = std::byte(uint8_t(off[2 * 8 + 1]) ^ 0x80); // the sign
    EXPECT_NE(checkOutput(given, e, off).find("row 1, column 1"), std::string::npos);
  }
}

TEST(KernelCases, LargeProductsAreSampled) {
  Expected<std::vector<KernelCase>> cases = casesOf(linear(4096, 1024, 1024), 1);
  ASSERT_TRUE(cases.ok());
  const ExpectedRows &e = (*cases)[0].expected[0];
  EXPECT_EQ(e.known.front(), 0);
  EXPECT_EQ(e.known.back(), 4095);
  EXPECT_LT(e.known.size(), 300u);
}

} // namespace
