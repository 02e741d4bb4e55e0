//===- EmulatedTest.cpp - Compiled models on the emulated devices -----------===//
//
// The short prompts of every checkpoint, on the rung that the target takes, against the goldens of that rung.
//
//===----------------------------------------------------------------------===//
#include "tests/runtime/CompiledModel.h"

#include "runtime/emulated/EmulatedDevice.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

constexpr size_t kLongest = 8; // tokens of a prompt: the machines are slow

class EmulatedTest : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
protected:
  std::unique_ptr<Session> open(SessionOptions options) {
    auto [model, target] = GetParam();
    options.device = "emulated:" + target;
    options.deviceOptions.emulated = &emulated::openEmulatedDevice;
    return openModel(model, std::move(options), target);
  }
};

TEST_P(EmulatedTest, ShortPrompts) {
  std::unique_ptr<Session> session = open({.context = 64});
  ASSERT_TRUE(session);
  EXPECT_EQ(session->plan().target, std::get<1>(GetParam()));
  std::cout << "  rung " << session->plan().rung << "\n";
  Expected<std::vector<GoldenCase>> cases = readGoldens(modelDirectory(std::get<0>(GetParam())));
  ASSERT_TRUE(cases.ok()) << cases.error().message();
  expectGoldenLogits(*session, *cases, kLongest);
}

/// Two sequences in steps of three tokens, from memory that holds NaN, give the bits of one sequence in one
/// step.
TEST_P(EmulatedTest, StepsAndSequences) {
  std::unique_ptr<Session> session =
      open({.sequences = 2, .context = 64, .tokensPerStep = 8, .batchInvariant = true, .poison = true});
  ASSERT_TRUE(session);
  std::vector<int32_t> tokens = {5, 9, 200, 17, 33, 4, 101};
  std::vector<uint32_t> ids = idsOf(tokens);
  Logits whole = logitsOf(*session, tokens);
  Expected<int32_t> a = session->begin(), b = session->begin();
  ASSERT_TRUE(a.ok() && b.ok());
  std::vector<float> got[2];
  for (size_t at = 0; at < ids.size(); at += 3) {
    std::span<const uint32_t> piece = std::span(ids).subspan(at, std::min<size_t>(3, ids.size() - at));
    std::vector<Feed> feeds = {{*b, piece, RowChoice::All}, {*a, piece, RowChoice::All}};
    Status status = session->run(feeds, [&](size_t feed, size_t, std::span<const float> logits) {
      got[feed].insert(got[feed].end(), logits.begin(), logits.end());
      return Status::success();
    });
    ASSERT_TRUE(status.ok()) << status.message();
  }
  EXPECT_EQ(whole.values, got[0]);
  EXPECT_EQ(whole.values, got[1]);
}

INSTANTIATE_TEST_SUITE_P(Models, EmulatedTest,
                         ::testing::Combine(::testing::ValuesIn(goldenModels()),
                                            ::testing::Values("nvidia:sm_90a", "amd:gfx942", "amd:gfx1201")),
                         [](const auto &info) {
                           std::string name = std::get<0>(info.param) + "_" + std::get<1>(info.param);
                           for (char &c : name)
                             c = isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

} // namespace
