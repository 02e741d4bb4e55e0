//===- Tokenizer.cpp - Encoding and decoding ------------------------------===//
#include "runtime/text/Tokenizer.h"

#include "runtime/text/Utf8.h"

#include <algorithm>

namespace quern::runtime {

/// Longer texts would overflow the 32-bit offsets of pieces.
static constexpr size_t maxTextBytes = size_t(1) << 30;

/// Code points of |text| with the marks of |options|.
static MarkedText mark(std::string_view text, const EncodeOptions &options) {
  MarkedText marked;
  marked.text.reserve(text.size());
  bool marks = options.allPlain || !options.plain.empty();
  size_t range = 0;
  for (size_t at = 0; at < text.size();) {
    Utf8Piece piece = readUtf8(text.substr(at));
    marked.text += piece.codePoint;
    if (marks) {
      while (range < options.plain.size() && options.plain[range].end <= at)
        ++range;
      bool inside = range < options.plain.size() && options.plain[range].begin < at + piece.length;
      marked.plain.push_back(options.allPlain || inside);
    }
    at += piece.length;
  }
  return marked;
}

Expected<std::vector<uint32_t>> Tokenizer::encode(std::string_view text, const EncodeOptions &options) const {
  if (text.size() > maxTextBytes)
    return Status::error(Exit::Usage, "E-TEXT-TOO-LONG",
                         "the text has " + std::to_string(text.size()) + " bytes, at most " +
                             std::to_string(maxTextBytes) + " are encoded at once");
  Regex::Scratch scratch;
  std::vector<uint32_t> ids;
  if (options.addSpecialTokens)
    ids = content->prefix;
  MarkedText marked = mark(text, options);
  for (const AddedTokenMatcher::Part &part : content->rawMatcher.split(marked)) {
    if (part.token) {
      ids.push_back(part.token->id);
      continue;
    }
    MarkedText piece = marked.slice(part.begin, part.end);
    QUERN_RETURN_IF_ERROR(content->normalizer.apply(piece, scratch));
    for (const AddedTokenMatcher::Part &inner : content->normalizedMatcher.split(piece)) {
      if (inner.token) {
        ids.push_back(inner.token->id);
        continue;
      }
      TextPieces pieces{
          piece.text.substr(inner.begin, inner.end - inner.begin), {}, part.begin == 0 && inner.begin == 0};
      pieces.pieces.push_back({0, static_cast<uint32_t>(pieces.text.size())});
      QUERN_RETURN_IF_ERROR(content->preTokenizer.apply(pieces, scratch));
      for (TextRange range : pieces.pieces)
        content->model.encode(std::u32string_view(pieces.text).substr(range.begin, range.end - range.begin),
                              ids);
    }
  }
  if (options.addSpecialTokens)
    ids.insert(ids.end(), content->suffix.begin(), content->suffix.end());
  return ids;
}

Expected<std::string> Tokenizer::decode(std::span<const uint32_t> ids, bool skipSpecial) const {
  Stream stream(*this, skipSpecial);
  std::string text;
  for (uint32_t id : ids) {
    QUERN_ASSIGN_OR_RETURN(std::string part, stream.push(id));
    text += part;
  }
  QUERN_ASSIGN_OR_RETURN(std::string rest, stream.finish());
  return text + rest;
}

Expected<std::string> Tokenizer::Stream::push(uint32_t id) {
  if (id >= tokenizer->size())
    return Status::error(Exit::Usage, "E-TOKEN-ID-RANGE",
                         "token id " + std::to_string(id) + " is out of range, the tokenizer has " +
                             std::to_string(tokenizer->size()) + " ids");
  std::string text;
  auto changed = tokenizer->content->decodedTexts.find(id);
  std::string_view token =
      changed != tokenizer->content->decodedTexts.end() ? changed->second : tokenizer->token(id);
  bool known = tokenizer->content->model.vocabulary().has(id) || tokenizer->content->added.has(id);
  if (known && !(skipSpecial && tokenizer->isSpecial(id)))
    QUERN_RETURN_IF_ERROR(decoder.push(token, text));
  return text;
}

Expected<std::string> Tokenizer::Stream::finish() {
  std::string text;
  QUERN_RETURN_IF_ERROR(decoder.finish(text));
  return text;
}

std::optional<uint32_t> Tokenizer::find(std::string_view token) const {
  std::optional<uint32_t> id = content->added.find(token);
  return id ? id : content->model.vocabulary().find(token);
}

std::string_view Tokenizer::token(uint32_t id) const {
  return content->added.has(id) ? content->added.text(id) : content->model.vocabulary().text(id);
}

} // namespace quern::runtime
