//===- ManifestTest.cpp ---------------------------------------------------===//
#include "runtime/artifact/TinyArtifact.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string errorOf(const std::string &text) {
  auto manifest = readManifest(text, "x");
  if (manifest.ok())
    return "accepted";
  EXPECT_EQ(manifest.error().exit(), Exit::BadInput);
  return manifest.error().id() + " " + manifest.error().sentence();
}

std::string sample() {
  Manifest manifest = tinyManifest();
  manifest.members["config.json"] = sha256("c");
  manifest.provenance.set("options", Json("-O"));
  return writeManifest(manifest);
}

TEST(ManifestTest, WhatIsWrittenIsRead) {
  std::string text = sample();
  auto manifest = readManifest(text, "x");
  ASSERT_TRUE(manifest.ok()) << manifest.error().message();
  EXPECT_EQ(writeManifest(*manifest), text);
  EXPECT_EQ(manifest->targets[1].target, "nvidia:sm_90a");
  EXPECT_EQ(manifest->targets[1].folder, "nvidia-sm_90a");
  EXPECT_EQ(manifest->targets[1].rung, "fp8");
  EXPECT_EQ(manifest->limits.at("max_context"), 128u);
  EXPECT_EQ(manifest->numericContract.at("accumulate"), "f32");
  EXPECT_EQ(manifest->members.at("config.json"), sha256("c"));
}

TEST(ManifestTest, NewerMinorIsReadNewerMajorIsRefusedWithBothVersions) {
  std::string newer = replaced(sample(), "\"0.1\"", "\"0.7\"");
  newer = replaced(newer, "\"model\":", "\"something_new\": {\"a\": [1]}, \"model\":");
  auto manifest = readManifest(newer, "x");
  ASSERT_TRUE(manifest.ok()) << manifest.error().message();
  EXPECT_EQ(manifest->minor, 7u);
  EXPECT_EQ(errorOf(replaced(sample(), "\"0.1\"", "\"1.3\"")),
            "E-ARTIFACT-VERSION `x` has format version 1.3, this program reads version 0.1");
  // Of a later major version nothing but the version is read.
  EXPECT_EQ(errorOf("{\"schema\":\"quern.artifact\",\"version\":\"2.0\"}"),
            "E-ARTIFACT-VERSION `x` has format version 2.0, this program reads version 0.1");
}

TEST(ManifestTest, RefusesTheRest) {
  for (const char *text :
       {"", "[]", "{}", "{\"schema\":\"other\",\"version\":\"0.1\"}", "{\"schema\":\"quern.artifact\"}",
        "{\"schema\":\"quern.artifact\",\"version\":1}", "{\"schema\":\"quern.artifact\",\"version\":\"1\"}",
        "{\"schema\":\"quern.artifact\",\"version\":\"0.x\"}",
        "{\"schema\":\"quern.artifact\",\"version\":\"0.99999999999\"}",
        "{\"schema\":\"quern.artifact\",\"version\":\"0.1\"}"})
    EXPECT_TRUE(errorOf(text).starts_with("E-ARTIFACT-MANIFEST ")) << text << errorOf(text);
  for (auto [from, to] : {std::pair("\"model_hash\"", "\"hash\""),
                          {"\"targets\": [", "\"targets\": [1, "},
                          {"\"rung\"", "\"rank\""},
                          {"128", "-1"},
                          {"128", "\"128\""},
                          {"\"f32\"", "32"},
                          {"\"limits\": {", "\"limits\": [], \"x\": {"},
                          {"\"config.json\": \"", "\"config.json\": \"x"}})
    EXPECT_TRUE(errorOf(replaced(sample(), from, to)).starts_with("E-ARTIFACT-MANIFEST "))
        << from << " -> " << to;
}

} // namespace
