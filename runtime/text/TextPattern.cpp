//===- TextPattern.cpp ----------------------------------------------------===//
#include "runtime/text/TextPattern.h"

#include "runtime/text/Utf8.h"

namespace quern::runtime {

Status unsupportedComponent(JsonRef json, std::string_view what) {
  return json.error("E-TOKENIZER-COMPONENT", std::string(what) + " is not supported", Exit::Unsupported)
      .remedy("convert the tokenizer to components that docs/Tokenizer.md lists");
}

TextPattern TextPattern::literal(std::u32string text) {
  TextPattern pattern;
  pattern.word = std::move(text);
  return pattern;
}

TextPattern TextPattern::expression(Regex regex) {
  TextPattern pattern;
  pattern.regex = std::move(regex);
  return pattern;
}

Expected<TextPattern> TextPattern::read(JsonRef json) {
  if (json.has("String")) {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, json.getString("String"));
    if (text.empty())
      return unsupportedComponent(json, "an empty pattern");
    return literal(toCodePoints(text));
  }
  QUERN_ASSIGN_OR_RETURN(std::string_view text, json.getString("Regex"));
  Expected<Regex> regex = Regex::compile(text);
  if (!regex.ok()) {
    Status inner = regex.takeError();
    return json.error(inner.id(), inner.sentence(), inner.exit()).cause(inner.causeText());
  }
  return expression(*std::move(regex));
}

Status TextPattern::findAll(std::u32string_view text, Regex::Scratch &scratch,
                            std::vector<TextRange> &matches) const {
  if (regex)
    return regex->findAll(text, scratch, matches);
  for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + word.size()))
    matches.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(at + word.size())});
  return Status::success();
}

} // namespace quern::runtime
