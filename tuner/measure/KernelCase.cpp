//===- KernelCase.cpp -----------------------------------------------------===//
#include "tuner/measure/KernelCase.h"

#include "support/ChildProcess.h"
#include "support/Json.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace quern::tuner {

//===----------------------------------------------------------------------===//
// Comparison
//===----------------------------------------------------------------------===//

namespace {
std::string place(int64_t row, int64_t column) {
  return "row " + std::to_string(row) + ", column " + std::to_string(column);
}

bool isSentinel(std::span<const std::byte> bytes, uint64_t element, size_t size) {
  for (size_t i = 0; i < size; ++i)
    if (bytes[element * size + i] != std::byte(sentinelByte))
      return false;
  return true;
}
} // namespace

std::string checkOutput(const KernelCase &given, const ExpectedRows &e, std::span<const std::byte> bytes) {
  const CaseArgument &argument = given.arguments[e.argument];
  const std::string &element = argument.element;
  const size_t size = elementBytes(element);
  for (uint64_t i = 0; i < argument.count; ++i) {
    const int64_t row = int64_t(i) / e.rowStride, column = int64_t(i) % e.rowStride;
    const bool inside = row < e.rows && column < e.columns, untouched = isSentinel(bytes, i, size);
    // A single byte may be the sentinel by chance.
    if (inside && untouched && size > 1)
      return "nothing was written to " + place(row, column);
    if (!inside && !untouched)
      return "written outside of the result: " + place(row, column);
  }
  double dot = 0, squares = 0, largest = 0;
  for (float value : e.values)
    largest = std::max(largest, std::abs(double(value)));
  for (size_t k = 0; k < e.known.size(); ++k)
    for (int64_t column = 0; column < e.columns; ++column) {
      const double want = roundTo(element, e.values[k * size_t(e.columns) + size_t(column)]);
      const double have = elementValue(element, bytes, uint64_t(e.known[k] * e.rowStride + column));
      const bool near =
          e.exact ? have == want : std::abs(have - want) <= std::max(1e-3 * largest, std::abs(want) / 64);
      if (!near)
        return place(e.known[k], column) + " is " + std::to_string(have) + " in place of " +
               std::to_string(want);
      dot += have * want;
      squares += have * have + want * want;
    }
  const double difference = squares > 0 ? 1 - 2 * dot / squares : 0;
  if (const double limit = element == "f32" ? 1e-9 : 5e-6; !(difference < limit))
    return "the difference from the oracle is " + std::to_string(difference * 1e6) + "e-6, beyond " +
           std::to_string(limit * 1e6) + "e-6";
  return "";
}

//===----------------------------------------------------------------------===//
// As bytes: a field of JSON and one of the expected numbers
//===----------------------------------------------------------------------===//

static constexpr std::string_view kindNames[] = {"null", "input", "output", "scalar"};
/// Largest buffer of a case; larger ones are a mistake.
static constexpr int64_t mostElements = int64_t(1) << 34;

std::string writeCase(const KernelCase &given) {
  Json root = Json::object(), arguments = Json::array(), outputs = Json::array();
  for (const CaseArgument &a : given.arguments) {
    Json &row = arguments.push(Json::object());
    row.set("kind", kindNames[size_t(a.kind)]);
    if (a.kind == CaseArgument::Kind::Scalar)
      row.set("scalar", a.scalar);
    if (a.kind == CaseArgument::Kind::Input || a.kind == CaseArgument::Kind::Output) {
      row.set("element", a.element);
      row.set("count", a.count);
    }
    if (a.kind != CaseArgument::Kind::Input)
      continue;
    if (!a.list.empty()) {
      Json &list = row.set("list", Json::array());
      for (int32_t value : a.list)
        list.push(value);
      continue;
    }
    row.set("pattern", patternName(a.data.pattern));
    row.set("seed", a.data.seed);
    row.set("scale", a.data.scale);
    row.set("limit", a.data.limit);
  }
  std::string numbers;
  for (const ExpectedRows &e : given.expected) {
    Json &row = outputs.push(Json::object());
    row.set("argument", uint64_t(e.argument));
    row.set("rows", e.rows);
    row.set("columns", e.columns);
    row.set("row_stride", e.rowStride);
    row.set("exact", e.exact);
    Json &known = row.set("known", Json::array());
    for (int64_t number : e.known)
      known.push(number);
    numbers.append(reinterpret_cast<const char *>(e.values.data()), e.values.size() * sizeof(float));
  }
  root.set("arguments", std::move(arguments));
  root.set("expected", std::move(outputs));
  return messageField(writeJson(root)) + messageField(numbers);
}

static Expected<CaseArgument> readArgument(JsonRef row) {
  CaseArgument a;
  QUERN_ASSIGN_OR_RETURN(std::string_view kind, row.getString("kind"));
  const auto *found = std::find(std::begin(kindNames), std::end(kindNames), kind);
  if (found == std::end(kindNames))
    return row.error("E-BUNDLE-CASE", "no argument is of the kind `" + std::string(kind) + "`");
  a.kind = CaseArgument::Kind(found - std::begin(kindNames));
  if (a.kind == CaseArgument::Kind::Scalar) {
    QUERN_ASSIGN_OR_RETURN(a.scalar, row.getInt("scalar", {INT32_MIN, INT32_MAX}));
    return std::move(a);
  }
  if (a.kind == CaseArgument::Kind::Null)
    return std::move(a);
  QUERN_ASSIGN_OR_RETURN(std::string_view element, row.getString("element"));
  a.element = element;
  if (!elementBytes(a.element))
    return row.error("E-BUNDLE-CASE", "no element type is called `" + a.element + "`");
  QUERN_ASSIGN_OR_RETURN(int64_t count, row.getInt("count", {0, mostElements}));
  a.count = uint64_t(count);
  if (a.kind == CaseArgument::Kind::Output)
    return std::move(a);
  if (std::optional<JsonRef> list = row.find("list")) {
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, list->asArray());
    for (JsonRef item : items) {
      QUERN_ASSIGN_OR_RETURN(int64_t value, item.asInt({INT32_MIN, INT32_MAX}));
      a.list.push_back(int32_t(value));
    }
    if (a.list.size() != a.count || a.element != "i32")
      return row.error("E-BUNDLE-CASE", "a list is not as long as its operand");
    return std::move(a);
  }
  QUERN_ASSIGN_OR_RETURN(std::string_view pattern, row.getString("pattern"));
  QUERN_ASSIGN_OR_RETURN(a.data.pattern, parsePattern(pattern));
  QUERN_ASSIGN_OR_RETURN(a.data.seed, row.getUInt("seed"));
  QUERN_ASSIGN_OR_RETURN(a.data.scale, row.getFloat("scale"));
  QUERN_ASSIGN_OR_RETURN(a.data.limit, row.getInt("limit", {1, INT32_MAX}));
  return std::move(a);
}

static Expected<ExpectedRows> readExpected(JsonRef row, const KernelCase &given, std::string_view &numbers) {
  ExpectedRows e;
  QUERN_ASSIGN_OR_RETURN(int64_t argument, row.getInt("argument", {0, int64_t(given.arguments.size()) - 1}));
  e.argument = uint32_t(argument);
  QUERN_ASSIGN_OR_RETURN(e.rows, row.getInt("rows", {1, INT32_MAX}));
  QUERN_ASSIGN_OR_RETURN(e.columns, row.getInt("columns", {1, INT32_MAX}));
  QUERN_ASSIGN_OR_RETURN(e.rowStride, row.getInt("row_stride", {e.columns, INT32_MAX}));
  QUERN_ASSIGN_OR_RETURN(e.exact, row.getBool("exact"));
  const CaseArgument &output = given.arguments[e.argument];
  if (output.kind != CaseArgument::Kind::Output ||
      int64_t(output.count) < (e.rows - 1) * e.rowStride + e.columns)
    return row.error("E-BUNDLE-CASE", "the expected rows do not lie in an output");
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> known, row.getArray("known"));
  for (JsonRef item : known) {
    const int64_t first = e.known.empty() ? 0 : e.known.back() + 1;
    QUERN_ASSIGN_OR_RETURN(int64_t number, item.asInt({first, e.rows - 1}));
    e.known.push_back(number);
  }
  const size_t count = e.known.size() * size_t(e.columns), bytes = count * sizeof(float);
  if (numbers.size() < bytes)
    return row.error("E-BUNDLE-CASE", "expected numbers are missing");
  e.values.resize(count);
  std::memcpy(e.values.data(), numbers.data(), bytes);
  numbers.remove_prefix(bytes);
  return std::move(e);
}

Expected<KernelCase> readCase(std::string_view bytes) {
  std::optional<std::string> text = takeField(bytes);
  std::optional<std::string> numbers = text ? takeField(bytes) : std::nullopt;
  if (!numbers || !bytes.empty())
    return Status::error(Exit::BadInput, "E-BUNDLE-CASE", "a trial's case is damaged");
  QUERN_ASSIGN_OR_RETURN(JsonDocument document,
                         parseJson(*text, {.name = "case", .maxBytes = uint64_t(256) << 20}));
  KernelCase given;
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> arguments, document.root().getArray("arguments"));
  for (JsonRef row : arguments) {
    QUERN_ASSIGN_OR_RETURN(CaseArgument argument, readArgument(row));
    given.arguments.push_back(std::move(argument));
  }
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> expected, document.root().getArray("expected"));
  std::string_view rest = *numbers;
  for (JsonRef row : expected) {
    QUERN_ASSIGN_OR_RETURN(ExpectedRows rows, readExpected(row, given, rest));
    given.expected.push_back(std::move(rows));
  }
  if (given.expected.empty())
    return document.root().error("E-BUNDLE-CASE", "a case without results checks nothing");
  return std::move(given);
}

} // namespace quern::tuner
