//===- Value.h - The values of chat templates -----------------------------===//
//
// Templates compute with Python's values; these are the ones they need. Values are immutable except
// namespaces, and share their contents, so copying one is cheap.
//
// A string knows for each byte whether it came from the conversation (marked) or from the template. What is
// cut out of a marked string, or joined from several, keeps its marks, so that the prompt can tell a control
// token of the template from the same characters typed by a user.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_CHAT_VALUE_H
#define QUERN_RUNTIME_TEXT_CHAT_VALUE_H

#include "support/Json.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quern::runtime::chat {

/// Bytes of UTF-8 and their marks.
struct Text {
  std::string bytes;
  std::string marks; ///< empty where nothing is marked, else one char per byte, 0 or 1

  Text() = default;
  Text(std::string bytes) : bytes(std::move(bytes)) {}
  Text(const char *bytes) : bytes(bytes) {}
  static Text marked(std::string bytes);

  bool anyMarked() const { return !marks.empty(); }
  size_t size() const { return bytes.size(); }
  void append(const Text &other);
  Text slice(size_t begin, size_t end) const;
  /// |bytes| as a whole marked where any of this is; for what changes the letters themselves.
  Text rewritten(std::string bytes) const;
};

enum class Kind : uint8_t { Undefined, None, Bool, Int, Float, String, List, Dict, Namespace, Loop, Macro };
/// As Python would name it in an error: "undefined", "none", "bool", "int", ...
std::string_view kindName(Kind kind);

struct Statement; // Syntax.h
class Value;

struct Dict;
struct Namespace;
struct LoopState;
struct MacroRef {
  const Statement
      *definition; ///< null for one of the built-in functions, which are called by their name only
};
struct Undefined {
  std::shared_ptr<const std::string> name; ///< what was looked up in vain, for errors; may be null
};

class Value {
public:
  struct List {
    std::vector<Value> items;
    bool tuple = false;
    uint32_t depth = 1;  ///< 1 + that of the deepest item
    uint64_t weight = 1; ///< see Value::weight
  };

  Value() = default; ///< undefined
  static Value undefined(std::string name);
  static Value none() { return Value(Data(std::in_place_index<1>)); }
  Value(bool value) : data(value) {}
  Value(int64_t value) : data(value) {}
  Value(double value) : data(value) {}
  Value(Text value) : data(std::make_shared<const Text>(std::move(value))) {}
  Value(std::shared_ptr<Namespace> value) : data(std::move(value)) {}
  Value(std::shared_ptr<LoopState> value) : data(std::move(value)) {}
  Value(MacroRef value) : data(value) {}
  static Value list(std::vector<Value> items, bool tuple = false);
  static Value dict(Dict dict);
  /// A JSON value whose strings are marked if |marked|.
  static Value fromJson(const Json &json, bool marked);

  Kind kind() const { return static_cast<Kind>(data.index()); }
  bool is(Kind k) const { return kind() == k; }
  bool isNumber() const { return is(Kind::Int) || is(Kind::Float) || is(Kind::Bool); }

  bool boolean() const { return std::get<bool>(data); }
  /// The integer of an Int or Bool.
  int64_t integer() const { return is(Kind::Bool) ? boolean() : std::get<int64_t>(data); }
  double number() const { return is(Kind::Float) ? std::get<double>(data) : static_cast<double>(integer()); }
  const Text &text() const { return *std::get<std::shared_ptr<const Text>>(data); }
  const List &list() const { return *std::get<std::shared_ptr<const List>>(data); }
  const std::vector<Value> &items() const { return list().items; }
  const Dict &dict() const { return *std::get<std::shared_ptr<const Dict>>(data); }
  Namespace &space() const { return *std::get<std::shared_ptr<Namespace>>(data); }
  const LoopState &loop() const { return *std::get<std::shared_ptr<LoopState>>(data); }
  const MacroRef &macro() const { return std::get<MacroRef>(data); }
  std::string undefinedName() const;

  /// 0 for scalars; namespaces and loops count as too deep to be put into anything.
  uint32_t depth() const;
  static constexpr uint32_t maxDepth = 100;
  /// What printing or comparing the value costs: 1, one more for every 16 bytes of text, and what its items
  /// cost. Parts that are shared count as often as they occur.
  uint64_t weight() const;

private:
  using Data = std::variant<Undefined, std::monostate, bool, int64_t, double, std::shared_ptr<const Text>,
                            std::shared_ptr<const List>, std::shared_ptr<const Dict>,
                            std::shared_ptr<Namespace>, std::shared_ptr<LoopState>, MacroRef>;
  explicit Value(Data data) : data(std::move(data)) {}
  Data data;
};

/// A dictionary with string keys, in order of insertion.
struct Dict {
  std::vector<std::pair<Text, Value>> members;
  std::map<std::string, size_t, std::less<>> places;
  uint32_t depth = 1;
  uint64_t weight = 1;
  void set(Text key, Value value);
  const Value *find(std::string_view key) const;
};

/// What `namespace(...)` makes: the one thing that can be changed from inside a loop.
struct Namespace {
  std::map<std::string, Value, std::less<>> members;
};

/// The variable `loop`.
struct LoopState {
  std::vector<Value> items;
  size_t index = 0;
  int64_t depth = 1;
};

bool isTrue(const Value &value);
/// Python's ==. Values of different kinds are not equal, numbers apart.
bool isEqual(const Value &a, const Value &b);
/// -1, 0 or 1 where both are numbers, strings or lists of such; 2 where Python raises a TypeError.
int compare(const Value &a, const Value &b);

/// What `{{ value }}` prints: Python's str, and nothing for an undefined value.
Text toText(const Value &value);
/// Python's json.dumps(value, ensure_ascii=False, indent=|indent|), with |indent| below 0 on one line. False
/// where the value holds something that JSON has no form for.
bool toJson(const Value &value, int indent, bool sortKeys, std::string &out, int level = 0);

/// Code points of UTF-8 text, and the byte where code point |index| begins (the size for the one behind the
/// last).
size_t codePointCount(std::string_view bytes);
size_t byteOfCodePoint(std::string_view bytes, size_t index);
/// White space as Python's str.strip() takes it away.
bool isSpace(char32_t point);

} // namespace quern::runtime::chat

#endif // QUERN_RUNTIME_TEXT_CHAT_VALUE_H
