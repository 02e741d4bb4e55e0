//===- Value.cpp - What an expression of a family description evaluates to ---===//
#include "lowering/import/Value.h"

#include <charconv>

using namespace quern;
using namespace quern::import;

Value Value::fromJson(const Json &json) {
  switch (json.kind()) {
  case JsonKind::Bool:
    return Value(json.boolean());
  case JsonKind::Int:
    return Value(json.integer());
  case JsonKind::Float:
    return Value(json.number());
  case JsonKind::String:
    return Value(json.string());
  case JsonKind::Array: {
    List list;
    for (const Json &item : json.items())
      list.push_back(fromJson(item));
    return Value(std::move(list));
  }
  case JsonKind::Null:
  case JsonKind::UInt:
  case JsonKind::Object:
    break;
  }
  return Value();
}

bool Value::truth() const {
  if (isBool())
    return boolean();
  if (isNumber())
    return number() != 0;
  if (isString())
    return !string().empty();
  return isList() && !list().empty();
}

const char *Value::kindName() const {
  static constexpr const char *names[] = {"null", "bool", "integer", "float", "string", "list"};
  return names[data.index()];
}

std::string Value::text() const {
  if (isNull())
    return "null";
  if (isBool())
    return boolean() ? "true" : "false";
  if (isInt())
    return std::to_string(integer());
  if (isFloat()) {
    char digits[64];
    auto end = std::to_chars(digits, digits + sizeof digits, number()).ptr;
    std::string text(digits, end);
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }
  if (isString())
    return "'" + string() + "'";
  std::string text = "[";
  for (const Value &item : list())
    text += (text.size() > 1 ? ", " : "") + item.text();
  return text + "]";
}

bool Value::operator==(const Value &other) const {
  if (isNumber() && other.isNumber())
    return isInt() && other.isInt() ? integer() == other.integer() : number() == other.number();
  return data == other.data;
}
