//===- Evaluator.h - Runs a parsed chat template --------------------------===//
#ifndef QUERN_RUNTIME_TEXT_CHAT_EVALUATOR_H
#define QUERN_RUNTIME_TEXT_CHAT_EVALUATOR_H

#include "runtime/text/chat/Syntax.h"
#include "support/Status.h"

#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime::chat {

/// Variables of a block; what is not found here is looked for in the blocks around it.
struct Scope {
  std::map<std::string, Value, std::less<>> variables;
  const Scope *outer = nullptr;
  const Value *find(std::string_view name) const;
};

/// Evaluated arguments of a filter, test, method or function.
struct Arguments {
  int line;
  std::string what; ///< "the filter `join`"
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> keywords;

  /// The argument at |index| or called |name|; null where it is not given.
  const Value *get(size_t index, std::string_view name) const;
  /// An error where more positional arguments or other keywords than |names| were given.
  Status accept(std::vector<std::string_view> names) const;
  Status error(std::string sentence) const; ///< "E-TEMPLATE-EVALUATION"
};

/// One rendering. All errors carry the line: "E-TEMPLATE-EVALUATION" where Python would raise,
/// "E-TEMPLATE-LIMIT" where the template does more work than a prompt needs, "E-TEMPLATE-RAISED" where it
/// calls raise_exception.
class Evaluator {
public:
  explicit Evaluator(std::optional<std::tm> now) : now(now) {}

  /// Prints |syntax| with the variables of |globals|.
  Expected<Text> render(const Syntax &syntax, Scope &globals);

  /// Counts work: one unit for a step, one more for every 16 bytes made.
  Status spend(int line, uint64_t units);
  static constexpr uint64_t maxWork = 20'000'000, maxWeight = 4'000'000, maxBytes = 16u << 20;
  /// Like itemsOf, but counts the work.
  Expected<std::vector<Value>> visit(const Value &value, int line);

  Expected<Value> applyFilter(const std::string &name, Value self, const Arguments &arguments);
  Expected<bool> applyTest(const std::string &name, const Value &self, const Arguments &arguments);

private:
  enum class Flow { Next, Break, Continue };
  const Scope *globals = nullptr;
  uint64_t work = 0;
  int nesting = 0; ///< of evaluations and statements, which bounds the machine's stack
  std::optional<std::tm> now;

  Status run(const std::vector<StatementPtr> &body, Scope &scope, Text &out, Flow &flow);
  Status runStatement(const Statement &statement, Scope &scope, Text &out, Flow &flow);
  Status runFor(const Statement &statement, Scope &scope, Text &out);
  Status runSet(const Statement &statement, Scope &scope);
  Status assign(const Statement &statement, const std::vector<std::string> &names, Value value, Scope &scope);
  Status print(const Text &text, int line, Text &out);

  Expected<Value> evaluate(const Expression &expression, Scope &scope);
  Expected<Value> evaluateKind(const Expression &expression, Scope &scope);
  Expected<Value> evaluateDict(const Expression &expression, Scope &scope);
  Expected<Value> evaluateUnary(const Expression &expression, Scope &scope);
  Expected<Value> evaluateComparison(const Expression &expression, Scope &scope);
  Expected<Value> evaluateSlice(const Expression &expression, Scope &scope);
  Expected<Value> evaluateCall(const Expression &expression, Scope &scope);
  Expected<Value> evaluateMethod(const Expression &expression, Scope &scope);
  Expected<Arguments> evaluateArguments(const Expression &expression, size_t first, std::string what,
                                        Scope &scope);

  Expected<Value> binary(const Expression &site, const Value &left, const Value &right);
  Expected<Value> arithmetic(const Expression &site, const Value &left, const Value &right);
  Expected<Value> repeat(const Expression &site, const Text &text, int64_t times);
  Expected<Value> join(const Expression &site, Text left, const Text &right);
  Expected<Value> attribute(const Value &object, const std::string &name, int line);
  Expected<Value> subscript(const Value &object, const Value &index, int line);
  Expected<Value> callMacro(const Statement &macro, const Arguments &arguments);
  bool isFunction(std::string_view name) const;
  Expected<Value> callFunction(const std::string &name, const Arguments &arguments);
  Expected<Value> callMethod(const Value &self, const std::string &name, const Arguments &arguments);
  Expected<Value> callTextMethod(const Text &self, const std::string &name, const Arguments &arguments);
};

/// The items that a `for` over |value| visits: of a list, the keys of a dictionary, the characters of a
/// string, nothing of an undefined value. An error for everything else.
Expected<std::vector<Value>> itemsOf(const Value &value, int line);

/// What the Python method of the same name does, shared by filters and methods.
Text stripped(const Text &text, const Value *characters, bool left, bool right);
Expected<Text> replaced(const Text &text, const Text &from, const Text &to, int64_t count, int line);

Status evaluationError(int line, std::string sentence);

} // namespace quern::runtime::chat

#endif // QUERN_RUNTIME_TEXT_CHAT_EVALUATOR_H
