//===- JsonParse.cpp - From text to a value -------------------------------===//
//
// The grammar and the check of UTF-8 are nlohmann-json's event reader. What it lets pass is refused here:
// duplicate keys, a byte-order mark, and a NUL byte (which that reader takes for the end of the text).
//
//===----------------------------------------------------------------------===//
#include "support/Json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sys/stat.h>

namespace quern {

/// "at byte 17, line 2"
static std::string place(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  return "at byte " + std::to_string(offset) + ", line " +
         std::to_string(1 + std::count(text.begin(), text.begin() + offset, '\n'));
}

/// A forward iterator that tells how far the reader has come.
namespace {
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;
  const char *at = nullptr;
  const char **furthest = nullptr;
  reference operator*() const { return *at; }
  Cursor &operator++() {
    *furthest = ++at;
    return *this;
  }
  bool operator==(const Cursor &other) const { return at == other.at; }
  bool operator!=(const Cursor &other) const { return at != other.at; }
};
} // namespace

/// Receives the reader's events and builds the tree. An event answers false to stop; |error| then says why.
struct JsonTreeBuilder {
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  struct Open {
    Json value;
    std::string key;                ///< of the member that is being read
    std::vector<size_t> keyOffsets; ///< where each member's key ends
  };

  std::string_view text;
  const JsonLimits &limits;
  const char *furthest;
  std::vector<Open> open = {};
  Json result = {};
  Status error = Status::success();

  size_t offset() const { return static_cast<size_t>(furthest - text.data()); }

  bool put(Json value) {
    if (open.empty()) {
      result = std::move(value);
    } else if (Open &top = open.back(); top.value.isArray()) {
      std::get<Json::Array>(top.value.data).push_back(std::move(value));
    } else {
      std::get<Json::Object>(top.value.data).members.push_back({std::move(top.key), std::move(value)});
    }
    return true;
  }

  bool begin(Json value) {
    if (open.size() >= limits.maxDepth) {
      error =
          Status::error(Exit::BadInput, "E-JSON-DEPTH",
                        limits.name + " is nested deeper than " + std::to_string(limits.maxDepth) + " levels")
              .cause(place(text, offset()));
      return false;
    }
    open.push_back({std::move(value), {}, {}});
    return true;
  }

  bool end() {
    Json value = std::move(open.back().value);
    open.pop_back();
    return put(std::move(value));
  }

  bool null() { return put(Json()); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(number_integer_t value) { return put(value); }
  bool number_unsigned(number_unsigned_t value) { return put(value); }
  bool number_float(number_float_t value, const string_t &) { return put(value); }
  bool string(string_t &value) { return put(std::move(value)); }
  bool binary(binary_t &) { return false; }
  bool start_object(size_t) { return begin(Json::object()); }
  bool start_array(size_t) { return begin(Json::array()); }
  bool end_array() { return end(); }

  bool key(string_t &value) {
    open.back().key = std::move(value);
    open.back().keyOffsets.push_back(offset());
    return true;
  }

  bool end_object() {
    Json::Object &object = std::get<Json::Object>(open.back().value.data);
    object.index();
    // Equal keys keep their order, so of two equal keys the second stands later in the text.
    auto twice = std::adjacent_find(object.order.begin(), object.order.end(), [&](uint32_t a, uint32_t b) {
      return object.members[a].key == object.members[b].key;
    });
    if (twice != object.order.end()) {
      std::string key = object.members[*twice].key.substr(0, 80);
      error = Status::error(Exit::BadInput, "E-JSON-DUPLICATE-KEY",
                            limits.name + " has the key " + writeJson(Json(key)) + " twice in one object")
                  .cause(place(text, open.back().keyOffsets[twice[1]]));
      return false;
    }
    // A handful of members is found faster without an order, and most objects are that small.
    if (object.members.size() <= 8)
      object.order = {};
    return end();
  }

  bool parse_error(size_t position, const std::string &, const nlohmann::detail::exception &e) {
    // "[json.exception.parse_error.101] parse error at line 1, column 3: syntax error while ..."
    std::string what = e.what();
    if (size_t colon = what.find(": "); colon != std::string::npos)
      what = what.substr(colon + 2);
    if (what.size() > 300) // the reader quotes the last token in full
      what = what.substr(0, 300) + "...";
    // The text goes to a terminal; bytes that are no UTF-8 are replaced on the way.
    std::string quoted = writeJson(Json(what));
    error = Status::error(Exit::BadInput, "E-JSON-SYNTAX", limits.name + " is not valid JSON")
                .cause(place(text, position ? position - 1 : 0) + ": " + quoted.substr(1, quoted.size() - 2));
    return false;
  }
};

Expected<JsonDocument> parseJson(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.maxBytes)
    return Status::error(Exit::BadInput, "E-JSON-TOO-LARGE",
                         limits.name + " has " + std::to_string(text.size()) + " bytes, at most " +
                             std::to_string(limits.maxBytes) + " are read");
  auto syntax = [&](size_t offset, std::string why) {
    return Status::error(Exit::BadInput, "E-JSON-SYNTAX", limits.name + " is not valid JSON")
        .cause(place(text, offset) + ": " + std::move(why));
  };
  if (text.starts_with("\xEF\xBB\xBF"))
    return syntax(0, "the text begins with a byte-order mark");
  if (size_t nul = text.find('\0'); nul != text.npos)
    return syntax(nul, "a NUL byte");
  try {
    JsonTreeBuilder builder{text, limits, text.data()};
    Cursor first{text.data(), &builder.furthest}, last{text.data() + text.size(), &builder.furthest};
    if (!nlohmann::json::sax_parse(first, last, &builder)) {
      if (!builder.error.ok())
        return std::move(builder.error);
      return syntax(builder.offset(), "the reader stopped");
    }
    return JsonDocument(std::move(limits.name), std::move(builder.result));
  } catch (const std::bad_alloc &) {
    return Status::error(Exit::Resource, "E-JSON-MEMORY", "out of memory while reading " + limits.name);
  } catch (const std::exception &e) {
    return syntax(0, e.what());
  }
}

Expected<JsonDocument> readJsonFile(const std::string &path, JsonLimits limits) {
  if (limits.name == JsonLimits().name)
    limits.name = path.substr(path.find_last_of('/') + 1);
  auto unreadable = [&](std::string cause) {
    return Status::error(Exit::BadInput, "E-JSON-CANNOT-READ", "cannot read `" + path + "`")
        .cause(std::move(cause));
  };
  std::unique_ptr<FILE, int (*)(FILE *)> file(fopen(path.c_str(), "rb"), fclose);
  if (!file)
    return unreadable(strerror(errno));
  struct stat facts;
  if (fstat(fileno(file.get()), &facts) != 0)
    return unreadable(strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return unreadable("not a regular file");
  if (static_cast<uint64_t>(facts.st_size) > limits.maxBytes)
    return Status::error(Exit::BadInput, "E-JSON-TOO-LARGE",
                         limits.name + " has " + std::to_string(facts.st_size) + " bytes, at most " +
                             std::to_string(limits.maxBytes) + " are read");
  std::string text(static_cast<size_t>(facts.st_size), '\0');
  size_t got = fread(text.data(), 1, text.size(), file.get());
  if (got != text.size())
    return unreadable(ferror(file.get()) ? strerror(errno) : "the file became shorter while it was read");
  return parseJson(text, std::move(limits));
}

} // namespace quern
