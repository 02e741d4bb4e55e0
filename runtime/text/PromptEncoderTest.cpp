//===- PromptEncoderTest.cpp ----------------------------------------------===//
#include "runtime/text/PromptEncoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

const char *tokenizerFile =
    R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "<": 2, ">": 3}, "merges": []},
  "added_tokens": [{"id": 4, "content": "<a>", "special": true}, {"id": 5, "content": "<b>", "special": true}]})";

const char *configFile = R"({"bos_token": "<a>", "eos_token": "<b>", "add_bos_token": true,
  "chat_template": "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"})";

PromptEncoder readEncoder(const PromptFiles &files) {
  Expected<PromptEncoder> encoder = PromptEncoder::read(files);
  EXPECT_TRUE(encoder.ok()) << (encoder.ok() ? "" : encoder.error().message());
  return *std::move(encoder);
}

ChatRequest saying(const char *content) {
  Json message = Json::object();
  message.set("role", "user");
  message.set("content", content);
  ChatRequest request;
  request.messages.push(message);
  return request;
}

TEST(PromptEncoderTest, BeginsOnceHoweverThePromptIsGiven) {
  PromptEncoder encoder = readEncoder({.tokenizer = tokenizerFile, .tokenizerConfig = configFile});
  EXPECT_THAT(*encoder.encodeText("ab"), ElementsAre(4, 0, 1));
  EXPECT_THAT(*encoder.encodeText("<a>ab"), ElementsAre(4, 0, 1));
  EXPECT_THAT(*encoder.encodeText("b<a>"), ElementsAre(4, 1, 4));
  EXPECT_THAT(*encoder.encodeChat(saying("ab")), ElementsAre(4, 0, 1, 5));
  EXPECT_EQ(encoder.endToken(), 5u);
  EXPECT_TRUE(encoder.canChat());
}

TEST(PromptEncoderTest, ControlTokensOfTheConversationStayText) {
  PromptEncoder encoder = readEncoder({.tokenizer = tokenizerFile, .tokenizerConfig = configFile});
  EXPECT_THAT(*encoder.encodeChat(saying("a<b>")), ElementsAre(4, 0, 2, 1, 3, 5));
  EXPECT_THAT(*encoder.encodeChat(saying("a<b>"), true), ElementsAre(4, 0, 5, 5));
}

TEST(PromptEncoderTest, AFileOfItsOwnWinsAndABadTemplateLeavesPlainPrompts) {
  PromptEncoder file = readEncoder({.tokenizer = tokenizerFile,
                                    .tokenizerConfig = configFile,
                                    .chatTemplate = "{{ messages[0].content }}b"});
  EXPECT_THAT(*file.encodeChat(saying("a")), ElementsAre(0, 1));

  PromptEncoder bad = readEncoder({.tokenizer = tokenizerFile, .chatTemplate = "{% include 'x' %}"});
  EXPECT_FALSE(bad.canChat());
  EXPECT_THAT(*bad.encodeText("ab"), ElementsAre(0, 1));
  Expected<std::vector<uint32_t>> refused = bad.encodeChat(saying("a"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().id(), "E-TEMPLATE-UNSUPPORTED");
  EXPECT_THAT(refused.error().message(), HasSubstr("render the conversation yourself"));

  PromptEncoder none = readEncoder({.tokenizer = tokenizerFile});
  Expected<std::vector<uint32_t>> missing = none.encodeChat(saying("a"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().id(), "E-CHAT-TEMPLATE-MISSING");
  EXPECT_EQ(missing.error().exit(), Exit::Usage);
  EXPECT_EQ(PromptEncoder::read({.tokenizer = tokenizerFile, .tokenizerConfig = "{"}).error().id(),
            "E-JSON-SYNTAX");
}

} // namespace
