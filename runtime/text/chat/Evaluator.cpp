//===- Evaluator.cpp - Statements and expressions -------------------------===//
#include "runtime/text/chat/Evaluator.h"

#include "runtime/text/Utf8.h"
#include "runtime/text/chat/Lexer.h"

#include <algorithm>
#include <cmath>

namespace quern::runtime::chat {

/// Evaluations and statements inside one another, macros included. A level takes up to about 2 KB of stack.
static constexpr int maxNesting = 600;

namespace {
struct Level {
  int &count;
  explicit Level(int &count) : count(count) { ++count; }
  ~Level() { --count; }
};
} // namespace

static Status tooDeep(int line) {
  return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", line,
                       "the template is nested deeper than " + std::to_string(maxNesting) + " levels");
}

const Value *Scope::find(std::string_view name) const {
  for (const Scope *scope = this; scope; scope = scope->outer)
    if (auto found = scope->variables.find(name); found != scope->variables.end())
      return &found->second;
  return nullptr;
}

Status evaluationError(int line, std::string sentence) {
  return templateError(Exit::BadInput, "E-TEMPLATE-EVALUATION", line, std::move(sentence));
}

const Value *Arguments::get(size_t index, std::string_view name) const {
  if (index < positional.size())
    return &positional[index];
  for (const auto &[key, value] : keywords)
    if (key == name)
      return &value;
  return nullptr;
}

Status Arguments::error(std::string sentence) const {
  return evaluationError(line, what + ": " + std::move(sentence));
}

Status Arguments::accept(std::vector<std::string_view> names) const {
  if (positional.size() > names.size())
    return error("got " + std::to_string(positional.size()) + " arguments, takes at most " +
                 std::to_string(names.size()));
  for (const auto &[key, value] : keywords)
    if (std::find(names.begin(), names.end(), key) == names.end())
      return error("has no argument `" + key + "`");
  return Status::success();
}

Status Evaluator::spend(int line, uint64_t units) {
  work += units;
  if (work <= maxWork)
    return Status::success();
  return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", line,
                       "rendering takes more work than a prompt is allowed");
}

Expected<std::vector<Value>> itemsOf(const Value &value, int line) {
  std::vector<Value> items;
  switch (value.kind()) {
  case Kind::Undefined:
    return items;
  case Kind::List:
    return value.items();
  case Kind::Dict:
    for (const auto &[key, member] : value.dict().members)
      items.emplace_back(key);
    return items;
  case Kind::String: {
    const Text &text = value.text();
    for (size_t at = 0; at < text.size();) {
      size_t length = std::max<size_t>(1, readUtf8(std::string_view(text.bytes).substr(at)).length);
      items.emplace_back(text.slice(at, at + length));
      at += length;
    }
    return items;
  }
  default:
    return evaluationError(line, "a value of kind " + std::string(kindName(value.kind())) +
                                     " can not be iterated over");
  }
}

Expected<std::vector<Value>> Evaluator::visit(const Value &value, int line) {
  uint64_t count = value.is(Kind::String)
                       ? 8 * value.text().size() // each character becomes a string of its own
                   : value.is(Kind::List) ? value.items().size()
                   : value.is(Kind::Dict) ? value.dict().members.size()
                                          : 1;
  QUERN_RETURN_IF_ERROR(spend(line, count));
  return itemsOf(value, line);
}

//===----------------------------------------------------------------------===//
// Statements
//===----------------------------------------------------------------------===//

Expected<Text> Evaluator::render(const Syntax &syntax, Scope &scope) {
  globals = &scope;
  Text out;
  Flow flow = Flow::Next;
  QUERN_RETURN_IF_ERROR(run(syntax.body, scope, out, flow));
  return out;
}

Status Evaluator::print(const Text &text, int line, Text &out) {
  QUERN_RETURN_IF_ERROR(spend(line, 1 + text.size() / 16));
  if (out.size() + text.size() > maxBytes)
    return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", line,
                         "the text is longer than " + std::to_string(maxBytes) + " bytes");
  out.append(text);
  return Status::success();
}

Status Evaluator::run(const std::vector<StatementPtr> &body, Scope &scope, Text &out, Flow &flow) {
  Level level(nesting);
  for (const StatementPtr &statement : body) {
    if (nesting > maxNesting)
      return tooDeep(statement->line);
    QUERN_RETURN_IF_ERROR(spend(statement->line, 1));
    QUERN_RETURN_IF_ERROR(runStatement(*statement, scope, out, flow));
    if (flow != Flow::Next)
      break;
  }
  return Status::success();
}

Status Evaluator::runStatement(const Statement &statement, Scope &scope, Text &out, Flow &flow) {
  switch (statement.kind) {
  case StatementKind::Data:
    return print(statement.text, statement.line, out);
  case StatementKind::Print: {
    QUERN_ASSIGN_OR_RETURN(Value value, evaluate(*statement.expression, scope));
    QUERN_RETURN_IF_ERROR(spend(statement.line, value.weight()));
    return print(toText(value), statement.line, out);
  }
  case StatementKind::If:
    for (const Statement::Branch &branch : statement.branches) {
      if (branch.condition) {
        QUERN_ASSIGN_OR_RETURN(Value condition, evaluate(*branch.condition, scope));
        if (!isTrue(condition))
          continue;
      }
      return run(branch.body, scope, out, flow);
    }
    return Status::success();
  case StatementKind::For:
    return runFor(statement, scope, out);
  case StatementKind::Set:
    return runSet(statement, scope);
  case StatementKind::SetBlock: {
    Text text;
    Scope inner{{}, &scope};
    QUERN_RETURN_IF_ERROR(run(statement.body, inner, text, flow));
    scope.variables[statement.names[0]] = std::move(text);
    return Status::success();
  }
  case StatementKind::Macro:
    scope.variables[statement.names[0]] = Value(MacroRef{&statement});
    return Status::success();
  case StatementKind::Group:
    return run(statement.body, scope, out, flow);
  case StatementKind::Break:
    flow = Flow::Break;
    return Status::success();
  case StatementKind::Continue:
    flow = Flow::Continue;
    return Status::success();
  }
  return Status::success();
}

Status Evaluator::runFor(const Statement &statement, Scope &scope, Text &out) {
  QUERN_ASSIGN_OR_RETURN(Value list, evaluate(*statement.expression, scope));
  QUERN_ASSIGN_OR_RETURN(std::vector<Value> items, visit(list, statement.line));
  if (statement.condition) {
    std::vector<Value> kept;
    for (Value &item : items) {
      Scope inner{{}, &scope};
      QUERN_RETURN_IF_ERROR(assign(statement, statement.names, item, inner));
      QUERN_ASSIGN_OR_RETURN(Value condition, evaluate(*statement.condition, inner));
      if (isTrue(condition))
        kept.push_back(std::move(item));
    }
    items = std::move(kept);
  }
  if (items.empty()) {
    Flow flow = Flow::Next;
    Scope inner{{}, &scope};
    return statement.branches.empty() ? Status::success() : run(statement.branches[0].body, inner, out, flow);
  }
  auto loop = std::make_shared<LoopState>();
  loop->items = std::move(items);
  const Value *outer = scope.find("loop");
  if (outer && outer->is(Kind::Loop))
    loop->depth = outer->loop().depth + 1;
  for (loop->index = 0; loop->index < loop->items.size(); ++loop->index) {
    Scope inner{{}, &scope};
    inner.variables["loop"] = loop;
    QUERN_RETURN_IF_ERROR(assign(statement, statement.names, loop->items[loop->index], inner));
    Flow flow = Flow::Next;
    QUERN_RETURN_IF_ERROR(run(statement.body, inner, out, flow));
    if (flow == Flow::Break)
      break;
  }
  return Status::success();
}

Status Evaluator::assign(const Statement &statement, const std::vector<std::string> &names, Value value,
                         Scope &scope) {
  if (names.size() == 1) {
    scope.variables[names[0]] = std::move(value);
    return Status::success();
  }
  QUERN_ASSIGN_OR_RETURN(std::vector<Value> items, visit(value, statement.line));
  if (items.size() != names.size())
    return evaluationError(statement.line, "there are " + std::to_string(items.size()) + " values for " +
                                               std::to_string(names.size()) + " names");
  for (size_t i = 0; i < names.size(); ++i)
    scope.variables[names[i]] = items[i];
  return Status::success();
}

Status Evaluator::runSet(const Statement &statement, Scope &scope) {
  QUERN_ASSIGN_OR_RETURN(Value value, evaluate(*statement.expression, scope));
  if (statement.attribute.empty())
    return assign(statement, statement.names, std::move(value), scope);
  const Value *target = scope.find(statement.names[0]);
  if (!target || !target->is(Kind::Namespace))
    return evaluationError(statement.line,
                           "`" + statement.names[0] + "` is no namespace, so its attribute can not be set");
  if (value.depth() > Value::maxDepth)
    return evaluationError(statement.line, "a namespace can not hold a namespace or a loop");
  target->space().members[statement.attribute] = std::move(value);
  return Status::success();
}

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

Expected<Value> Evaluator::evaluate(const Expression &expression, Scope &scope) {
  Level level(nesting);
  if (nesting > maxNesting)
    return tooDeep(expression.line);
  QUERN_RETURN_IF_ERROR(spend(expression.line, 1));
  QUERN_ASSIGN_OR_RETURN(Value value, evaluateKind(expression, scope));
  if ((value.is(Kind::List) || value.is(Kind::Dict)) &&
      (value.depth() > Value::maxDepth || value.weight() > maxWeight))
    return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", expression.line,
                         "a list or dictionary is too large, is nested too deep, or holds a namespace");
  return value;
}

Expected<Value> Evaluator::evaluateKind(const Expression &expression, Scope &scope) {
  auto operand = [&](size_t i) { return evaluate(*expression.operands[i], scope); };
  switch (expression.kind) {
  case ExpressionKind::Literal:
    return expression.value;
  case ExpressionKind::Name: {
    if (const Value *found = scope.find(expression.name))
      return *found;
    return isFunction(expression.name) ? Value(MacroRef{nullptr}) : Value::undefined(expression.name);
  }
  case ExpressionKind::List:
  case ExpressionKind::Tuple: {
    std::vector<Value> items;
    for (size_t i = 0; i < expression.operands.size(); ++i) {
      QUERN_ASSIGN_OR_RETURN(Value item, operand(i));
      items.push_back(std::move(item));
    }
    return Value::list(std::move(items), expression.kind == ExpressionKind::Tuple);
  }
  case ExpressionKind::Dict:
    return evaluateDict(expression, scope);
  case ExpressionKind::Attribute: {
    QUERN_ASSIGN_OR_RETURN(Value object, operand(0));
    return attribute(object, expression.name, expression.line);
  }
  case ExpressionKind::Subscript: {
    QUERN_ASSIGN_OR_RETURN(Value object, operand(0));
    QUERN_ASSIGN_OR_RETURN(Value index, operand(1));
    return subscript(object, index, expression.line);
  }
  case ExpressionKind::Slice:
    return evaluateSlice(expression, scope);
  case ExpressionKind::Call:
    return evaluateCall(expression, scope);
  case ExpressionKind::MethodCall:
    return evaluateMethod(expression, scope);
  case ExpressionKind::Filter: {
    QUERN_ASSIGN_OR_RETURN(Value self, operand(0));
    QUERN_ASSIGN_OR_RETURN(Arguments arguments,
                           evaluateArguments(expression, 1, "the filter `" + expression.name + "`", scope));
    return applyFilter(expression.name, std::move(self), arguments);
  }
  case ExpressionKind::Test: {
    QUERN_ASSIGN_OR_RETURN(Value self, operand(0));
    QUERN_ASSIGN_OR_RETURN(Arguments arguments,
                           evaluateArguments(expression, 1, "the test `" + expression.name + "`", scope));
    QUERN_ASSIGN_OR_RETURN(bool result, applyTest(expression.name, self, arguments));
    return Value(result);
  }
  case ExpressionKind::Unary:
    return evaluateUnary(expression, scope);
  case ExpressionKind::Binary: {
    QUERN_ASSIGN_OR_RETURN(Value left, operand(0));
    QUERN_ASSIGN_OR_RETURN(Value right, operand(1));
    return binary(expression, left, right);
  }
  case ExpressionKind::And:
  case ExpressionKind::Or: {
    QUERN_ASSIGN_OR_RETURN(Value left, operand(0));
    if (isTrue(left) == (expression.kind == ExpressionKind::Or))
      return left;
    return operand(1);
  }
  case ExpressionKind::Comparison:
    return evaluateComparison(expression, scope);
  case ExpressionKind::Conditional: {
    QUERN_ASSIGN_OR_RETURN(Value condition, operand(0));
    if (isTrue(condition))
      return operand(1);
    return expression.operands[2] ? operand(2)
                                  : Expected<Value>(Value::undefined("value of an `if` without `else`"));
  }
  }
  return Value();
}

Expected<Value> Evaluator::evaluateDict(const Expression &expression, Scope &scope) {
  Dict dict;
  for (size_t i = 0; i < expression.operands.size(); i += 2) {
    QUERN_ASSIGN_OR_RETURN(Value key, evaluate(*expression.operands[i], scope));
    QUERN_ASSIGN_OR_RETURN(Value value, evaluate(*expression.operands[i + 1], scope));
    if (!key.is(Kind::String))
      return evaluationError(expression.line, "a key of kind " + std::string(kindName(key.kind())) +
                                                  " is not supported, only strings are");
    dict.set(key.text(), std::move(value));
  }
  return Value::dict(std::move(dict));
}

Expected<Value> Evaluator::evaluateUnary(const Expression &expression, Scope &scope) {
  QUERN_ASSIGN_OR_RETURN(Value value, evaluate(*expression.operands[0], scope));
  if (expression.name == "not")
    return Value(!isTrue(value));
  if (!value.isNumber())
    return evaluationError(expression.line, "`" + expression.name + "` before a value of kind " +
                                                std::string(kindName(value.kind())));
  if (value.is(Kind::Float))
    return Value(expression.name == "-" ? -value.number() : value.number());
  if (value.integer() == INT64_MIN)
    return evaluationError(expression.line, "an integer is out of range");
  return Value(expression.name == "-" ? -value.integer() : value.integer());
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Expected<Arguments> Evaluator::evaluateArguments(const Expression &expression, size_t first, std::string what,
                                                 Scope &scope) {
  Arguments arguments{expression.line, std::move(what), {}, {}};
  for (size_t i = first; i < expression.operands.size(); ++i) {
    QUERN_ASSIGN_OR_RETURN(Value value, evaluate(*expression.operands[i], scope));
    arguments.positional.push_back(std::move(value));
  }
  for (const auto &[name, operand] : expression.keywords) {
    QUERN_ASSIGN_OR_RETURN(Value value, evaluate(*operand, scope));
    arguments.keywords.emplace_back(name, std::move(value));
  }
  return arguments;
}

Expected<Value> Evaluator::evaluateCall(const Expression &expression, Scope &scope) {
  QUERN_ASSIGN_OR_RETURN(Arguments arguments,
                         evaluateArguments(expression, 0, "`" + expression.name + "`", scope));
  const Value *callee = scope.find(expression.name);
  if (callee && callee->is(Kind::Macro) && callee->macro().definition)
    return callMacro(*callee->macro().definition, arguments);
  if (callee)
    return evaluationError(expression.line, "`" + expression.name + "` is a value of kind " +
                                                std::string(kindName(callee->kind())) +
                                                " and can not be called");
  return callFunction(expression.name, arguments);
}

Expected<Value> Evaluator::evaluateMethod(const Expression &expression, Scope &scope) {
  QUERN_ASSIGN_OR_RETURN(Value self, evaluate(*expression.operands[0], scope));
  QUERN_ASSIGN_OR_RETURN(Arguments arguments,
                         evaluateArguments(expression, 1, "the method `" + expression.name + "`", scope));
  if (self.is(Kind::Undefined))
    return evaluationError(expression.line, "`" + self.undefinedName() + "` is undefined, so it has no `" +
                                                expression.name + "`");
  return callMethod(self, expression.name, arguments);
}

Expected<Value> Evaluator::callMacro(const Statement &macro, const Arguments &arguments) {
  std::vector<std::string_view> names;
  for (const Statement::Parameter &parameter : macro.parameters)
    names.push_back(parameter.name);
  QUERN_RETURN_IF_ERROR(arguments.accept(names));
  Scope inner{{}, globals};
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Statement::Parameter &parameter = macro.parameters[i];
    if (const Value *given = arguments.get(i, parameter.name)) {
      inner.variables[parameter.name] = *given;
    } else if (parameter.defaultValue) {
      QUERN_ASSIGN_OR_RETURN(inner.variables[parameter.name], evaluate(*parameter.defaultValue, inner));
    } else {
      inner.variables[parameter.name] = Value::undefined(parameter.name);
    }
  }
  Text out;
  Flow flow = Flow::Next;
  QUERN_RETURN_IF_ERROR(run(macro.body, inner, out, flow));
  return Value(std::move(out));
}

} // namespace quern::runtime::chat
