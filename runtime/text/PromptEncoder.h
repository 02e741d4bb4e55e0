//===- PromptEncoder.h - The text side of a model in one object -----------===//
//
// Puts a checkpoint's text files together: tokenizer.json, tokenizer_config.json and the chat template. What
// a program that talks to a model needs, apart from the model.
//
//   QUERN_ASSIGN_OR_RETURN(PromptEncoder text, PromptEncoder::read({.tokenizer = ..., .tokenizerConfig =
//   ...})); QUERN_ASSIGN_OR_RETURN(std::vector<uint32_t> ids, text.encodeChat({.messages = messages}));
//   Tokenizer::Stream stream(text.tokenizer());
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_PROMPTENCODER_H
#define QUERN_RUNTIME_TEXT_PROMPTENCODER_H

#include "runtime/text/ChatTemplate.h"
#include "runtime/text/Tokenizer.h"
#include "runtime/text/TokenizerConfig.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

/// The contents of the files; those that a checkpoint may lack are empty then.
struct PromptFiles {
  std::string_view tokenizer = {};       ///< tokenizer.json
  std::string_view tokenizerConfig = {}; ///< tokenizer_config.json
  std::string_view chatTemplate = {};    ///< chat_template.jinja
};

class PromptEncoder {
public:
  /// The errors of Tokenizer::read and TokenizerConfig. A chat template that can not be read is no error yet:
  /// it is reported by encodeChat, so that rendered prompts still work.
  static Expected<PromptEncoder> read(const PromptFiles &files);

  const Tokenizer &tokenizer() const { return words; }
  const TokenizerConfig &config() const { return settings; }
  std::optional<uint32_t> endToken() const { return settings.endTokenId(words); }
  /// Whether encodeChat can work: there is a template and it was understood.
  bool canChat() const { return chat.has_value(); }

  /// The ids of a prompt that is rendered already or was never meant to be, with the begin token that the
  /// model expects unless the text spells it out. Control tokens in it are control tokens.
  Expected<std::vector<uint32_t>> encodeText(std::string_view text) const;

  /// The ids of a conversation. |request|'s begin and end token are filled in. Control tokens that stand in
  /// the conversation stay text, unless |controlInContent|; see ChatTemplate.h. Exit::Usage
  /// "E-CHAT-TEMPLATE-MISSING" where the checkpoint has no template, and the errors of ChatTemplate.
  Expected<std::vector<uint32_t>> encodeChat(ChatRequest request, bool controlInContent = false) const;

private:
  PromptEncoder(Tokenizer words, TokenizerConfig settings)
      : words(std::move(words)), settings(std::move(settings)) {}
  Tokenizer words;
  TokenizerConfig settings;
  std::optional<ChatTemplate> chat;
  std::string chatSource; ///< kept where it was not understood, to say why when it is asked for
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_PROMPTENCODER_H
