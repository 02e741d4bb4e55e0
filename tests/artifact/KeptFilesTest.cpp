//===- KeptFilesTest.cpp - Old artifacts that must stay readable ----------===//
//
// kept/VERSION.quern was written by the program of that version, from runtime/artifact/TinyArtifact.h as it was then.
// A file is added when the version is raised and none is ever made again: if this test fails, the reader is wrong.
// (Until 1.0, which makes the first promise, a change of format may drop the files of 0.x.)
//
//===----------------------------------------------------------------------===//
#include "runtime/artifact/Artifact.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;

namespace {

constexpr const char *folder = QUERN_SOURCE_DIR "/tests/artifact/kept/";

TEST(KeptFilesTest, Version0_1) {
  auto artifact = Artifact::open(std::string(folder) + "0.1.quern");
  ASSERT_TRUE(artifact.ok()) << artifact.error().message();
  EXPECT_TRUE(artifact->verify().ok());
  EXPECT_EQ(artifact->manifest().major, 0u);
  EXPECT_EQ(artifact->manifest().minor, 1u);
  EXPECT_EQ(artifact->manifest().model, "tiny");
  ASSERT_EQ(artifact->manifest().targets.size(), 2u);
  EXPECT_EQ(artifact->manifest().targets[1].target, "nvidia:sm_90a");
  EXPECT_EQ(*artifact->readText("config.json"), "{\"a\":1}");
  WeightBytes bytes;
  ASSERT_TRUE(artifact->readWeight(*artifact->weight("norm.weight"), bytes).ok());
  EXPECT_EQ(hexText(bytes.span()), "668bb0d5fa1f44698eb3");
  ASSERT_TRUE(artifact->readWeight(*artifact->weight("lm_head.weight"), bytes).ok());
  EXPECT_EQ(sha256(bytes.span()).hex(), "60ffe900844f39af3fa3f4d78387af0d147d479c4a6951e10430c6732659efa9");
  ASSERT_TRUE(artifact->readWeight(*artifact->weight("embed.weight"), bytes).ok());
  EXPECT_EQ(sha256(bytes.span()).hex(), "830219a4e2dcc7bad9b92a377bc909a6678b44e706cb00352d8d8086a59d1cef");
}

} // namespace
