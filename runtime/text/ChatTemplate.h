//===- ChatTemplate.h - From a conversation to the text of a prompt -------===//
//
// Models bring a template in the Jinja language. The subset that chat templates use is interpreted
// (runtime/text/chat); a template that needs more is refused by `read` with the construct and its line, and
// the caller can offer to take a prompt that is rendered already.
//
//   QUERN_ASSIGN_OR_RETURN(ChatTemplate chat, ChatTemplate::read(source));
//   QUERN_ASSIGN_OR_RETURN(RenderedPrompt prompt, chat.render({.messages = messages, .beginToken = "<s>"}));
//   tokenizer.encode(prompt.text, {.addSpecialTokens = false, .plain = prompt.plain});
//
// The rendered text spells out the token that begins a text, so it is encoded without special tokens. `plain`
// are the parts that came from the conversation: given to the tokenizer, a control token typed by a user
// stays text. Left out, it becomes the control token, which is what Hugging Face's apply_chat_template does.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_CHATTEMPLATE_H
#define QUERN_RUNTIME_TEXT_CHATTEMPLATE_H

#include "runtime/text/Tokenizer.h"
#include "support/Json.h"

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

struct ChatRequest {
  Json messages = Json::array();              ///< [{"role": "user", "content": "..."}, ...]
  std::optional<Json> tools = {};             ///< as the template's `tools`
  std::string beginToken = {}, endToken = {}; ///< `bos_token` and `eos_token`
  bool addGenerationPrompt = true;
  Json variables = Json::object(); ///< further variables of the template, e.g. {"enable_thinking": false}
  std::optional<std::tm> now = {}; ///< what strftime_now tells; without it the function is unknown
};

struct RenderedPrompt {
  std::string text;
  std::vector<ByteRange> plain; ///< ascending
};

class ChatTemplate {
public:
  static constexpr size_t maxSourceBytes = 1u << 20;

  /// Exit::BadInput "E-TEMPLATE-SYNTAX", Exit::Unsupported "E-TEMPLATE-UNSUPPORTED".
  static Expected<ChatTemplate> read(std::string_view source);
  ChatTemplate(ChatTemplate &&) noexcept;
  ChatTemplate &operator=(ChatTemplate &&) noexcept;
  ~ChatTemplate();

  /// Exit::Usage "E-TEMPLATE-RAISED" where the template refuses the conversation; Exit::BadInput
  /// "E-TEMPLATE-EVALUATION" where it fails, "E-TEMPLATE-LIMIT" where it does not come to an end.
  Expected<RenderedPrompt> render(const ChatRequest &request) const;

private:
  struct Parsed;
  explicit ChatTemplate(std::unique_ptr<const Parsed> parsed);
  std::unique_ptr<const Parsed> parsed;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_CHATTEMPLATE_H
