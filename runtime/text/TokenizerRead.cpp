//===- TokenizerRead.cpp - Reads tokenizer.json ---------------------------===//
#include "runtime/text/Tokenizer.h"

#include "runtime/text/Utf8.h"

#include <algorithm>

namespace quern::runtime {

Expected<Tokenizer> Tokenizer::read(std::string_view json, const std::string &name) {
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(json, {.name = name, .maxBytes = maxFileBytes}));
  return read(document.root());
}

Expected<Tokenizer> Tokenizer::read(JsonRef json) {
  auto content = std::make_unique<Content>();
  QUERN_ASSIGN_OR_RETURN(JsonRef model, json.getObject("model"));
  QUERN_ASSIGN_OR_RETURN(content->model, Bpe::read(model));
  if (std::optional<JsonRef> part = json.find("normalizer")) {
    QUERN_ASSIGN_OR_RETURN(content->normalizer, Normalizer::read(*part));
  }
  if (std::optional<JsonRef> part = json.find("pre_tokenizer")) {
    QUERN_ASSIGN_OR_RETURN(content->preTokenizer, PreTokenizer::read(*part));
  }
  if (std::optional<JsonRef> part = json.find("decoder")) {
    QUERN_ASSIGN_OR_RETURN(content->decoder, TokenDecoder::read(*part));
  }
  QUERN_RETURN_IF_ERROR(readAddedTokens(json, *content));
  content->size = std::max(content->model.vocabulary().size(), content->added.size());
  if (std::optional<JsonRef> part = json.find("post_processor"))
    QUERN_RETURN_IF_ERROR(readPostProcessor(*part, *content, 0));
  return Tokenizer(std::move(content));
}

Status Tokenizer::readAddedTokens(JsonRef json, Content &content) {
  if (!json.has("added_tokens"))
    return Status::success();
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> list, json.getArray("added_tokens"));
  Regex::Scratch scratch;
  for (JsonRef entry : list) {
    AddedToken token;
    QUERN_ASSIGN_OR_RETURN(int64_t id, entry.getInt("id", {0, Vocabulary::maxId}));
    QUERN_ASSIGN_OR_RETURN(std::string_view text, entry.getString("content"));
    token.id = static_cast<uint32_t>(id);
    token.content = toCodePoints(text);
    if (token.content.size() > AddedTokenMatcher::maxLength)
      return entry.error("E-TOKENIZER-ADDED-TOKEN",
                         "the content has " + std::to_string(token.content.size()) + " characters, at most " +
                             std::to_string(AddedTokenMatcher::maxLength) + " are read");
    std::pair<const char *, bool *> flags[] = {{"single_word", &token.singleWord},
                                               {"lstrip", &token.lstrip},
                                               {"rstrip", &token.rstrip},
                                               {"normalized", &token.normalized},
                                               {"special", &token.special}};
    for (auto [key, flag] : flags) {
      QUERN_ASSIGN_OR_RETURN(std::optional<bool> value, entry.findBool(key));
      *flag = value.value_or(false);
    }

    const Vocabulary &vocabulary = content.model.vocabulary();
    std::optional<uint32_t> inModel = vocabulary.find(text);
    if (inModel ? *inModel != token.id : vocabulary.has(token.id))
      return entry.error("E-TOKENIZER-ADDED-TOKEN",
                         inModel
                             ? "the model's vocabulary gives this content the id " + std::to_string(*inModel)
                             : "the model's vocabulary gives this id to another token");
    if (!inModel)
      QUERN_RETURN_IF_ERROR(content.added.add(text, token.id));
    if (token.special) {
      if (content.special.size() <= token.id)
        content.special.resize(token.id + 1);
      content.special[token.id] = true;
    }
    if (!token.normalized) {
      content.rawMatcher.add(token, token.content);
      continue;
    }
    MarkedText normalized{token.content, {}};
    QUERN_RETURN_IF_ERROR(content.normalizer.apply(normalized, scratch));
    if (normalized.text != token.content)
      content.decodedTexts[token.id] = toUtf8(normalized.text);
    content.normalizedMatcher.add(token, std::move(normalized.text));
  }
  return Status::success();
}

Status Tokenizer::readPostProcessor(JsonRef json, Content &content, int depth) {
  QUERN_ASSIGN_OR_RETURN(std::string_view type, json.getString("type"));
  if (type == "ByteLevel")
    return Status::success(); // changes offsets only
  if (type == "TemplateProcessing")
    return readTemplate(json, content);
  if (type != "Sequence" || depth > 8)
    return unsupportedComponent(json, "the post-processor `" + std::string(type.substr(0, 80)) + "`");
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> parts, json.getArray("processors"));
  for (JsonRef part : parts)
    QUERN_RETURN_IF_ERROR(readPostProcessor(part, content, depth + 1));
  return Status::success();
}

Status Tokenizer::readTemplate(JsonRef json, Content &content) {
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> pieces, json.getArray("single"));
  QUERN_ASSIGN_OR_RETURN(JsonRef tokens, json.getObject("special_tokens"));
  std::vector<uint32_t> before, after;
  bool seenText = false;
  for (JsonRef piece : pieces) {
    if (piece.has("Sequence")) {
      QUERN_ASSIGN_OR_RETURN(JsonRef sequence, piece.getObject("Sequence"));
      QUERN_ASSIGN_OR_RETURN(std::string_view id, sequence.getString("id"));
      if (id != "A" || seenText)
        return unsupportedComponent(piece, "a template of more than one text");
      seenText = true;
      continue;
    }
    QUERN_ASSIGN_OR_RETURN(JsonRef special, piece.getObject("SpecialToken"));
    QUERN_ASSIGN_OR_RETURN(std::string_view name, special.getString("id"));
    QUERN_ASSIGN_OR_RETURN(JsonRef definition, tokens.getObject(name));
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> ids, definition.getArray("ids"));
    for (JsonRef id : ids) {
      QUERN_ASSIGN_OR_RETURN(int64_t value, id.asInt({0, int64_t(content.size) - 1}));
      (seenText ? after : before).push_back(static_cast<uint32_t>(value));
    }
  }
  if (!seenText)
    return json.error("E-TOKENIZER-TEMPLATE", "the template has no place for the text");
  // A later template of a Sequence works on what an earlier one gave.
  content.prefix.insert(content.prefix.begin(), before.begin(), before.end());
  content.suffix.insert(content.suffix.end(), after.begin(), after.end());
  return Status::success();
}

void Tokenizer::addBeginToken(uint32_t id) {
  if (content->prefix.empty() || content->prefix.front() != id)
    content->prefix.insert(content->prefix.begin(), id);
}

void Tokenizer::addEndToken(uint32_t id) {
  if (content->suffix.empty() || content->suffix.back() != id)
    content->suffix.push_back(id);
}

} // namespace quern::runtime
