//===- Syntax.h - A parsed chat template ----------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_CHAT_SYNTAX_H
#define QUERN_RUNTIME_TEXT_CHAT_SYNTAX_H

#include "runtime/text/chat/Value.h"
#include "support/Status.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime::chat {

enum class ExpressionKind : uint8_t {
  Literal,    ///< value
  Name,       ///< name
  List,       ///< operands
  Tuple,      ///< operands
  Dict,       ///< operands: key, value, key, value, ...
  Attribute,  ///< operands[0] . name
  Subscript,  ///< operands[0] [ operands[1] ]
  Slice,      ///< operands[0] [ operands[1] : operands[2] : operands[3] ], each of the last three may be null
  Call,       ///< name(operands..., keywords...)
  MethodCall, ///< operands[0] . name(operands[1]..., keywords...)
  Filter,     ///< operands[0] | name(operands[1]..., keywords...)
  Test,       ///< operands[0] is name(operands[1]...)
  Unary,      ///< name operands[0]; name is "-", "+" or "not"
  Binary,     ///< operands[0] name operands[1]; arithmetic and "~"
  And,        ///< operands[0] and operands[1]
  Or,         ///< operands[0] or operands[1]
  Comparison, ///< operands[0] comparisons[0] operands[1] comparisons[1] operands[2] ...
  Conditional, ///< operands[1] if operands[0] else operands[2]; the last may be null
};

struct Expression {
  ExpressionKind kind;
  int line = 0;
  uint32_t depth =
      1; ///< 1 + that of the deepest operand; bounded by the parser, so that evaluation may recurse
  std::string name = {};
  Value value = {};
  std::vector<std::unique_ptr<Expression>> operands = {};
  std::vector<std::pair<std::string, std::unique_ptr<Expression>>> keywords = {};
  std::vector<std::string> comparisons = {};
};
using ExpressionPtr = std::unique_ptr<Expression>;

enum class StatementKind : uint8_t {
  Data,     ///< text
  Print,    ///< expression
  If,       ///< branches: condition (null for else) and body
  For,      ///< names in expression [if condition]: body, branches[0].body being its else
  Set,      ///< names or name.attribute = expression
  SetBlock, ///< names[0] = what body prints
  Macro,    ///< names[0](parameters): body
  Group,    ///< body as it is (`generation`)
  Break,
  Continue,
};

struct Statement {
  struct Branch {
    ExpressionPtr condition;
    std::vector<std::unique_ptr<Statement>> body;
  };
  struct Parameter {
    std::string name;
    ExpressionPtr defaultValue; ///< may be null
  };
  StatementKind kind;
  int line = 0;
  std::string text = {};
  std::string attribute = {}; ///< of a Set on a namespace
  std::vector<std::string> names = {};
  ExpressionPtr expression = {}, condition = {};
  std::vector<std::unique_ptr<Statement>> body = {};
  std::vector<Branch> branches = {};
  std::vector<Parameter> parameters = {};
};
using StatementPtr = std::unique_ptr<Statement>;

struct Syntax {
  std::vector<StatementPtr> body;
};

/// Exit::BadInput "E-TEMPLATE-SYNTAX", Exit::Unsupported "E-TEMPLATE-UNSUPPORTED"; both name the construct
/// and its line.
Expected<Syntax> parseTemplate(std::string_view source);

/// What the evaluator knows; the parser refuses other names, so that a template fails before anything is
/// generated.
bool isKnownFilter(std::string_view name);
bool isKnownTest(std::string_view name);
bool isKnownMethod(std::string_view name);

} // namespace quern::runtime::chat

#endif // QUERN_RUNTIME_TEXT_CHAT_SYNTAX_H
