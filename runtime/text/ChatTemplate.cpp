//===- ChatTemplate.cpp ---------------------------------------------------===//
#include "runtime/text/ChatTemplate.h"

#include "runtime/text/Utf8.h"
#include "runtime/text/chat/Evaluator.h"
#include "runtime/text/chat/Syntax.h"

namespace quern::runtime {

struct ChatTemplate::Parsed {
  chat::Syntax syntax;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Parsed> parsed) : parsed(std::move(parsed)) {}
ChatTemplate::ChatTemplate(ChatTemplate &&) noexcept = default;
ChatTemplate &ChatTemplate::operator=(ChatTemplate &&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

Expected<ChatTemplate> ChatTemplate::read(std::string_view source) {
  if (source.size() > maxSourceBytes)
    return Status::error(Exit::BadInput, "E-TEMPLATE-SYNTAX",
                         "the chat template has " + std::to_string(source.size()) + " bytes, at most " +
                             std::to_string(maxSourceBytes) + " are read");
  QUERN_ASSIGN_OR_RETURN(chat::Syntax syntax, chat::parseTemplate(repairUtf8(source)));
  auto parsed = std::make_unique<Parsed>();
  parsed->syntax = std::move(syntax);
  return ChatTemplate(std::move(parsed));
}

Expected<RenderedPrompt> ChatTemplate::render(const ChatRequest &request) const {
  chat::Scope globals;
  for (const Json::Member &member : request.variables.members())
    globals.variables[member.key] = chat::Value::fromJson(member.value, true);
  globals.variables["messages"] = chat::Value::fromJson(request.messages, true);
  globals.variables["tools"] =
      request.tools ? chat::Value::fromJson(*request.tools, true) : chat::Value::none();
  globals.variables["documents"] = chat::Value::none();
  globals.variables["bos_token"] = chat::Text(request.beginToken);
  globals.variables["eos_token"] = chat::Text(request.endToken);
  globals.variables["add_generation_prompt"] = request.addGenerationPrompt;

  QUERN_ASSIGN_OR_RETURN(chat::Text text, chat::Evaluator(request.now).render(parsed->syntax, globals));
  RenderedPrompt prompt;
  for (size_t at = 0; at < text.marks.size();) {
    size_t end = text.marks.find(text.marks[at], at);
    while (end < text.marks.size() && text.marks[end] == text.marks[at])
      ++end;
    if (text.marks[at])
      prompt.plain.push_back({at, end});
    at = end;
  }
  prompt.text = std::move(text.bytes);
  return prompt;
}

} // namespace quern::runtime
