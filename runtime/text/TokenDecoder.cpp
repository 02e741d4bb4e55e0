//===- TokenDecoder.cpp ---------------------------------------------------===//
#include "runtime/text/TokenDecoder.h"

#include "runtime/text/ByteAlphabet.h"
#include "runtime/text/Utf8.h"

#include <optional>

namespace quern::runtime {

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

Expected<TokenDecoder> TokenDecoder::read(JsonRef json) {
  TokenDecoder decoder;
  decoder.present = true;
  QUERN_RETURN_IF_ERROR(decoder.append(json, 0));
  return decoder;
}

static Expected<std::string> readCharacter(JsonRef json, std::string_view key) {
  QUERN_ASSIGN_OR_RETURN(std::string_view text, json.getString(key));
  if (toCodePoints(text).size() != 1)
    return json.error("E-TOKENIZER-COMPONENT", "`" + std::string(key) + "` must be one character");
  return std::string(text);
}

Status TokenDecoder::append(JsonRef json, int depth) {
  QUERN_ASSIGN_OR_RETURN(std::string_view type, json.getString("type"));
  bool fused = false;
  for (const Stage &stage : stages)
    fused |= std::holds_alternative<ByteLevel>(stage.kind) || std::holds_alternative<Fuse>(stage.kind);
  auto needsTokens = [&]() {
    return fused ? unsupportedComponent(json, "the decoder `" + std::string(type) +
                                                  "` behind one that joins the tokens")
                 : Status::success();
  };
  if (type == "Sequence") {
    if (depth > 8)
      return unsupportedComponent(json, "a Sequence this deep");
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> parts, json.getArray("decoders"));
    for (JsonRef part : parts)
      QUERN_RETURN_IF_ERROR(append(part, depth + 1));
  } else if (type == "ByteLevel") {
    QUERN_RETURN_IF_ERROR(needsTokens());
    stages.push_back({ByteLevel(), fused});
  } else if (type == "ByteFallback") {
    QUERN_RETURN_IF_ERROR(needsTokens());
    stages.push_back({ByteFallback(), fused});
  } else if (type == "Fuse") {
    stages.push_back({Fuse(), fused});
  } else if (type == "Replace") {
    QUERN_ASSIGN_OR_RETURN(JsonRef pattern, json.getObject("pattern"));
    QUERN_ASSIGN_OR_RETURN(TextPattern read, TextPattern::read(pattern));
    QUERN_ASSIGN_OR_RETURN(std::string_view content, json.getString("content"));
    if (!read.literalText() ||
        read.literalText()->size() != 1) // a match could begin in one chunk and end in the next
      QUERN_RETURN_IF_ERROR(needsTokens());
    stages.push_back({Replace{std::move(read), std::string(content)}, fused});
  } else if (type == "Strip") {
    QUERN_ASSIGN_OR_RETURN(std::string content, readCharacter(json, "content"));
    QUERN_ASSIGN_OR_RETURN(int64_t start, json.getInt("start", {0, 1 << 20}));
    QUERN_ASSIGN_OR_RETURN(int64_t stop, json.getInt("stop", {0, 1 << 20}));
    stages.push_back(
        {Strip{std::move(content), static_cast<size_t>(start), static_cast<size_t>(stop)}, fused});
  } else if (type == "Metaspace") {
    QUERN_RETURN_IF_ERROR(needsTokens());
    QUERN_ASSIGN_OR_RETURN(std::string replacement, readCharacter(json, "replacement"));
    QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> scheme, json.findString("prepend_scheme"));
    QUERN_ASSIGN_OR_RETURN(std::optional<bool> prefixSpace, json.findBool("add_prefix_space"));
    bool drops = scheme ? *scheme != "never" : prefixSpace.value_or(true);
    stages.push_back({Metaspace{std::move(replacement), drops}, fused});
  } else {
    return unsupportedComponent(json, "the decoder `" + std::string(type.substr(0, 80)) + "`");
  }
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Decoding
//===----------------------------------------------------------------------===//

TokenDecoder::Stream::Stream(const TokenDecoder &decoder)
    : decoder(&decoder), states(decoder.stages.size()) {}

Status TokenDecoder::Stream::push(std::string_view token, std::string &out) {
  if (!decoder->present && any)
    out += ' ';
  any = true;
  return pass(0, std::string(token), out);
}

Status TokenDecoder::Stream::finish(std::string &out) {
  for (size_t stage = 0; stage < states.size(); ++stage)
    QUERN_RETURN_IF_ERROR(flush(stage, out));
  states.assign(states.size(), {});
  any = false;
  return Status::success();
}

/// The bytes of |token| written in the byte alphabet; the token's own bytes where another character occurs in
/// it.
static void appendTokenBytes(std::string_view token, std::string &out) {
  size_t before = out.size();
  for (std::string_view rest = token; !rest.empty();) {
    Utf8Piece piece = readUtf8(rest);
    int byte = byteOfCharacter(piece.codePoint);
    if (byte < 0) {
      out.resize(before);
      out += token;
      return;
    }
    out += static_cast<char>(byte);
    rest.remove_prefix(piece.length);
  }
}

/// The byte that a token `<0xHH>` stands for.
static std::optional<char> fallbackByte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>')
    return std::nullopt;
  int value = 0;
  for (char c : token.substr(3, 2)) {
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0)
      return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<char>(value);
}

Status TokenDecoder::Stream::pass(size_t stage, std::string token, std::string &out) {
  if (stage == states.size()) {
    out += token;
    return Status::success();
  }
  StageState &state = states[stage];
  const Stage &what = decoder->stages[stage];
  if (std::holds_alternative<ByteLevel>(what.kind)) {
    appendTokenBytes(token, state.held);
    size_t settled = completeUtf8(state.held);
    if (settled == 0)
      return Status::success();
    std::string text = repairUtf8(std::string_view(state.held).substr(0, settled));
    state.held.erase(0, settled);
    return pass(stage + 1, std::move(text), out);
  }
  if (std::holds_alternative<ByteFallback>(what.kind)) {
    if (std::optional<char> byte = fallbackByte(token)) {
      state.held += *byte;
      return Status::success();
    }
    QUERN_RETURN_IF_ERROR(flush(stage, out));
    return pass(stage + 1, std::move(token), out);
  }
  if (const Replace *replace = std::get_if<Replace>(&what.kind)) {
    std::u32string text = toCodePoints(token);
    std::vector<TextRange> matches;
    QUERN_RETURN_IF_ERROR(replace->pattern.findAll(text, scratch, matches));
    if (!matches.empty()) {
      std::u32string_view view = text;
      std::string replaced;
      uint32_t done = 0;
      for (TextRange match : matches) {
        replaced += toUtf8(view.substr(done, match.begin - done)) + replace->content;
        done = match.end;
      }
      token = replaced + toUtf8(view.substr(done));
    }
    return pass(stage + 1, std::move(token), out);
  }
  if (std::holds_alternative<Strip>(what.kind))
    return what.fused ? stripChunk(stage, std::move(token), out) : stripToken(stage, std::move(token), out);
  if (const Metaspace *metaspace = std::get_if<Metaspace>(&what.kind)) {
    std::string text;
    for (std::string_view rest = token; !rest.empty(); rest.remove_prefix(readUtf8(rest).length)) {
      std::string_view character = rest.substr(0, readUtf8(rest).length);
      if (character != metaspace->replacement)
        text += character;
      else if (state.started || !metaspace->dropsFirst)
        text += ' ';
    }
    state.started = true;
    return pass(stage + 1, std::move(text), out);
  }
  return pass(stage + 1, std::move(token), out); // Fuse: from here on the tokens are chunks of one text
}

Status TokenDecoder::Stream::flush(size_t stage, std::string &out) {
  StageState &state = states[stage];
  if (state.held.empty())
    return Status::success();
  std::string held = std::move(state.held);
  state.held.clear();
  if (std::holds_alternative<ByteFallback>(decoder->stages[stage].kind)) {
    std::string repaired = repairUtf8(held);
    if (repaired != held) { // one bad byte spoils the run
      repaired.clear();
      for (size_t i = 0; i < held.size(); ++i)
        repaired += "\uFFFD";
    }
    return pass(stage + 1, std::move(repaired), out);
  }
  if (const Strip *strip = std::get_if<Strip>(&decoder->stages[stage].kind)) {
    for (size_t i = 0; i < strip->stop && held.ends_with(strip->content); ++i)
      held.resize(held.size() - strip->content.size());
    return held.empty() ? Status::success() : pass(stage + 1, std::move(held), out);
  }
  return pass(stage + 1, repairUtf8(held), out);
}

Status TokenDecoder::Stream::stripToken(size_t stage, std::string token, std::string &out) {
  const Strip &strip = std::get<Strip>(decoder->stages[stage].kind);
  std::string_view rest = token;
  for (size_t i = 0; i < strip.start && rest.starts_with(strip.content); ++i)
    rest.remove_prefix(strip.content.size());
  for (size_t i = 0; i < strip.stop && rest.ends_with(strip.content); ++i)
    rest.remove_suffix(strip.content.size());
  return pass(stage + 1, std::string(rest), out);
}

Status TokenDecoder::Stream::stripChunk(size_t stage, std::string chunk, std::string &out) {
  const Strip &strip = std::get<Strip>(decoder->stages[stage].kind);
  StageState &state = states[stage];
  std::string_view rest = chunk;
  while (!state.started && !rest.empty()) {
    if (state.stripped == strip.start || !rest.starts_with(strip.content)) {
      state.started = true;
      break;
    }
    rest.remove_prefix(strip.content.size());
    ++state.stripped;
  }
  // Up to `stop` characters at the end may have to go; they wait for what follows.
  std::string text = std::move(state.held) + std::string(rest);
  size_t keep = text.size();
  for (size_t i = 0; i < strip.stop && std::string_view(text).substr(0, keep).ends_with(strip.content); ++i)
    keep -= strip.content.size();
  state.held = text.substr(keep);
  text.resize(keep);
  return text.empty() ? Status::success() : pass(stage + 1, std::move(text), out);
}

} // namespace quern::runtime
