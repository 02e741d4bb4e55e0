//===- Rows.cpp -----------------------------------------------------------===//
#include "tools/cli/Rows.h"

#include <algorithm>

namespace quern::tools {

/// The value as text without quotes.
static std::string plainText(const Json &value) {
  if (value.isString())
    return value.string();
  if (value.isNull())
    return "";
  if (!value.isArray())
    return writeJson(value);
  std::string text;
  for (const Json &item : value.items())
    text += (text.empty() ? "" : " ") + plainText(item);
  return text;
}

static std::vector<std::string> columnsOf(const std::vector<Json> &rows) {
  std::vector<std::string> columns;
  for (const Json &row : rows)
    for (const Json::Member &member : row.members())
      if (std::find(columns.begin(), columns.end(), member.key) == columns.end())
        columns.push_back(std::string(member.key));
  return columns;
}

/// RFC 4180: a field with a comma, a quote or a line end stands in quotes, and quotes in it are doubled.
static std::string csvField(const std::string &text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos)
    return text;
  std::string quoted = "\"";
  for (char c : text)
    quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

static std::string mdField(const std::string &text) {
  std::string field;
  for (char c : text)
    field += c == '|' ? std::string("\\|") : std::string(1, c == '\n' ? ' ' : c);
  return field;
}

static std::string jsonLines(std::string_view schema, const std::vector<Json> &rows) {
  Json start = Json::object(), end = Json::object();
  start.set("event", "start");
  start.set("schema", std::string(schema));
  start.set("schema_version", 1);
  std::string text = writeJson(start) + "\n";
  for (const Json &row : rows) {
    Json line = Json::object();
    line.set("event", "result");
    for (const Json::Member &member : row.members())
      line.set(member.key, member.value);
    text += writeJson(line) + "\n";
  }
  end.set("event", "end");
  end.set("rows", uint64_t(rows.size()));
  return text + writeJson(end) + "\n";
}

std::string rowsText(std::string_view schema, const std::vector<Json> &rows, OutputFormat format) {
  if (format == OutputFormat::Jsonl)
    return jsonLines(schema, rows);
  const bool md = format == OutputFormat::Md;
  const std::vector<std::string> columns = columnsOf(rows);
  std::string text;
  auto line = [&](auto &&field) {
    for (size_t c = 0; c < columns.size(); ++c) {
      std::string own = field(columns[c]);
      text += md ? (c ? " | " : "| ") + mdField(own) : (c ? "," : "") + csvField(own);
    }
    text += md ? " |\n" : "\n";
  };
  if (columns.empty())
    return text;
  line([](const std::string &column) { return column; });
  if (md)
    line([](const std::string &) { return std::string("---"); });
  for (const Json &row : rows)
    line([&](const std::string &column) {
      const Json *value = row.find(column);
      return value ? plainText(*value) : std::string();
    });
  return text;
}

} // namespace quern::tools
