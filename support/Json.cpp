//===- Json.cpp - The value and its checked view --------------------------===//
#include "support/Json.h"

#include <algorithm>
#include <cmath>

namespace quern {

std::string_view jsonKindName(JsonKind kind) {
  switch (kind) {
  case JsonKind::Null:
    return "null";
  case JsonKind::Bool:
    return "bool";
  case JsonKind::Int:
  case JsonKind::UInt:
    return "integer";
  case JsonKind::Float:
    return "number";
  case JsonKind::String:
    return "string";
  case JsonKind::Array:
    return "array";
  case JsonKind::Object:
    return "object";
  }
  return "value";
}

//===----------------------------------------------------------------------===//
// The value
//===----------------------------------------------------------------------===//

Json::Json() = default;
Json::Json(bool value) : data(value) {}
Json::Json(double value) : data(value) {}
Json::Json(std::string value) : data(std::move(value)) {}
Json::Json(const Json &) = default;
Json::Json(Json &&) noexcept = default;
Json &Json::operator=(const Json &) = default;
Json &Json::operator=(Json &&) noexcept = default;
Json::~Json() = default;

Json::Json(Integer value) {
  if (!value.isSigned && value.bits > static_cast<uint64_t>(INT64_MAX))
    data = value.bits;
  else
    data = static_cast<int64_t>(value.bits);
}

Json Json::array() { return array({}); }

Json Json::array(std::vector<Json> items) {
  Json json;
  json.data.emplace<Array>(std::move(items));
  return json;
}

Json Json::object() {
  Json json;
  json.data.emplace<Object>();
  return json;
}

double Json::number() const {
  if (kind() == JsonKind::Int)
    return static_cast<double>(std::get<int64_t>(data));
  if (kind() == JsonKind::UInt)
    return static_cast<double>(std::get<uint64_t>(data));
  return std::get<double>(data);
}

const std::vector<Json::Member> &Json::members() const { return std::get<Object>(data).members; }

size_t Json::size() const {
  if (isArray())
    return items().size();
  return isObject() ? members().size() : 0;
}

/// Members that may stand outside the sorted order. It grows like the square root, so that building an object
/// of n members by `set` costs n * sqrt(n) cheap steps and reading one stays logarithmic.
static size_t allowedUnsorted(size_t sorted) { return 16 + 2 * static_cast<size_t>(std::sqrt(sorted)); }

void Json::Object::index() {
  size_t sorted = order.size();
  for (size_t i = sorted; i < members.size(); ++i)
    order.push_back(static_cast<uint32_t>(i));
  auto byKey = [&](uint32_t a, uint32_t b) {
    int compared = members[a].key.compare(members[b].key);
    return compared ? compared < 0 : a < b;
  };
  std::sort(order.begin() + sorted, order.end(), byKey);
  if (sorted == 0)
    return;
  std::vector<uint32_t> merged(order.size());
  std::merge(order.begin(), order.begin() + sorted, order.begin() + sorted, order.end(), merged.begin(),
             byKey);
  order = std::move(merged);
}

const Json::Member *Json::Object::find(std::string_view key) const {
  auto place = std::lower_bound(order.begin(), order.end(), key,
                                [&](uint32_t a, std::string_view wanted) { return members[a].key < wanted; });
  if (place != order.end() && members[*place].key == key)
    return &members[*place];
  for (size_t i = order.size(); i < members.size(); ++i)
    if (members[i].key == key)
      return &members[i];
  return nullptr;
}

const Json *Json::find(std::string_view key) const {
  if (!isObject())
    return nullptr;
  const Member *member = std::get<Object>(data).find(key);
  return member ? &member->value : nullptr;
}

Json &Json::push(Json value) {
  if (isNull())
    data.emplace<Array>();
  return std::get<Array>(data).emplace_back(std::move(value));
}

Json &Json::set(std::string_view key, Json value) {
  if (isNull())
    data.emplace<Object>();
  Object &object = std::get<Object>(data);
  if (const Member *member = object.find(key)) {
    Json &place = const_cast<Member *>(member)->value;
    place = std::move(value);
    return place;
  }
  object.members.push_back({std::string(key), std::move(value)});
  if (object.members.size() - object.order.size() > allowedUnsorted(object.order.size()))
    object.index();
  return object.members.back().value;
}

bool Json::operator==(const Json &other) const {
  if (kind() != other.kind())
    return false;
  if (isArray())
    return items() == other.items();
  if (!isObject())
    return std::visit(
        [](const auto &a, const auto &b) {
          if constexpr (std::is_same_v<decltype(a), decltype(b)> &&
                        !std::is_same_v<decltype(a), const Object &>)
            return a == b;
          return false;
        },
        data, other.data);
  return std::equal(members().begin(), members().end(), other.members().begin(), other.members().end(),
                    [](const Member &a, const Member &b) { return a.key == b.key && a.value == b.value; });
}

//===----------------------------------------------------------------------===//
// The document and its view
//===----------------------------------------------------------------------===//

JsonDocument::JsonDocument(std::string name, Json value)
    : content(std::make_unique<const Content>(Content{std::move(name), std::move(value)})) {}

JsonRef JsonDocument::root() const { return JsonRef(content.get(), &content->value); }

static bool isPlainKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
    return (c < 0x80 && std::isalnum(c)) || c == '_' || c == '-' || c >= 0x80;
  });
}

static std::string step(const std::string &path, std::string_view key) {
  if (!isPlainKey(key))
    return path + "[" +
           writeJson(Json(key.size() > 80 ? std::string(key.substr(0, 80)) + "..." : std::string(key))) + "]";
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

/// Finds |target| by its address in the tree under |value| and puts its path into |path|.
static bool findPath(const Json &value, const Json *target, std::string &path) {
  if (&value == target)
    return true;
  std::string here = path;
  if (value.isArray()) {
    // An item's address tells its index; only nested items are searched one by one.
    const std::vector<Json> &items = value.items();
    for (size_t i = 0; i < items.size(); ++i) {
      if (&items[i] != target && items[i].size() == 0)
        continue;
      path = here + "[" + std::to_string(i) + "]";
      if (findPath(items[i], target, path))
        return true;
    }
  } else if (value.isObject()) {
    for (const Json::Member &member : value.members()) {
      if (&member.value != target && member.value.size() == 0)
        continue;
      path = step(here, member.key);
      if (findPath(member.value, target, path))
        return true;
    }
  }
  path = here;
  return false;
}

std::string JsonRef::where() const {
  std::string path;
  findPath(document->value, target, path);
  return path.empty() ? document->name : document->name + ": `" + path + "`";
}

Status JsonRef::error(std::string_view id, std::string_view sentence, Exit exit) const {
  return Status::error(exit, std::string(id), where() + ": " + std::string(sentence));
}

Status JsonRef::wrongKind(std::string_view expected) const {
  return error("E-JSON-TYPE",
               "expected " + std::string(expected) + ", got " + std::string(jsonKindName(target->kind())));
}

Expected<int64_t> JsonRef::asInt(IntRange range) const {
  int64_t result = 0;
  if (target->kind() == JsonKind::Int) {
    result = target->integer();
  } else if (target->kind() == JsonKind::Float && std::nearbyint(target->number()) == target->number() &&
             std::fabs(target->number()) <= 0x1p53) {
    result = static_cast<int64_t>(target->number());
  } else if (target->kind() == JsonKind::UInt) {
    return error("E-JSON-RANGE", "expected an integer of 64 bits with sign, got " + writeJson(*target));
  } else if (target->kind() == JsonKind::Float) {
    return error("E-JSON-TYPE", "expected integer, got " + writeJson(*target));
  } else {
    return wrongKind("integer");
  }
  if (result < range.min || result > range.max)
    return error("E-JSON-RANGE", "expected an integer from " + std::to_string(range.min) + " to " +
                                     std::to_string(range.max) + ", got " + std::to_string(result));
  return result;
}

Expected<uint64_t> JsonRef::asUInt() const {
  if (target->kind() == JsonKind::UInt)
    return target->unsignedInteger();
  QUERN_ASSIGN_OR_RETURN(int64_t value, asInt({0, INT64_MAX}));
  return static_cast<uint64_t>(value);
}

Expected<double> JsonRef::asFloat() const {
  if (!target->isNumber())
    return wrongKind("number");
  return target->number();
}

Expected<bool> JsonRef::asBool() const {
  if (!target->isBool())
    return wrongKind("bool");
  return target->boolean();
}

Expected<std::string_view> JsonRef::asString() const {
  if (!target->isString())
    return wrongKind("string");
  return std::string_view(target->string());
}

Expected<std::vector<JsonRef>> JsonRef::asArray() const {
  if (!target->isArray())
    return wrongKind("array");
  std::vector<JsonRef> refs;
  refs.reserve(target->size());
  for (const Json &item : target->items())
    refs.push_back(JsonRef(document, &item));
  return refs;
}

Expected<std::vector<std::pair<std::string_view, JsonRef>>> JsonRef::asObject() const {
  if (!target->isObject())
    return wrongKind("object");
  std::vector<std::pair<std::string_view, JsonRef>> refs;
  refs.reserve(target->size());
  for (const Json::Member &member : target->members())
    refs.emplace_back(member.key, JsonRef(document, &member.value));
  return refs;
}

std::optional<JsonRef> JsonRef::find(std::string_view key) const {
  const Json *member = target->find(key);
  if (!member || member->isNull())
    return std::nullopt;
  return JsonRef(document, member);
}

Expected<JsonRef> JsonRef::get(std::string_view key) const {
  if (!target->isObject())
    return wrongKind("object");
  if (std::optional<JsonRef> member = find(key))
    return *member;
  std::string path;
  findPath(document->value, target, path);
  return Status::error(Exit::BadInput, "E-JSON-MISSING",
                       document->name + ": `" + step(path, key) + "` is missing");
}

Expected<int64_t> JsonRef::getInt(std::string_view key, IntRange range) const {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, get(key));
  return member.asInt(range);
}

Expected<uint64_t> JsonRef::getUInt(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, get(key));
  return member.asUInt();
}

Expected<double> JsonRef::getFloat(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, get(key));
  return member.asFloat();
}

Expected<bool> JsonRef::getBool(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, get(key));
  return member.asBool();
}

Expected<std::string_view> JsonRef::getString(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, get(key));
  return member.asString();
}

Expected<std::vector<JsonRef>> JsonRef::getArray(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, get(key));
  return member.asArray();
}

Expected<JsonRef> JsonRef::getObject(std::string_view key) const {
  QUERN_ASSIGN_OR_RETURN(JsonRef member, get(key));
  if (!member->isObject())
    return member.wrongKind("object");
  return member;
}

/// The member read by |read|, or nothing where it is absent or null.
template <typename T, typename Read>
static Expected<std::optional<T>> findTyped(const JsonRef &object, std::string_view key, Read read) {
  if (!object->isObject())
    return object.get(key).takeError();
  std::optional<JsonRef> member = object.find(key);
  if (!member)
    return std::optional<T>();
  QUERN_ASSIGN_OR_RETURN(T value, read(*member));
  return std::optional<T>(std::move(value));
}

Expected<std::optional<int64_t>> JsonRef::findInt(std::string_view key, IntRange range) const {
  return findTyped<int64_t>(*this, key, [&](JsonRef member) { return member.asInt(range); });
}

Expected<std::optional<double>> JsonRef::findFloat(std::string_view key) const {
  return findTyped<double>(*this, key, [](JsonRef member) { return member.asFloat(); });
}

Expected<std::optional<bool>> JsonRef::findBool(std::string_view key) const {
  return findTyped<bool>(*this, key, [](JsonRef member) { return member.asBool(); });
}

Expected<std::optional<std::string_view>> JsonRef::findString(std::string_view key) const {
  return findTyped<std::string_view>(*this, key, [](JsonRef member) { return member.asString(); });
}

Expected<std::optional<JsonRef>> JsonRef::findObject(std::string_view key) const {
  return findTyped<JsonRef>(*this, key, [&](JsonRef) { return getObject(key); });
}

} // namespace quern
