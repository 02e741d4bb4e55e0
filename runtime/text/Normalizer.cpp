//===- Normalizer.cpp -----------------------------------------------------===//
#include "runtime/text/Normalizer.h"

#include "runtime/text/Utf8.h"

namespace quern::runtime {

Expected<Normalizer> Normalizer::read(JsonRef json) {
  Normalizer normalizer;
  QUERN_RETURN_IF_ERROR(normalizer.append(json, 0));
  return normalizer;
}

Status Normalizer::append(JsonRef json, int depth) {
  QUERN_ASSIGN_OR_RETURN(std::string_view type, json.getString("type"));
  if (type == "Sequence") {
    if (depth > 8)
      return unsupportedComponent(json, "a Sequence this deep");
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> parts, json.getArray("normalizers"));
    for (JsonRef part : parts)
      QUERN_RETURN_IF_ERROR(append(part, depth + 1));
  } else if (type == "NFC") {
    steps.emplace_back(Nfc());
  } else if (type == "Prepend") {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, json.getString("prepend"));
    steps.emplace_back(Prepend{toCodePoints(text)});
  } else if (type == "Replace") {
    QUERN_ASSIGN_OR_RETURN(JsonRef pattern, json.getObject("pattern"));
    QUERN_ASSIGN_OR_RETURN(TextPattern read, TextPattern::read(pattern));
    QUERN_ASSIGN_OR_RETURN(std::string_view content, json.getString("content"));
    steps.emplace_back(Replace{std::move(read), toCodePoints(content)});
  } else {
    return unsupportedComponent(json, "the normalizer `" + std::string(type.substr(0, 80)) + "`");
  }
  return Status::success();
}

Status Normalizer::apply(MarkedText &text, Regex::Scratch &scratch) const {
  for (const auto &step : steps) {
    if (const Nfc *nfc = std::get_if<Nfc>(&step)) {
      nfc->apply(text);
    } else if (const Prepend *prepend = std::get_if<Prepend>(&step)) {
      if (text.text.empty())
        continue;
      text.text.insert(0, prepend->text);
      if (!text.plain.empty())
        text.plain.insert(text.plain.begin(), prepend->text.size(), 0);
    } else {
      const Replace &replace = std::get<Replace>(step);
      std::vector<TextRange> matches;
      QUERN_RETURN_IF_ERROR(replace.pattern.findAll(text.text, scratch, matches));
      if (matches.empty())
        continue;
      MarkedText result;
      auto keep = [&](uint32_t begin, uint32_t end) {
        result.text.append(text.text, begin, end - begin);
        if (!text.plain.empty())
          result.plain.insert(result.plain.end(), text.plain.begin() + begin, text.plain.begin() + end);
      };
      uint32_t done = 0;
      for (TextRange match : matches) {
        keep(done, match.begin);
        result.text += replace.content;
        if (!text.plain.empty()) {
          uint8_t plain = 0;
          for (uint32_t i = match.begin; i < match.end; ++i)
            plain |= text.plain[i];
          result.plain.insert(result.plain.end(), replace.content.size(), plain);
        }
        done = match.end;
      }
      keep(done, static_cast<uint32_t>(text.text.size()));
      text = std::move(result);
    }
  }
  return Status::success();
}

} // namespace quern::runtime
