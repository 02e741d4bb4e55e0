//===- Value.cpp ----------------------------------------------------------===//
#include "runtime/text/chat/Value.h"

#include "runtime/text/Utf8.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace quern::runtime::chat {

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

Text Text::marked(std::string bytes) {
  Text text(std::move(bytes));
  text.marks.assign(text.bytes.size(), 1);
  return text;
}

void Text::append(const Text &other) {
  if (!marks.empty() || !other.marks.empty()) {
    marks.resize(bytes.size(), 0);
    if (other.marks.empty())
      marks.append(other.bytes.size(), 0);
    else
      marks += other.marks;
  }
  bytes += other.bytes;
}

Text Text::slice(size_t begin, size_t end) const {
  Text part(bytes.substr(begin, end - begin));
  if (!marks.empty()) {
    part.marks = marks.substr(begin, end - begin);
    if (part.marks.find('\1') == std::string::npos)
      part.marks.clear();
  }
  return part;
}

Text Text::rewritten(std::string changed) const {
  return anyMarked() ? marked(std::move(changed)) : Text(std::move(changed));
}

size_t codePointCount(std::string_view bytes) {
  return static_cast<size_t>(
      std::count_if(bytes.begin(), bytes.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

size_t byteOfCodePoint(std::string_view bytes, size_t index) {
  for (size_t at = 0; at < bytes.size(); ++at)
    if ((bytes[at] & 0xC0) != 0x80 && index-- == 0)
      return at;
  return bytes.size();
}

bool isSpace(char32_t point) {
  return (point >= 9 && point <= 13) || (point >= 0x1C && point <= 0x20) || point == 0x85 || point == 0xA0 ||
         point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 ||
         point == 0x202F || point == 0x205F || point == 0x3000;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

std::string_view kindName(Kind kind) {
  static constexpr std::string_view names[] = {"undefined", "none",   "bool", "int",
                                               "float",     "string", "list", "dictionary",
                                               "namespace", "loop",   "macro"};
  return names[static_cast<size_t>(kind)];
}

Value Value::undefined(std::string name) {
  return Value(Data(Undefined{std::make_shared<const std::string>(std::move(name))}));
}

std::string Value::undefinedName() const {
  const Undefined &what = std::get<Undefined>(data);
  return what.name ? *what.name : "value";
}

Value Value::list(std::vector<Value> items, bool tuple) {
  List list{std::move(items), tuple, 1, 1};
  for (const Value &item : list.items) {
    list.depth = std::max(list.depth, item.depth() + 1);
    list.weight += item.weight();
  }
  return Value(Data(std::make_shared<const List>(std::move(list))));
}

Value Value::dict(Dict dict) { return Value(Data(std::make_shared<const Dict>(std::move(dict)))); }

uint32_t Value::depth() const {
  switch (kind()) {
  case Kind::List:
    return list().depth;
  case Kind::Dict:
    return dict().depth;
  case Kind::Namespace:
  case Kind::Loop:
    return maxDepth + 1;
  default:
    return 0;
  }
}

uint64_t Value::weight() const {
  switch (kind()) {
  case Kind::String:
    return 1 + text().size() / 16;
  case Kind::List:
    return list().weight;
  case Kind::Dict:
    return dict().weight;
  default:
    return 1;
  }
}

Value Value::fromJson(const Json &json, bool marked) {
  auto text = [&](const std::string &bytes) { return marked ? Text::marked(bytes) : Text(bytes); };
  switch (json.kind()) {
  case JsonKind::Null:
    return none();
  case JsonKind::Bool:
    return json.boolean();
  case JsonKind::Int:
    return json.integer();
  case JsonKind::UInt:
  case JsonKind::Float:
    return json.number();
  case JsonKind::String:
    return text(json.string());
  case JsonKind::Array: {
    std::vector<Value> items;
    for (const Json &item : json.items())
      items.push_back(fromJson(item, marked));
    return list(std::move(items));
  }
  case JsonKind::Object: {
    Dict members;
    for (const Json::Member &member : json.members())
      members.set(text(member.key), fromJson(member.value, marked));
    return dict(std::move(members));
  }
  }
  return none();
}

void Dict::set(Text key, Value value) {
  depth = std::max(depth, value.depth() + 1);
  weight += 1 + key.size() / 16 + value.weight();
  auto [place, isNew] = places.try_emplace(key.bytes, members.size());
  if (isNew)
    members.emplace_back(std::move(key), std::move(value));
  else
    members[place->second].second = std::move(value);
}

const Value *Dict::find(std::string_view key) const {
  auto place = places.find(key);
  return place == places.end() ? nullptr : &members[place->second].second;
}

bool isTrue(const Value &value) {
  switch (value.kind()) {
  case Kind::Undefined:
  case Kind::None:
    return false;
  case Kind::Bool:
    return value.boolean();
  case Kind::Int:
    return value.integer() != 0;
  case Kind::Float:
    return value.number() != 0;
  case Kind::String:
    return value.text().size() != 0;
  case Kind::List:
    return !value.items().empty();
  case Kind::Dict:
    return !value.dict().members.empty();
  default:
    return true;
  }
}

bool isEqual(const Value &a, const Value &b) {
  if (a.isNumber() && b.isNumber()) {
    if (!a.is(Kind::Float) && !b.is(Kind::Float))
      return a.integer() == b.integer();
    return a.number() == b.number();
  }
  if (a.kind() != b.kind())
    return false;
  switch (a.kind()) {
  case Kind::String:
    return a.text().bytes == b.text().bytes;
  case Kind::List:
    return a.list().tuple == b.list().tuple &&
           std::equal(a.items().begin(), a.items().end(), b.items().begin(), b.items().end(), isEqual);
  case Kind::Dict:
    if (a.dict().members.size() != b.dict().members.size())
      return false;
    return std::all_of(a.dict().members.begin(), a.dict().members.end(), [&](const auto &member) {
      const Value *other = b.dict().find(member.first.bytes);
      return other && isEqual(member.second, *other);
    });
  case Kind::Namespace:
    return &a.space() == &b.space();
  case Kind::Loop:
    return &a.loop() == &b.loop();
  case Kind::Macro:
    return a.macro().definition == b.macro().definition;
  default:
    return true; // undefined and none
  }
}

int compare(const Value &a, const Value &b) {
  auto order = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
  if (a.isNumber() && b.isNumber()) {
    if (!a.is(Kind::Float) && !b.is(Kind::Float))
      return order(a.integer(), b.integer());
    return order(a.number(), b.number());
  }
  // Bytes of UTF-8 stand in the order of their code points.
  if (a.is(Kind::String) && b.is(Kind::String))
    return order(a.text().bytes.compare(b.text().bytes), 0);
  if (a.is(Kind::List) && b.is(Kind::List)) {
    for (size_t i = 0; i < std::min(a.items().size(), b.items().size()); ++i)
      if (!isEqual(a.items()[i], b.items()[i]))
        return compare(a.items()[i], b.items()[i]);
    return order(a.items().size(), b.items().size());
  }
  return 2;
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

/// Python's repr of a float: the shortest digits, with an exponent from 1e16 on and below 1e-4.
static std::string floatText(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value < 0 ? "-inf" : "inf";
  char buffer[400];
  auto write = [&](std::chars_format format) {
    return std::string(buffer, std::to_chars(buffer, buffer + sizeof buffer, value, format).ptr);
  };
  std::string scientific = write(std::chars_format::scientific);
  int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  if (exponent >= 16 || (exponent < -4 && value != 0))
    return scientific;
  std::string fixed = write(std::chars_format::fixed);
  return fixed.find('.') == fixed.npos ? fixed + ".0" : fixed;
}

/// Python's repr of a string; printable characters outside ASCII stand as they are.
static std::string quoted(std::string_view bytes) {
  char quote = bytes.find('\'') != bytes.npos && bytes.find('"') == bytes.npos ? '"' : '\'';
  static constexpr char digits[] = "0123456789abcdef";
  std::string out(1, quote);
  for (char c : bytes) {
    if (c == quote || c == '\\')
      out += std::string("\\") + c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      out += std::string("\\x") + digits[c >> 4 & 15] + digits[c & 15];
    else
      out += c;
  }
  return out + quote;
}

static void appendRepr(const Value &value, Text &out) {
  if (value.is(Kind::String)) {
    out.append(value.text().rewritten(quoted(value.text().bytes)));
  } else if (value.is(Kind::List)) {
    bool tuple = value.list().tuple;
    out.append(tuple ? "(" : "[");
    for (size_t i = 0; i < value.items().size(); ++i) {
      if (i)
        out.append(", ");
      appendRepr(value.items()[i], out);
    }
    out.append(tuple ? (value.items().size() == 1 ? ",)" : ")") : "]");
  } else if (value.is(Kind::Dict)) {
    out.append("{");
    for (size_t i = 0; i < value.dict().members.size(); ++i) {
      const auto &[key, member] = value.dict().members[i];
      if (i)
        out.append(", ");
      out.append(key.rewritten(quoted(key.bytes)));
      out.append(": ");
      appendRepr(member, out);
    }
    out.append("}");
  } else {
    out.append(value.is(Kind::Undefined) ? Text("Undefined") : toText(value));
  }
}

Text toText(const Value &value) {
  switch (value.kind()) {
  case Kind::Undefined:
    return {};
  case Kind::None:
    return "None";
  case Kind::Bool:
    return value.boolean() ? "True" : "False";
  case Kind::Int:
    return std::to_string(value.integer());
  case Kind::Float:
    return floatText(value.number());
  case Kind::String:
    return value.text();
  case Kind::List:
  case Kind::Dict: {
    Text out;
    appendRepr(value, out);
    return out;
  }
  default:
    return Text("<" + std::string(kindName(value.kind())) + ">");
  }
}

/// A string as json.dumps writes it without ensure_ascii.
static std::string jsonString(std::string_view bytes) {
  std::string text = writeJson(Json(bytes));
  return text;
}

bool toJson(const Value &value, int indent, bool sortKeys, std::string &out, int level) {
  auto newLine = [&](int depth) {
    if (indent >= 0)
      out += "\n" + std::string(static_cast<size_t>(indent) * depth, ' ');
  };
  auto separate = [&](bool first) {
    if (!first)
      out += indent >= 0 ? "," : ", ";
    newLine(level + 1);
  };
  switch (value.kind()) {
  case Kind::None:
    out += "null";
    return true;
  case Kind::Bool:
    out += value.boolean() ? "true" : "false";
    return true;
  case Kind::Int:
    out += std::to_string(value.integer());
    return true;
  case Kind::Float:
    if (!std::isfinite(value.number()))
      return false;
    out += floatText(value.number());
    return true;
  case Kind::String:
    out += jsonString(value.text().bytes);
    return true;
  case Kind::List:
    out += "[";
    for (size_t i = 0; i < value.items().size(); ++i) {
      separate(i == 0);
      if (!toJson(value.items()[i], indent, sortKeys, out, level + 1))
        return false;
    }
    if (!value.items().empty())
      newLine(level);
    out += "]";
    return true;
  case Kind::Dict: {
    std::vector<const std::pair<Text, Value> *> members;
    for (const auto &member : value.dict().members)
      members.push_back(&member);
    if (sortKeys)
      std::sort(members.begin(), members.end(),
                [](auto *a, auto *b) { return a->first.bytes < b->first.bytes; });
    out += "{";
    for (size_t i = 0; i < members.size(); ++i) {
      separate(i == 0);
      out += jsonString(members[i]->first.bytes) + ": ";
      if (!toJson(members[i]->second, indent, sortKeys, out, level + 1))
        return false;
    }
    if (!members.empty())
      newLine(level);
    out += "}";
    return true;
  }
  default:
    return false;
  }
}

} // namespace quern::runtime::chat
