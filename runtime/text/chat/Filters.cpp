//===- Filters.cpp - Filters and tests of chat templates ------------------===//
#include "runtime/text/chat/Evaluator.h"

#include "runtime/text/Utf8.h"
#include "runtime/text/chat/Lexer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace quern::runtime::chat {

bool isKnownFilter(std::string_view name) {
  static constexpr std::string_view known[] = {
      "abs",  "capitalize", "count",      "d",       "default", "dictsort", "first",  "float",  "indent",
      "int",  "items",      "join",       "last",    "length",  "list",     "lower",  "map",    "max",
      "min",  "reject",     "rejectattr", "replace", "reverse", "round",    "safe",   "select", "selectattr",
      "sort", "string",     "sum",        "title",   "tojson",  "trim",     "unique", "upper"};
  return std::find(std::begin(known), std::end(known), name) != std::end(known);
}

bool isKnownTest(std::string_view name) {
  static constexpr std::string_view known[] = {
      "boolean", "defined", "divisibleby", "eq",       "equalto", "even",  "false",     "float",   "ge",
      "gt",      "in",      "integer",     "iterable", "le",      "lower", "lt",        "mapping", "ne",
      "none",    "number",  "odd",         "sequence", "string",  "true",  "undefined", "upper"};
  return std::find(std::begin(known), std::end(known), name) != std::end(known);
}

namespace {

/// Upper or lower case, one code point for one (ß stays).
std::string withCase(std::string_view bytes, bool upper) {
  std::string out;
  for (char32_t point : toCodePoints(bytes)) {
    utf8proc_int32_t c = static_cast<utf8proc_int32_t>(point);
    appendUtf8(static_cast<char32_t>(upper ? utf8proc_toupper(c) : utf8proc_tolower(c)), out);
  }
  return out;
}

std::string capitalized(std::string_view bytes) {
  size_t first = readUtf8(bytes).length;
  return withCase(bytes.substr(0, first), true) + withCase(bytes.substr(first), false);
}

/// Jinja's title: words begin behind white space, hyphens and opening brackets.
std::string titled(std::string_view bytes) {
  std::string out;
  bool begins = true;
  for (char32_t point : toCodePoints(bytes)) {
    std::string one = toUtf8({&point, 1});
    out += withCase(one, begins);
    begins = isSpace(point) || point == '-' || point == '(' || point == '{' || point == '[' || point == '<';
  }
  return out;
}

bool anyMarked(const Value &value) {
  switch (value.kind()) {
  case Kind::String:
    return value.text().anyMarked();
  case Kind::List:
    return std::any_of(value.items().begin(), value.items().end(), anyMarked);
  case Kind::Dict:
    return std::any_of(value.dict().members.begin(), value.dict().members.end(), [](const auto &member) {
      return member.first.anyMarked() || anyMarked(member.second);
    });
  default:
    return false;
  }
}

/// Strings are sorted and compared without regard to case unless the template asks for it.
Value sortKey(const Value &value, bool caseSensitive) {
  if (value.is(Kind::String) && !caseSensitive)
    return Value(Text(withCase(value.text().bytes, false)));
  return value;
}

/// Member |path| ("a", "a.b", "0") of |value|; undefined where there is none.
Value memberAt(Value value, const Value &path) {
  std::string_view rest = path.is(Kind::String) ? std::string_view(path.text().bytes) : "";
  if (path.is(Kind::Int))
    return value.is(Kind::List) && path.integer() >= 0 &&
                   path.integer() < static_cast<int64_t>(value.items().size())
               ? value.items()[path.integer()]
               : Value();
  while (true) {
    size_t dot = rest.find('.');
    std::string name(rest.substr(0, dot));
    if (value.is(Kind::Dict)) {
      const Value *member = value.dict().find(name);
      value = member ? *member : Value::undefined(name);
    } else if (value.is(Kind::List) && !name.empty() && name.size() < 10 &&
               std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; })) {
      size_t index = std::stoul(name);
      value = index < value.items().size() ? value.items()[index] : Value::undefined(name);
    } else {
      return Value::undefined(name);
    }
    if (dot == rest.npos)
      return value;
    rest.remove_prefix(dot + 1);
  }
}

bool flag(const Arguments &arguments, size_t index, std::string_view name, bool otherwise = false) {
  const Value *value = arguments.get(index, name);
  return value ? isTrue(*value) : otherwise;
}

Expected<Value> toInteger(const Value &value, const Value &otherwise) {
  if (value.is(Kind::Float))
    return std::isfinite(value.number()) && std::fabs(value.number()) < 0x1p63
               ? Value(static_cast<int64_t>(std::trunc(value.number())))
               : otherwise;
  if (value.isNumber())
    return Value(value.integer());
  if (!value.is(Kind::String))
    return otherwise;
  std::string text = stripped(value.text(), nullptr, true, true).bytes;
  char *end = nullptr;
  errno = 0;
  int64_t integer = strtoll(text.c_str(), &end, 10);
  if (!text.empty() && *end == 0 && errno == 0)
    return Value(integer);
  double number = strtod(text.c_str(), &end); // "3.7" gives 3
  if (text.empty() || *end != 0 || !std::isfinite(number) || std::fabs(number) >= 0x1p63)
    return otherwise;
  return Value(static_cast<int64_t>(std::trunc(number)));
}

Expected<Value> rounded(const Value &value, const Arguments &arguments) {
  if (!value.isNumber())
    return arguments.error("expected a number");
  const Value *precision = arguments.get(0, "precision"), *method = arguments.get(1, "method");
  if ((precision && !precision->is(Kind::Int)) || (method && !method->is(Kind::String)))
    return arguments.error("expected an integer and a string");
  int64_t digits = precision ? precision->integer() : 0;
  std::string how = method ? method->text().bytes : "common";
  if (std::abs(digits) > 15 || (how != "common" && how != "ceil" && how != "floor"))
    return arguments.error("expected at most 15 digits and `common`, `ceil` or `floor`");
  double scale = std::pow(10.0, static_cast<double>(digits)), scaled = value.number() * scale;
  scaled = how == "ceil" ? std::ceil(scaled) : how == "floor" ? std::floor(scaled) : std::nearbyint(scaled);
  return Value(scaled / scale);
}

Expected<Value> indented(const Text &text, const Arguments &arguments) {
  QUERN_RETURN_IF_ERROR(arguments.accept({"width", "first", "blank"}));
  const Value *width = arguments.get(0, "width");
  Text prefix("    ");
  if (width && width->is(Kind::Int) && width->integer() >= 0 && width->integer() <= 100)
    prefix = Text(std::string(static_cast<size_t>(width->integer()), ' '));
  else if (width && width->is(Kind::String))
    prefix = width->text();
  else if (width)
    return arguments.error("expected a width from 0 to 100 or a string");
  bool first = flag(arguments, 1, "first"), blank = flag(arguments, 2, "blank");
  Text out;
  for (size_t begin = 0, line = 0; begin <= text.size(); ++line) {
    size_t end = std::min(text.bytes.find('\n', begin), text.size());
    if ((line > 0 || first) && (end > begin || blank || line == 0))
      out.append(prefix);
    out.append(text.slice(begin, std::min(end + 1, text.size())));
    if (out.size() > Evaluator::maxBytes)
      return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", arguments.line, "a string is too long");
    begin = end + 1;
  }
  return Value(std::move(out));
}

Expected<Value> serialized(const Value &self, const Arguments &arguments) {
  QUERN_RETURN_IF_ERROR(arguments.accept({"indent", "ensure_ascii", "sort_keys"}));
  const Value *indent = arguments.get(0, "indent");
  if (indent && indent->is(Kind::None))
    indent = nullptr;
  if (indent && (!indent->is(Kind::Int) || indent->integer() < 0 || indent->integer() > 32))
    return arguments.error("expected an indent from 0 to 32");
  for (const auto &[name, value] : arguments.keywords)
    if (name == "ensure_ascii" && isTrue(value))
      return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", arguments.line,
                           "`tojson(ensure_ascii=true)` is not supported");
  std::string out;
  if (!toJson(self, indent ? static_cast<int>(indent->integer()) : -1, flag(arguments, 2, "sort_keys"), out))
    return arguments.error("the value holds something that JSON has no form for");
  return Value(anyMarked(self) ? Text::marked(std::move(out)) : Text(std::move(out)));
}

/// min, max, sort and unique.
Expected<Value> ordered(const std::string &name, std::vector<Value> items, const Arguments &arguments) {
  bool sorts = name == "sort";
  QUERN_RETURN_IF_ERROR(sorts ? arguments.accept({"reverse", "case_sensitive", "attribute"})
                              : arguments.accept({"case_sensitive", "attribute"}));
  bool caseSensitive = flag(arguments, sorts ? 1 : 0, "case_sensitive");
  const Value *attribute = arguments.get(sorts ? 2 : 1, "attribute");
  std::vector<std::pair<Value, size_t>> keys;
  for (size_t i = 0; i < items.size(); ++i) {
    keys.emplace_back(sortKey(attribute ? memberAt(items[i], *attribute) : items[i], caseSensitive), i);
    if (name != "unique" && compare(keys[0].first, keys[i].first) == 2)
      return arguments.error("values of the kinds " + std::string(kindName(keys[0].first.kind())) + " and " +
                             std::string(kindName(keys[i].first.kind())) + " have no order");
  }
  if (name == "unique") {
    std::vector<Value> kept;
    std::vector<size_t> seen;
    if (items.size() > 4096)
      return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", arguments.line,
                           "`unique` of more than 4096 items");
    for (size_t i = 0; i < items.size(); ++i) {
      if (std::any_of(seen.begin(), seen.end(),
                      [&](size_t j) { return isEqual(keys[j].first, keys[i].first); }))
        continue;
      seen.push_back(i);
      kept.push_back(items[i]);
    }
    return Value::list(std::move(kept));
  }
  bool reverse = sorts && flag(arguments, 0, "reverse");
  std::sort(keys.begin(), keys.end(), [&](const auto &a, const auto &b) {
    int order = compare(a.first, b.first);
    if (order == 0 || order == 2)
      return a.second < b.second; // stable in both directions, as Python's sort
    return reverse ? order > 0 : order < 0;
  });
  if (!sorts) {
    if (items.empty())
      return Value::undefined("item of an empty list");
    if (name == "min")
      return items[keys[0].second];
    size_t largest = keys.size() - 1; // of equal ones Python's max takes the first
    while (largest > 0 && compare(keys[largest - 1].first, keys[largest].first) == 0)
      --largest;
    return items[keys[largest].second];
  }
  std::vector<Value> result;
  for (const auto &[key, place] : keys)
    result.push_back(items[place]);
  return Value::list(std::move(result));
}

Expected<Value> sortedMembers(const Value &self, const Arguments &arguments) {
  if (!self.is(Kind::Dict))
    return arguments.error("expected a dictionary");
  QUERN_RETURN_IF_ERROR(arguments.accept({"case_sensitive", "by", "reverse"}));
  if (arguments.get(1, "by"))
    return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", arguments.line,
                         "`dictsort` with `by` is not supported");
  std::vector<Value> pairs;
  for (const auto &[key, value] : self.dict().members)
    pairs.push_back(Value::list({Value(key), value}, true));
  Arguments sorting{
      arguments.line,
      arguments.what,
      {Value(flag(arguments, 2, "reverse")), Value(flag(arguments, 0, "case_sensitive")), Value(int64_t(0))},
      {}};
  return ordered("sort", std::move(pairs), sorting);
}

} // namespace

Expected<Value> Evaluator::applyFilter(const std::string &name, Value self, const Arguments &arguments) {
  QUERN_RETURN_IF_ERROR(spend(arguments.line, self.weight()));
  if (name == "default" || name == "d") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"default_value", "boolean"}));
    const Value *otherwise = arguments.get(0, "default_value");
    bool replace = self.is(Kind::Undefined) || (flag(arguments, 1, "boolean") && !isTrue(self));
    return !replace ? self : otherwise ? *otherwise : Value(Text());
  }
  if (name == "safe")
    return self;
  if (name == "string")
    return self.is(Kind::String) ? self : Value(toText(self));
  if (name == "length" || name == "count") {
    if (self.is(Kind::String))
      return Value(static_cast<int64_t>(codePointCount(self.text().bytes)));
    if (self.is(Kind::List))
      return Value(static_cast<int64_t>(self.items().size()));
    if (self.is(Kind::Dict))
      return Value(static_cast<int64_t>(self.dict().members.size()));
    if (self.is(Kind::Undefined))
      return Value(int64_t(0));
    return arguments.error("a value of kind " + std::string(kindName(self.kind())) + " has no length");
  }
  if (name == "tojson")
    return serialized(self, arguments);
  if (name == "int") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"default"}));
    const Value *otherwise = arguments.get(0, "default");
    return toInteger(self, otherwise ? *otherwise : Value(int64_t(0)));
  }
  if (name == "float") {
    const Value *otherwise = arguments.get(0, "default");
    if (self.isNumber())
      return Value(self.number());
    std::string text = self.is(Kind::String) ? stripped(self.text(), nullptr, true, true).bytes : "";
    char *end = nullptr;
    double number = strtod(text.c_str(), &end);
    return !text.empty() && *end == 0 ? Value(number) : otherwise ? *otherwise : Value(0.0);
  }
  if (name == "abs") {
    if (!self.isNumber() || (self.is(Kind::Int) && self.integer() == INT64_MIN))
      return arguments.error("expected a number");
    return self.is(Kind::Float) ? Value(std::fabs(self.number())) : Value(std::abs(self.integer()));
  }
  if (name == "round")
    return rounded(self, arguments);
  if (name == "items") {
    if (self.is(Kind::Undefined))
      return Value::list({});
    return callMethod(self, "items", arguments);
  }
  if (name == "dictsort")
    return sortedMembers(self, arguments);

  // Filters of strings, which take other values by their text.
  if (name == "upper" || name == "lower" || name == "capitalize" || name == "title" || name == "trim" ||
      name == "replace" || name == "indent") {
    Text text = toText(self);
    if (name == "trim") {
      QUERN_RETURN_IF_ERROR(arguments.accept({"chars"}));
      return Value(stripped(text, arguments.get(0, "chars"), true, true));
    }
    if (name == "replace")
      return callTextMethod(text, "replace", arguments);
    if (name == "indent")
      return indented(text, arguments);
    return Value(text.rewritten(name == "capitalize" ? capitalized(text.bytes)
                                : name == "title"    ? titled(text.bytes)
                                                     : withCase(text.bytes, name == "upper")));
  }

  // Filters of sequences.
  if (name == "reverse" && self.is(Kind::String)) {
    QUERN_ASSIGN_OR_RETURN(std::vector<Value> characters, visit(self, arguments.line));
    Text text;
    for (size_t i = characters.size(); i > 0; --i)
      text.append(characters[i - 1].text());
    return Value(std::move(text));
  }
  QUERN_ASSIGN_OR_RETURN(std::vector<Value> items, visit(self, arguments.line));
  if (name == "list")
    return Value::list(std::move(items));
  if (name == "first" || name == "last")
    return items.empty()     ? Value::undefined("item of an empty list")
           : name == "first" ? items.front()
                             : items.back();
  if (name == "reverse") {
    std::reverse(items.begin(), items.end());
    return Value::list(std::move(items));
  }
  if (name == "join") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"d", "attribute"}));
    const Value *separator = arguments.get(0, "d"), *attribute = arguments.get(1, "attribute");
    Text out, between = separator ? toText(*separator) : Text();
    for (size_t i = 0; i < items.size(); ++i) {
      if (i)
        out.append(between);
      out.append(toText(attribute ? memberAt(items[i], *attribute) : items[i]));
      QUERN_RETURN_IF_ERROR(spend(arguments.line, 1 + between.size() / 16));
      if (out.size() > maxBytes)
        return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", arguments.line, "a string is too long");
    }
    return Value(std::move(out));
  }
  if (name == "sum") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"attribute", "start"}));
    const Value *attribute = arguments.get(0, "attribute"), *start = arguments.get(1, "start");
    Value total = start ? *start : Value(int64_t(0));
    Expression plus{ExpressionKind::Binary, arguments.line};
    plus.name = "+";
    for (const Value &item : items) {
      QUERN_ASSIGN_OR_RETURN(total, binary(plus, total, attribute ? memberAt(item, *attribute) : item));
    }
    return total;
  }
  if (name == "sort" || name == "min" || name == "max" || name == "unique")
    return ordered(name, std::move(items), arguments);
  if (name == "map") {
    Arguments inner{arguments.line, arguments.what, {}, {}};
    const Value *attribute = arguments.get(SIZE_MAX, "attribute"),
                *otherwise = arguments.get(SIZE_MAX, "default");
    if (!attribute && (arguments.positional.empty() || !arguments.positional[0].is(Kind::String)))
      return arguments.error("expected the name of a filter or an attribute");
    std::string filter = attribute ? "" : arguments.positional[0].text().bytes;
    if (!attribute && !isKnownFilter(filter))
      return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", arguments.line,
                           "the filter `" + filter.substr(0, 60) + "` is not supported");
    if (!attribute) {
      inner.positional.assign(arguments.positional.begin() + 1, arguments.positional.end());
      inner.keywords = arguments.keywords;
    }
    for (Value &item : items) {
      if (attribute) {
        item = memberAt(item, *attribute);
        if (item.is(Kind::Undefined) && otherwise)
          item = *otherwise;
      } else {
        QUERN_ASSIGN_OR_RETURN(item, applyFilter(filter, item, inner));
      }
    }
    return Value::list(std::move(items));
  }
  // select, reject, selectattr, rejectattr
  bool byAttribute = name.ends_with("attr"), keeps = name.starts_with("select");
  size_t testAt = byAttribute ? 1 : 0;
  if (byAttribute && arguments.positional.empty())
    return arguments.error("expected an attribute");
  std::string test;
  Arguments inner{arguments.line, arguments.what, {}, {}};
  if (arguments.positional.size() > testAt) {
    test = toText(arguments.positional[testAt]).bytes;
    if (!isKnownTest(test))
      return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", arguments.line,
                           "the test `" + test.substr(0, 60) + "` is not supported");
    inner.positional.assign(arguments.positional.begin() + testAt + 1, arguments.positional.end());
  }
  std::vector<Value> kept;
  for (Value &item : items) {
    Value examined = byAttribute ? memberAt(item, arguments.positional[0]) : item;
    bool holds = isTrue(examined);
    if (!test.empty()) {
      QUERN_ASSIGN_OR_RETURN(holds, applyTest(test, examined, inner));
    }
    if (holds == keeps)
      kept.push_back(std::move(item));
  }
  return Value::list(std::move(kept));
}

Expected<bool> Evaluator::applyTest(const std::string &name, const Value &self, const Arguments &arguments) {
  QUERN_RETURN_IF_ERROR(spend(arguments.line, 1));
  if (name == "defined")
    return !self.is(Kind::Undefined);
  if (name == "undefined")
    return self.is(Kind::Undefined);
  if (name == "none")
    return self.is(Kind::None);
  if (name == "string")
    return self.is(Kind::String);
  if (name == "mapping")
    return self.is(Kind::Dict);
  if (name == "iterable" || name == "sequence")
    return self.is(Kind::String) || self.is(Kind::List) || self.is(Kind::Dict) || self.is(Kind::Undefined);
  if (name == "number")
    return self.isNumber();
  if (name == "integer")
    return self.is(Kind::Int);
  if (name == "float")
    return self.is(Kind::Float);
  if (name == "boolean")
    return self.is(Kind::Bool);
  if (name == "true" || name == "false")
    return self.is(Kind::Bool) && self.boolean() == (name == "true");
  if (name == "upper" || name == "lower") {
    std::string text = toText(self).bytes;
    return text == withCase(text, name == "upper") && text != withCase(text, name != "upper");
  }
  if (name == "odd" || name == "even") {
    if (!self.is(Kind::Int) && !self.is(Kind::Bool))
      return arguments.error("expected an integer");
    return (self.integer() % 2 != 0) == (name == "odd");
  }
  if (arguments.positional.size() != 1)
    return arguments.error("expected one argument");
  const Value &other = arguments.positional[0];
  if (name == "divisibleby") {
    if (!self.is(Kind::Int) || !other.is(Kind::Int) || other.integer() == 0)
      return arguments.error("expected integers and no 0");
    return other.integer() == -1 || self.integer() % other.integer() == 0;
  }
  QUERN_RETURN_IF_ERROR(spend(arguments.line, std::min(self.weight(), other.weight())));
  if (name == "eq" || name == "equalto" || name == "ne")
    return isEqual(self, other) == (name != "ne");
  if (name == "in") {
    QUERN_RETURN_IF_ERROR(spend(arguments.line, other.weight()));
    QUERN_ASSIGN_OR_RETURN(std::vector<Value> items, visit(other, arguments.line));
    if (other.is(Kind::String))
      return self.is(Kind::String)
                 ? Expected<bool>(other.text().bytes.find(self.text().bytes) != std::string::npos)
                 : Expected<bool>(arguments.error("expected a string"));
    return std::any_of(items.begin(), items.end(), [&](const Value &item) { return isEqual(item, self); });
  }
  int order = compare(self, other);
  if (order == 2)
    return arguments.error("the values have no order");
  return name == "lt" ? order < 0 : name == "le" ? order <= 0 : name == "gt" ? order > 0 : order >= 0;
}

} // namespace quern::runtime::chat
