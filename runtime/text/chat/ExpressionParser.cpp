//===- ExpressionParser.cpp -----------------------------------------------===//
#include "runtime/text/chat/ExpressionParser.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

namespace quern::runtime::chat {

static constexpr uint32_t maxExpressionDepth = 200;

const Token &ExpressionParser::peek(size_t ahead) const {
  return tokens[std::min(at + ahead, tokens.size() - 1)];
}
bool ExpressionParser::isOperator(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == TokenKind::Operator && peek(ahead).text == text;
}
bool ExpressionParser::isName(std::string_view text, size_t ahead) const {
  return peek(ahead).kind == TokenKind::Name && peek(ahead).text == text;
}

Status ExpressionParser::syntax(std::string what) const {
  return templateError(Exit::BadInput, "E-TEMPLATE-SYNTAX", peek().line, std::move(what));
}
Status ExpressionParser::unexpected(std::string_view wanted) const {
  return syntax("expected " + std::string(wanted) + ", got `" + peek().text.substr(0, 60) + "`");
}
Status ExpressionParser::unsupported(const std::string &what) const {
  return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", peek().line, what + " is not supported");
}
Status ExpressionParser::expectOperator(std::string_view text) {
  return acceptOperator(text) ? Status::success() : unexpected("`" + std::string(text) + "`");
}
Expected<std::string> ExpressionParser::expectName() {
  if (peek().kind != TokenKind::Name)
    return unexpected("a name");
  return tokens[at++].text;
}

ExpressionPtr ExpressionParser::make(ExpressionKind kind, int line, std::string name) const {
  auto expression = std::make_unique<Expression>();
  expression->kind = kind;
  expression->line = line;
  expression->name = std::move(name);
  return expression;
}

Status ExpressionParser::adopt(Expression &parent, ExpressionPtr operand) {
  if (operand)
    parent.depth = std::max(parent.depth, operand->depth + 1);
  parent.operands.push_back(std::move(operand));
  return parent.depth <= maxExpressionDepth ? Status::success() : tooDeep();
}
Status ExpressionParser::tooDeep() const {
  return syntax("an expression is nested deeper than " + std::to_string(maxExpressionDepth));
}

/// An expression, or several with commas between them: a tuple. |conditional| tells whether `a if b` may
/// follow.
Expected<ExpressionPtr> ExpressionParser::parseTuple(bool conditional) {
  int line = peek().line;
  QUERN_ASSIGN_OR_RETURN(ExpressionPtr first, conditional ? parseExpression() : parseOr());
  if (!isOperator(","))
    return first;
  ExpressionPtr tuple = make(ExpressionKind::Tuple, line);
  QUERN_RETURN_IF_ERROR(adopt(*tuple, std::move(first)));
  while (acceptOperator(",")) {
    if (peek().kind == TokenKind::BlockEnd || peek().kind == TokenKind::PrintEnd || isOperator(")"))
      break;
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr item, conditional ? parseExpression() : parseOr());
    QUERN_RETURN_IF_ERROR(adopt(*tuple, std::move(item)));
  }
  return tuple;
}

Expected<ExpressionPtr> ExpressionParser::parseExpression() {
  struct Level {
    uint32_t &count;
    explicit Level(uint32_t &count) : count(count) { ++count; }
    ~Level() { --count; }
  } level(nesting);
  if (nesting > maxExpressionDepth)
    return tooDeep();
  QUERN_ASSIGN_OR_RETURN(ExpressionPtr value, parseOr());
  while (isName("if")) {
    ExpressionPtr conditional = make(ExpressionKind::Conditional, peek().line);
    ++at;
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr condition, parseOr());
    ExpressionPtr otherwise;
    if (acceptName("else")) {
      QUERN_ASSIGN_OR_RETURN(otherwise, parseExpression());
    }
    QUERN_RETURN_IF_ERROR(adopt(*conditional, std::move(condition)));
    QUERN_RETURN_IF_ERROR(adopt(*conditional, std::move(value)));
    QUERN_RETURN_IF_ERROR(adopt(*conditional, std::move(otherwise)));
    value = std::move(conditional);
  }
  return value;
}

/// left OP right OP right ..., grouped from the left.
template <typename Next, typename Accept>
Expected<ExpressionPtr> ExpressionParser::parseLeft(ExpressionKind kind, Next next, Accept accept) {
  QUERN_ASSIGN_OR_RETURN(ExpressionPtr left, next());
  for (std::string op = accept(); !op.empty(); op = accept()) {
    ExpressionPtr parent = make(kind, peek().line, op);
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr right, next());
    QUERN_RETURN_IF_ERROR(adopt(*parent, std::move(left)));
    QUERN_RETURN_IF_ERROR(adopt(*parent, std::move(right)));
    left = std::move(parent);
  }
  return left;
}
std::string ExpressionParser::acceptAny(std::initializer_list<std::string_view> operators) {
  for (std::string_view op : operators)
    if (acceptOperator(op))
      return std::string(op);
  return {};
}

Expected<ExpressionPtr> ExpressionParser::parseOr() {
  return parseLeft(
      ExpressionKind::Or, [&] { return parseAnd(); },
      [&] { return std::string(acceptName("or") ? "or" : ""); });
}
Expected<ExpressionPtr> ExpressionParser::parseAnd() {
  return parseLeft(
      ExpressionKind::And, [&] { return parseNot(); },
      [&] { return std::string(acceptName("and") ? "and" : ""); });
}

Expected<ExpressionPtr> ExpressionParser::parseNot() {
  int line = peek().line;
  size_t count = 0;
  while (acceptName("not"))
    ++count;
  QUERN_ASSIGN_OR_RETURN(ExpressionPtr value, parseComparison());
  for (; count > 0; --count) {
    ExpressionPtr negation = make(ExpressionKind::Unary, line, "not");
    QUERN_RETURN_IF_ERROR(adopt(*negation, std::move(value)));
    value = std::move(negation);
  }
  return value;
}

Expected<ExpressionPtr> ExpressionParser::parseComparison() {
  int line = peek().line;
  QUERN_ASSIGN_OR_RETURN(ExpressionPtr first, parseSum());
  ExpressionPtr comparison;
  while (true) {
    std::string op = acceptAny({"==", "!=", "<=", ">=", "<", ">"});
    if (op.empty() && acceptName("in"))
      op = "in";
    if (op.empty() && isName("not") && isName("in", 1)) {
      at += 2;
      op = "not in";
    }
    if (op.empty())
      break;
    if (!comparison) {
      comparison = make(ExpressionKind::Comparison, line);
      QUERN_RETURN_IF_ERROR(adopt(*comparison, std::move(first)));
    }
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr next, parseSum());
    QUERN_RETURN_IF_ERROR(adopt(*comparison, std::move(next)));
    comparison->comparisons.push_back(std::move(op));
  }
  return comparison ? std::move(comparison) : std::move(first);
}

Expected<ExpressionPtr> ExpressionParser::parseSum() {
  return parseLeft(
      ExpressionKind::Binary, [&] { return parseConcat(); }, [&] { return acceptAny({"+", "-"}); });
}
Expected<ExpressionPtr> ExpressionParser::parseConcat() {
  return parseLeft(ExpressionKind::Binary, [&] { return parseProduct(); }, [&] { return acceptAny({"~"}); });
}
Expected<ExpressionPtr> ExpressionParser::parseProduct() {
  return parseLeft(
      ExpressionKind::Binary, [&] { return parsePower(); }, [&] { return acceptAny({"*", "//", "/", "%"}); });
}
Expected<ExpressionPtr> ExpressionParser::parsePower() {
  return parseLeft(ExpressionKind::Binary, [&] { return parseUnary(); }, [&] { return acceptAny({"**"}); });
}

Expected<ExpressionPtr> ExpressionParser::parseUnary() {
  int line = peek().line;
  std::string signs;
  for (std::string op = acceptAny({"-", "+"}); !op.empty(); op = acceptAny({"-", "+"}))
    signs += op;
  QUERN_ASSIGN_OR_RETURN(ExpressionPtr value, parsePrimary());
  QUERN_RETURN_IF_ERROR(parsePostfix(value));
  for (; !signs.empty(); signs.pop_back()) {
    ExpressionPtr unary = make(ExpressionKind::Unary, line, signs.substr(signs.size() - 1));
    QUERN_RETURN_IF_ERROR(adopt(*unary, std::move(value)));
    value = std::move(unary);
  }
  QUERN_RETURN_IF_ERROR(parseFilters(value));
  return value;
}

Expected<ExpressionPtr> ExpressionParser::parsePrimary() {
  const Token token = peek();
  if (token.kind == TokenKind::Name) {
    ++at;
    ExpressionPtr literal = make(ExpressionKind::Literal, token.line);
    if (token.text == "true" || token.text == "True")
      literal->value = true;
    else if (token.text == "false" || token.text == "False")
      literal->value = false;
    else if (token.text == "none" || token.text == "None")
      literal->value = Value::none();
    else
      return make(ExpressionKind::Name, token.line, token.text);
    return literal;
  }
  if (token.kind == TokenKind::String) {
    ExpressionPtr literal = make(ExpressionKind::Literal, token.line);
    std::string text;
    while (peek().kind == TokenKind::String) // neighbours are one string
      text += tokens[at++].text;
    literal->value = Text(std::move(text));
    return literal;
  }
  if (token.kind == TokenKind::Integer || token.kind == TokenKind::Float) {
    ++at;
    ExpressionPtr literal = make(ExpressionKind::Literal, token.line);
    errno = 0;
    if (token.kind == TokenKind::Integer)
      literal->value = static_cast<int64_t>(strtoll(token.text.c_str(), nullptr, 10));
    else
      literal->value = strtod(token.text.c_str(), nullptr);
    if (errno == ERANGE)
      return syntax("the number " + token.text.substr(0, 60) + " is out of range");
    return literal;
  }
  if (acceptOperator("("))
    return parseBracketed();
  if (acceptOperator("["))
    return parseItems(make(ExpressionKind::List, token.line), "]");
  if (acceptOperator("{"))
    return parseDict(make(ExpressionKind::Dict, token.line));
  return unexpected("an expression");
}

Expected<ExpressionPtr> ExpressionParser::parseBracketed() {
  int line = peek().line;
  if (acceptOperator(")"))
    return make(ExpressionKind::Tuple, line);
  QUERN_ASSIGN_OR_RETURN(ExpressionPtr inner, parseTuple());
  QUERN_RETURN_IF_ERROR(expectOperator(")"));
  return inner;
}

Expected<ExpressionPtr> ExpressionParser::parseItems(ExpressionPtr list, std::string_view close) {
  while (!acceptOperator(close)) {
    if (!list->operands.empty())
      QUERN_RETURN_IF_ERROR(expectOperator(","));
    if (acceptOperator(close))
      break;
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr item, parseExpression());
    QUERN_RETURN_IF_ERROR(adopt(*list, std::move(item)));
  }
  return list;
}

Expected<ExpressionPtr> ExpressionParser::parseDict(ExpressionPtr dict) {
  while (!acceptOperator("}")) {
    if (!dict->operands.empty())
      QUERN_RETURN_IF_ERROR(expectOperator(","));
    if (acceptOperator("}"))
      break;
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr key, parseExpression());
    QUERN_RETURN_IF_ERROR(expectOperator(":"));
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr value, parseExpression());
    QUERN_RETURN_IF_ERROR(adopt(*dict, std::move(key)));
    QUERN_RETURN_IF_ERROR(adopt(*dict, std::move(value)));
  }
  return dict;
}

/// Arguments up to the closing bracket.
Status ExpressionParser::parseArguments(Expression &call) {
  bool first = true;
  while (!acceptOperator(")")) {
    if (!first)
      QUERN_RETURN_IF_ERROR(expectOperator(","));
    first = false;
    if (acceptOperator(")"))
      break;
    if (isOperator("*") || isOperator("**"))
      return unsupported("`*` before an argument");
    if (peek().kind == TokenKind::Name && isOperator("=", 1)) {
      std::string name = peek().text;
      at += 2;
      QUERN_ASSIGN_OR_RETURN(ExpressionPtr value, parseExpression());
      call.depth = std::max(call.depth, value->depth + 1);
      call.keywords.emplace_back(std::move(name), std::move(value));
      continue;
    }
    if (!call.keywords.empty())
      return syntax("an argument without a name behind one with a name");
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr value, parseExpression());
    QUERN_RETURN_IF_ERROR(adopt(call, std::move(value)));
  }
  return call.depth <= maxExpressionDepth ? Status::success() : tooDeep();
}

Status ExpressionParser::parsePostfix(ExpressionPtr &value) {
  while (true) {
    int line = peek().line;
    if (acceptOperator(".")) {
      ExpressionPtr attribute;
      if (peek().kind == TokenKind::Integer) {
        attribute = make(ExpressionKind::Subscript, line);
        QUERN_RETURN_IF_ERROR(adopt(*attribute, std::move(value)));
        QUERN_ASSIGN_OR_RETURN(ExpressionPtr index, parsePrimary());
        QUERN_RETURN_IF_ERROR(adopt(*attribute, std::move(index)));
      } else {
        QUERN_ASSIGN_OR_RETURN(std::string name, expectName());
        bool call = isOperator("(");
        if (call && !isKnownMethod(name))
          return unsupported("the method `" + name + "`");
        attribute =
            make(call ? ExpressionKind::MethodCall : ExpressionKind::Attribute, line, std::move(name));
        QUERN_RETURN_IF_ERROR(adopt(*attribute, std::move(value)));
        if (acceptOperator("("))
          QUERN_RETURN_IF_ERROR(parseArguments(*attribute));
      }
      value = std::move(attribute);
    } else if (acceptOperator("[")) {
      QUERN_RETURN_IF_ERROR(parseSubscript(value, line));
    } else if (isOperator("(")) {
      if (value->kind != ExpressionKind::Name)
        return unsupported("a call of something that is no name");
      ++at;
      ExpressionPtr call = make(ExpressionKind::Call, line, value->name);
      QUERN_RETURN_IF_ERROR(parseArguments(*call));
      value = std::move(call);
    } else {
      return Status::success();
    }
  }
}

Status ExpressionParser::parseSubscript(ExpressionPtr &value, int line) {
  ExpressionPtr parts[3];
  bool slice = false;
  for (int part = 0; part < 3; ++part) {
    if (!isOperator(":") && !isOperator("]")) {
      QUERN_ASSIGN_OR_RETURN(parts[part], parseExpression());
    }
    if (isOperator("]"))
      break;
    if (part == 2 || !isOperator(":"))
      return unexpected("`]`");
    ++at;
    slice = true;
  }
  QUERN_RETURN_IF_ERROR(expectOperator("]"));
  if (!slice && !parts[0])
    return syntax("`[]` behind a value");
  ExpressionPtr result = make(slice ? ExpressionKind::Slice : ExpressionKind::Subscript, line);
  QUERN_RETURN_IF_ERROR(adopt(*result, std::move(value)));
  for (int part = 0; part < (slice ? 3 : 1); ++part)
    QUERN_RETURN_IF_ERROR(adopt(*result, std::move(parts[part])));
  value = std::move(result);
  return Status::success();
}

Status ExpressionParser::parseFilters(ExpressionPtr &value) {
  while (true) {
    int line = peek().line;
    if (acceptOperator("|")) {
      QUERN_ASSIGN_OR_RETURN(std::string name, expectName());
      if (!isKnownFilter(name))
        return unsupported("the filter `" + name + "`");
      ExpressionPtr filter = make(ExpressionKind::Filter, line, std::move(name));
      QUERN_RETURN_IF_ERROR(adopt(*filter, std::move(value)));
      if (acceptOperator("("))
        QUERN_RETURN_IF_ERROR(parseArguments(*filter));
      value = std::move(filter);
    } else if (acceptName("is")) {
      QUERN_RETURN_IF_ERROR(parseTest(value, line));
    } else if (isOperator("(")) {
      return unsupported("a call of what a filter gives");
    } else {
      return Status::success();
    }
  }
}

Status ExpressionParser::parseTest(ExpressionPtr &value, int line) {
  bool negated = acceptName("not");
  QUERN_ASSIGN_OR_RETURN(std::string name, expectName());
  if (!isKnownTest(name))
    return unsupported("the test `" + name + "`");
  ExpressionPtr test = make(ExpressionKind::Test, line, std::move(name));
  QUERN_RETURN_IF_ERROR(adopt(*test, std::move(value)));
  const Token &next = peek();
  bool word = next.kind == TokenKind::Name && next.text != "else" && next.text != "or" &&
              next.text != "and" && next.text != "is" && next.text != "if" && next.text != "in" &&
              next.text != "not";
  if (acceptOperator("(")) {
    QUERN_RETURN_IF_ERROR(parseArguments(*test));
  } else if (word || next.kind == TokenKind::String || next.kind == TokenKind::Integer ||
             next.kind == TokenKind::Float || isOperator("[") || isOperator("{")) {
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr argument, parsePrimary());
    QUERN_RETURN_IF_ERROR(parsePostfix(argument));
    QUERN_RETURN_IF_ERROR(adopt(*test, std::move(argument)));
  }
  value = std::move(test);
  if (!negated)
    return Status::success();
  ExpressionPtr negation = make(ExpressionKind::Unary, line, "not");
  QUERN_RETURN_IF_ERROR(adopt(*negation, std::move(value)));
  value = std::move(negation);
  return Status::success();
}

} // namespace quern::runtime::chat
