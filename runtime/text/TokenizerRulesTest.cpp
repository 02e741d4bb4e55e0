//===- TokenizerRulesTest.cpp - Plain text, configuration, bad files ------===//
#include "runtime/text/ChatTemplate.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/text/TokenizerConfig.h"

#include "support/Philox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

using namespace quern;
using namespace quern::runtime;
using testing::ElementsAre;
using testing::HasSubstr;
using Ids = std::vector<uint32_t>;

namespace {

/// A byte-level tokenizer: the bytes, "ab" (rank 0), "abc" (1), "bc" (2), "aa" (3), "aaaa" (4), and |extra|
/// members.
std::string smallFile(const std::string &extra = "", const std::string &modelExtra = "") {
  Json vocabulary = Json::object(), merges = Json::array();
  for (int i = 0; i < 128; ++i)
    if (i > 32 && i < 127)
      vocabulary.set(std::string(1, static_cast<char>(i)), i);
  vocabulary.set("Ġ", 32);
  int next = 200;
  for (const char *token : {"ab", "abc", "bc", "aa", "aaaa"})
    vocabulary.set(token, next++);
  for (const char *merge : {"a b", "ab c", "b c", "a a", "aa aa"})
    merges.push(merge);
  return R"({"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}, "decoder": {"type": "ByteLevel"},)" +
         (extra.empty() ? "" : extra + ",") + R"("model": {"type": "BPE", "vocab": )" +
         writeJson(vocabulary) + R"(, "merges": )" + writeJson(merges) + modelExtra + "}}";
}

Tokenizer readSmall(const std::string &extra = "") {
  Expected<Tokenizer> tokenizer = Tokenizer::read(smallFile(extra));
  EXPECT_TRUE(tokenizer.ok()) << (tokenizer.ok() ? "" : tokenizer.error().message());
  return *std::move(tokenizer);
}

void expectRefused(const std::string &file, Exit exit, std::string_view id, std::string_view words) {
  Expected<Tokenizer> tokenizer = Tokenizer::read(file);
  ASSERT_FALSE(tokenizer.ok()) << file.substr(0, 200);
  EXPECT_EQ(tokenizer.error().exit(), exit) << tokenizer.error().message();
  EXPECT_EQ(tokenizer.error().id(), id) << tokenizer.error().message();
  EXPECT_THAT(tokenizer.error().message(), HasSubstr(std::string(words)));
}

const std::string control =
    R"("added_tokens": [{"id": 300, "content": "<end>", "special": true}, {"id": 301, "content": "<end", "special": false},
                        {"id": 302, "content": "  "}])";

TEST(TokenizerRulesTest, MergesByRankThenFromTheLeft) {
  Tokenizer tokenizer = readSmall();
  EXPECT_EQ(*tokenizer.encode("abc"), (Ids{201}));
  EXPECT_EQ(*tokenizer.encode("xbcabc"), (Ids{'x', 202, 201}));
  EXPECT_EQ(*tokenizer.encode("aaaaaa"), (Ids{204, 203}));
  EXPECT_EQ(*tokenizer.encode("aaab"), (Ids{203, 200}));
  EXPECT_EQ(*tokenizer.encode(""), Ids());
}

/// The definition, step by step: the pair of lowest rank, the leftmost of equals.
Ids mergedByDefinition(const std::string &text) {
  struct Rule {
    uint32_t left, right, merged;
  };
  const std::vector<Rule> rules = {
      {'a', 'b', 200}, {200, 'c', 201}, {'b', 'c', 202}, {'a', 'a', 203}, {203, 203, 204}};
  Ids symbols(text.begin(), text.end());
  for (bool changed = true; changed;) {
    changed = false;
    for (const Rule &rule : rules) {
      for (size_t i = 0; i + 1 < symbols.size() && !changed; ++i)
        if (symbols[i] == rule.left && symbols[i + 1] == rule.right) {
          symbols[i] = rule.merged;
          symbols.erase(symbols.begin() + i + 1);
          changed = true;
        }
      if (changed)
        break;
    }
  }
  return symbols;
}

TEST(TokenizerRulesTest, ShortAndLongPiecesMergeByTheDefinition) {
  Tokenizer tokenizer = readSmall();
  for (uint64_t seed = 0; seed < 60; ++seed) {
    std::string text;
    for (uint64_t i = 0; i < 5 + seed * 3; ++i)
      text += "abca"[philoxAt(seed, i)[0] % 4];
    EXPECT_EQ(*tokenizer.encode(text), mergedByDefinition(text)) << text;
  }
}

TEST(TokenizerRulesTest, PlainTextHoldsNoControlTokens) {
  Tokenizer tokenizer = readSmall(control);
  std::string text = "x<end>  <end>";
  Ids letters = {'<', 'e', 'n', 'd', '>'}, typed = letters;
  typed.insert(typed.begin(), 'x');
  typed.push_back(302); // white space controls nothing
  EXPECT_EQ(*tokenizer.encode(text), (Ids{'x', 300, 302, 300}));

  std::vector<ByteRange> first = {{0, 6}};
  Ids expected = typed;
  expected.push_back(300);
  EXPECT_EQ(*tokenizer.encode(text, {.plain = first}), expected);
  expected.pop_back();
  expected.insert(expected.end(), letters.begin(), letters.end());
  EXPECT_EQ(*tokenizer.encode(text, {.allPlain = true}), expected);

  // One plain byte is enough, and a shorter token that ends before it is still found.
  std::vector<ByteRange> bracket = {{5, 6}};
  EXPECT_EQ(*tokenizer.encode("x<end>", {.plain = bracket}), (Ids{'x', 301, '>'}));
}

TEST(TokenizerRulesTest, PlainMarksSurviveNormalisation) {
  Tokenizer tokenizer = readSmall(
      R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "ab"}, {"type": "NFC"},
           {"type": "Replace", "pattern": {"String": "e"}, "content": "a"}]},
         "added_tokens": [{"id": 300, "content": "<e>", "normalized": true}])");
  // The token is looked for as "ab<a>", what its content becomes; so is the text.
  EXPECT_EQ(*tokenizer.encode("<e>x"), (Ids{300, 'x'}));
  std::vector<ByteRange> inside = {{1, 2}};
  EXPECT_EQ(*tokenizer.encode("<e>x", {.plain = inside}), (Ids{200, '<', 'a', '>', 'x'}));
}

TEST(TokenizerRulesTest, DecodesIdsInGapsToNothingAndRefusesOthers) {
  Tokenizer tokenizer = readSmall(control);
  EXPECT_EQ(tokenizer.size(), 303u);
  EXPECT_EQ(*tokenizer.decode(Ids{'a', 250, 300, 301}), "a<end");
  EXPECT_EQ(*tokenizer.decode(Ids{'a', 250, 300, 301}, false), "a<end><end");
  Expected<std::string> refused = tokenizer.decode(Ids{'a', 303});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().id(), "E-TOKEN-ID-RANGE");
  EXPECT_EQ(refused.error().exit(), Exit::Usage);
  Expected<Ids> tooLong = tokenizer.encode({"x", (size_t(1) << 30) + 1}); // refused by its length, not read
  ASSERT_FALSE(tooLong.ok());
  EXPECT_EQ(tooLong.error().id(), "E-TEXT-TOO-LONG");
  EXPECT_EQ(tokenizer.token(300), "<end>");
  EXPECT_TRUE(tokenizer.isSpecial(300));
  EXPECT_FALSE(tokenizer.isSpecial(301));
  EXPECT_EQ(tokenizer.find("<end"), 301u);
  EXPECT_EQ(tokenizer.find("nothing"), std::nullopt);
}

TEST(TokenizerRulesTest, ConfigurationAddsEndsOnce) {
  JsonDocument document = *parseJson(
      R"({"bos_token": {"content": "<end>"}, "eos_token": "<end", "add_bos_token": true, "add_eos_token": true,
          "chat_template": [{"name": "default", "template": "A"}, {"name": "tool_use", "template": "B"}]})");
  TokenizerConfig config = *TokenizerConfig::read(document.root());
  EXPECT_EQ(config.chatTemplates.at("tool_use"), "B");
  Tokenizer tokenizer = readSmall(control);
  EXPECT_EQ(config.endTokenId(tokenizer), 301u);
  ASSERT_TRUE(config.apply(tokenizer).ok());
  ASSERT_TRUE(config.apply(tokenizer).ok());
  EXPECT_EQ(*tokenizer.encode("x"), (Ids{300, 'x', 301}));
  EXPECT_EQ(*tokenizer.encode("x", {.addSpecialTokens = false}), (Ids{'x'}));
  Tokenizer without = readSmall();
  Status status = config.apply(without);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.id(), "E-TOKENIZER-CONFIG");
}

TEST(TokenizerRulesTest, TheDemoSpeaksItsChatTemplate) {
  const std::string folder = std::string(QUERN_SOURCE_DIR) + "/tests/models/demo/";
  JsonDocument file = *readJsonFile(folder + "tokenizer.json"),
               golden = *readJsonFile(folder + "text_golden.json"),
               settings = *readJsonFile(folder + "tokenizer_config.json");
  TokenizerConfig config = *TokenizerConfig::read(settings.root());
  Tokenizer tokenizer = *Tokenizer::read(file.root());
  ASSERT_TRUE(config.apply(tokenizer).ok());
  ChatTemplate chat = *ChatTemplate::read(config.chatTemplates.at("default"));
  auto idsOf = [](const Json &json) {
    Ids ids;
    for (const Json &id : json.items())
      ids.push_back(static_cast<uint32_t>(id.integer()));
    return ids;
  };
  for (const Json &row : golden.value().find("texts")->items()) {
    const std::string &text = row.find("text")->string();
    EXPECT_EQ(*tokenizer.encode(text, {.addSpecialTokens = false}), idsOf(*row.find("ids"))) << text;
    EXPECT_EQ(*tokenizer.encode(text), idsOf(*row.find("ids_with_special"))) << text;
    EXPECT_EQ(*tokenizer.decode(idsOf(*row.find("ids")), false), row.find("decoded")->string());
  }
  for (const Json &row : golden.value().find("chats")->items()) {
    ChatRequest request;
    request.messages = *row.find("messages");
    request.beginToken = config.beginToken;
    request.endToken = config.endToken;
    request.addGenerationPrompt = row.find("add_generation_prompt")->boolean();
    RenderedPrompt prompt = *chat.render(request);
    EXPECT_EQ(prompt.text, row.find("rendered")->string());
    Ids ids = *tokenizer.encode(prompt.text, {.addSpecialTokens = false, .plain = prompt.plain});
    EXPECT_EQ(ids, idsOf(*row.find("ids")));
    EXPECT_EQ(std::count(ids.begin(), ids.end(), *tokenizer.find(config.beginToken)), 1);
  }
}

TEST(TokenizerRulesTest, RefusesUnknownComponentsByName) {
  auto unknown = [](const std::string &extra, std::string_view words) {
    expectRefused(smallFile(extra), Exit::Unsupported, "E-TOKENIZER-COMPONENT", words);
  };
  unknown(R"("normalizer": {"type": "NFKC"})",
          "tokenizer.json: `normalizer`: the normalizer `NFKC` is not supported");
  unknown(R"("normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]})",
          "`normalizer.normalizers[1]`: the normalizer `Lowercase`");
  unknown(R"("post_processor": {"type": "BertProcessing"})", "the post-processor `BertProcessing`");
  expectRefused(
      R"({"pre_tokenizer": {"type": "Whitespace"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})",
      Exit::Unsupported, "E-TOKENIZER-COMPONENT", "the pre-tokenizer `Whitespace`");
  expectRefused(R"({"decoder": {"type": "CTC"}, "model": {"type": "BPE", "vocab": {}, "merges": []}})",
                Exit::Unsupported, "E-TOKENIZER-COMPONENT", "the decoder `CTC`");
  expectRefused(R"({"model": {"type": "Unigram", "vocab": []}})", Exit::Unsupported, "E-TOKENIZER-COMPONENT",
                "the model `Unigram`");
  for (const char *option :
       {R"(, "dropout": 0.1)", R"(, "continuing_subword_prefix": "##")", R"(, "end_of_word_suffix": "</w>")"})
    expectRefused(smallFile("", option), Exit::Unsupported, "E-TOKENIZER-COMPONENT", "is not supported");
  auto sequence = [](std::string kind, std::string list, std::string inner) {
    return R"({")" + kind + R"(": {"type": "Sequence", ")" + list + R"(": [)" + inner +
           R"(]}, "model": {"type": "BPE", "vocab": {}, "merges": []}})";
  };
  expectRefused(sequence("decoder", "decoders", R"({"type": "Fuse"}, {"type": "ByteFallback"})"),
                Exit::Unsupported, "E-TOKENIZER-COMPONENT",
                "the decoder `ByteFallback` behind one that joins the tokens");
  expectRefused(sequence("pre_tokenizer", "pretokenizers",
                         R"({"type": "Split", "pattern": {"Regex": "\\p{Han}+"}, "behavior": "Isolated"})"),
                Exit::Unsupported, "E-TOKENIZER-REGEX",
                "`pre_tokenizer.pretokenizers[0].pattern`: the pattern uses `\\p{Han}`");
  expectRefused(sequence("pre_tokenizer", "pretokenizers",
                         R"({"type": "Split", "pattern": {"String": "x"}, "behavior": "Random"})"),
                Exit::Unsupported, "E-TOKENIZER-COMPONENT", "the Split behavior `Random`");
}

TEST(TokenizerRulesTest, RefusesFilesThatContradictThemselves) {
  auto model = [](std::string vocabulary, std::string merges, std::string more = "") {
    return R"({"model": {"type": "BPE", "vocab": )" + vocabulary + R"(, "merges": )" + merges + more + "}}";
  };
  expectRefused("{", Exit::BadInput, "E-JSON-SYNTAX", "tokenizer.json is not valid JSON");
  expectRefused("{}", Exit::BadInput, "E-JSON-MISSING", "`model` is missing");
  expectRefused(model("[]", "[]"), Exit::BadInput, "E-JSON-TYPE",
                "`model.vocab`: expected object, got array");
  expectRefused(model(R"({"a": 0, "b": 0})", "[]"), Exit::BadInput, "E-TOKENIZER-VOCAB",
                "id 0 stands for `a` and for `b`");
  expectRefused(model(R"({"a": 0, "a": 1})", "[]"), Exit::BadInput, "E-JSON-DUPLICATE-KEY", "\"a\" twice");
  expectRefused(model(R"({"a": -1})", "[]"), Exit::BadInput, "E-TOKENIZER-VOCAB",
                "the id of \"a\" is no integer");
  expectRefused(model(R"({"a": 99999999})", "[]"), Exit::BadInput, "E-TOKENIZER-VOCAB",
                "the id of \"a\" is no integer");
  expectRefused(model(R"({"a": 0})", R"(["a b"])"), Exit::BadInput, "E-TOKENIZER-MERGES",
                "merge 0 (\"a b\") uses a token");
  expectRefused(model(R"({"a": 0})", R"([["a", "a"]])"), Exit::BadInput, "E-TOKENIZER-MERGES",
                "makes a token that is not");
  expectRefused(model(R"({"a": 0})", R"(["aa"])"), Exit::BadInput, "E-TOKENIZER-MERGES", "one space between");
  expectRefused(model(R"({"a": 0})", R"([["a"]])"), Exit::BadInput, "E-TOKENIZER-MERGES",
                "neither a string nor a pair");
  expectRefused(model(R"({"a": 0})", "[]", R"(, "unk_token": "x")"), Exit::BadInput, "E-TOKENIZER-VOCAB",
                "`unk_token`");
  expectRefused(smallFile(R"("added_tokens": [{"id": 97, "content": "<x>"}])"), Exit::BadInput,
                "E-TOKENIZER-ADDED-TOKEN",
                "`added_tokens[0]`: the model's vocabulary gives this id to another token");
  expectRefused(smallFile(R"("added_tokens": [{"id": 98, "content": "a"}])"), Exit::BadInput,
                "E-TOKENIZER-ADDED-TOKEN", "gives this content the id 97");
  expectRefused(smallFile(R"("added_tokens": [{"id": 300, "content": "x1"}, {"id": 300, "content": "x2"}])"),
                Exit::BadInput, "E-TOKENIZER-VOCAB", "id 300 stands for");
  expectRefused(smallFile(R"("added_tokens": [{"id": 300, "content": ")" + std::string(2000, 'x') + "\"}]"),
                Exit::BadInput, "E-TOKENIZER-ADDED-TOKEN", "2000 characters");
  expectRefused(
      smallFile(R"("post_processor": {"type": "TemplateProcessing", "single": [], "special_tokens": {}})"),
      Exit::BadInput, "E-TOKENIZER-TEMPLATE", "no place for the text");
  expectRefused(
      smallFile(R"("post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "s"}}],
                            "special_tokens": {"s": {"ids": [999]}}})"),
      Exit::BadInput, "E-JSON-RANGE", "to 204, got 999");
}

TEST(TokenizerRulesTest, LongTextStaysFast) {
  Tokenizer tokenizer = readSmall(control);
  for (const char *unit : {"a", "ab", "<end", "<", "  x", "abc "}) {
    std::string text;
    while (text.size() < 1'000'000)
      text += unit;
    Expected<Ids> ids = tokenizer.encode(text);
    ASSERT_TRUE(ids.ok());
    EXPECT_EQ(*tokenizer.decode(*ids), text);
  }
}

} // namespace
