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

/// |needle| in |hay|, as Python's `in`; an error where Python raises.
static Expected<bool> contains(const Value &hay, const Value &needle, int line) {
  switch (hay.kind()) {
  case Kind::String:
    if (needle.is(Kind::String))
      return hay.text().bytes.find(needle.text().bytes) != std::string::npos;
    return evaluationError(line, "`in` looks for a value of kind " + std::string(kindName(needle.kind())) +
                                     " in a string");
  case Kind::List:
    return std::any_of(hay.items().begin(), hay.items().end(),
                       [&](const Value &item) { return isEqual(item, needle); });
  case Kind::Dict:
    return needle.is(Kind::String) && hay.dict().find(needle.text().bytes);
  case Kind::Undefined:
    return false;
  default:
    return evaluationError(line, "`in` looks into a value of kind " + std::string(kindName(hay.kind())));
  }
}

Expected<Value> Evaluator::evaluateComparison(const Expression &expression, Scope &scope) {
  QUERN_ASSIGN_OR_RETURN(Value left, evaluate(*expression.operands[0], scope));
  for (size_t i = 0; i < expression.comparisons.size(); ++i) {
    QUERN_ASSIGN_OR_RETURN(Value right, evaluate(*expression.operands[i + 1], scope));
    const std::string &op = expression.comparisons[i];
    bool holds = false;
    QUERN_RETURN_IF_ERROR(spend(expression.line, std::min(left.weight(), right.weight())));
    if (op == "==" || op == "!=") {
      holds = isEqual(left, right) == (op == "==");
    } else if (op == "in" || op == "not in") {
      // A search costs as much as it looks at.
      QUERN_RETURN_IF_ERROR(spend(expression.line, right.weight()));
      QUERN_ASSIGN_OR_RETURN(bool found, contains(right, left, expression.line));
      holds = found == (op == "in");
    } else {
      int order = compare(left, right);
      if (order == 2)
        return evaluationError(expression.line, "`" + op + "` between values of the kinds " +
                                                    std::string(kindName(left.kind())) + " and " +
                                                    std::string(kindName(right.kind())));
      holds = op == "<" ? order < 0 : op == "<=" ? order <= 0 : op == ">" ? order > 0 : order >= 0;
    }
    if (!holds)
      return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Expected<Value> Evaluator::evaluateSlice(const Expression &expression, Scope &scope) {
  QUERN_ASSIGN_OR_RETURN(Value object, evaluate(*expression.operands[0], scope));
  std::optional<int64_t> bounds[3];
  for (int i = 0; i < 3; ++i) {
    if (!expression.operands[i + 1])
      continue;
    QUERN_ASSIGN_OR_RETURN(Value bound, evaluate(*expression.operands[i + 1], scope));
    if (bound.is(Kind::None))
      continue;
    if (!bound.is(Kind::Int) && !bound.is(Kind::Bool))
      return evaluationError(expression.line, "a slice bound of kind " + std::string(kindName(bound.kind())));
    bounds[i] = bound.integer();
  }
  if (!object.is(Kind::String) && !object.is(Kind::List))
    return evaluationError(expression.line,
                           "a slice of a value of kind " + std::string(kindName(object.kind())));
  int64_t step = bounds[2].value_or(1);
  if (step == 0)
    return evaluationError(expression.line, "a slice with step 0");
  // Python's rule: negative bounds count from the end, and all are clipped to the list.
  int64_t size = static_cast<int64_t>(object.is(Kind::List) ? object.items().size()
                                                            : codePointCount(object.text().bytes));
  QUERN_RETURN_IF_ERROR(
      spend(expression.line, object.is(Kind::List) ? object.items().size() : object.weight()));
  auto clip = [&](std::optional<int64_t> bound, int64_t otherwise) {
    if (!bound)
      return otherwise;
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    return std::clamp(*bound < 0 ? *bound + size : *bound, low, high);
  };
  int64_t begin = clip(bounds[0], step > 0 ? 0 : size - 1), end = clip(bounds[1], step > 0 ? size : -1);
  if (object.is(Kind::String) && step == 1) {
    const Text &text = object.text();
    size_t from = byteOfCodePoint(text.bytes, static_cast<size_t>(begin));
    size_t to = byteOfCodePoint(text.bytes, static_cast<size_t>(std::max(begin, end)));
    return Value(text.slice(from, to));
  }
  QUERN_ASSIGN_OR_RETURN(std::vector<Value> items, visit(object, expression.line));
  // No step is longer than the list, so the sum below stays in range.
  step = std::clamp(step, -size - 1, size + 1);
  std::vector<Value> kept;
  for (int64_t i = begin; step > 0 ? i < end : i > end; i += step)
    kept.push_back(items[i]);
  if (object.is(Kind::List))
    return Value::list(std::move(kept), object.list().tuple);
  Text text;
  for (const Value &character : kept)
    text.append(character.text());
  return Value(std::move(text));
}

Expected<Value> Evaluator::join(const Expression &site, Text left, const Text &right) {
  QUERN_RETURN_IF_ERROR(spend(site.line, (left.size() + right.size()) / 16));
  if (left.size() + right.size() > maxBytes)
    return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", site.line, "a string is too long");
  left.append(right);
  return Value(std::move(left));
}

Expected<Value> Evaluator::repeat(const Expression &site, const Text &text, int64_t times) {
  if (times <= 0 || text.size() == 0)
    return Value(Text());
  if (text.size() > maxBytes / static_cast<uint64_t>(times))
    return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", site.line, "a string is too long");
  QUERN_RETURN_IF_ERROR(spend(site.line, static_cast<uint64_t>(times) * (1 + text.size() / 16)));
  Text out;
  for (int64_t i = 0; i < times; ++i)
    out.append(text);
  return Value(std::move(out));
}

Expected<Value> Evaluator::binary(const Expression &site, const Value &left, const Value &right) {
  const std::string &op = site.name;
  if (op == "~") {
    QUERN_RETURN_IF_ERROR(spend(site.line, left.weight() + right.weight()));
    return join(site, toText(left), toText(right));
  }
  for (const Value *side : {&left, &right})
    if (side->is(Kind::Undefined))
      return evaluationError(site.line, "`" + side->undefinedName() + "` is undefined");
  if (op == "+" && left.is(Kind::String) && right.is(Kind::String))
    return join(site, left.text(), right.text());
  if (op == "+" && left.is(Kind::List) && right.is(Kind::List)) {
    QUERN_RETURN_IF_ERROR(spend(site.line, left.items().size() + right.items().size()));
    std::vector<Value> items = left.items();
    items.insert(items.end(), right.items().begin(), right.items().end());
    return Value::list(std::move(items), left.list().tuple);
  }
  if (op == "*" && left.is(Kind::String) && right.is(Kind::Int))
    return repeat(site, left.text(), right.integer());
  if (op == "*" && left.is(Kind::Int) && right.is(Kind::String))
    return repeat(site, right.text(), left.integer());
  if (op == "%" && left.is(Kind::String))
    return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", site.line,
                         "`%` behind a string is not supported");
  if (!left.isNumber() || !right.isNumber())
    return evaluationError(site.line, "`" + op + "` between values of the kinds " +
                                          std::string(kindName(left.kind())) + " and " +
                                          std::string(kindName(right.kind())));
  return arithmetic(site, left, right);
}

/// |base| to the power of |exponent|, which is not negative; false where it leaves the range.
static bool power(int64_t base, int64_t exponent, int64_t &result) {
  result = 1;
  if (base == 0 || base == 1 || base == -1) {
    result = exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base;
    return true;
  }
  for (; exponent > 0; --exponent)
    if (__builtin_mul_overflow(result, base, &result))
      return false;
  return true;
}

Expected<Value> Evaluator::arithmetic(const Expression &site, const Value &left, const Value &right) {
  const std::string &op = site.name;
  if ((op == "/" || op == "//" || op == "%") && right.number() == 0)
    return evaluationError(site.line, "division by zero");
  bool isFloat =
      left.is(Kind::Float) || right.is(Kind::Float) || op == "/" || (op == "**" && right.number() < 0);
  if (isFloat) {
    double a = left.number(), b = right.number();
    return Value(op == "+"    ? a + b
                 : op == "-"  ? a - b
                 : op == "*"  ? a * b
                 : op == "/"  ? a / b
                 : op == "//" ? std::floor(a / b)
                 : op == "%"  ? a - b * std::floor(a / b)
                              : std::pow(a, b));
  }
  int64_t a = left.integer(), b = right.integer(), result = 0;
  bool inRange = true;
  if (op == "+")
    inRange = !__builtin_add_overflow(a, b, &result);
  else if (op == "-")
    inRange = !__builtin_sub_overflow(a, b, &result);
  else if (op == "*")
    inRange = !__builtin_mul_overflow(a, b, &result);
  else if (op == "**")
    inRange = power(a, b, result);
  else if (b == -1) // the only divisor whose quotient can leave the range; the remainder is 0
    inRange = op == "%" || !__builtin_sub_overflow(int64_t(0), a, &result);
  else if (op == "//")
    result = a / b - (a % b != 0 && (a % b < 0) != (b < 0)); // rounds down, as Python does
  else
    result = a % b + (a % b != 0 && (a % b < 0) != (b < 0) ? b : 0);
  if (!inRange)
    return evaluationError(site.line, "an integer is out of range");
  return Value(result);
}

Expected<Value> Evaluator::attribute(const Value &object, const std::string &name, int line) {
  switch (object.kind()) {
  case Kind::Undefined:
    return evaluationError(line,
                           "`" + object.undefinedName() + "` is undefined, so it has no `" + name + "`");
  case Kind::Dict: {
    const Value *member = object.dict().find(name);
    // Where a dictionary has a key of the name of a method, Jinja finds the method first.
    if (isKnownMethod(name) && (name == "items" || name == "keys" || name == "values" || name == "get"))
      return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", line,
                           "the method `" + name + "` without a call is not supported");
    return member ? *member : Value::undefined(name);
  }
  case Kind::Namespace: {
    auto found = object.space().members.find(name);
    return found != object.space().members.end() ? found->second : Value::undefined(name);
  }
  case Kind::Loop: {
    const LoopState &loop = object.loop();
    int64_t index = static_cast<int64_t>(loop.index), length = static_cast<int64_t>(loop.items.size());
    const std::pair<std::string_view, int64_t> numbers[] = {
        {"index", index + 1},         {"index0", index},
        {"revindex", length - index}, {"revindex0", length - index - 1},
        {"length", length},           {"depth", loop.depth},
        {"depth0", loop.depth - 1}};
    for (auto [known, value] : numbers)
      if (name == known)
        return Value(value);
    if (name == "first")
      return Value(index == 0);
    if (name == "last")
      return Value(index == length - 1);
    if (name == "previtem")
      return index > 0 ? loop.items[index - 1] : Value::undefined("previtem");
    if (name == "nextitem")
      return index + 1 < length ? loop.items[index + 1] : Value::undefined("nextitem");
    return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", line,
                         "`loop." + name + "` is not supported");
  }
  default:
    return Value::undefined(name);
  }
}

Expected<Value> Evaluator::subscript(const Value &object, const Value &index, int line) {
  if (object.is(Kind::Undefined))
    return evaluationError(line, "`" + object.undefinedName() + "` is undefined, so it has no members");
  if (index.is(Kind::String) &&
      (object.is(Kind::Dict) || object.is(Kind::Namespace) || object.is(Kind::Loop))) {
    if (!object.is(Kind::Dict))
      return attribute(object, index.text().bytes, line);
    const Value *member = object.dict().find(index.text().bytes);
    return member ? *member : Value::undefined(index.text().bytes);
  }
  if (index.is(Kind::Int) || index.is(Kind::Bool)) {
    auto at = [&](size_t size) -> std::optional<size_t> {
      int64_t place = index.integer() < 0 ? index.integer() + static_cast<int64_t>(size) : index.integer();
      return place >= 0 && place < static_cast<int64_t>(size) ? std::optional<size_t>(place) : std::nullopt;
    };
    if (object.is(Kind::List)) {
      std::optional<size_t> place = at(object.items().size());
      return place ? object.items()[*place] : Value::undefined("item " + std::to_string(index.integer()));
    }
    if (object.is(Kind::String)) {
      const Text &text = object.text();
      QUERN_RETURN_IF_ERROR(spend(line, text.size() / 16));
      std::optional<size_t> place = at(codePointCount(text.bytes));
      if (!place)
        return Value::undefined("character " + std::to_string(index.integer()));
      size_t begin = byteOfCodePoint(text.bytes, *place);
      return Value(text.slice(begin, begin + readUtf8(std::string_view(text.bytes).substr(begin)).length));
    }
  }
  return Value::undefined(toText(index).bytes.substr(0, 60));
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
