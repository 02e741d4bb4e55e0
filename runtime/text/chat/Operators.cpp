//===- Operators.cpp - Operators, slices and members in chat templates ----===//
#include "runtime/text/chat/Evaluator.h"

#include "runtime/text/Utf8.h"
#include "runtime/text/chat/Lexer.h"

#include <algorithm>
#include <cmath>

namespace quern::runtime::chat {

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

} // namespace quern::runtime::chat
