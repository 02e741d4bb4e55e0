//===- TokenizerConfig.cpp ------------------------------------------------===//
#include "runtime/text/TokenizerConfig.h"

namespace quern::runtime {

/// A token is written as text or as an object with its `content`.
static Expected<std::string> readToken(JsonRef json, std::string_view key) {
  std::optional<JsonRef> member = json.find(key);
  if (!member)
    return std::string();
  if ((*member)->isObject()) {
    QUERN_ASSIGN_OR_RETURN(std::string_view content, member->getString("content"));
    return std::string(content);
  }
  QUERN_ASSIGN_OR_RETURN(std::string_view text, member->asString());
  return std::string(text);
}

Expected<TokenizerConfig> TokenizerConfig::read(JsonRef json) {
  TokenizerConfig config;
  QUERN_ASSIGN_OR_RETURN(config.beginToken, readToken(json, "bos_token"));
  QUERN_ASSIGN_OR_RETURN(config.endToken, readToken(json, "eos_token"));
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> addBegin, json.findBool("add_bos_token"));
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> addEnd, json.findBool("add_eos_token"));
  config.addBeginToken = addBegin.value_or(false);
  config.addEndToken = addEnd.value_or(false);
  std::optional<JsonRef> chat = json.find("chat_template");
  if (chat && (*chat)->isArray()) {
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> list, chat->asArray());
    for (JsonRef entry : list) {
      QUERN_ASSIGN_OR_RETURN(std::string_view name, entry.getString("name"));
      QUERN_ASSIGN_OR_RETURN(std::string_view text, entry.getString("template"));
      config.chatTemplates[std::string(name)] = std::string(text);
    }
  } else if (chat) {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, chat->asString());
    config.chatTemplates["default"] = std::string(text);
  }
  return config;
}

Status TokenizerConfig::apply(Tokenizer &tokenizer) const {
  auto find = [&](const char *key, const std::string &token) -> Expected<uint32_t> {
    if (std::optional<uint32_t> id = tokenizer.find(token))
      return *id;
    return Status::error(Exit::BadInput, "E-TOKENIZER-CONFIG",
                         std::string("tokenizer_config.json: `") + key + "` is `" + token.substr(0, 80) +
                             "`, which the tokenizer does not have");
  };
  if (addBeginToken && !beginToken.empty()) {
    QUERN_ASSIGN_OR_RETURN(uint32_t id, find("bos_token", beginToken));
    tokenizer.addBeginToken(id);
  }
  if (addEndToken && !endToken.empty()) {
    QUERN_ASSIGN_OR_RETURN(uint32_t id, find("eos_token", endToken));
    tokenizer.addEndToken(id);
  }
  return Status::success();
}

std::optional<uint32_t> TokenizerConfig::endTokenId(const Tokenizer &tokenizer) const {
  return endToken.empty() ? std::nullopt : tokenizer.find(endToken);
}

} // namespace quern::runtime
