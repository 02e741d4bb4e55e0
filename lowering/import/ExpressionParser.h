//===- ExpressionParser.h - Text to expression trees ----------------------===//
//
// Recursive descent over the grammar in Expression.h. Shared by expressions and by wiring steps, which embed
// expressions as the values of named arguments.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_EXPRESSIONPARSER_H
#define QUERN_LOWERING_IMPORT_EXPRESSIONPARSER_H

#include "lowering/import/Expression.h"

namespace quern::import {

struct Expression::Node {
  enum Kind { Constant, Name, List, Call, Operator, Choice, Index };
  Kind kind = Constant;
  Value value;      ///< Constant
  std::string text; ///< the name, the function or the operator
  std::vector<std::shared_ptr<const Node>> children;
};

/// Consumes |text| from left to right. Any fault is "E-FAMILY-EXPRESSION" with the column.
class ExpressionParser {
public:
  using NodePtr = std::shared_ptr<const Expression::Node>;
  explicit ExpressionParser(std::string_view text) : text(text) {}

  /// A whole expression from the current place.
  Expected<NodePtr> choice();
  /// Success at the end of the text.
  Status end();

  /// The pieces that wiring steps need: each skips spaces first.
  bool accept(std::string_view symbol);
  Expected<std::string> name();
  bool atName();
  /// True where a name and |symbol| come next; consumes nothing.
  bool atNameThen(char symbol);
  size_t position() const { return at; }
  std::string_view since(size_t begin) const { return text.substr(begin, at - begin); }
  Status fault(std::string sentence) const;

private:
  void skipSpaces();
  bool acceptWord(std::string_view word);
  Expected<NodePtr> disjunction();
  Expected<NodePtr> conjunction();
  Expected<NodePtr> negation();
  Expected<NodePtr> comparison();
  Expected<NodePtr> sum();
  Expected<NodePtr> term();
  Expected<NodePtr> sign();
  Expected<NodePtr> index();
  Expected<NodePtr> atom();
  Expected<NodePtr> number();
  Expected<NodePtr> quoted();
  Expected<std::vector<NodePtr>> items(std::string_view close);

  std::string_view text;
  size_t at = 0;
  int depth = 0;
};

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_EXPRESSIONPARSER_H
