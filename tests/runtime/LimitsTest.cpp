//===- LimitsTest.cpp - What a session refuses ----------------------------===//
#include "tests/runtime/CompiledModel.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

std::string code(const Status &status) { return status.id() + " " + std::to_string(int(status.exit())); }

template <typename T> std::string code(const Expected<T> &result) {
  return result.ok() ? "accepted" : code(result.error());
}

Expected<std::unique_ptr<Session>> open(SessionOptions options) {
  QUERN_ASSIGN_OR_RETURN(std::string artifact, artifactOf("llama"));
  options.weightsDirectory = modelDirectory("llama");
  if (options.device.empty())
    options.device = "cpu";
  return Session::open(artifact, options);
}

TEST(LimitsTest, OfOpening) {
  EXPECT_EQ(code(open({.sequences = 0})), "E-SESSION-LIMITS 2");
  EXPECT_EQ(code(open({.context = 1 << 20})), "E-SESSION-LIMITS 2");
  EXPECT_EQ(code(open({.tokensPerStep = 1 << 20})), "E-SESSION-LIMITS 2");
  EXPECT_EQ(code(open({.device = "nothing"})), "E-DEVICE-NAME 2");
  EXPECT_EQ(code(open({.deviceOptions = {.memoryLimit = 100000}})), "E-DEVICE-OUT-OF-MEMORY 10");
  // Weights fit, the asked-for cache does not; without one asked for it is made to fit.
  EXPECT_EQ(code(open({.deviceOptions = {.memoryLimit = 3 << 20}, .sequences = 8, .context = 4000})),
            "E-DEVICE-OUT-OF-MEMORY 10");
  EXPECT_EQ(code(open({.deviceOptions = {.memoryLimit = 8 << 20}, .tokensPerStep = 16})), "accepted");
}

TEST(LimitsTest, OtherTarget) {
  Expected<std::string> artifact = artifactOf("llama", "nvidia:sm_90a");
  ASSERT_TRUE(artifact.ok()) << artifact.error().message();
  Expected<std::unique_ptr<Session>> session = Session::open(*artifact, {.device = "cpu"});
  EXPECT_EQ(code(session), "E-TARGET-NOT-IN-ARTIFACT 4");
}

TEST(LimitsTest, OfFeeds) {
  Expected<std::unique_ptr<Session>> opened = open({.sequences = 2, .context = 70});
  ASSERT_TRUE(opened.ok()) << opened.error().message();
  Session &session = **opened;
  Expected<int32_t> a = session.begin(), b = session.begin();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(code(session.begin()), "E-SESSION-SEQUENCES 2");
  std::vector<uint32_t> many(71, 5), few(10, 5), wrong = {1, 2, uint32_t(session.plan().validVocabulary)};
  EXPECT_EQ(code(session.run({{*a, many}})), "E-PROMPT-TOO-LONG 2");
  EXPECT_EQ(code(session.run({{*a, wrong}})), "E-TOKEN-ID-RANGE 2");
  EXPECT_EQ(code(session.run({{*a, {}}})), "E-PROMPT-EMPTY 2");
  EXPECT_EQ(code(session.run({{7, few}})), "E-SESSION-SEQUENCES 1");
  // Nothing ran, whatever stood before the wrong feed.
  EXPECT_EQ(code(session.run({{*a, few}, {*b, wrong}})), "E-TOKEN-ID-RANGE 2");
  EXPECT_EQ(session.length(*a), 0);
  // Two feeds of one sequence count together.
  EXPECT_EQ(code(session.run({{*a, std::span(many).first(40)}, {*a, std::span(many).first(31)}})),
            "E-PROMPT-TOO-LONG 2");
  EXPECT_EQ(code(session.run({{*a, std::span(many).first(70)}})), "accepted");
  EXPECT_EQ(code(session.run({{*a, std::span(few).first(1)}})), "E-PROMPT-TOO-LONG 2");
}

} // namespace
