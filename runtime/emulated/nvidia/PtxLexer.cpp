//===- PtxLexer.cpp - Words of PTX text -----------------------------------===//

#include "runtime/emulated/nvidia/PtxLexer.h"

#include <bit>
#include <cctype>
#include <charconv>
#include <string>

namespace quern::runtime::emulated::nvidia {

namespace {

bool isWordStart(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '$' || c == '%';
}
bool isWordPart(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$'; }

class Lexer {
public:
  explicit Lexer(std::string_view text) : text(text) {}

  std::vector<Token> run() {
    std::vector<Token> tokens;
    while (true) {
      skipBlanks();
      Token token = next();
      tokens.push_back(token);
      if (token.kind == Token::End)
        return tokens;
    }
  }

private:
  char at(size_t i) const { return i < text.size() ? text[i] : '\0'; }

  void skipBlanks() {
    while (position < text.size()) {
      char c = text[position];
      if (c == '\n') {
        ++line;
        ++position;
      } else if (std::isspace(static_cast<unsigned char>(c)) || c == '\0') {
        ++position;
      } else if (c == '/' && at(position + 1) == '/') {
        skipLine();
      } else if (c == '#') {
        skipLine();
      } else if (c == '/' && at(position + 1) == '*') {
        position += 2;
        while (position < text.size() && !(text[position] == '*' && at(position + 1) == '/')) {
          line += text[position] == '\n';
          ++position;
        }
        position = std::min(position + 2, text.size());
      } else {
        return;
      }
    }
  }

  void skipLine() {
    while (position < text.size() && text[position] != '\n')
      ++position;
  }

  Token make(Token::Kind kind, size_t begin) {
    Token token;
    token.kind = kind;
    token.line = line;
    token.begin = static_cast<uint32_t>(begin);
    token.end = static_cast<uint32_t>(position);
    token.text = text.substr(begin, position - begin);
    return token;
  }

  Token next() {
    size_t begin = position;
    if (position >= text.size())
      return make(Token::End, begin);
    char c = text[position];
    if (isWordStart(c) || (c == '.' && isWordStart(at(position + 1))))
      return word();
    if (std::isdigit(static_cast<unsigned char>(c)))
      return number();
    ++position;
    if (c == '"') {
      while (position < text.size() && text[position] != '"' && text[position] != '\n')
        position += text[position] == '\\' ? 2 : 1;
      position = std::min(position + 1, text.size());
      return make(Token::String, begin);
    }
    return make(Token::Punctuation, begin);
  }

  Token word() {
    size_t begin = position++;
    // Directives and types may follow each other without a blank: ".reg.b32".
    bool isDirective = text[begin] == '.';
    while (position < text.size()) {
      char c = text[position];
      if (isWordPart(c))
        ++position;
      else if (c == '.' && !isDirective && isWordPart(at(position + 1)))
        position += 2;
      else if (c == ':' && at(position + 1) == ':' && isWordPart(at(position + 2)))
        position += 3;
      else
        break;
    }
    return make(Token::Word, begin);
  }

  /// PTX ISA 4.5.1 and 4.5.2: decimal, octal, hexadecimal, binary; 0f and 0d with the bits; decimal
  /// fractions.
  Token number() {
    size_t begin = position;
    int base = 10;
    char second = static_cast<char>(std::tolower(static_cast<unsigned char>(at(position + 1))));
    if (at(position) == '0' && (second == 'f' || second == 'd')) {
      size_t digits = second == 'f' ? 8 : 16;
      position = std::min(begin + 2 + digits, text.size());
      Token token = make(Token::Float, begin);
      token.floatBits = second == 'f' ? 32 : 64;
      return parse(token, begin + 2, 16);
    }
    if (at(position) == '0' && (second == 'x' || second == 'b')) {
      base = second == 'x' ? 16 : 2;
      position += 2;
      begin = position;
    } else if (at(position) == '0' && std::isdigit(static_cast<unsigned char>(second))) {
      base = 8;
    }
    while (base == 16 ? std::isxdigit(static_cast<unsigned char>(at(position)))
                      : std::isdigit(static_cast<unsigned char>(at(position))))
      ++position;
    bool fraction = at(position) == '.' && std::isdigit(static_cast<unsigned char>(at(position + 1)));
    bool exponent = base != 16 && (at(position) == 'e' || at(position) == 'E');
    if (fraction || exponent)
      return decimalFraction(begin);
    size_t end = position;
    Token token = make(Token::Integer, begin);
    token = parse(token, begin, base, end);
    if (at(position) == 'U' || at(position) == 'u')
      ++position;
    return token;
  }

  Token decimalFraction(size_t begin) {
    while (std::isdigit(static_cast<unsigned char>(at(position))) || at(position) == '.' ||
           at(position) == 'e' || at(position) == 'E' ||
           ((at(position) == '-' || at(position) == '+') && std::tolower(at(position - 1)) == 'e'))
      ++position;
    Token token = make(Token::Float, begin);
    double value = 0;
    auto [end, error] = std::from_chars(text.data() + begin, text.data() + position, value);
    token.value = std::bit_cast<uint64_t>(value);
    token.floatBits = 64;
    if (error != std::errc() || end != text.data() + position)
      token.kind = Token::Bad;
    return token;
  }

  Token parse(Token token, size_t begin, int base, size_t end = 0) {
    const char *last = text.data() + (end ? end : position);
    auto [stop, error] = std::from_chars(text.data() + begin, last, token.value, base);
    if (error != std::errc() || stop != last)
      token.kind = Token::Bad;
    return token;
  }

  std::string_view text;
  size_t position = 0;
  uint32_t line = 1;
};

} // namespace

std::vector<Token> lexPtx(std::string_view text) { return Lexer(text).run(); }

} // namespace quern::runtime::emulated::nvidia
