//===- ExpressionParser.h - Expressions of chat templates -----------------===//
#ifndef QUERN_RUNTIME_TEXT_CHAT_EXPRESSIONPARSER_H
#define QUERN_RUNTIME_TEXT_CHAT_EXPRESSIONPARSER_H

#include "runtime/text/chat/Lexer.h"
#include "runtime/text/chat/Syntax.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime::chat {

/// Reads expressions from a list of tokens, with Jinja's precedence. TemplateParser builds on it.
class ExpressionParser {
protected:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens(std::move(tokens)) {}

  std::vector<Token> tokens;
  size_t at = 0;

  const Token &peek(size_t ahead = 0) const;
  bool isOperator(std::string_view text, size_t ahead = 0) const;
  bool isName(std::string_view text, size_t ahead = 0) const;
  bool acceptOperator(std::string_view text) { return isOperator(text) && ++at; }
  bool acceptName(std::string_view text) { return isName(text) && ++at; }
  Status syntax(std::string what) const;
  Status unexpected(std::string_view wanted) const;
  Status unsupported(const std::string &what) const;
  Status expectOperator(std::string_view text);
  Expected<std::string> expectName();

  /// An expression, or several with commas between them: a tuple. |conditional| tells whether `a if b` may
  /// follow.
  Expected<ExpressionPtr> parseTuple(bool conditional = true);
  Expected<ExpressionPtr> parseExpression();

private:
  uint32_t nesting = 0; ///< of parse functions

  ExpressionPtr make(ExpressionKind kind, int line, std::string name = {}) const;
  /// Adds |operand| (which may be null) and keeps the depth within its bound.
  Status adopt(Expression &parent, ExpressionPtr operand);
  Status tooDeep() const;
  std::string acceptAny(std::initializer_list<std::string_view> operators);
  template <typename Next, typename Accept>
  Expected<ExpressionPtr> parseLeft(ExpressionKind kind, Next next, Accept accept);

  // From the loosest binding to the tightest.
  Expected<ExpressionPtr> parseOr();
  Expected<ExpressionPtr> parseAnd();
  Expected<ExpressionPtr> parseNot();
  Expected<ExpressionPtr> parseComparison();
  Expected<ExpressionPtr> parseSum();
  Expected<ExpressionPtr> parseConcat();
  Expected<ExpressionPtr> parseProduct();
  Expected<ExpressionPtr> parsePower();
  Expected<ExpressionPtr> parseUnary();
  Expected<ExpressionPtr> parsePrimary();

  Expected<ExpressionPtr> parseBracketed();
  Expected<ExpressionPtr> parseItems(ExpressionPtr list, std::string_view close);
  Expected<ExpressionPtr> parseDict(ExpressionPtr dict);
  Status parseArguments(Expression &call);
  Status parsePostfix(ExpressionPtr &value);
  Status parseSubscript(ExpressionPtr &value, int line);
  Status parseFilters(ExpressionPtr &value);
  Status parseTest(ExpressionPtr &value, int line);
};

} // namespace quern::runtime::chat

#endif // QUERN_RUNTIME_TEXT_CHAT_EXPRESSIONPARSER_H
