//===- Parser.cpp - Statements and expressions of chat templates ----------===//
//
// The grammar is that of Jinja 3 (its "Template Designer Documentation"), in the same order of precedence.
// What chat templates have no use for (include, extends, block, call, filter, import, autoescape, ...) is
// refused by name.
//
//===----------------------------------------------------------------------===//
#include "runtime/text/chat/Lexer.h"
#include "runtime/text/chat/Syntax.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <initializer_list>

namespace quern::runtime::chat {
namespace {

constexpr uint32_t maxExpressionDepth = 200;
constexpr int maxStatementDepth = 60;

class TemplateParser {
public:
  explicit TemplateParser(std::vector<Token> list) : tokens(std::move(list)) {}

  Expected<Syntax> parse() {
    Syntax syntax;
    QUERN_RETURN_IF_ERROR(parseBody({}, syntax.body));
    return syntax;
  }

private:
  std::vector<Token> tokens;
  size_t at = 0;
  int statementDepth = 0, loopDepth = 0;
  uint32_t nesting = 0; ///< of parse functions for expressions
  std::string endTag;   ///< the tag that ended the body parsed last

  const Token &peek(size_t ahead = 0) const { return tokens[std::min(at + ahead, tokens.size() - 1)]; }
  bool isOperator(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::Operator && peek(ahead).text == text;
  }
  bool isName(std::string_view text, size_t ahead = 0) const {
    return peek(ahead).kind == TokenKind::Name && peek(ahead).text == text;
  }
  bool acceptOperator(std::string_view text) { return isOperator(text) && ++at; }
  bool acceptName(std::string_view text) { return isName(text) && ++at; }

  Status syntax(std::string what) const {
    return templateError(Exit::BadInput, "E-TEMPLATE-SYNTAX", peek().line, std::move(what));
  }
  Status unexpected(std::string_view wanted) const {
    return syntax("expected " + std::string(wanted) + ", got `" + peek().text.substr(0, 60) + "`");
  }
  Status unsupported(const std::string &what) const {
    return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", peek().line,
                         what + " is not supported");
  }
  Status expectOperator(std::string_view text) {
    return acceptOperator(text) ? Status::success() : unexpected("`" + std::string(text) + "`");
  }
  Status expectEnd(TokenKind kind) {
    if (peek().kind != kind)
      return unexpected(kind == TokenKind::BlockEnd ? "`%}`" : "`}}`");
    ++at;
    return Status::success();
  }
  Expected<std::string> expectName() {
    if (peek().kind != TokenKind::Name)
      return unexpected("a name");
    return tokens[at++].text;
  }

  //===--------------------------------------------------------------------===//
  // Statements
  //===--------------------------------------------------------------------===//

  /// Reads up to the first tag of |ends| at this level and past its name; |endTag| says which it was. Without
  /// |ends|, up to the end of the template.
  Status parseBody(std::initializer_list<std::string_view> ends, std::vector<StatementPtr> &body) {
    if (++statementDepth > maxStatementDepth)
      return syntax("statements nested deeper than " + std::to_string(maxStatementDepth));
    while (true) {
      const Token &token = peek();
      if (token.kind == TokenKind::End) {
        if (ends.size())
          return unexpected("`" + std::string(*(ends.end() - 1)) + "`");
        break;
      }
      if (token.kind == TokenKind::Data) {
        auto statement = make(StatementKind::Data);
        statement->text = token.text;
        body.push_back(std::move(statement));
        ++at;
        continue;
      }
      if (token.kind == TokenKind::PrintBegin) {
        auto statement = make(StatementKind::Print);
        ++at;
        QUERN_ASSIGN_OR_RETURN(statement->expression, parseTuple());
        QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::PrintEnd));
        body.push_back(std::move(statement));
        continue;
      }
      ++at; // `{%`; nothing else can stand here
      QUERN_ASSIGN_OR_RETURN(std::string name, expectName());
      if (std::find(ends.begin(), ends.end(), name) != ends.end()) {
        endTag = name;
        break;
      }
      QUERN_RETURN_IF_ERROR(parseStatement(name, body));
    }
    --statementDepth;
    return Status::success();
  }

  StatementPtr make(StatementKind kind) const {
    auto statement = std::make_unique<Statement>();
    statement->kind = kind;
    statement->line = peek().line;
    return statement;
  }

  Status parseStatement(const std::string &name, std::vector<StatementPtr> &body) {
    if (name == "if")
      return parseIf(body);
    if (name == "for")
      return parseFor(body);
    if (name == "set")
      return parseSet(body);
    if (name == "macro")
      return parseMacro(body);
    if (name == "generation") {
      auto statement = make(StatementKind::Group);
      QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::BlockEnd));
      QUERN_RETURN_IF_ERROR(parseBody({"endgeneration"}, statement->body));
      body.push_back(std::move(statement));
      return expectEnd(TokenKind::BlockEnd);
    }
    if (name == "break" || name == "continue") {
      if (loopDepth == 0)
        return syntax("`" + name + "` outside of a loop");
      body.push_back(make(name == "break" ? StatementKind::Break : StatementKind::Continue));
      return expectEnd(TokenKind::BlockEnd);
    }
    if (name.starts_with("end") || name == "else" || name == "elif")
      return syntax("unexpected `" + name + "`");
    return unsupported("the statement `" + name + "`");
  }

  Status parseIf(std::vector<StatementPtr> &body) {
    auto statement = make(StatementKind::If);
    do {
      Statement::Branch branch;
      QUERN_ASSIGN_OR_RETURN(branch.condition, parseTuple());
      QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::BlockEnd));
      QUERN_RETURN_IF_ERROR(parseBody({"elif", "else", "endif"}, branch.body));
      statement->branches.push_back(std::move(branch));
    } while (endTag == "elif");
    if (endTag == "else") {
      QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::BlockEnd));
      Statement::Branch branch;
      QUERN_RETURN_IF_ERROR(parseBody({"endif"}, branch.body));
      statement->branches.push_back(std::move(branch));
    }
    body.push_back(std::move(statement));
    return expectEnd(TokenKind::BlockEnd);
  }

  /// One name, or several with commas between them and perhaps brackets around.
  Status parseTargets(std::vector<std::string> &names) {
    bool bracket = acceptOperator("(");
    do {
      if (!names.empty() && (isOperator("=") || isName("in") || isOperator(")")))
        break; // a comma at the end
      QUERN_ASSIGN_OR_RETURN(std::string name, expectName());
      names.push_back(std::move(name));
    } while (acceptOperator(","));
    return bracket ? expectOperator(")") : Status::success();
  }

  Status parseFor(std::vector<StatementPtr> &body) {
    auto statement = make(StatementKind::For);
    QUERN_RETURN_IF_ERROR(parseTargets(statement->names));
    if (!acceptName("in"))
      return unexpected("`in`");
    QUERN_ASSIGN_OR_RETURN(statement->expression, parseTuple(false));
    if (acceptName("if")) {
      QUERN_ASSIGN_OR_RETURN(statement->condition, parseExpression());
    }
    if (isName("recursive"))
      return unsupported("`recursive`");
    QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::BlockEnd));
    ++loopDepth;
    QUERN_RETURN_IF_ERROR(parseBody({"else", "endfor"}, statement->body));
    --loopDepth;
    if (endTag == "else") {
      QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::BlockEnd));
      statement->branches.emplace_back();
      QUERN_RETURN_IF_ERROR(parseBody({"endfor"}, statement->branches[0].body));
    }
    body.push_back(std::move(statement));
    return expectEnd(TokenKind::BlockEnd);
  }

  Status parseSet(std::vector<StatementPtr> &body) {
    auto statement = make(StatementKind::Set);
    if (isOperator(".", 1)) {
      QUERN_ASSIGN_OR_RETURN(std::string name, expectName());
      ++at;
      QUERN_ASSIGN_OR_RETURN(statement->attribute, expectName());
      statement->names.push_back(std::move(name));
    } else {
      QUERN_RETURN_IF_ERROR(parseTargets(statement->names));
    }
    if (acceptOperator("=")) {
      QUERN_ASSIGN_OR_RETURN(statement->expression, parseTuple());
      body.push_back(std::move(statement));
      return expectEnd(TokenKind::BlockEnd);
    }
    if (isOperator("|"))
      return unsupported("a filter on a `set` block");
    if (statement->names.size() != 1 || !statement->attribute.empty())
      return unexpected("`=`");
    statement->kind = StatementKind::SetBlock;
    QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::BlockEnd));
    QUERN_RETURN_IF_ERROR(parseBody({"endset"}, statement->body));
    body.push_back(std::move(statement));
    return expectEnd(TokenKind::BlockEnd);
  }

  Status parseMacro(std::vector<StatementPtr> &body) {
    auto statement = make(StatementKind::Macro);
    QUERN_ASSIGN_OR_RETURN(std::string name, expectName());
    statement->names.push_back(std::move(name));
    QUERN_RETURN_IF_ERROR(expectOperator("("));
    while (!acceptOperator(")")) {
      if (!statement->parameters.empty())
        QUERN_RETURN_IF_ERROR(expectOperator(","));
      Statement::Parameter parameter;
      QUERN_ASSIGN_OR_RETURN(parameter.name, expectName());
      if (acceptOperator("=")) {
        QUERN_ASSIGN_OR_RETURN(parameter.defaultValue, parseExpression());
      }
      statement->parameters.push_back(std::move(parameter));
    }
    QUERN_RETURN_IF_ERROR(expectEnd(TokenKind::BlockEnd));
    int outerLoops = loopDepth;
    loopDepth = 0;
    QUERN_RETURN_IF_ERROR(parseBody({"endmacro"}, statement->body));
    loopDepth = outerLoops;
    body.push_back(std::move(statement));
    return expectEnd(TokenKind::BlockEnd);
  }

  //===--------------------------------------------------------------------===//
  // Expressions
  //===--------------------------------------------------------------------===//

  ExpressionPtr make(ExpressionKind kind, int line, std::string name = {}) const {
    auto expression = std::make_unique<Expression>();
    expression->kind = kind;
    expression->line = line;
    expression->name = std::move(name);
    return expression;
  }

  /// Adds |operand| (which may be null) and keeps the depth within its bound.
  Status adopt(Expression &parent, ExpressionPtr operand) {
    if (operand)
      parent.depth = std::max(parent.depth, operand->depth + 1);
    parent.operands.push_back(std::move(operand));
    return parent.depth <= maxExpressionDepth ? Status::success() : tooDeep();
  }
  Status tooDeep() const {
    return syntax("an expression is nested deeper than " + std::to_string(maxExpressionDepth));
  }

  /// An expression, or several with commas between them: a tuple. |conditional| tells whether `a if b` may
  /// follow.
  Expected<ExpressionPtr> parseTuple(bool conditional = true) {
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

  Expected<ExpressionPtr> parseExpression() {
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
  Expected<ExpressionPtr> parseLeft(ExpressionKind kind, Next next, Accept accept) {
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
  std::string acceptAny(std::initializer_list<std::string_view> operators) {
    for (std::string_view op : operators)
      if (acceptOperator(op))
        return std::string(op);
    return {};
  }

  Expected<ExpressionPtr> parseOr() {
    return parseLeft(
        ExpressionKind::Or, [&] { return parseAnd(); },
        [&] { return std::string(acceptName("or") ? "or" : ""); });
  }
  Expected<ExpressionPtr> parseAnd() {
    return parseLeft(
        ExpressionKind::And, [&] { return parseNot(); },
        [&] { return std::string(acceptName("and") ? "and" : ""); });
  }

  Expected<ExpressionPtr> parseNot() {
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

  Expected<ExpressionPtr> parseComparison() {
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

  Expected<ExpressionPtr> parseSum() {
    return parseLeft(
        ExpressionKind::Binary, [&] { return parseConcat(); }, [&] { return acceptAny({"+", "-"}); });
  }
  Expected<ExpressionPtr> parseConcat() {
    return parseLeft(
        ExpressionKind::Binary, [&] { return parseProduct(); }, [&] { return acceptAny({"~"}); });
  }
  Expected<ExpressionPtr> parseProduct() {
    return parseLeft(
        ExpressionKind::Binary, [&] { return parsePower(); },
        [&] { return acceptAny({"*", "//", "/", "%"}); });
  }
  Expected<ExpressionPtr> parsePower() {
    return parseLeft(
        ExpressionKind::Binary, [&] { return parseUnary(true); }, [&] { return acceptAny({"**"}); });
  }

  Expected<ExpressionPtr> parseUnary(bool filters) {
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
    if (filters)
      QUERN_RETURN_IF_ERROR(parseFilters(value));
    return value;
  }

  Expected<ExpressionPtr> parsePrimary() {
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

  Expected<ExpressionPtr> parseBracketed() {
    int line = peek().line;
    if (acceptOperator(")"))
      return make(ExpressionKind::Tuple, line);
    QUERN_ASSIGN_OR_RETURN(ExpressionPtr inner, parseTuple());
    QUERN_RETURN_IF_ERROR(expectOperator(")"));
    return inner;
  }

  Expected<ExpressionPtr> parseItems(ExpressionPtr list, std::string_view close) {
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

  Expected<ExpressionPtr> parseDict(ExpressionPtr dict) {
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
  Status parseArguments(Expression &call) {
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

  Status parsePostfix(ExpressionPtr &value) {
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

  Status parseSubscript(ExpressionPtr &value, int line) {
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

  Status parseFilters(ExpressionPtr &value) {
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

  Status parseTest(ExpressionPtr &value, int line) {
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
};

} // namespace

Expected<Syntax> parseTemplate(std::string_view source) {
  QUERN_ASSIGN_OR_RETURN(std::vector<Token> tokens, readTokens(source));
  return TemplateParser(std::move(tokens)).parse();
}

} // namespace quern::runtime::chat
