//===- Expression.h - The small expression language of family descriptions ---===//
//
// Family descriptions compute shapes, conditions and attributes from the keys of config.json:
//
//   "num_attention_heads * (qk_nope_head_dim + qk_rope_head_dim)"
//   "layer < first_k_dense_replace"
//   "has(layer_types) ? layer_types[layer] == 'sliding_attention' : layer % 2 == 0"
//
// Grammar, loosest binding first (docs/Families.md has it with examples):
//
//   choice   = or ["?" choice ":" choice]
//   or       = and {"or" and}          and = not {"and" not}          not = "not" not | compare
//   compare  = sum [("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") sum]
//   sum      = term {("+" | "-") term}           term = sign {("*" | "/" | "//" | "%") sign}
//   sign     = "-" sign | index                  index = atom {"[" choice "]"}
//   atom     = NUMBER | 'STRING' | true | false | null | NAME | NAME "(" [choice {"," choice}] ")"
//            | "[" [choice {"," choice}] "]" | "(" choice ")"
//
// "/" of two integers is an integer where it divides evenly and a float otherwise; "//" rounds down. "?:",
// "and" and "or" evaluate only the side that they need. Integer overflow, a division by zero and a result
// that is not finite are errors.
//
// Built-in functions: has(NAME), default(NAME, value), min, max, sqrt, rsqrt, pow, len.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_EXPRESSION_H
#define QUERN_LOWERING_IMPORT_EXPRESSION_H

#include "lowering/import/Value.h"

#include <functional>
#include <memory>
#include <string_view>

namespace quern::import {

/// What an expression sees: names, and functions beside the built-in ones.
class Scope {
public:
  using Function = std::function<Expected<Value>(const Value::List &arguments)>;
  explicit Scope(const Scope *parent = nullptr) : parent(parent) {}

  void set(std::string name, Value value) { names.insert_or_assign(std::move(name), std::move(value)); }
  void define(std::string name, Function function) { functions.insert_or_assign(std::move(name), function); }
  /// The innermost binding; null pointer for an unknown name (a name that is bound to null is known).
  const Value *find(std::string_view name) const;
  const Function *findFunction(std::string_view name) const;

private:
  const Scope *parent;
  Bindings names;
  std::map<std::string, Function, std::less<>> functions;
};

/// A parsed expression. Copies share the tree.
class Expression {
public:
  struct Node;

  /// Exit::BadInput "E-FAMILY-EXPRESSION" with the column of the fault.
  static Expected<Expression> parse(std::string_view text);
  static Expression constant(Value value);

  /// Exit::BadInput "E-FAMILY-EXPRESSION": unknown name, wrong kind, overflow, division by zero.
  Expected<Value> evaluate(const Scope &scope) const;
  Expected<bool> evaluateBool(const Scope &scope) const;
  /// A float with an integer value counts as an integer.
  Expected<int64_t> evaluateInt(const Scope &scope) const;
  const std::string &text() const { return source; }
  /// True where the expression mentions |name|.
  bool mentions(std::string_view name) const;

private:
  std::string source;
  std::shared_ptr<const Node> root;
};

/// One step of a wiring list: `q, k = split(qkv, @weight, sizes: [a, b], bias: @b)`.
struct StepText {
  struct Operand {
    bool weight = false; ///< written with "@"
    std::string name;
  };
  struct Argument {
    std::string name;
    bool weight = false; ///< `name: @weight`
    std::string weightName;
    Expression value; ///< unless weight
  };
  std::string source, operation;
  std::vector<std::string> results;
  std::vector<Operand> operands;
  std::vector<Argument> arguments;

  /// Exit::BadInput "E-FAMILY-STEP".
  static Expected<StepText> parse(std::string_view text);
};

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_EXPRESSION_H
