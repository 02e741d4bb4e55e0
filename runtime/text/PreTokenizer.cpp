//===- PreTokenizer.cpp ---------------------------------------------------===//
#include "runtime/text/PreTokenizer.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <algorithm>

namespace quern::runtime {
namespace {

/// What ByteLevel splits with unless the file says `"use_regex": false`: the oldest of the common patterns.
constexpr const char *byteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Builds a new text out of each piece of |pieces| in turn; what lay between pieces is gone afterwards.
template <typename Append> void rewrite(TextPieces &pieces, Append append) {
  TextPieces result;
  result.startsPrompt = pieces.startsPrompt;
  result.text.reserve(pieces.text.size() + pieces.pieces.size());
  for (TextRange piece : pieces.pieces) {
    uint32_t begin = static_cast<uint32_t>(result.text.size());
    append(std::u32string_view(pieces.text).substr(piece.begin, piece.end - piece.begin), piece, result.text);
    result.pieces.push_back({begin, static_cast<uint32_t>(result.text.size())});
  }
  pieces = std::move(result);
}

} // namespace

Expected<PreTokenizer> PreTokenizer::read(JsonRef json) {
  PreTokenizer tokenizer;
  QUERN_RETURN_IF_ERROR(tokenizer.append(json, 0));
  return tokenizer;
}

Expected<PreTokenizer::Behavior> PreTokenizer::readBehavior(JsonRef json) {
  QUERN_ASSIGN_OR_RETURN(std::string_view name, json.getString("behavior"));
  static constexpr std::pair<std::string_view, Behavior> names[] = {
      {"Removed", Behavior::Removed},
      {"Isolated", Behavior::Isolated},
      {"MergedWithPrevious", Behavior::MergedWithPrevious},
      {"MergedWithNext", Behavior::MergedWithNext},
      {"Contiguous", Behavior::Contiguous}};
  for (auto [known, behavior] : names)
    if (name == known)
      return behavior;
  return unsupportedComponent(json, "the Split behavior `" + std::string(name.substr(0, 80)) + "`");
}

Status PreTokenizer::append(JsonRef json, int depth) {
  QUERN_ASSIGN_OR_RETURN(std::string_view type, json.getString("type"));
  if (type == "Sequence") {
    if (depth > 8)
      return unsupportedComponent(json, "a Sequence this deep");
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> parts, json.getArray("pretokenizers"));
    for (JsonRef part : parts)
      QUERN_RETURN_IF_ERROR(append(part, depth + 1));
    return Status::success();
  }
  if (type == "Split") {
    QUERN_ASSIGN_OR_RETURN(JsonRef pattern, json.getObject("pattern"));
    QUERN_ASSIGN_OR_RETURN(TextPattern read, TextPattern::read(pattern));
    QUERN_ASSIGN_OR_RETURN(Behavior behavior, readBehavior(json));
    QUERN_ASSIGN_OR_RETURN(std::optional<bool> invert, json.findBool("invert"));
    stages.emplace_back(Split{std::move(read), behavior, invert.value_or(false)});
    return Status::success();
  }
  if (type == "Digits") {
    QUERN_ASSIGN_OR_RETURN(std::optional<bool> individual, json.findBool("individual_digits"));
    QUERN_ASSIGN_OR_RETURN(Regex digit, Regex::compile("\\p{N}"));
    stages.emplace_back(Split{TextPattern::expression(std::move(digit)),
                              individual.value_or(false) ? Behavior::Isolated : Behavior::Contiguous, false});
    return Status::success();
  }
  if (type == "ByteLevel")
    return appendByteLevel(json);
  if (type == "Metaspace")
    return appendMetaspace(json);
  return unsupportedComponent(json, "the pre-tokenizer `" + std::string(type.substr(0, 80)) + "`");
}

Status PreTokenizer::appendByteLevel(JsonRef json) {
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> prefixSpace, json.findBool("add_prefix_space"));
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> useRegex, json.findBool("use_regex"));
  if (prefixSpace.value_or(false))
    stages.emplace_back(PrependSpace{});
  if (useRegex.value_or(true)) {
    QUERN_ASSIGN_OR_RETURN(Regex regex, Regex::compile(byteLevelPattern));
    stages.emplace_back(Split{TextPattern::expression(std::move(regex)), Behavior::Isolated, false});
  }
  stages.emplace_back(ToByteAlphabet{});
  return Status::success();
}

Status PreTokenizer::appendMetaspace(JsonRef json) {
  QUERN_ASSIGN_OR_RETURN(std::string_view replacement, json.getString("replacement"));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> scheme, json.findString("prepend_scheme"));
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> prefixSpace,
                         json.findBool("add_prefix_space")); // the older spelling
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> split, json.findBool("split"));
  std::u32string characters = toCodePoints(replacement);
  if (characters.size() != 1)
    return json.error("E-TOKENIZER-COMPONENT", "`replacement` must be one character");
  Metaspace stage{characters[0], prefixSpace.value_or(true) ? PrependScheme::Always : PrependScheme::Never};
  if (scheme == "always")
    stage.scheme = PrependScheme::Always;
  else if (scheme == "first")
    stage.scheme = PrependScheme::First;
  else if (scheme == "never")
    stage.scheme = PrependScheme::Never;
  else if (scheme)
    return unsupportedComponent(json, "the prepend scheme `" + std::string(scheme->substr(0, 80)) + "`");
  stages.emplace_back(stage);
  if (split.value_or(true))
    stages.emplace_back(Split{TextPattern::literal(characters), Behavior::MergedWithNext, false});
  return Status::success();
}

Status PreTokenizer::cut(const Split &split, TextPieces &pieces, Regex::Scratch &scratch) {
  struct Part {
    TextRange range;
    bool isMatch;
  };
  std::vector<TextRange> result, matches;
  std::vector<Part> parts;
  for (TextRange piece : pieces.pieces) {
    matches.clear();
    QUERN_RETURN_IF_ERROR(split.pattern.findAll(
        std::u32string_view(pieces.text).substr(piece.begin, piece.end - piece.begin), scratch, matches));

    // Matches and the gaps between them, in the order of the text.
    parts.clear();
    uint32_t done = piece.begin;
    for (TextRange match : matches) {
      TextRange range = {piece.begin + match.begin, piece.begin + match.end};
      if (done < range.begin)
        parts.push_back({{done, range.begin}, split.invert});
      parts.push_back({range, !split.invert});
      done = range.end;
    }
    if (done < piece.end)
      parts.push_back({{done, piece.end}, split.invert});

    // Joins parts as the behaviour says; |joins| is told whether the part before was a match.
    std::vector<TextRange> joined;
    auto join = [&](auto begin, auto end, auto joins) {
      bool previousMatch = false;
      for (auto part = begin; part != end; ++part) {
        if (!joined.empty() && joins(part->isMatch, previousMatch))
          joined.back() = {std::min(joined.back().begin, part->range.begin),
                           std::max(joined.back().end, part->range.end)};
        else
          joined.push_back(part->range);
        previousMatch = part->isMatch;
      }
    };
    switch (split.behavior) {
    case Behavior::Isolated:
      join(parts.begin(), parts.end(), [](bool, bool) { return false; });
      break;
    case Behavior::Removed:
      for (const Part &part : parts)
        if (!part.isMatch)
          joined.push_back(part.range);
      break;
    case Behavior::Contiguous:
      join(parts.begin(), parts.end(), [](bool now, bool before) { return now == before; });
      break;
    case Behavior::MergedWithPrevious:
      join(parts.begin(), parts.end(), [](bool now, bool before) { return now && !before; });
      break;
    case Behavior::MergedWithNext:
      join(parts.rbegin(), parts.rend(), [](bool now, bool before) { return now && !before; });
      std::reverse(joined.begin(), joined.end());
      break;
    }
    for (TextRange range : joined)
      if (range.begin < range.end)
        result.push_back(range);
  }
  pieces.pieces = std::move(result);
  return Status::success();
}

Status PreTokenizer::apply(TextPieces &pieces, Regex::Scratch &scratch) const {
  for (const auto &stage : stages) {
    if (const Split *split = std::get_if<Split>(&stage)) {
      QUERN_RETURN_IF_ERROR(cut(*split, pieces, scratch));
    } else if (std::holds_alternative<PrependSpace>(stage)) {
      rewrite(pieces, [](std::u32string_view piece, TextRange, std::u32string &out) {
        if (piece.front() != U' ')
          out += U' ';
        out += piece;
      });
    } else if (std::holds_alternative<ToByteAlphabet>(stage)) {
      std::string bytes;
      rewrite(pieces, [&](std::u32string_view piece, TextRange, std::u32string &out) {
        bytes.clear();
        for (char32_t point : piece)
          appendUtf8(point, bytes);
        for (char byte : bytes)
          out += byteAlphabet[static_cast<uint8_t>(byte)];
      });
    } else {
      const Metaspace &metaspace = std::get<Metaspace>(stage);
      rewrite(pieces, [&](std::u32string_view piece, TextRange range, std::u32string &out) {
        bool first = pieces.startsPrompt && range.begin == 0;
        bool prepends =
            metaspace.scheme == PrependScheme::Always || (metaspace.scheme == PrependScheme::First && first);
        if (prepends && piece.front() != U' ' && piece.front() != metaspace.replacement)
          out += metaspace.replacement;
        for (char32_t point : piece)
          out += point == U' ' ? metaspace.replacement : point;
      });
    }
  }
  return Status::success();
}

} // namespace quern::runtime
