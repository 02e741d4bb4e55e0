//===- Json.h - The one JSON reader and writer ----------------------------===//
//
// Every JSON file and text of Quern is read through `parseJson`, which refuses what JSON does not allow (NaN
// and Infinity literals, trailing bytes, invalid UTF-8) and what makes a document ambiguous or dangerous
// (duplicate keys, deep nesting, more bytes than the caller expects). An error names the byte offset and the
// line.
//
//   QUERN_ASSIGN_OR_RETURN(JsonDocument document, readJsonFile(path, {.maxBytes = 10 << 20}));
//   JsonRef config = document.root();
//   QUERN_ASSIGN_OR_RETURN(int64_t layers, config.getInt("num_hidden_layers", {1, 512}));
//   QUERN_ASSIGN_OR_RETURN(std::optional<double> theta, config.findFloat("rope_theta"));
//   if (std::optional<JsonRef> scaling = config.find("rope_scaling"))
//     ...                                     // error: config.json: `rope_scaling.factor`: expected number,
//     got string
//
// `Json` is the plain value: a tree that can be built, changed, compared and written. `JsonRef` is a view of
// a value inside a `JsonDocument`; its accessors check types and put the path into the error. It costs two
// pointers; the path is searched for only when there is an error to report.
//
// `null` counts as absent in every `find` and `get` of a member. Integers may be written as floats (10000.0).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_JSON_H
#define QUERN_SUPPORT_JSON_H

#include "support/Status.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace quern {

enum class JsonKind : uint8_t { Null, Bool, Int, UInt, Float, String, Array, Object };

/// "null", "bool", "integer", "number", "string", "array", "object".
std::string_view jsonKindName(JsonKind kind);

/// One JSON value. Objects keep their members in order of insertion. `UInt` holds only values above
/// INT64_MAX.
class Json {
public:
  struct Member;

  Json();
  Json(std::nullptr_t) : Json() {}
  Json(bool value);
  template <typename T>
    requires std::is_integral_v<T>
  Json(T value) : Json(Integer{static_cast<uint64_t>(value), std::is_signed_v<T>}) {}
  Json(double value);
  Json(float value) : Json(static_cast<double>(value)) {}
  Json(std::string value);
  Json(std::string_view value) : Json(std::string(value)) {}
  Json(const char *value) : Json(std::string(value)) {}
  Json(const Json &);
  Json(Json &&) noexcept;
  Json &operator=(const Json &);
  Json &operator=(Json &&) noexcept;
  ~Json();
  static Json array();
  static Json array(std::vector<Json> items);
  static Json object();

  JsonKind kind() const { return static_cast<JsonKind>(data.index()); }
  bool isNull() const { return kind() == JsonKind::Null; }
  bool isBool() const { return kind() == JsonKind::Bool; }
  bool isInt() const { return kind() == JsonKind::Int || kind() == JsonKind::UInt; }
  bool isNumber() const { return isInt() || kind() == JsonKind::Float; }
  bool isString() const { return kind() == JsonKind::String; }
  bool isArray() const { return kind() == JsonKind::Array; }
  bool isObject() const { return kind() == JsonKind::Object; }

  /// The value of a known kind; asking another kind is a mistake of ours (asserted).
  bool boolean() const { return std::get<bool>(data); }
  int64_t integer() const { return std::get<int64_t>(data); }
  uint64_t unsignedInteger() const { return std::get<uint64_t>(data); }
  /// Any number as a double.
  double number() const;
  const std::string &string() const { return std::get<std::string>(data); }
  const std::vector<Json> &items() const { return std::get<Array>(data); }
  const std::vector<Member> &members() const;

  /// Number of items or members; 0 for scalars.
  size_t size() const;
  /// The member |key| (also one whose value is null); null pointer where there is none or this is no object.
  const Json *find(std::string_view key) const;

  /// Appends to an array. Returns the item as it stands in the array.
  Json &push(Json value);
  /// Replaces or appends the member |key| of an object; a null value becomes an object first. Returns the
  /// member.
  Json &set(std::string_view key, Json value);

  bool operator==(const Json &other) const;

private:
  friend struct JsonTreeBuilder;
  struct Integer {
    uint64_t bits;
    bool isSigned;
  };
  explicit Json(Integer value);
  using Array = std::vector<Json>;
  struct Object {
    std::vector<Member> members;
    /// Member indices, of which the first |sorted| are in order of their keys; empty for small objects.
    std::vector<uint32_t> order;
    const Member *find(std::string_view key) const;
    void index();
  };
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> data;
};

struct Json::Member {
  std::string key;
  Json value;
};

/// What a reader accepts. `name` stands at the head of every error about the document.
struct JsonLimits {
  std::string name = "json";
  uint64_t maxBytes = 10u << 20;
  uint32_t maxDepth = 64;
};

struct IntRange {
  int64_t min = std::numeric_limits<int64_t>::min(), max = std::numeric_limits<int64_t>::max();
};

class JsonRef;

/// A parsed file: its name and its value. Refs stay valid while the document (or what it was moved to) lives.
class JsonDocument {
public:
  JsonDocument(std::string name, Json value);
  JsonRef root() const;
  const Json &value() const { return content->value; }
  const std::string &name() const { return content->name; }

private:
  friend class JsonRef;
  struct Content {
    std::string name;
    Json value;
  };
  std::unique_ptr<const Content> content;
};

/// A value inside a document, with accessors that check. All errors are Exit::BadInput:
/// "E-JSON-TYPE", "E-JSON-MISSING" or "E-JSON-RANGE".
class JsonRef {
public:
  const Json &value() const { return *target; }
  const Json *operator->() const { return target; }
  JsonKind kind() const { return target->kind(); }

  /// "config.json: `rope_scaling.factor`"; for the root just the document's name.
  std::string where() const;
  /// An error about this value: "WHERE: SENTENCE".
  Status error(std::string_view id, std::string_view sentence, Exit exit = Exit::BadInput) const;

  Expected<int64_t> asInt(IntRange range = {}) const;
  Expected<uint64_t> asUInt() const;
  Expected<double> asFloat() const;
  Expected<bool> asBool() const;
  Expected<std::string_view> asString() const;
  /// The items of an array.
  Expected<std::vector<JsonRef>> asArray() const;
  /// The members of an object in file order.
  Expected<std::vector<std::pair<std::string_view, JsonRef>>> asObject() const;

  /// Members of an object. `get` answers E-JSON-MISSING where the member is absent or null, `find` answers
  /// nothing. On a value that is not an object, `get` and the typed `find`s answer E-JSON-TYPE, plain `find`
  /// nothing.
  bool has(std::string_view key) const { return find(key).has_value(); }
  std::optional<JsonRef> find(std::string_view key) const;
  Expected<JsonRef> get(std::string_view key) const;

  Expected<int64_t> getInt(std::string_view key, IntRange range = {}) const;
  Expected<uint64_t> getUInt(std::string_view key) const;
  Expected<double> getFloat(std::string_view key) const;
  Expected<bool> getBool(std::string_view key) const;
  Expected<std::string_view> getString(std::string_view key) const;
  Expected<std::vector<JsonRef>> getArray(std::string_view key) const;
  Expected<JsonRef> getObject(std::string_view key) const;

  Expected<std::optional<int64_t>> findInt(std::string_view key, IntRange range = {}) const;
  Expected<std::optional<double>> findFloat(std::string_view key) const;
  Expected<std::optional<bool>> findBool(std::string_view key) const;
  Expected<std::optional<std::string_view>> findString(std::string_view key) const;
  Expected<std::optional<JsonRef>> findObject(std::string_view key) const;

private:
  friend class JsonDocument;
  JsonRef(const JsonDocument::Content *document, const Json *target) : document(document), target(target) {}
  Status wrongKind(std::string_view expected) const;
  const JsonDocument::Content *document;
  const Json *target;
};

/// Reads |text|. Exit::BadInput: "E-JSON-SYNTAX", "E-JSON-DUPLICATE-KEY", "E-JSON-DEPTH", "E-JSON-TOO-LARGE";
/// Exit::Resource "E-JSON-MEMORY". Time and memory are linear in the text (sorting of keys apart).
Expected<JsonDocument> parseJson(std::string_view text, JsonLimits limits = {});

/// Reads a regular file; where |limits.name| is "json", the file's own name stands in for it.
/// Exit::BadInput "E-JSON-CANNOT-READ" beside the errors of parseJson.
Expected<JsonDocument> readJsonFile(const std::string &path, JsonLimits limits = {});

/// How a value is written. Equal values give equal bytes: members in their order, floats as the shortest
/// digits that read back (always with a point or an exponent), strings as UTF-8 with only the escapes that
/// JSON demands. Bytes that are no UTF-8 become U+FFFD, NaN and infinity become null.
struct JsonStyle {
  int indent = -1;     ///< spaces per level, one member or item a line; below 0 everything on one line
  bool spaces = false; ///< on one line: a space after `,` and `:`
};
std::string writeJson(const Json &value, JsonStyle style = {});

} // namespace quern

#endif // QUERN_SUPPORT_JSON_H
