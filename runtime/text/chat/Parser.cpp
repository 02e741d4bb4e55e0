//===- Parser.cpp - Statements of chat templates ----------===//
//
// The grammar is that of Jinja 3 (its "Template Designer Documentation"), in the same order of precedence.
// What chat templates have no use for (include, extends, block, call, filter, import, autoescape, ...) is
// refused by name.
//
//===----------------------------------------------------------------------===//
#include "runtime/text/chat/ExpressionParser.h"

#include <algorithm>
#include <initializer_list>

namespace quern::runtime::chat {
namespace {

constexpr int maxStatementDepth = 60;

class TemplateParser : private ExpressionParser {
public:
  explicit TemplateParser(std::vector<Token> list) : ExpressionParser(std::move(list)) {}

  Expected<Syntax> parse() {
    Syntax syntax;
    QUERN_RETURN_IF_ERROR(parseBody({}, syntax.body));
    return syntax;
  }

private:
  int statementDepth = 0, loopDepth = 0;
  std::string endTag; ///< the tag that ended the body parsed last

  Status expectEnd(TokenKind kind) {
    if (peek().kind != kind)
      return unexpected(kind == TokenKind::BlockEnd ? "`%}`" : "`}}`");
    ++at;
    return Status::success();
  }

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
};

} // namespace

Expected<Syntax> parseTemplate(std::string_view source) {
  QUERN_ASSIGN_OR_RETURN(std::vector<Token> tokens, readTokens(source));
  return TemplateParser(std::move(tokens)).parse();
}

} // namespace quern::runtime::chat
