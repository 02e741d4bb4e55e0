//===- TokenizerTest.cpp - Equal ids to Hugging Face's tokenizers ---------===//
//
// The goldens are made by scripts/text/make_tokenizer_goldens.py, one small trained tokenizer per pipeline.
//
//===----------------------------------------------------------------------===//
#include "runtime/text/Tokenizer.h"

#include "runtime/text/Utf8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace quern;
using namespace quern::runtime;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

JsonDocument readGolden(const std::string &name) {
  Expected<JsonDocument> document =
      readJsonFile(std::string(QUERN_SOURCE_DIR) + "/tests/text/" + name, {.maxBytes = 64 << 20});
  EXPECT_TRUE(document.ok()) << (document.ok() ? "" : document.error().message());
  return document.ok() ? *std::move(document) : JsonDocument("", Json::array());
}

std::vector<uint32_t> readIds(const Json &json) {
  std::vector<uint32_t> ids;
  for (const Json &id : json.items())
    ids.push_back(static_cast<uint32_t>(id.integer()));
  return ids;
}

Tokenizer readTokenizer(JsonRef json) {
  Expected<Tokenizer> tokenizer = Tokenizer::read(json);
  EXPECT_TRUE(tokenizer.ok()) << (tokenizer.ok() ? "" : tokenizer.error().message());
  if (!tokenizer.ok())
    abort();
  return *std::move(tokenizer);
}

template <typename T> T check(Expected<T> value) {
  EXPECT_TRUE(value.ok()) << (value.ok() ? "" : value.error().message());
  return value.ok() ? *std::move(value) : T();
}

void checkPipeline(const std::string &name) {
  Tokenizer tokenizer = readTokenizer(readGolden(name + "/tokenizer.json").root());
  JsonDocument corpus = readGolden("corpus.json"), expected = readGolden(name + "/expected.json");
  ASSERT_EQ(corpus.value().size(), expected.value().size());
  ASSERT_GT(corpus.value().size(), 200u);
  for (size_t i = 0; i < corpus.value().size(); ++i) {
    const std::string &text = corpus.value().items()[i].string();
    const Json &row = expected.value().items()[i];
    SCOPED_TRACE("text " + std::to_string(i) + ": " + writeJson(Json(text.substr(0, 200))));
    std::vector<uint32_t> ids = readIds(*row.find("ids"));
    ASSERT_EQ(check(tokenizer.encode(text, {.addSpecialTokens = false})), ids);
    ASSERT_EQ(check(tokenizer.encode(text)),
              row.find("with_special") ? readIds(*row.find("with_special")) : ids);

    std::string decoded = row.find("decoded") ? row.find("decoded")->string() : text;
    std::string decodedAll = row.find("decoded_all") ? row.find("decoded_all")->string() : decoded;
    ASSERT_EQ(check(tokenizer.decode(ids)), decoded);
    ASSERT_EQ(check(tokenizer.decode(ids, false)), decodedAll);

    Tokenizer::Stream stream(tokenizer, false);
    std::string streamed;
    for (uint32_t id : ids) {
      std::string part = check(stream.push(id));
      ASSERT_EQ(repairUtf8(part), part) << "a character was split";
      streamed += part;
    }
    streamed += check(stream.finish());
    ASSERT_EQ(streamed, decodedAll);
  }
}

TEST(TokenizerTest, EveryPipelineGivesTheSameIdsAndTexts) {
  JsonDocument names = readGolden("pipelines.json");
  ASSERT_GE(names.value().size(), 6u);
  for (const Json &name : names.value().items()) {
    SCOPED_TRACE(name.string());
    checkPipeline(name.string());
  }
}

TEST(TokenizerTest, OtherComponentsGiveTheSameIds) {
  JsonDocument base = readGolden("v3/tokenizer.json"), variants = readGolden("variants.json");
  const std::vector<Json> &texts = variants.value().items()[0].find("texts")->items();
  for (size_t v = 1; v < variants.value().size(); ++v) {
    const Json &variant = variants.value().items()[v];
    Json file = base.value();
    for (const char *part : {"pre_tokenizer", "normalizer"})
      if (const Json *changed = variant.find(part))
        file.set(part, *changed);
    SCOPED_TRACE(writeJson(variant).substr(0, 300));
    Tokenizer tokenizer = readTokenizer(JsonDocument("tokenizer.json", file).root());
    for (size_t i = 0; i < texts.size(); ++i)
      ASSERT_EQ(check(tokenizer.encode(texts[i].string(), {.addSpecialTokens = false})),
                readIds(variant.find("ids")->items()[i]))
          << writeJson(texts[i]);
  }
}

} // namespace
