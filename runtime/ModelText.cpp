//===- ModelText.cpp ------------------------------------------------------===//
#include "runtime/ModelText.h"

#include <ctime>

namespace quern::runtime {

namespace {

Expected<std::optional<JsonDocument>> readMember(const Artifact &artifact, const std::string &name) {
  if (!artifact.has(name))
    return std::optional<JsonDocument>();
  QUERN_ASSIGN_OR_RETURN(std::string_view text, artifact.readText(name));
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, {.name = name}));
  return std::optional<JsonDocument>(std::move(document));
}

std::optional<JsonRef> rootOf(const std::optional<JsonDocument> &document) {
  return document ? std::optional<JsonRef>(document->root()) : std::nullopt;
}

Status noTokenizer() {
  return Status::error(Exit::Usage, "E-NO-TOKENIZER", "the model has no tokenizer")
      .remedy("give token ids with --ids");
}

} // namespace

Expected<ModelText> ModelText::read(const Artifact &artifact) {
  ModelText text;
  QUERN_ASSIGN_OR_RETURN(std::optional<JsonDocument> generation,
                         readMember(artifact, "generation_config.json"));
  QUERN_ASSIGN_OR_RETURN(std::optional<JsonDocument> config, readMember(artifact, "config.json"));
  QUERN_ASSIGN_OR_RETURN(std::optional<JsonDocument> tokenizerConfig,
                         readMember(artifact, "tokenizer_config.json"));
  if (generation) {
    QUERN_ASSIGN_OR_RETURN(text.generation, GenerationConfig::read(generation->root()));
  }
  if (tokenizerConfig) {
    QUERN_ASSIGN_OR_RETURN(text.config, TokenizerConfig::read(tokenizerConfig->root()));
  }
  std::optional<uint32_t> end;
  if (artifact.has("tokenizer.json")) {
    QUERN_ASSIGN_OR_RETURN(std::string_view json, artifact.readText("tokenizer.json"));
    QUERN_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::read(json));
    text.theTokenizer.emplace(std::move(tokenizer));
    QUERN_RETURN_IF_ERROR(text.config.apply(*text.theTokenizer));
    end = text.config.endTokenId(*text.theTokenizer);
  }
  QUERN_ASSIGN_OR_RETURN(text.stop, StopTokens::read(rootOf(generation), rootOf(config), end));

  std::string_view source;
  if (artifact.has("chat_template.jinja")) {
    QUERN_ASSIGN_OR_RETURN(source, artifact.readText("chat_template.jinja"));
  } else if (auto found = text.config.chatTemplates.find("default");
             found != text.config.chatTemplates.end()) {
    source = found->second;
  }
  if (!source.empty()) {
    QUERN_ASSIGN_OR_RETURN(ChatTemplate chat, ChatTemplate::read(source));
    text.chat.emplace(std::move(chat));
  }
  return text;
}

Expected<std::vector<uint32_t>> ModelText::encode(std::string_view text) const {
  if (!theTokenizer)
    return noTokenizer();
  return theTokenizer->encode(text);
}

Expected<std::vector<uint32_t>> ModelText::encodeChat(const Json &messages) const {
  if (!theTokenizer)
    return noTokenizer();
  if (!chat)
    return Status::error(Exit::Usage, "E-NO-CHAT-TEMPLATE", "the model has no chat template")
        .remedy("give a plain prompt without --chat");
  ChatRequest request;
  request.messages = messages;
  request.beginToken = config.beginToken;
  request.endToken = config.endToken;
  std::time_t now = std::time(nullptr);
  std::tm local{};
  if (localtime_r(&now, &local))
    request.now = local;
  QUERN_ASSIGN_OR_RETURN(RenderedPrompt prompt, chat->render(request));
  EncodeOptions options;
  options.addSpecialTokens = false;
  options.plain = prompt.plain;
  return theTokenizer->encode(prompt.text, options);
}

} // namespace quern::runtime
