//===- TextEqualityTest.cpp - The same text on every kind of device -------===//
//
// The demo's greedy continuation of one prompt, on the CPU and on emulated devices whose rung quantises
// activations where the CPU's does not. Two right rungs may choose differently where the two best tokens are
// close: so the prompt is one whose continuation is nowhere close, which the test checks first.
//
//===----------------------------------------------------------------------===//
#include "tests/runtime/CompiledModel.h"

#include "runtime/Generate.h"
#include "runtime/ModelText.h"
#include "runtime/emulated/EmulatedDevice.h"

#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using namespace quern::testing;

namespace {

constexpr const char *kPrompt =
    "Now the rest of the acts of Jehu, and all that he did, and all his might, are they";
constexpr size_t kTokens = 16;

/// What one device says, and how sure the model is of each token.
struct Answer {
  std::vector<int32_t> prompt, tokens;
  std::vector<double> gaps;
  std::string text;
};

void answerOn(const std::string &target, Answer &answer) {
  SessionOptions options{.context = 64};
  if (target != "cpu") {
    options.device = "emulated:" + target;
    options.deviceOptions.emulated = &emulated::openEmulatedDevice;
  }
  std::unique_ptr<Session> session = openModel("demo", std::move(options), target);
  ASSERT_TRUE(session);
  Expected<ModelText> text = ModelText::read(session->artifact());
  ASSERT_TRUE(text.ok()) << text.error().message();
  Expected<std::vector<uint32_t>> ids = text->encode(kPrompt);
  ASSERT_TRUE(ids.ok());
  answer.prompt.assign(ids->begin(), ids->end());
  Expected<int32_t> sequence = session->begin();
  ASSERT_TRUE(sequence.ok());
  GenerateOptions greedy;
  greedy.maxTokens = kTokens;
  greedy.sampling.temperature = 0;
  Expected<GenerateReport> report =
      generate(*session, *sequence, *ids, greedy, [&](uint32_t token) -> Expected<bool> {
        answer.tokens.push_back(int32_t(token));
        return true;
      });
  ASSERT_TRUE(report.ok()) << report.error().message();
  ASSERT_TRUE(session->end(*sequence).ok());
  ASSERT_EQ(answer.tokens.size(), kTokens);
  Expected<std::string> decoded = text->tokenizer()->decode(idsOf(answer.tokens));
  ASSERT_TRUE(decoded.ok());
  answer.text = *decoded;
  if (target != "cpu")
    return;
  std::vector<int32_t> all = answer.prompt;
  all.insert(all.end(), answer.tokens.begin(), answer.tokens.end());
  Logits logits = logitsOf(*session, all);
  for (size_t i = 0; i < kTokens; ++i)
    answer.gaps.push_back(topGap(logits.row(int64_t(answer.prompt.size() + i) - 1)));
}

TEST(TextEquality, OneGreedyContinuationOnEveryDevice) {
  Answer cpu;
  answerOn("cpu", cpu);
  ASSERT_EQ(cpu.tokens.size(), kTokens);
  std::cout << "  " << kPrompt << " |" << cpu.text << "\n";
  // The bound of the fp8 rung, which is the wider one: nowhere may a right rung choose otherwise.
  for (size_t i = 0; i < kTokens; ++i)
    EXPECT_GT(cpu.gaps[i], kFp8.gap) << "token " << i << ": another prompt is needed";
  for (const char *target : {"nvidia:sm_90a", "amd:gfx942", "amd:gfx1201"}) {
    Answer other;
    answerOn(target, other);
    EXPECT_EQ(other.tokens, cpu.tokens) << target << " says:" << other.text;
    EXPECT_EQ(other.text, cpu.text) << target;
  }
}

} // namespace
