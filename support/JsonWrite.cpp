//===- JsonWrite.cpp - From a value to canonical text ---------------------===//
#include "support/Json.h"

#include <charconv>
#include <cmath>

namespace quern {

/// Length of the well-formed UTF-8 sequence at the head of |text| (Unicode standard, table 3-7); 0 where
/// there is none.
static size_t sequenceLength(std::string_view text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  unsigned lead = byte(0);
  if (lead < 0x80)
    return 1;
  size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4)
    return 0;
  unsigned low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  unsigned high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high)
    return 0;
  for (size_t i = 2; i < length; ++i)
    if ((byte(i) & 0xC0) != 0x80)
      return 0;
  return length;
}

static void writeString(std::string_view text, std::string &out) {
  static constexpr char digits[] = "0123456789abcdef";
  out += '"';
  for (size_t i = 0; i < text.size();) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    size_t length = sequenceLength(text.substr(i, 4));
    if (length == 0) {
      out += "\xEF\xBF\xBD"; // U+FFFD
      ++i;
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else if (c < 0x20) {
      out += "\\u00";
      out += digits[c >> 4];
      out += digits[c & 15];
    } else {
      out += text.substr(i, length);
    }
    i += length;
  }
  out += '"';
}

static void writeFloat(double value, std::string &out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[40];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  std::string_view digits(buffer, static_cast<size_t>(end - buffer));
  out += digits;
  if (digits.find_first_of(".e") == digits.npos)
    out += ".0"; // so that a reader sees a float again
}

static void write(const Json &value, const JsonStyle &style, int depth, std::string &out) {
  auto newLine = [&](int level) {
    if (style.indent < 0)
      return;
    out += '\n';
    out.append(static_cast<size_t>(style.indent) * level, ' ');
  };
  auto separate = [&](bool first) {
    if (!first)
      out += style.indent < 0 && style.spaces ? ", " : ",";
    newLine(depth + 1);
  };
  switch (value.kind()) {
  case JsonKind::Null:
    out += "null";
    return;
  case JsonKind::Bool:
    out += value.boolean() ? "true" : "false";
    return;
  case JsonKind::Int:
    out += std::to_string(value.integer());
    return;
  case JsonKind::UInt:
    out += std::to_string(value.unsignedInteger());
    return;
  case JsonKind::Float:
    return writeFloat(value.number(), out);
  case JsonKind::String:
    return writeString(value.string(), out);
  case JsonKind::Array: {
    out += '[';
    for (size_t i = 0; i < value.items().size(); ++i) {
      separate(i == 0);
      write(value.items()[i], style, depth + 1, out);
    }
    if (value.size())
      newLine(depth);
    out += ']';
    return;
  }
  case JsonKind::Object: {
    out += '{';
    for (size_t i = 0; i < value.members().size(); ++i) {
      separate(i == 0);
      writeString(value.members()[i].key, out);
      out += style.indent >= 0 || style.spaces ? ": " : ":";
      write(value.members()[i].value, style, depth + 1, out);
    }
    if (value.size())
      newLine(depth);
    out += '}';
    return;
  }
  }
}

std::string writeJson(const Json &value, JsonStyle style) {
  std::string out;
  write(value, style, 0, out);
  return out;
}

} // namespace quern
