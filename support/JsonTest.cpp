//===- JsonTest.cpp -------------------------------------------------------===//
#include "support/Json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

using namespace quern;
using testing::HasSubstr;

namespace {

Json parsed(std::string_view text) {
  Expected<JsonDocument> document = parseJson(text);
  EXPECT_TRUE(document.ok()) << text << ": " << (document.ok() ? "" : document.error().message());
  return document.ok() ? document->value() : Json();
}

void expectRefused(std::string_view text, std::string_view id, std::string_view words,
                   JsonLimits limits = {}) {
  Expected<JsonDocument> document = parseJson(text, limits);
  ASSERT_FALSE(document.ok()) << text;
  EXPECT_EQ(document.error().exit(), Exit::BadInput);
  EXPECT_EQ(document.error().id(), id) << document.error().message();
  EXPECT_THAT(document.error().message(), HasSubstr(std::string(words)));
}

TEST(JsonTest, ReadsEveryKindAndKeepsTheOrder) {
  Json value = parsed(
      R"( {"z":[1,-2,18446744073709551615,1.5,1e2],"a":{"t":true,"n":null,"s":"a\u00e9\ud83d\ude00"}} )");
  ASSERT_TRUE(value.isObject());
  EXPECT_EQ(value.members()[0].key, "z");
  const std::vector<Json> &z = value.find("z")->items();
  EXPECT_EQ(z[0].integer(), 1);
  EXPECT_EQ(z[1].integer(), -2);
  EXPECT_EQ(z[2].unsignedInteger(), UINT64_MAX);
  EXPECT_EQ(z[3].number(), 1.5);
  EXPECT_EQ(z[4].kind(), JsonKind::Float);
  EXPECT_EQ(value.find("a")->find("s")->string(), "a\u00e9\U0001F600");
  EXPECT_TRUE(value.find("a")->find("n")->isNull());
  EXPECT_EQ(value.find("b"), nullptr);
}

TEST(JsonTest, RefusesWhatIsNoJson) {
  expectRefused("", "E-JSON-SYNTAX", "at byte 0, line 1");
  expectRefused("{\"a\": NaN}", "E-JSON-SYNTAX", "at byte");
  expectRefused("[Infinity]", "E-JSON-SYNTAX", "at byte");
  expectRefused("[-Infinity]", "E-JSON-SYNTAX", "at byte");
  expectRefused("[1e999]", "E-JSON-SYNTAX", "at byte");
  expectRefused("[1,]", "E-JSON-SYNTAX", "at byte 3");
  expectRefused("{}\n\n{}", "E-JSON-SYNTAX", "at byte 4, line 3");
  expectRefused("[1] // x", "E-JSON-SYNTAX", "at byte 4");
  expectRefused("{\"a\":1", "E-JSON-SYNTAX", "at byte");
  expectRefused("[01]", "E-JSON-SYNTAX", "at byte");
  expectRefused("[\"\xff\"]", "E-JSON-SYNTAX", "at byte 2");
  expectRefused("[\"\xc0\xaf\"]", "E-JSON-SYNTAX", "at byte");
  expectRefused("[\"\\ud800\"]", "E-JSON-SYNTAX", "surrogate");
  expectRefused("[\"\n\"]", "E-JSON-SYNTAX", "control character");
  expectRefused(std::string_view("{}\0x", 4), "E-JSON-SYNTAX", "at byte 2, line 1: a NUL byte");
  expectRefused("\xEF\xBB\xBF{}", "E-JSON-SYNTAX", "byte-order mark");
}

TEST(JsonTest, RefusesDuplicateKeysAtTheSecondOne) {
  expectRefused("{\"a\":1,\n\"b\":2,\n\"a\":3}", "E-JSON-DUPLICATE-KEY",
                "the key \"a\" twice in one object (at byte 18, line 3)");
  expectRefused(R"({"x":{"k":1,"\u006b":2}})", "E-JSON-DUPLICATE-KEY", "\"k\" twice");
  parsed(R"({"a":{"a":1},"b":{"a":2}})");
  std::string large = "{";
  for (int i = 0; i < 5000; ++i)
    large += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  parsed(large + "\"k\":0}");
  expectRefused(large + "\"k4321\":0}", "E-JSON-DUPLICATE-KEY", "k4321");
}

TEST(JsonTest, RefusesDepthAndSizeBeyondTheLimits) {
  std::string nested = std::string(64, '[') + std::string(64, ']');
  parsed(nested);
  expectRefused("[" + nested + "]", "E-JSON-DEPTH", "deeper than 64 levels (at byte 65, line 1)");
  expectRefused(std::string(1 << 20, '['), "E-JSON-DEPTH", "deeper");
  expectRefused("[1,2,3]", "E-JSON-TOO-LARGE", "has 7 bytes, at most 6 are read",
                {.name = "x.json", .maxBytes = 6});
}

TEST(JsonTest, FindsMembersOfLargeObjects) {
  Json built = Json::object();
  for (int i = 0; i < 3000; ++i)
    built.set("key" + std::to_string(i * 7919 % 3000), i);
  built.set("key17", "replaced");
  EXPECT_EQ(built.size(), 3000u);
  Json read = parsed(writeJson(built));
  EXPECT_EQ(read, built);
  EXPECT_EQ(read.find("key17")->string(), "replaced");
  for (int i = 0; i < 3000; ++i) {
    std::string key = "key" + std::to_string(i * 7919 % 3000);
    if (key != "key17") {
      EXPECT_EQ(read.find(key)->integer(), i);
      EXPECT_EQ(built.find(key)->integer(), i);
    }
  }
  EXPECT_EQ(read.find("key3000"), nullptr);
}

class JsonRefTest : public testing::Test {
protected:
  JsonDocument document = *parseJson(
      R"({"n": 10000.0, "f": 1.5, "s": "x", "none": null, "neg": -1, "big": 18446744073709551615,
          "rope_scaling": {"factor": "4", "odd key": [0, {"deep": true}]}, "list": [1, [2, 3]]})",
      {.name = "config.json"});
  JsonRef root = document.root();
  template <typename T> void expectError(Expected<T> value, std::string_view id, std::string_view sentence) {
    ASSERT_FALSE(value.ok());
    EXPECT_EQ(value.error().id(), id);
    EXPECT_EQ(value.error().sentence(), sentence);
    EXPECT_EQ(value.error().exit(), Exit::BadInput);
  }
};

TEST_F(JsonRefTest, ReadsTypedMembers) {
  EXPECT_EQ(*root.getInt("n"), 10000);
  EXPECT_EQ(*root.getFloat("n"), 10000.0);
  EXPECT_EQ(*root.getFloat("neg"), -1.0);
  EXPECT_EQ(*root.getString("s"), "x");
  EXPECT_EQ(*root.getUInt("big"), UINT64_MAX);
  EXPECT_EQ((*root.getArray("list")).size(), 2u);
  EXPECT_EQ(*(*root.getObject("rope_scaling")).getString("factor"), "4");
  EXPECT_EQ(*root.findInt("none"), std::nullopt);
  EXPECT_EQ(*root.findInt("absent"), std::nullopt);
  EXPECT_EQ(*root.findFloat("f"), std::optional<double>(1.5));
  EXPECT_FALSE(root.has("none"));
  EXPECT_TRUE(root.has("s"));
}

TEST_F(JsonRefTest, ErrorsCarryThePath) {
  JsonRef scaling = *root.getObject("rope_scaling");
  expectError(scaling.getFloat("factor"), "E-JSON-TYPE",
              "config.json: `rope_scaling.factor`: expected number, got string");
  expectError(scaling.getInt("absent"), "E-JSON-MISSING", "config.json: `rope_scaling.absent` is missing");
  expectError(root.getInt("none"), "E-JSON-MISSING", "config.json: `none` is missing");
  expectError(root.getInt("f"), "E-JSON-TYPE", "config.json: `f`: expected integer, got 1.5");
  expectError(root.getInt("neg", {0, 512}), "E-JSON-RANGE",
              "config.json: `neg`: expected an integer from 0 to 512, got -1");
  expectError(root.findInt("neg", {0, 512}), "E-JSON-RANGE",
              "config.json: `neg`: expected an integer from 0 to 512, got -1");
  expectError(root.getInt("big"), "E-JSON-RANGE",
              "config.json: `big`: expected an integer of 64 bits with sign, got 18446744073709551615");
  expectError(root.getBool("s"), "E-JSON-TYPE", "config.json: `s`: expected bool, got string");
  expectError(root.getArray("s"), "E-JSON-TYPE", "config.json: `s`: expected array, got string");
  expectError(root.getObject("list"), "E-JSON-TYPE", "config.json: `list`: expected object, got array");
  expectError(root.asString(), "E-JSON-TYPE", "config.json: expected string, got object");
  JsonRef deep = (*(*root.getObject("rope_scaling")).getArray("odd key"))[1];
  expectError(deep.getString("deep"), "E-JSON-TYPE",
              "config.json: `rope_scaling[\"odd key\"][1].deep`: expected string, got bool");
  expectError((*(*root.getArray("list"))[1].asArray())[1].asBool(), "E-JSON-TYPE",
              "config.json: `list[1][1]`: expected bool, got integer");
  expectError((*root.getArray("list"))[0].get("x"), "E-JSON-TYPE",
              "config.json: `list[0]`: expected object, got integer");
}

TEST_F(JsonRefTest, RefsOutliveAMoveOfTheDocument) {
  JsonDocument moved = std::move(document);
  EXPECT_EQ(*root.getString("s"), "x");
  EXPECT_EQ(moved.root().where(), "config.json");
}

TEST(JsonWriteTest, CanonicalBytes) {
  Json value = Json::object();
  value.set("b", 1);
  value.set("a", Json::array({0.1, 1.0, 1e22, 5e-324, -0.0, 1.7976931348623157e308, NAN, true, nullptr}));
  value.set("s", "\"\\/\x01\n\x7f\u00e9\xff");
  value.set("o", Json::object());
  value.set("e", Json::array());
  EXPECT_EQ(writeJson(value),
            "{\"b\":1,\"a\":[0.1,1.0,1e+22,5e-324,-0.0,1.7976931348623157e+308,null,true,null],"
            "\"s\":\"\\\"\\\\/\\u0001\\n\x7f\u00e9\uFFFD\",\"o\":{},\"e\":[]}");
  EXPECT_EQ(writeJson(parsed("{\"a\":[1,2],\"b\":{}}"), {.indent = 2}),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}");
  EXPECT_EQ(writeJson(parsed("{\"a\":[1,2],\"b\":3}"), {.spaces = true}), "{\"a\": [1, 2], \"b\": 3}");
}

TEST(JsonWriteTest, WhatIsWrittenReadsBackEqual) {
  const char *text =
      R"({"a":[1,-1,1.0,0.30000000000000004,123456789012345680.0],"u":18446744073709551615,"s":"\u0000x"})";
  EXPECT_EQ(writeJson(parsed(text)), text);
}

TEST(JsonFileTest, ReadsAFileAndNamesIt) {
  std::string path = testing::TempDir() + "/quern_json_test.json";
  std::ofstream(path) << "{\"a\": 1, \"a\": 2}";
  Expected<JsonDocument> twice = readJsonFile(path);
  ASSERT_FALSE(twice.ok());
  EXPECT_THAT(twice.error().sentence(), HasSubstr("quern_json_test.json has the key \"a\" twice"));
  Expected<JsonDocument> large = readJsonFile(path, {.maxBytes = 3});
  ASSERT_FALSE(large.ok());
  EXPECT_EQ(large.error().id(), "E-JSON-TOO-LARGE");
  std::remove(path.c_str());
  Expected<JsonDocument> missing = readJsonFile(path);
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().id(), "E-JSON-CANNOT-READ");
  EXPECT_FALSE(readJsonFile("/").ok());
}

} // namespace
