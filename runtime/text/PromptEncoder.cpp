//===- PromptEncoder.cpp --------------------------------------------------===//
#include "runtime/text/PromptEncoder.h"

namespace quern::runtime {

Expected<PromptEncoder> PromptEncoder::read(const PromptFiles &files) {
  QUERN_ASSIGN_OR_RETURN(Tokenizer words, Tokenizer::read(files.tokenizer));
  TokenizerConfig settings;
  if (!files.tokenizerConfig.empty()) {
    QUERN_ASSIGN_OR_RETURN(JsonDocument document,
                           parseJson(files.tokenizerConfig, {.name = "tokenizer_config.json"}));
    QUERN_ASSIGN_OR_RETURN(settings, TokenizerConfig::read(document.root()));
  }
  QUERN_RETURN_IF_ERROR(settings.apply(words));

  std::string source(files.chatTemplate);
  if (source.empty()) {
    auto found = settings.chatTemplates.find("default");
    source = found != settings.chatTemplates.end() ? found->second : "";
  }
  PromptEncoder encoder(std::move(words), std::move(settings));
  if (source.empty())
    return encoder;
  Expected<ChatTemplate> chat = ChatTemplate::read(source);
  if (chat.ok())
    encoder.chat = *std::move(chat);
  else
    encoder.chatSource = std::move(source);
  return encoder;
}

Expected<std::vector<uint32_t>> PromptEncoder::encodeText(std::string_view text) const {
  bool spelledOut = !settings.beginToken.empty() && text.starts_with(settings.beginToken);
  return words.encode(text, {.addSpecialTokens = !spelledOut});
}

Expected<std::vector<uint32_t>> PromptEncoder::encodeChat(ChatRequest request, bool controlInContent) const {
  const std::string remedy = "render the conversation yourself and pass it as a plain prompt";
  if (!chat && chatSource.empty())
    return Status::error(Exit::Usage, "E-CHAT-TEMPLATE-MISSING", "the model comes without a chat template")
        .remedy(remedy);
  if (!chat)
    return ChatTemplate::read(chatSource).takeError().remedy(remedy);
  request.beginToken = settings.beginToken;
  request.endToken = settings.endToken;
  QUERN_ASSIGN_OR_RETURN(RenderedPrompt prompt, chat->render(request));
  EncodeOptions options{.addSpecialTokens = false};
  if (!controlInContent)
    options.plain = prompt.plain;
  return words.encode(prompt.text, options);
}

} // namespace quern::runtime
