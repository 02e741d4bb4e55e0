//===- Value.h - What an expression of a family description evaluates to ---===//
//
// null, bool, int64, double, string, or a list of these. Integers and floats are kept apart, because a shape
// must be an integer; an operation that meets both works on doubles.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_VALUE_H
#define QUERN_LOWERING_IMPORT_VALUE_H

#include "support/Json.h"

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace quern::import {

class Value {
public:
  using List = std::vector<Value>;
  Value() = default;
  Value(bool value) : data(value) {}
  Value(int value) : data(static_cast<int64_t>(value)) {}
  Value(int64_t value) : data(value) {}
  Value(double value) : data(value) {}
  Value(const char *value) : data(std::string(value)) {}
  Value(std::string value) : data(std::move(value)) {}
  Value(List value) : data(std::move(value)) {}
  /// Objects and integers above INT64_MAX become null.
  static Value fromJson(const Json &json);

  bool isNull() const { return data.index() == 0; }
  bool isBool() const { return std::holds_alternative<bool>(data); }
  bool isInt() const { return std::holds_alternative<int64_t>(data); }
  bool isFloat() const { return std::holds_alternative<double>(data); }
  bool isNumber() const { return isInt() || isFloat(); }
  bool isString() const { return std::holds_alternative<std::string>(data); }
  bool isList() const { return std::holds_alternative<List>(data); }

  /// The value of a known kind; asking another kind is a mistake of ours.
  bool boolean() const { return std::get<bool>(data); }
  int64_t integer() const { return std::get<int64_t>(data); }
  double number() const { return isInt() ? static_cast<double>(integer()) : std::get<double>(data); }
  const std::string &string() const { return std::get<std::string>(data); }
  const List &list() const { return std::get<List>(data); }

  /// null, false, 0, the empty string and the empty list are false.
  bool truth() const;
  /// "null", "bool", "integer", "float", "string", "list".
  const char *kindName() const;
  /// As it would be written in an expression; floats with the digits that read back.
  std::string text() const;

  /// 1 and 1.0 are equal; values of other different kinds are not.
  bool operator==(const Value &other) const;

private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List> data;
};

/// Names that expressions may use.
using Bindings = std::map<std::string, Value, std::less<>>;

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_VALUE_H
