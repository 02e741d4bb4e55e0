//===- ChatTemplateTest.cpp - Equal prompts to jinja2 ---------------------===//
//
// The goldens are made by scripts/text/make_template_goldens.py.
//
//===----------------------------------------------------------------------===//
#include "runtime/text/ChatTemplate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>

using namespace quern;
using namespace quern::runtime;
using testing::HasSubstr;

namespace {

const std::string folder = std::string(QUERN_SOURCE_DIR) + "/tests/text/templates/";

Json readRows(const std::string &name) {
  Expected<JsonDocument> document = readJsonFile(folder + name);
  EXPECT_TRUE(document.ok()) << (document.ok() ? "" : document.error().message());
  return document.ok() ? document->value() : Json::array();
}

std::string readText(const std::string &path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

Json conversation(const std::string &name) {
  Json rows = readRows("conversations.json");
  for (const Json &row : rows.items())
    if (row.find("name")->string() == name)
      return *row.find("messages");
  ADD_FAILURE() << name;
  return Json::array();
}

/// 5 November 2024, 13:07:09, as in the script.
std::tm fixedTime() {
  std::tm time = {};
  time.tm_year = 124, time.tm_mon = 10, time.tm_mday = 5, time.tm_hour = 13, time.tm_min = 7, time.tm_sec = 9;
  time.tm_wday = 2, time.tm_yday = 309;
  return time;
}

Expected<std::string> render(std::string_view source, ChatRequest request = {}) {
  QUERN_ASSIGN_OR_RETURN(ChatTemplate chat, ChatTemplate::read(source));
  QUERN_ASSIGN_OR_RETURN(RenderedPrompt prompt, chat.render(request));
  return prompt.text;
}

void expectError(std::string_view source, Exit exit, std::string_view id, std::string_view words) {
  Expected<std::string> text = render(source);
  ASSERT_FALSE(text.ok()) << source;
  EXPECT_EQ(text.error().id(), id) << text.error().message();
  EXPECT_EQ(text.error().exit(), exit) << text.error().message();
  EXPECT_THAT(text.error().message(), HasSubstr(std::string(words)));
}

TEST(ChatTemplateTest, FamilyTemplatesRenderAsByJinja) {
  std::map<std::string, Json> conversations;
  Json named = readRows("conversations.json");
  for (const Json &row : named.items())
    conversations[row.find("name")->string()] = *row.find("messages");
  Json rows = readRows("expected.json");
  ASSERT_GT(rows.size(), 300u);
  for (const Json &row : rows.items()) {
    ChatRequest request;
    request.messages = conversations.at(row.find("conversation")->string());
    request.beginToken = "<s>";
    request.endToken = "</s>";
    request.now = fixedTime();
    request.addGenerationPrompt = row.find("add_generation_prompt")->boolean();
    if (!row.find("tools")->isNull())
      request.tools = *row.find("tools");
    for (const char *name : {"enable_thinking", "thinking"})
      if (const Json *value = row.find(name))
        request.variables.set(name, *value);
    SCOPED_TRACE(writeJson(row).substr(0, 200));
    Expected<std::string> text = render(readText(folder + row.find("template")->string()), request);
    if (row.find("text")->isNull()) {
      EXPECT_FALSE(text.ok());
      continue;
    }
    ASSERT_TRUE(text.ok()) << text.error().message();
    EXPECT_EQ(*text, row.find("text")->string());
  }
}

TEST(ChatTemplateTest, ConstructsPrintAsByJinja) {
  Json rows = readRows("snippets.json"), messages = conversation("turns");
  ASSERT_GT(rows.size(), 100u);
  for (const Json &row : rows.items()) {
    ChatRequest request;
    request.messages = messages;
    request.now = fixedTime();
    SCOPED_TRACE(row.find("source")->string());
    Expected<std::string> text = render(row.find("source")->string(), request);
    if (row.find("text")->isNull()) {
      EXPECT_FALSE(text.ok()) << *text;
      continue;
    }
    EXPECT_TRUE(text.ok()) << text.error().message();
    if (text.ok())
      EXPECT_EQ(*text, row.find("text")->string());
  }
}

TEST(ChatTemplateTest, RefusesByNameAndLine) {
  expectError("a\nb\n{% include 'x' %}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED",
              "line 3: the statement `include`");
  expectError("{% extends 'x' %}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", "`extends`");
  expectError("\n{{ 1 | urlize }}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED",
              "line 2: the filter `urlize`");
  expectError("{{ 1 is callable }}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", "the test `callable`");
  expectError("{{ [].append(1) }}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", "the method `append`");
  expectError("{{ '%s' % 1 }}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", "`%` behind a string");
  expectError("{{ [1] | map('urlize') | list }}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED",
              "the filter `urlize`");
  expectError("{% for x in [1] %}{{ loop.changed }}{% endfor %}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED",
              "loop.changed");
  expectError("{% for x in y recursive %}{% endfor %}", Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED",
              "recursive");
  expectError("a\n{{ (1 }}", Exit::BadInput, "E-TEMPLATE-SYNTAX", "line 2: unexpected `}`");
  expectError("{% if true %}", Exit::BadInput, "E-TEMPLATE-SYNTAX", "expected `endif`");
  expectError("{{ x.y.z }}", Exit::BadInput, "E-TEMPLATE-EVALUATION", "`x` is undefined, so it has no `y`");
  expectError("{{ 'a' | join(1, 2, 3) }}", Exit::BadInput, "E-TEMPLATE-EVALUATION", "takes at most 2");
  expectError("{{ raise_exception('roles must alternate') }}", Exit::Usage, "E-TEMPLATE-RAISED",
              "roles must alternate");
  expectError(std::string(2 << 20, 'x'), Exit::BadInput, "E-TEMPLATE-SYNTAX", "bytes");
}

TEST(ChatTemplateTest, EndsWhateverTheTemplateSays) {
  auto limited = [](std::string_view source, std::string_view words) {
    expectError(source, Exit::BadInput, "E-TEMPLATE-LIMIT", words);
  };
  limited("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nested deeper");
  limited("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "more work");
  limited("{{ range(99999999999) | length }}", "too long");
  limited("{{ 'x' * 99999999999 }}", "too long");
  limited("{{ 'xxxxxxxx' * 1000000 ~ 'x' * 9000000 }}", "too long");
  limited("{% set ns = namespace(x='ab') %}{% for i in range(40) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
          "too long");
  limited("{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor "
          "%}{{ ns.x }}",
          "too large");
  limited("{% set ns = namespace(x=[1]) %}{% for i in range(200) %}{% set ns.x = [ns.x] %}{% endfor %}",
          "too deep");
  limited("{% for i in range(20) %}{{ 'x' * 1000000 }}{% endfor %}", "longer than");
  limited(
      "{% for i in range(10000) %}{{ 'xxxxxxxxxxxxxxxx' * 1000 == 'xxxxxxxxxxxxxxxx' * 1000 }}{% endfor %}",
      "more work");
  limited("{{ 'aaaaaaaa' | replace('a', 'b' * 9000000) }}", "too long");
  expectError("{% set n = namespace() %}{% set n.n = n %}", Exit::BadInput, "E-TEMPLATE-EVALUATION",
              "can not hold a namespace");
  expectError("{{ " + std::string(5000, '(') + std::string(5000, ')') + " }}", Exit::BadInput,
              "E-TEMPLATE-SYNTAX", "deeper");
  expectError("{{ " + std::string(5000, '[') + std::string(5000, ']') + " }}", Exit::BadInput,
              "E-TEMPLATE-SYNTAX", "deeper");
  expectError("{{ " + std::string(5000, '-') + "1 }}", Exit::BadInput, "E-TEMPLATE-SYNTAX", "deeper");
  std::string sum = "{{ 1", ifs, nots = "{{ ";
  for (int i = 0; i < 5000; ++i) {
    sum += " + 1";
    ifs += "{% if 1 %}";
    nots += "not ";
  }
  expectError(sum + " }}", Exit::BadInput, "E-TEMPLATE-SYNTAX", "deeper");
  expectError(ifs, Exit::BadInput, "E-TEMPLATE-SYNTAX", "deeper");
  expectError(nots + "1 }}", Exit::BadInput, "E-TEMPLATE-SYNTAX", "deeper");
  for (const char *overflow :
       {"{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775807 - 2 }}", "{{ 10 ** 30 }}",
        "{{ 9223372036854775807 * 2 }}", "{{ (-9223372036854775807 - 1) // -1 }}"})
    expectError(overflow, Exit::BadInput, "E-TEMPLATE-EVALUATION", "out of range");
  expectError("{{ 99999999999999999999 }}", Exit::BadInput, "E-TEMPLATE-SYNTAX", "out of range");
}

/// The plain parts of what |source| prints, each in angle brackets.
std::string marked(std::string_view source) {
  ChatRequest request;
  Json message = Json::object();
  message.set("role", "user");
  message.set("content", " <end>hé</end> ");
  request.messages.push(message);
  request.endToken = "<end>";
  ChatTemplate chat = *ChatTemplate::read(source);
  Expected<RenderedPrompt> prompt = chat.render(request);
  EXPECT_TRUE(prompt.ok()) << (prompt.ok() ? "" : prompt.error().message());
  std::string out;
  size_t done = 0;
  for (ByteRange range : prompt->plain) {
    out += prompt->text.substr(done, range.begin - done) + "<<" +
           prompt->text.substr(range.begin, range.end - range.begin) + ">>";
    done = range.end;
  }
  return out + prompt->text.substr(done);
}

TEST(ChatTemplateTest, KnowsWhatCameFromTheConversation) {
  EXPECT_EQ(marked("{{ '[' + messages[0].content + ']' + eos_token }}"), "[<< <end>hé</end> >>]<end>");
  EXPECT_EQ(marked("{{ messages[0].content | trim ~ '|' }}"), "<<<end>hé</end>>>|");
  EXPECT_EQ(marked("{{ messages[0].content.split('>')[1] ~ '|' ~ messages[0].content[6:8] }}"),
            "<<hé</end>>|<<hé>>");
  EXPECT_EQ(marked("{{ messages[0].content.replace('<end>', eos_token) }}"), "<< >><end><<hé</end> >>");
  EXPECT_EQ(marked("{{ ('<a>' ~ messages[0].role) | upper }}"), "<<<A>USER>>");
  EXPECT_EQ(marked("<b>{{ messages[0] | tojson }}"),
            "<b><<{\"role\": \"user\", \"content\": \" <end>hé</end> \"}>>");
  EXPECT_EQ(marked("{{ ['a', messages[0].role, 'b'] | join('-') }}"), "a-<<user>>-b");
  EXPECT_EQ(marked("{% for c in messages[0].role %}{{ c }}.{% endfor %}"), "<<u>>.<<s>>.<<e>>.<<r>>.");
  EXPECT_EQ(marked("{{ messages[0].keys() | list }}"), "[<<'role'>>, <<'content'>>]");
  EXPECT_EQ(marked("{{ messages | length }}{{ 'x' if 'end' in messages[0].content }}"), "1x");
}

} // namespace
