//===- Builtins.cpp - Methods and functions of chat templates -------------===//
#include "runtime/text/chat/Evaluator.h"

#include "runtime/text/Utf8.h"
#include "runtime/text/chat/Lexer.h"

#include <algorithm>

namespace quern::runtime::chat {

bool isKnownMethod(std::string_view name) {
  static constexpr std::string_view known[] = {
      "capitalize",   "count",        "cycle",   "endswith", "find",   "get",    "index",
      "isalpha",      "isdigit",      "items",   "join",     "keys",   "lower",  "lstrip",
      "removeprefix", "removesuffix", "replace", "rfind",    "rsplit", "rstrip", "split",
      "splitlines",   "startswith",   "strip",   "upper",    "values"};
  return std::find(std::begin(known), std::end(known), name) != std::end(known);
}

//===----------------------------------------------------------------------===//
// Strings
//===----------------------------------------------------------------------===//

Text stripped(const Text &text, const Value *characters, bool left, bool right) {
  std::u32string set =
      characters && characters->is(Kind::String) ? toCodePoints(characters->text().bytes) : U"";
  bool spaces = !characters || !characters->is(Kind::String);
  auto goes = [&](char32_t point) { return spaces ? isSpace(point) : set.find(point) != set.npos; };
  std::string_view bytes = text.bytes;
  size_t begin = 0, end = bytes.size();
  while (left && begin < end) {
    Utf8Piece piece = readUtf8(bytes.substr(begin));
    if (!goes(piece.codePoint))
      break;
    begin += piece.length;
  }
  while (right && begin < end) {
    size_t last = end - 1;
    while (last > begin && (bytes[last] & 0xC0) == 0x80)
      --last;
    if (!goes(readUtf8(bytes.substr(last, end - last)).codePoint))
      break;
    end = last;
  }
  return text.slice(begin, end);
}

Expected<Text> replaced(const Text &text, const Text &from, const Text &to, int64_t count, int line) {
  if (from.size() == 0)
    return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", line,
                         "replacing an empty string is not supported");
  Text out;
  size_t done = 0;
  for (size_t at = text.bytes.find(from.bytes); at != std::string::npos && count != 0;
       at = text.bytes.find(from.bytes, at + from.size()), --count) {
    if (out.size() + at - done + to.size() > Evaluator::maxBytes)
      return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", line, "a string is too long");
    out.append(text.slice(done, at));
    out.append(to);
    done = at + from.size();
  }
  out.append(text.slice(done, text.size()));
  return out;
}

static std::vector<Value> splitAtSpaces(const Text &text, int64_t limit) {
  std::vector<Value> parts;
  std::string_view bytes = text.bytes;
  size_t at = 0;
  auto skip = [&](bool spaces) {
    while (at < bytes.size() && isSpace(readUtf8(bytes.substr(at)).codePoint) == spaces)
      at += readUtf8(bytes.substr(at)).length;
  };
  for (skip(true); at < bytes.size(); skip(true)) {
    size_t begin = at;
    if (limit >= 0 && static_cast<int64_t>(parts.size()) == limit) {
      parts.emplace_back(text.slice(begin, text.size()));
      break;
    }
    skip(false);
    parts.emplace_back(text.slice(begin, at));
  }
  return parts;
}

static std::vector<Value> splitAt(const Text &text, const std::string &separator, int64_t limit,
                                  bool fromRight) {
  std::vector<Value> parts;
  if (!fromRight) {
    size_t begin = 0;
    for (size_t at = text.bytes.find(separator); at != std::string::npos && limit != 0;
         at = text.bytes.find(separator, begin), --limit) {
      parts.emplace_back(text.slice(begin, at));
      begin = at + separator.size();
    }
    parts.emplace_back(text.slice(begin, text.size()));
    return parts;
  }
  size_t end = text.size();
  while (limit != 0 && end >= separator.size()) {
    size_t at = text.bytes.rfind(separator, end - separator.size());
    if (at == std::string::npos)
      break;
    parts.emplace_back(text.slice(at + separator.size(), end));
    end = at;
    --limit;
  }
  parts.emplace_back(text.slice(0, end));
  std::reverse(parts.begin(), parts.end());
  return parts;
}

static std::vector<Value> splitLines(const Text &text, bool keepEnds) {
  std::vector<Value> lines;
  std::string_view bytes = text.bytes;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    Utf8Piece piece = readUtf8(bytes.substr(at));
    char32_t c = piece.codePoint;
    size_t end = at;
    at += piece.length;
    if (!((c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029))
      continue;
    if (c == '\r' && at < bytes.size() && bytes[at] == '\n')
      ++at;
    lines.emplace_back(text.slice(begin, keepEnds ? at : end));
    begin = at;
  }
  if (begin < bytes.size())
    lines.emplace_back(text.slice(begin, bytes.size()));
  return lines;
}

/// str.startswith and str.endswith: |affix| is a string or a tuple of strings.
static Expected<bool> hasAffix(const Text &self, const Value &affix, bool atEnd, const Arguments &arguments) {
  if (affix.is(Kind::String))
    return atEnd ? self.bytes.ends_with(affix.text().bytes) : self.bytes.starts_with(affix.text().bytes);
  if (!affix.is(Kind::List))
    return arguments.error("expected a string");
  for (const Value &one : affix.items()) {
    if (!one.is(Kind::String))
      return arguments.error("expected strings");
    QUERN_ASSIGN_OR_RETURN(bool has, hasAffix(self, one, atEnd, arguments));
    if (has)
      return true;
  }
  return false;
}

Expected<Value> Evaluator::callTextMethod(const Text &self, const std::string &name,
                                          const Arguments &arguments) {
  QUERN_RETURN_IF_ERROR(spend(arguments.line, 1 + self.size() / 16));
  auto textAt = [&](size_t index, std::string_view key) -> Expected<const Text *> {
    const Value *value = arguments.get(index, key);
    if (!value || !value->is(Kind::String))
      return arguments.error("expected a string as argument " + std::to_string(index + 1));
    return &value->text();
  };
  auto integerAt = [&](size_t index, std::string_view key, int64_t otherwise) -> Expected<int64_t> {
    const Value *value = arguments.get(index, key);
    if (!value)
      return otherwise;
    if (!value->is(Kind::Int))
      return arguments.error("expected an integer as argument " + std::to_string(index + 1));
    return value->integer();
  };
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"chars"}));
    return Value(stripped(self, arguments.get(0, "chars"), name != "rstrip", name != "lstrip"));
  }
  if (name == "split" || name == "rsplit") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"sep", "maxsplit"}));
    QUERN_ASSIGN_OR_RETURN(int64_t limit, integerAt(1, "maxsplit", -1));
    const Value *separator = arguments.get(0, "sep");
    if (!separator || separator->is(Kind::None)) {
      if (name == "rsplit" && limit >= 0)
        return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", arguments.line,
                             "`rsplit` with a limit and without a separator is not supported");
      QUERN_RETURN_IF_ERROR(spend(arguments.line, self.size()));
      return Value::list(splitAtSpaces(self, limit));
    }
    QUERN_ASSIGN_OR_RETURN(const Text *text, textAt(0, "sep"));
    if (text->size() == 0)
      return arguments.error("empty separator");
    QUERN_RETURN_IF_ERROR(spend(arguments.line, self.size()));
    return Value::list(splitAt(self, text->bytes, limit, name == "rsplit"));
  }
  if (name == "splitlines") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"keepends"}));
    QUERN_RETURN_IF_ERROR(spend(arguments.line, self.size()));
    const Value *keep = arguments.get(0, "keepends");
    return Value::list(splitLines(self, keep && isTrue(*keep)));
  }
  if (name == "startswith" || name == "endswith") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"prefix"}));
    const Value *affix = arguments.get(0, "prefix");
    if (!affix)
      return arguments.error("expected a string");
    QUERN_ASSIGN_OR_RETURN(bool has, hasAffix(self, *affix, name == "endswith", arguments));
    return Value(has);
  }
  if (name == "removeprefix" || name == "removesuffix") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"prefix"}));
    QUERN_ASSIGN_OR_RETURN(const Text *affix, textAt(0, "prefix"));
    if (name == "removeprefix" && self.bytes.starts_with(affix->bytes))
      return Value(self.slice(affix->size(), self.size()));
    if (name == "removesuffix" && self.bytes.ends_with(affix->bytes))
      return Value(self.slice(0, self.size() - affix->size()));
    return Value(self);
  }
  if (name == "replace") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"old", "new", "count"}));
    QUERN_ASSIGN_OR_RETURN(const Text *from, textAt(0, "old"));
    QUERN_ASSIGN_OR_RETURN(const Text *to, textAt(1, "new"));
    QUERN_ASSIGN_OR_RETURN(int64_t count, integerAt(2, "count", -1));
    QUERN_ASSIGN_OR_RETURN(Text text, replaced(self, *from, *to, count, arguments.line));
    QUERN_RETURN_IF_ERROR(spend(arguments.line, text.size() / 16));
    return Value(std::move(text));
  }
  if (name == "find" || name == "rfind" || name == "index" || name == "count") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"sub"}));
    QUERN_ASSIGN_OR_RETURN(const Text *wanted, textAt(0, "sub"));
    if (name == "count") {
      if (wanted->size() == 0)
        return Value(static_cast<int64_t>(codePointCount(self.bytes)) + 1);
      int64_t count = 0;
      for (size_t at = self.bytes.find(wanted->bytes); at != std::string::npos;
           at = self.bytes.find(wanted->bytes, at + wanted->size()))
        ++count;
      return Value(count);
    }
    size_t at = name == "rfind" ? self.bytes.rfind(wanted->bytes) : self.bytes.find(wanted->bytes);
    if (at == std::string::npos && name == "index")
      return arguments.error("substring not found");
    return Value(at == std::string::npos ? int64_t(-1)
                                         : static_cast<int64_t>(codePointCount(self.bytes.substr(0, at))));
  }
  if (name == "join") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"iterable"}));
    const Value *list = arguments.get(0, "iterable");
    if (!list)
      return arguments.error("expected a list");
    QUERN_ASSIGN_OR_RETURN(std::vector<Value> items, visit(*list, arguments.line));
    for (const Value &item : items)
      if (!item.is(Kind::String))
        return arguments.error("expected strings, got a value of kind " + std::string(kindName(item.kind())));
    Arguments separator{arguments.line, arguments.what, {Value(self)}, {}};
    return applyFilter("join", *list, separator);
  }
  if (name == "isdigit" || name == "isalpha") {
    bool digits = name == "isdigit";
    auto fits = [&](char c) {
      return digits ? c >= '0' && c <= '9' : (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    if (std::any_of(self.bytes.begin(), self.bytes.end(), [](char c) { return (c & 0x80) != 0; }))
      return templateError(Exit::Unsupported, "E-TEMPLATE-UNSUPPORTED", arguments.line,
                           "`" + name + "` of text outside ASCII is not supported");
    return Value(self.size() > 0 && std::all_of(self.bytes.begin(), self.bytes.end(), fits));
  }
  if (name == "upper" || name == "lower" || name == "capitalize") {
    QUERN_RETURN_IF_ERROR(arguments.accept({}));
    return applyFilter(name, Value(self), arguments);
  }
  return arguments.error("a string has no such method");
}

//===----------------------------------------------------------------------===//
// Methods of other values, and functions
//===----------------------------------------------------------------------===//

Expected<Value> Evaluator::callMethod(const Value &self, const std::string &name,
                                      const Arguments &arguments) {
  if (self.is(Kind::String))
    return callTextMethod(self.text(), name, arguments);
  if (self.is(Kind::Loop) && name == "cycle") {
    if (arguments.positional.empty())
      return arguments.error("expected arguments");
    return arguments.positional[self.loop().index % arguments.positional.size()];
  }
  if (self.is(Kind::List) && (name == "index" || name == "count")) {
    QUERN_RETURN_IF_ERROR(arguments.accept({"value"}));
    QUERN_RETURN_IF_ERROR(spend(arguments.line, self.weight()));
    const Value *wanted = arguments.get(0, "value");
    if (!wanted)
      return arguments.error("expected a value");
    int64_t count = 0;
    for (size_t i = 0; i < self.items().size(); ++i) {
      if (!isEqual(self.items()[i], *wanted))
        continue;
      if (name == "index")
        return Value(static_cast<int64_t>(i));
      ++count;
    }
    return name == "count" ? Expected<Value>(Value(count))
                           : Expected<Value>(arguments.error("the value is not in the list"));
  }
  if (self.is(Kind::Dict)) {
    const Dict &dict = self.dict();
    if (name == "get") {
      QUERN_RETURN_IF_ERROR(arguments.accept({"key", "default"}));
      const Value *key = arguments.get(0, "key"), *otherwise = arguments.get(1, "default");
      if (!key)
        return arguments.error("expected a key");
      const Value *found = key->is(Kind::String) ? dict.find(key->text().bytes) : nullptr;
      return found ? *found : otherwise ? *otherwise : Value::none();
    }
    if (name == "items" || name == "keys" || name == "values") {
      QUERN_RETURN_IF_ERROR(arguments.accept({}));
      QUERN_RETURN_IF_ERROR(spend(arguments.line, 3 * dict.members.size()));
      std::vector<Value> items;
      for (const auto &[key, value] : dict.members) {
        if (name == "keys")
          items.emplace_back(key);
        else if (name == "values")
          items.push_back(value);
        else
          items.push_back(Value::list({Value(key), value}, true));
      }
      return Value::list(std::move(items));
    }
    if (const Value *member = dict.find(name);
        member && member->is(Kind::Macro) && member->macro().definition)
      return callMacro(*member->macro().definition, arguments);
  }
  return arguments.error("a value of kind " + std::string(kindName(self.kind())) + " has no such method");
}

bool Evaluator::isFunction(std::string_view name) const {
  return name == "raise_exception" || name == "namespace" || name == "dict" || name == "range" ||
         (name == "strftime_now" && now);
}

Expected<Value> Evaluator::callFunction(const std::string &name, const Arguments &arguments) {
  if (name == "raise_exception") {
    const Value *message = arguments.get(0, "message");
    return templateError(Exit::Usage, "E-TEMPLATE-RAISED", arguments.line,
                         message ? toText(*message).bytes.substr(0, 500) : "the conversation is refused")
        .remedy("change the conversation to what the model's template expects");
  }
  if (name == "namespace" || name == "dict") {
    Dict members;
    if (arguments.positional.size() > 1 ||
        (arguments.positional.size() == 1 && !arguments.positional[0].is(Kind::Dict)))
      return arguments.error("expected one dictionary at most");
    if (arguments.positional.size() == 1)
      members = arguments.positional[0].dict();
    for (const auto &[key, value] : arguments.keywords) {
      if (name == "namespace" && value.depth() > Value::maxDepth)
        return arguments.error("a namespace can not hold a namespace or a loop");
      members.set(key, value);
    }
    if (name == "dict")
      return Value::dict(std::move(members));
    auto space = std::make_shared<Namespace>();
    for (auto &[key, value] : members.members)
      space->members[key.bytes] = std::move(value);
    return Value(std::move(space));
  }
  if (name == "range") {
    QUERN_RETURN_IF_ERROR(arguments.accept({"start", "stop", "step"}));
    int64_t numbers[3] = {0, 0, 1};
    for (size_t i = 0; i < arguments.positional.size(); ++i) {
      if (!arguments.positional[i].is(Kind::Int))
        return arguments.error("expected integers");
      numbers[i] = arguments.positional[i].integer();
    }
    if (arguments.positional.empty())
      return arguments.error("expected integers");
    if (arguments.positional.size() == 1)
      std::swap(numbers[0], numbers[1]);
    auto [start, stop, step] = std::tie(numbers[0], numbers[1], numbers[2]);
    if (step == 0)
      return arguments.error("the step is 0");
    std::vector<Value> items;
    for (int64_t i = start; step > 0 ? i < stop : i > stop;) {
      if (items.size() % 1024 == 0)
        QUERN_RETURN_IF_ERROR(spend(arguments.line, 1024));
      if (items.size() > maxWeight)
        return templateError(Exit::BadInput, "E-TEMPLATE-LIMIT", arguments.line, "a range is too long");
      items.emplace_back(i);
      if (__builtin_add_overflow(i, step, &i))
        break;
    }
    return Value::list(std::move(items));
  }
  if (name == "strftime_now" && now) {
    const Value *format = arguments.get(0, "format");
    if (!format || !format->is(Kind::String) || format->text().size() > 200)
      return arguments.error("expected a short string");
    char buffer[4096];
    size_t length = strftime(buffer, sizeof buffer, format->text().bytes.c_str(), &*now);
    return Value(Text(repairUtf8({buffer, length})));
  }
  return evaluationError(arguments.line, "the function `" + name + "` is unknown");
}

} // namespace quern::runtime::chat
