//===- Utf8.cpp -----------------------------------------------------------===//
#include "runtime/text/Utf8.h"

namespace quern::runtime {

Utf8Piece readUtf8(std::string_view bytes) {
  if (bytes.empty())
    return {U'\uFFFD', 0, false, false};
  auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  uint8_t lead = byte(0);
  if (lead < 0x80)
    return {lead, 1, true, false};
  if (lead < 0xC2 || lead > 0xF4)
    return {U'\uFFFD', 1, false, false};
  // Well-formed sequences: Unicode standard, table 3-7.
  uint8_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  char32_t point = lead & (0xFF >> (length + 1));
  for (uint8_t i = 1; i < length; ++i) {
    if (i == bytes.size())
      return {U'\uFFFD', i, false, true};
    uint8_t low = 0x80, high = 0xBF;
    if (i == 1) {
      low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
      high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    }
    if (byte(i) < low || byte(i) > high)
      return {U'\uFFFD', i, false, false};
    point = point << 6 | (byte(i) & 0x3F);
  }
  return {point, length, true, false};
}

void appendUtf8(char32_t point, std::string &out) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xE0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | point >> 18);
    out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (point & 0x3F));
  }
}

std::u32string toCodePoints(std::string_view bytes) {
  std::u32string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    Utf8Piece piece = readUtf8(bytes);
    text += piece.codePoint;
    bytes.remove_prefix(piece.length);
  }
  return text;
}

std::string toUtf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (char32_t point : text)
    appendUtf8(point, bytes);
  return bytes;
}

std::string repairUtf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    Utf8Piece piece = readUtf8(bytes);
    if (piece.valid)
      out += bytes.substr(0, piece.length);
    else
      out += "\uFFFD";
    bytes.remove_prefix(piece.length);
  }
  return out;
}

size_t completeUtf8(std::string_view bytes) {
  // An incomplete character has at most three bytes, so only the last three can begin one.
  for (size_t tail = bytes.size() < 3 ? bytes.size() : 3; tail > 0; --tail) {
    std::string_view end = bytes.substr(bytes.size() - tail);
    Utf8Piece piece = readUtf8(end);
    if (piece.incomplete && piece.length == tail)
      return bytes.size() - tail;
  }
  return bytes.size();
}

} // namespace quern::runtime
