//===- Lexer.cpp ----------------------------------------------------------===//
#include "runtime/text/chat/Lexer.h"

#include "runtime/text/Utf8.h"
#include "runtime/text/chat/Value.h"

#include <algorithm>
#include <cctype>

namespace quern::runtime::chat {

Status templateError(Exit exit, std::string id, int line, std::string sentence) {
  return Status::error(exit, std::move(id),
                       "the chat template, line " + std::to_string(line) + ": " + std::move(sentence));
}

namespace {

bool isNameStart(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool isNamePart(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Bytes of white space at the head of |text|.
size_t leadingSpace(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    Utf8Piece piece = readUtf8(text.substr(at));
    if (!piece.valid || !isSpace(piece.codePoint))
      break;
    at += piece.length;
  }
  return at;
}

/// |text| without white space at its end.
std::string_view withoutTrailingSpace(std::string_view text) {
  while (!text.empty()) {
    size_t begin = text.size() - 1;
    while (begin > 0 && (text[begin] & 0xC0) == 0x80)
      --begin;
    Utf8Piece piece = readUtf8(text.substr(begin));
    if (!piece.valid || !isSpace(piece.codePoint))
      break;
    text = text.substr(0, begin);
  }
  return text;
}

class TemplateLexer {
public:
  explicit TemplateLexer(std::string_view raw) {
    // Every kind of line end counts as a line feed.
    for (size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '\r') {
        source += '\n';
        i += i + 1 < raw.size() && raw[i + 1] == '\n';
      } else {
        source += raw[i];
      }
    }
    if (source.ends_with('\n'))
      source.pop_back();
  }

  Expected<std::vector<Token>> read() {
    while (at < source.size())
      QUERN_RETURN_IF_ERROR(readData());
    tokens.push_back({TokenKind::End, "the end of the template", line});
    return std::move(tokens);
  }

private:
  std::string source;
  size_t at = 0;
  int line = 1;
  bool lineStarting = true; ///< the token before ended with a line feed
  std::vector<Token> tokens;

  std::string_view rest() const { return std::string_view(source).substr(at); }
  Status syntax(std::string what) const {
    return templateError(Exit::BadInput, "E-TEMPLATE-SYNTAX", line, std::move(what));
  }
  void advance(size_t count) {
    line += static_cast<int>(std::count(source.begin() + at, source.begin() + at + count, '\n'));
    at += count;
  }

  /// Text up to the next delimiter, and what the delimiter opens.
  Status readData() {
    size_t open = at;
    while (true) {
      open = source.find('{', open);
      if (open == source.npos || (open + 1 < source.size() &&
                                  std::string_view("%{#").find(source[open + 1]) != std::string_view::npos))
        break;
      ++open;
    }
    std::string_view data =
        std::string_view(source).substr(at, open == source.npos ? source.npos : open - at);
    if (open == source.npos) {
      emitData(data);
      at = source.size();
      return Status::success();
    }
    char kind = source[open + 1], sign = open + 2 < source.size() ? source[open + 2] : '\0';
    size_t length = data.size();
    if (sign == '-') {
      data = withoutTrailingSpace(data);
    } else if (sign != '+' && kind != '{') {
      size_t lineBegin = data.rfind('\n') + 1; // 0 where there is no line feed
      std::string_view last = data.substr(lineBegin);
      if ((lineBegin > 0 || lineStarting) && !last.empty() && leadingSpace(last) == last.size())
        data = data.substr(0, lineBegin);
    }
    emitData(data);
    advance(length + 2);
    if (sign == '-' || sign == '+')
      advance(1);
    if (kind == '#')
      return readComment();
    if (kind == '%' && tryRaw())
      return readRaw();
    return readTag(kind == '%');
  }

  void emitData(std::string_view data) {
    if (!data.empty())
      tokens.push_back({TokenKind::Data, std::string(data), line});
  }

  /// Behind the two characters that close a tag: drops what the settings or the sign say.
  void closeTag(bool strip, bool trim) {
    size_t dropped = strip ? leadingSpace(rest()) : trim && rest().starts_with('\n') ? 1 : 0;
    lineStarting = dropped > 0 && source[at + dropped - 1] == '\n';
    advance(dropped);
  }

  Status readComment() {
    size_t close = source.find("#}", at);
    if (close == source.npos)
      return syntax("a comment is not closed");
    char sign = close > at ? source[close - 1] : '\0';
    advance(close + 2 - at);
    closeTag(sign == '-', sign != '+');
    return Status::success();
  }

  /// `{% raw %}` at the current position, behind its `{%`; moves behind its end if so.
  bool tryRaw() {
    size_t cursor = at + leadingSpace(rest());
    if (std::string_view(source).substr(cursor, 3) != "raw" || cursor + 3 >= source.size() ||
        isNamePart(source[cursor + 3]))
      return false;
    cursor += 3;
    cursor += leadingSpace(std::string_view(source).substr(cursor));
    bool strip = cursor < source.size() && source[cursor] == '-';
    cursor += strip;
    if (std::string_view(source).substr(cursor, 2) != "%}")
      return false;
    advance(cursor + 2 - at);
    closeTag(strip, true);
    return true;
  }

  Status readRaw() {
    for (size_t open = source.find("{%", at); open != source.npos; open = source.find("{%", open + 2)) {
      size_t cursor = open + 2;
      bool stripBefore = cursor < source.size() && source[cursor] == '-';
      cursor += stripBefore;
      cursor += leadingSpace(std::string_view(source).substr(cursor));
      if (std::string_view(source).substr(cursor, 6) != "endraw")
        continue;
      cursor += 6;
      cursor += leadingSpace(std::string_view(source).substr(cursor));
      bool strip = cursor < source.size() && source[cursor] == '-';
      cursor += strip;
      if (std::string_view(source).substr(cursor, 2) != "%}")
        continue;
      std::string_view data = std::string_view(source).substr(at, open - at);
      if (stripBefore) {
        data = withoutTrailingSpace(data);
      } else {
        size_t lineBegin = data.rfind('\n') + 1;
        if (lineBegin > 0 && lineBegin < data.size() &&
            leadingSpace(data.substr(lineBegin)) == data.size() - lineBegin)
          data = data.substr(0, lineBegin);
      }
      emitData(data);
      advance(cursor + 2 - at);
      closeTag(strip, true);
      return Status::success();
    }
    return syntax("`raw` is not closed");
  }

  Status readTag(bool block) {
    tokens.push_back({block ? TokenKind::BlockBegin : TokenKind::PrintBegin, block ? "{%" : "{{", line});
    const std::string_view end = block ? "%}" : "}}";
    std::string brackets;
    while (true) {
      advance(leadingSpace(rest()));
      if (at >= source.size())
        return syntax(std::string(block ? "`{%`" : "`{{`") + " is not closed");
      char sign = source[at];
      bool hasSign = (sign == '-' || (sign == '+' && block)) && rest().substr(1).starts_with(end);
      if (brackets.empty() && (hasSign || rest().starts_with(end))) {
        tokens.push_back({block ? TokenKind::BlockEnd : TokenKind::PrintEnd, std::string(end), line});
        advance(hasSign ? 3 : 2);
        closeTag(hasSign && sign == '-', block && !(hasSign && sign == '+'));
        return Status::success();
      }
      QUERN_RETURN_IF_ERROR(readWord(brackets));
    }
  }

  Status readWord(std::string &brackets) {
    char c = source[at];
    if (isNameStart(c)) {
      size_t end = at;
      while (end < source.size() && isNamePart(source[end]))
        ++end;
      tokens.push_back({TokenKind::Name, source.substr(at, end - at), line});
      at = end;
      return Status::success();
    }
    if (isDigit(c))
      return readNumber();
    if (c == '\'' || c == '"')
      return readString();
    static constexpr std::string_view operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "*",
                                                     "/",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                                     ">",  "<",  "=",  ".",  ":",  "|",  ","};
    for (std::string_view op : operators) {
      if (!rest().starts_with(op))
        continue;
      if (op == "(" || op == "[" || op == "{")
        brackets += op[0] == '(' ? ')' : op[0] == '[' ? ']' : '}';
      if (op == ")" || op == "]" || op == "}") {
        if (brackets.empty() || brackets.back() != op[0])
          return syntax("unexpected `" + std::string(op) + "`");
        brackets.pop_back();
      }
      tokens.push_back({TokenKind::Operator, std::string(op), line});
      at += op.size();
      return Status::success();
    }
    return syntax("unexpected `" + repairUtf8(rest().substr(0, readUtf8(rest()).length)) + "`");
  }

  Status readNumber() {
    size_t end = at;
    auto digits = [&]() {
      while (end < source.size() && (isDigit(source[end]) || (source[end] == '_' && end + 1 < source.size() &&
                                                              isDigit(source[end + 1]))))
        ++end;
    };
    digits();
    bool isFloat = false;
    if (end + 1 < source.size() && source[end] == '.' && isDigit(source[end + 1])) {
      isFloat = true;
      ++end;
      digits();
    }
    if (end < source.size() && (source[end] == 'e' || source[end] == 'E')) {
      size_t exponent = end + 1;
      exponent += exponent < source.size() && (source[exponent] == '+' || source[exponent] == '-');
      if (exponent < source.size() && isDigit(source[exponent])) {
        isFloat = true;
        end = exponent;
        digits();
      }
    }
    std::string text = source.substr(at, end - at);
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    tokens.push_back({isFloat ? TokenKind::Float : TokenKind::Integer, std::move(text), line});
    at = end;
    return Status::success();
  }

  /// A string with Python's escapes; an escape that is none stays as it is written.
  Status readString() {
    char quote = source[at];
    int begin = line;
    std::string text;
    advance(1);
    while (at < source.size() && source[at] != quote) {
      if (source[at] != '\\') {
        text += source[at];
        advance(1);
        continue;
      }
      if (at + 1 >= source.size())
        break;
      char c = source[at + 1];
      static constexpr std::string_view from = "ntrabfv\\'\"", to = "\n\t\r\a\b\f\v\\'\"";
      size_t simple = from.find(c);
      size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
      if (simple != from.npos) {
        text += to[simple];
      } else if (c == '\n') {
        // a line that goes on
      } else if (digits) {
        uint32_t point = 0;
        for (size_t i = 0; i < digits; ++i) {
          char digit = at + 2 + i < source.size() ? source[at + 2 + i] : '\0';
          if (!std::isxdigit(static_cast<unsigned char>(digit)))
            return syntax("an unfinished `\\" + std::string(1, c) + "` escape");
          point =
              point * 16 + static_cast<uint32_t>(isDigit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }
        if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
          return syntax("an escape that is no character");
        appendUtf8(point, text);
        advance(digits);
      } else if (isDigit(c)) {
        return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", line,
                             "octal escapes are not supported");
      } else {
        text += '\\';
        text += c;
      }
      advance(2);
    }
    if (at >= source.size())
      return templateError(Exit::BadInput, "E-TEMPLATE-SYNTAX", begin, "a string is not closed");
    advance(1);
    tokens.push_back({TokenKind::String, std::move(text), begin});
    return Status::success();
  }
};

} // namespace

Expected<std::vector<Token>> readTokens(std::string_view source) { return TemplateLexer(source).read(); }

} // namespace quern::runtime::chat
