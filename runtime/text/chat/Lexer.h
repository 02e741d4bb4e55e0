//===- Lexer.h - The tokens of a chat template ----------------------------===//
//
// Jinja's rules with the settings that chat templates are rendered with: `trim_blocks` (the line feed behind
// a block is dropped) and `lstrip_blocks` (blanks before a block that begins its line are dropped); `-` next
// to a delimiter takes all white space on that side, `+` switches the settings off there. One line feed at
// the very end is dropped.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_CHAT_LEXER_H
#define QUERN_RUNTIME_TEXT_CHAT_LEXER_H

#include "support/Status.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime::chat {

enum class TokenKind : uint8_t {
  Data,
  BlockBegin,
  BlockEnd,
  PrintBegin,
  PrintEnd,
  Name,
  String,
  Integer,
  Float,
  Operator,
  End
};

struct Token {
  TokenKind kind;
  std::string text; ///< data, name, operator, digits, or the characters of a string
  int line;
};

/// Exit::BadInput "E-TEMPLATE-SYNTAX" with the line. The last token is End.
Expected<std::vector<Token>> readTokens(std::string_view source);

/// "the chat template, line 12: ..."
Status templateError(Exit exit, std::string id, int line, std::string sentence);

} // namespace quern::runtime::chat

#endif // QUERN_RUNTIME_TEXT_CHAT_LEXER_H
