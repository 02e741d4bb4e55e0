//===- Expression.cpp - The small expression language of family descriptions ---===//
#include "lowering/import/Expression.h"

#include "lowering/import/ExpressionParser.h"

#include <cmath>

using namespace quern;
using namespace quern::import;

//===-- Scope -------------------------------------------------------------===//

const Value *Scope::find(std::string_view name) const {
  if (auto it = names.find(name); it != names.end())
    return &it->second;
  return parent ? parent->find(name) : nullptr;
}

const Scope::Function *Scope::findFunction(std::string_view name) const {
  if (auto it = functions.find(name); it != functions.end())
    return &it->second;
  return parent ? parent->findFunction(name) : nullptr;
}

//===-- Evaluation --------------------------------------------------------===//

namespace {

using Node = Expression::Node;

Status fault(std::string sentence) {
  return Status::error(Exit::BadInput, "E-FAMILY-EXPRESSION", std::move(sentence));
}

Expected<Value> finite(double value) {
  if (!std::isfinite(value))
    return fault("the result is not a finite number");
  return Value(value);
}

Expected<Value> compareValues(const std::string &op, const Value &a, const Value &b) {
  if (op == "==")
    return Value(a == b);
  if (op == "!=")
    return Value(!(a == b));
  if (op == "in") {
    if (!b.isList())
      return fault(std::string("`in` wants a list on its right, got ") + b.kindName());
    for (const Value &item : b.list())
      if (item == a)
        return Value(true);
    return Value(false);
  }
  if (!a.isNumber() || !b.isNumber())
    return fault("`" + op + "` wants numbers, got " + a.kindName() + " and " + b.kindName());
  double x = a.number(), y = b.number();
  return Value(op == "<" ? x < y : op == "<=" ? x <= y : op == ">" ? x > y : x >= y);
}

Expected<Value> integerArithmetic(const std::string &op, int64_t x, int64_t y) {
  int64_t result = 0;
  bool overflow = false;
  if (op == "+")
    overflow = __builtin_add_overflow(x, y, &result);
  else if (op == "-")
    overflow = __builtin_sub_overflow(x, y, &result);
  else if (op == "*")
    overflow = __builtin_mul_overflow(x, y, &result);
  else {
    if (y == 0)
      return fault("division by zero");
    if (y == -1)
      overflow = __builtin_sub_overflow(int64_t{0}, x, &result);
    else if (op == "/" && x % y != 0)
      return finite(static_cast<double>(x) / static_cast<double>(y));
    else
      result = x / y;
    int64_t rest = y == -1 ? 0 : x % y;
    bool inexact = rest != 0 && (rest < 0) != (y < 0);
    if (op == "//" && inexact)
      --result;
    if (op == "%")
      result = inexact ? rest + y : rest;
  }
  if (overflow)
    return fault("the result of `" + op + "` passes 64 bits");
  return Value(result);
}

Expected<Value> arithmetic(const std::string &op, const Value &a, const Value &b) {
  if (a.isInt() && b.isInt())
    return integerArithmetic(op, a.integer(), b.integer());
  if (op == "+" && a.isString() && b.isString())
    return Value(a.string() + b.string());
  if (!a.isNumber() || !b.isNumber())
    return fault("`" + op + "` wants numbers, got " + a.kindName() + " and " + b.kindName());
  double x = a.number(), y = b.number();
  if (op == "+")
    return finite(x + y);
  if (op == "-")
    return finite(x - y);
  if (op == "*")
    return finite(x * y);
  if (y == 0)
    return fault("division by zero");
  if (op == "/")
    return finite(x / y);
  double floor = std::floor(x / y);
  return finite(op == "//" ? floor : x - floor * y);
}

class Evaluator {
public:
  explicit Evaluator(const Scope &scope) : scope(scope) {}

  Expected<Value> run(const Node &node) const {
    switch (node.kind) {
    case Node::Constant:
      return node.value;
    case Node::Name:
      if (const Value *value = scope.find(node.text))
        return *value;
      return fault("unknown name `" + node.text + "`");
    case Node::List:
      return list(node);
    case Node::Call:
      return call(node);
    case Node::Operator:
      return operation(node);
    case Node::Choice: {
      QUERN_ASSIGN_OR_RETURN(Value condition, run(*node.children[0]));
      return run(*node.children[condition.truth() ? 1 : 2]);
    }
    case Node::Index: {
      QUERN_ASSIGN_OR_RETURN(Value value, run(*node.children[0]));
      QUERN_ASSIGN_OR_RETURN(Value at, run(*node.children[1]));
      if (!value.isList() || !at.isInt())
        return fault(std::string("`[]` wants a list and an integer, got ") + value.kindName() + " and " +
                     at.kindName());
      if (at.integer() < 0 || at.integer() >= static_cast<int64_t>(value.list().size()))
        return fault("index " + at.text() + " is outside the list's " + std::to_string(value.list().size()) +
                     " items");
      return value.list()[static_cast<size_t>(at.integer())];
    }
    }
    return fault("malformed expression");
  }

private:
  Expected<Value> list(const Node &node) const {
    Value::List items;
    for (const auto &child : node.children) {
      QUERN_ASSIGN_OR_RETURN(Value item, run(*child));
      items.push_back(std::move(item));
    }
    return Value(std::move(items));
  }

  Expected<Value> operation(const Node &node) const {
    QUERN_ASSIGN_OR_RETURN(Value left, run(*node.children[0]));
    if (node.text == "not")
      return Value(!left.truth());
    if (node.text == "and" || node.text == "or") {
      if (left.truth() == (node.text == "or"))
        return Value(left.truth());
      QUERN_ASSIGN_OR_RETURN(Value right, run(*node.children[1]));
      return Value(right.truth());
    }
    if (node.children.size() == 1)
      return arithmetic("-", Value(0), left);
    QUERN_ASSIGN_OR_RETURN(Value right, run(*node.children[1]));
    if (std::string_view("+-*//%").find(node.text) != std::string_view::npos)
      return arithmetic(node.text, left, right);
    return compareValues(node.text, left, right);
  }

  Expected<Value> call(const Node &node) const {
    // These two take a name that need not be known, so their first argument is not evaluated.
    if (node.text == "has" || node.text == "default") {
      if (node.children.size() != (node.text == "has" ? 1u : 2u) || node.children[0]->kind != Node::Name)
        return fault("`" + node.text + "` wants a name" + (node.text == "has" ? "" : " and a value"));
      const Value *value = scope.find(node.children[0]->text);
      bool present = value && !value->isNull();
      if (node.text == "has")
        return Value(present);
      return present ? Expected<Value>(*value) : run(*node.children[1]);
    }
    QUERN_ASSIGN_OR_RETURN(Value listed, list(node));
    const Value::List &arguments = listed.list();
    if (node.text == "len" && arguments.size() == 1 && arguments[0].isList())
      return Value(static_cast<int64_t>(arguments[0].list().size()));
    if (const Scope::Function *function = scope.findFunction(node.text))
      return (*function)(arguments);
    for (const Value &argument : arguments)
      if (!argument.isNumber())
        return fault("`" + node.text + "` got " + argument.kindName());
    if ((node.text == "min" || node.text == "max") && !arguments.empty()) {
      Value best = arguments[0];
      for (const Value &argument : arguments)
        if (node.text == "min" ? argument.number() < best.number() : argument.number() > best.number())
          best = argument;
      return best;
    }
    if (node.text == "sqrt" && arguments.size() == 1)
      return finite(std::sqrt(arguments[0].number()));
    if (node.text == "rsqrt" && arguments.size() == 1)
      return finite(1.0 / std::sqrt(arguments[0].number()));
    if (node.text == "pow" && arguments.size() == 2)
      return finite(std::pow(arguments[0].number(), arguments[1].number()));
    return fault("there is no function `" + node.text + "` of " + std::to_string(arguments.size()) +
                 " arguments");
  }

  const Scope &scope;
};

bool nodeMentions(const Node &node, std::string_view name) {
  if (node.kind == Node::Name && node.text == name)
    return true;
  for (const auto &child : node.children)
    if (nodeMentions(*child, name))
      return true;
  return false;
}

} // namespace

Expected<Expression> Expression::parse(std::string_view text) {
  ExpressionParser parser(text);
  QUERN_ASSIGN_OR_RETURN(std::shared_ptr<const Node> root, parser.choice());
  QUERN_RETURN_IF_ERROR(parser.end());
  Expression expression;
  expression.source = std::string(text);
  expression.root = std::move(root);
  return expression;
}

Expression Expression::constant(Value value) {
  Expression expression;
  expression.source = value.text();
  auto node = std::make_shared<Node>();
  node->kind = Node::Constant;
  node->value = std::move(value);
  expression.root = std::move(node);
  return expression;
}

Expected<Value> Expression::evaluate(const Scope &scope) const {
  if (!root)
    return Value();
  Expected<Value> result = Evaluator(scope).run(*root);
  if (result.ok())
    return result;
  Status error = result.takeError();
  return Status::error(error.exit(), error.id(), "in `" + source + "`: " + error.sentence());
}

Expected<bool> Expression::evaluateBool(const Scope &scope) const {
  QUERN_ASSIGN_OR_RETURN(Value value, evaluate(scope));
  return value.truth();
}

Expected<int64_t> Expression::evaluateInt(const Scope &scope) const {
  QUERN_ASSIGN_OR_RETURN(Value value, evaluate(scope));
  if (value.isInt())
    return value.integer();
  if (value.isFloat() && value.number() == std::floor(value.number()) && std::abs(value.number()) < 9e15)
    return static_cast<int64_t>(value.number());
  return fault("`" + source + "` is " + value.text() + " where an integer is wanted");
}

bool Expression::mentions(std::string_view name) const { return root && nodeMentions(*root, name); }
