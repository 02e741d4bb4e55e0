//===- ExpressionParser.cpp - Text to expression trees --------------------===//
#include "lowering/import/ExpressionParser.h"

#include <charconv>

using namespace quern;
using namespace quern::import;

namespace {

using Node = Expression::Node;
using NodePtr = ExpressionParser::NodePtr;

/// Nesting of parentheses, lists and conditionals; bounds the stack of parser and evaluator.
constexpr int kMaxDepth = 64;

bool isNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isNamePart(char c) { return isNameStart(c) || isDigit(c); }

NodePtr node(Node::Kind kind, std::string text, std::vector<NodePtr> children = {}) {
  auto made = std::make_shared<Node>();
  made->kind = kind;
  made->text = std::move(text);
  made->children = std::move(children);
  return made;
}

NodePtr constantNode(Value value) {
  auto made = std::make_shared<Node>();
  made->value = std::move(value);
  return made;
}

} // namespace

Status ExpressionParser::fault(std::string sentence) const {
  return Status::error(Exit::BadInput, "E-FAMILY-EXPRESSION",
                       "in `" + std::string(text) + "`, column " + std::to_string(at + 1) + ": " + sentence);
}

void ExpressionParser::skipSpaces() {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n'))
    ++at;
}

bool ExpressionParser::accept(std::string_view symbol) {
  skipSpaces();
  if (!text.substr(at).starts_with(symbol))
    return false;
  at += symbol.size();
  return true;
}

bool ExpressionParser::acceptWord(std::string_view word) {
  skipSpaces();
  std::string_view rest = text.substr(at);
  if (!rest.starts_with(word) || (rest.size() > word.size() && isNamePart(rest[word.size()])))
    return false;
  at += word.size();
  return true;
}

bool ExpressionParser::atName() {
  skipSpaces();
  return at < text.size() && isNameStart(text[at]);
}

bool ExpressionParser::atNameThen(char symbol) {
  size_t saved = at;
  bool found = false;
  if (atName()) {
    (void)name();
    skipSpaces();
    found = at < text.size() && text[at] == symbol;
  }
  at = saved;
  return found;
}

Expected<std::string> ExpressionParser::name() {
  if (!atName())
    return fault("expected a name");
  size_t begin = at;
  while (at < text.size() && isNamePart(text[at]))
    ++at;
  return std::string(text.substr(begin, at - begin));
}

Status ExpressionParser::end() {
  skipSpaces();
  if (at != text.size())
    return fault("unexpected `" + std::string(text.substr(at, 1)) + "`");
  return Status::success();
}

Expected<NodePtr> ExpressionParser::choice() {
  if (depth >= kMaxDepth)
    return fault("the expression is nested too deeply");
  ++depth;
  QUERN_ASSIGN_OR_RETURN(NodePtr condition, disjunction());
  if (accept("?")) {
    QUERN_ASSIGN_OR_RETURN(NodePtr first, choice());
    if (!accept(":"))
      return fault("expected `:`");
    QUERN_ASSIGN_OR_RETURN(NodePtr second, choice());
    condition = node(Node::Choice, "?", {condition, first, second});
  }
  --depth;
  return condition;
}

Expected<NodePtr> ExpressionParser::disjunction() {
  QUERN_ASSIGN_OR_RETURN(NodePtr left, conjunction());
  while (acceptWord("or")) {
    QUERN_ASSIGN_OR_RETURN(NodePtr right, conjunction());
    left = node(Node::Operator, "or", {left, right});
  }
  return left;
}

Expected<NodePtr> ExpressionParser::conjunction() {
  QUERN_ASSIGN_OR_RETURN(NodePtr left, negation());
  while (acceptWord("and")) {
    QUERN_ASSIGN_OR_RETURN(NodePtr right, negation());
    left = node(Node::Operator, "and", {left, right});
  }
  return left;
}

Expected<NodePtr> ExpressionParser::negation() {
  if (!acceptWord("not"))
    return comparison();
  if (depth >= kMaxDepth)
    return fault("the expression is nested too deeply");
  ++depth;
  QUERN_ASSIGN_OR_RETURN(NodePtr operand, negation());
  --depth;
  return node(Node::Operator, "not", {operand});
}

Expected<NodePtr> ExpressionParser::comparison() {
  QUERN_ASSIGN_OR_RETURN(NodePtr left, sum());
  std::string op;
  for (const char *symbol : {"==", "!=", "<=", ">=", "<", ">"})
    if (op.empty() && accept(symbol))
      op = symbol;
  if (op.empty() && acceptWord("in"))
    op = "in";
  if (op.empty())
    return left;
  QUERN_ASSIGN_OR_RETURN(NodePtr right, sum());
  return node(Node::Operator, op, {left, right});
}

Expected<NodePtr> ExpressionParser::sum() {
  QUERN_ASSIGN_OR_RETURN(NodePtr left, term());
  while (true) {
    std::string op = accept("+") ? "+" : accept("-") ? "-" : "";
    if (op.empty())
      return left;
    QUERN_ASSIGN_OR_RETURN(NodePtr right, term());
    left = node(Node::Operator, op, {left, right});
  }
}

Expected<NodePtr> ExpressionParser::term() {
  QUERN_ASSIGN_OR_RETURN(NodePtr left, sign());
  while (true) {
    std::string op = accept("//") ? "//" : accept("*") ? "*" : accept("/") ? "/" : accept("%") ? "%" : "";
    if (op.empty())
      return left;
    QUERN_ASSIGN_OR_RETURN(NodePtr right, sign());
    left = node(Node::Operator, op, {left, right});
  }
}

Expected<NodePtr> ExpressionParser::sign() {
  if (!accept("-"))
    return index();
  if (depth >= kMaxDepth)
    return fault("the expression is nested too deeply");
  ++depth;
  QUERN_ASSIGN_OR_RETURN(NodePtr operand, sign());
  --depth;
  return node(Node::Operator, "-", {operand});
}

Expected<NodePtr> ExpressionParser::index() {
  QUERN_ASSIGN_OR_RETURN(NodePtr value, atom());
  while (accept("[")) {
    QUERN_ASSIGN_OR_RETURN(NodePtr at, choice());
    if (!accept("]"))
      return fault("expected `]`");
    value = node(Node::Index, "[]", {value, at});
  }
  return value;
}

Expected<std::vector<NodePtr>> ExpressionParser::items(std::string_view close) {
  std::vector<NodePtr> list;
  if (accept(close))
    return list;
  do {
    QUERN_ASSIGN_OR_RETURN(NodePtr item, choice());
    list.push_back(std::move(item));
  } while (accept(","));
  if (!accept(close))
    return fault("expected `,` or `" + std::string(close) + "`");
  return list;
}

Expected<NodePtr> ExpressionParser::number() {
  size_t begin = at;
  bool real = false;
  while (at < text.size()) {
    char c = text[at];
    bool exponentSign = (c == '+' || c == '-') && (text[at - 1] == 'e' || text[at - 1] == 'E') && real;
    if (c == '.' || c == 'e' || c == 'E')
      real = true;
    else if (!isDigit(c) && !exponentSign)
      break;
    ++at;
  }
  std::string_view digits = text.substr(begin, at - begin);
  const char *last = digits.data() + digits.size();
  if (real) {
    double value = 0;
    auto [end, code] = std::from_chars(digits.data(), last, value);
    if (code != std::errc() || end != last)
      return fault("malformed number `" + std::string(digits) + "`");
    return constantNode(Value(value));
  }
  int64_t value = 0;
  auto [end, code] = std::from_chars(digits.data(), last, value);
  if (code != std::errc() || end != last)
    return fault("malformed number `" + std::string(digits) + "`");
  return constantNode(Value(value));
}

Expected<NodePtr> ExpressionParser::quoted() {
  size_t close = text.find('\'', at);
  if (close == std::string_view::npos)
    return fault("the string has no closing quote");
  std::string content(text.substr(at, close - at));
  at = close + 1;
  return constantNode(Value(std::move(content)));
}

Expected<NodePtr> ExpressionParser::atom() {
  skipSpaces();
  if (at < text.size() && isDigit(text[at]))
    return number();
  if (accept("'"))
    return quoted();
  if (accept("(")) {
    QUERN_ASSIGN_OR_RETURN(NodePtr inner, choice());
    if (!accept(")"))
      return fault("expected `)`");
    return inner;
  }
  if (accept("[")) {
    QUERN_ASSIGN_OR_RETURN(std::vector<NodePtr> list, items("]"));
    return node(Node::List, "[]", std::move(list));
  }
  if (acceptWord("true"))
    return constantNode(Value(true));
  if (acceptWord("false"))
    return constantNode(Value(false));
  if (acceptWord("null"))
    return constantNode(Value());
  if (!atName())
    return fault(at < text.size() ? "unexpected `" + std::string(text.substr(at, 1)) + "`"
                                  : "the expression ends too early");
  QUERN_ASSIGN_OR_RETURN(std::string word, name());
  if (!accept("("))
    return node(Node::Name, std::move(word));
  QUERN_ASSIGN_OR_RETURN(std::vector<NodePtr> arguments, items(")"));
  return node(Node::Call, std::move(word), std::move(arguments));
}

//===-- Wiring steps ------------------------------------------------------===//

namespace {

Expected<StepText> parseStep(ExpressionParser &parser, std::string_view text) {
  StepText step;
  step.source = std::string(text);
  do {
    QUERN_ASSIGN_OR_RETURN(std::string result, parser.name());
    step.results.push_back(std::move(result));
  } while (parser.accept(","));
  if (!parser.accept("="))
    return parser.fault("expected `=`");
  QUERN_ASSIGN_OR_RETURN(step.operation, parser.name());
  if (!parser.accept("("))
    return parser.fault("expected `(`");
  if (parser.accept(")")) {
    QUERN_RETURN_IF_ERROR(parser.end());
    return step;
  }
  do {
    if (parser.atNameThen(':')) {
      StepText::Argument argument;
      QUERN_ASSIGN_OR_RETURN(argument.name, parser.name());
      parser.accept(":");
      if (parser.accept("@")) {
        argument.weight = true;
        QUERN_ASSIGN_OR_RETURN(argument.weightName, parser.name());
      } else {
        size_t begin = parser.position();
        QUERN_ASSIGN_OR_RETURN(NodePtr skipped, parser.choice());
        QUERN_ASSIGN_OR_RETURN(argument.value, Expression::parse(parser.since(begin)));
      }
      for (const StepText::Argument &earlier : step.arguments)
        if (earlier.name == argument.name)
          return parser.fault("`" + argument.name + "` is given twice");
      step.arguments.push_back(std::move(argument));
      continue;
    }
    if (!step.arguments.empty())
      return parser.fault("a value comes after a named argument");
    StepText::Operand operand;
    operand.weight = parser.accept("@");
    QUERN_ASSIGN_OR_RETURN(operand.name, parser.name());
    step.operands.push_back(std::move(operand));
  } while (parser.accept(","));
  if (!parser.accept(")"))
    return parser.fault("expected `,` or `)`");
  QUERN_RETURN_IF_ERROR(parser.end());
  return step;
}

} // namespace

Expected<StepText> StepText::parse(std::string_view text) {
  ExpressionParser parser(text);
  Expected<StepText> step = parseStep(parser, text);
  if (step.ok())
    return step;
  return Status::error(Exit::BadInput, "E-FAMILY-STEP", step.takeError().sentence());
}
