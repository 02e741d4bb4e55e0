//===- TuningSlice.cpp ----------------------------------------------------===//
#include "tuner/database/TuningSlice.h"

#include <algorithm>
#include <tuple>

namespace quern::tuner {

SliceEntry sliceEntry(const LookupRequest &request, const LookupAnswer &answer) {
  SliceEntry entry;
  entry.target = request.target;
  entry.kernel = request.problem.kernel;
  entry.rows = request.problem.tokens;
  entry.family = request.problem.family();
  entry.nearness = answer.nearness;
  entry.config = answer.config;
  entry.defaultConfig = answer.choice.config ? answer.choice.beaten : request.defaultConfig;
  entry.why = answer.why;
  entry.stale = answer.stale;
  if (answer.device) {
    entry.device = answer.device->name.empty() ? answer.device->hardware : answer.device->name;
    entry.deviceKey = answer.device->key();
    entry.compiler = answer.toolchain->compiler;
  }
  entry.ratio = answer.choice.ratio;
  entry.runnerUp = answer.choice.runnerUp;
  entry.runnerUpRatio = answer.choice.runnerUpRatio;
  entry.points = answer.choice.points;
  entry.trials = answer.choice.trials;
  entry.tried = answer.choice.standings.size();
  return entry;
}

static Json ratioToJson(const Ratio &ratio) {
  Json json = Json::object();
  json.set("median", ratio.median);
  json.set("low", ratio.low);
  json.set("high", ratio.high);
  return json;
}

static Expected<Ratio> ratioFromJson(JsonRef json, std::string_view name) {
  Ratio ratio;
  QUERN_ASSIGN_OR_RETURN(JsonRef value, json.getObject(name));
  QUERN_ASSIGN_OR_RETURN(ratio.median, value.getFloat("median"));
  QUERN_ASSIGN_OR_RETURN(ratio.low, value.getFloat("low"));
  QUERN_ASSIGN_OR_RETURN(ratio.high, value.getFloat("high"));
  return ratio;
}

static Json toJson(const SliceEntry &entry) {
  Json json = Json::object(), points = Json::array();
  json.set("target", entry.target);
  json.set("symbol", entry.symbol);
  json.set("kernel", entry.kernel);
  json.set("parameters", entry.parameters);
  json.set("first", entry.rows.first);
  json.set("last", entry.rows.last);
  json.set("family", entry.family);
  json.set("found", nearnessName(entry.nearness));
  json.set("config", entry.config);
  json.set("default", entry.defaultConfig);
  json.set("why", entry.why);
  json.set("stale", entry.stale);
  json.set("device", entry.device);
  json.set("device_key", entry.deviceKey);
  json.set("compiler", entry.compiler);
  json.set("ratio", ratioToJson(entry.ratio));
  json.set("runner_up", entry.runnerUp);
  json.set("runner_up_ratio", ratioToJson(entry.runnerUpRatio));
  for (int64_t point : entry.points)
    points.push(point);
  json.set("points", std::move(points));
  json.set("trials", entry.trials);
  json.set("tried", entry.tried);
  return json;
}

static Expected<SliceEntry> fromJson(JsonRef json) {
  SliceEntry entry;
  QUERN_ASSIGN_OR_RETURN(entry.target, json.getString("target"));
  QUERN_ASSIGN_OR_RETURN(entry.symbol, json.getString("symbol"));
  QUERN_ASSIGN_OR_RETURN(entry.kernel, json.getString("kernel"));
  QUERN_ASSIGN_OR_RETURN(entry.parameters, json.getString("parameters"));
  QUERN_ASSIGN_OR_RETURN(entry.rows.first, json.getInt("first", {1}));
  QUERN_ASSIGN_OR_RETURN(entry.rows.last, json.getInt("last", {1}));
  QUERN_ASSIGN_OR_RETURN(entry.family, json.getString("family"));
  QUERN_ASSIGN_OR_RETURN(std::string_view found, json.getString("found"));
  std::optional<Nearness> nearness = parseNearness(found);
  if (!nearness)
    return json.error("E-TUNING-SLICE", "`" + std::string(found) + "` is no level of the lookup");
  entry.nearness = *nearness;
  QUERN_ASSIGN_OR_RETURN(entry.config, json.getString("config"));
  QUERN_ASSIGN_OR_RETURN(entry.defaultConfig, json.getString("default"));
  QUERN_ASSIGN_OR_RETURN(entry.why, json.getString("why"));
  QUERN_ASSIGN_OR_RETURN(entry.stale, json.getBool("stale"));
  QUERN_ASSIGN_OR_RETURN(entry.device, json.getString("device"));
  QUERN_ASSIGN_OR_RETURN(entry.deviceKey, json.getString("device_key"));
  QUERN_ASSIGN_OR_RETURN(entry.compiler, json.getString("compiler"));
  QUERN_ASSIGN_OR_RETURN(entry.ratio, ratioFromJson(json, "ratio"));
  QUERN_ASSIGN_OR_RETURN(entry.runnerUp, json.getString("runner_up"));
  QUERN_ASSIGN_OR_RETURN(entry.runnerUpRatio, ratioFromJson(json, "runner_up_ratio"));
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> points, json.getArray("points"));
  for (JsonRef point : points) {
    QUERN_ASSIGN_OR_RETURN(int64_t tokens, point.asInt({1}));
    entry.points.push_back(tokens);
  }
  QUERN_ASSIGN_OR_RETURN(entry.trials, json.getUInt("trials"));
  QUERN_ASSIGN_OR_RETURN(entry.tried, json.getUInt("tried"));
  return std::move(entry);
}

static constexpr const char *schemaName = "quern.tuning";
static constexpr int64_t sliceVersion = 1;

std::string writeSlice(std::vector<SliceEntry> entries) {
  std::ranges::sort(entries, {}, [](const SliceEntry &e) { return std::tie(e.target, e.symbol, e.rows); });
  Json head = Json::object();
  head.set("schema", schemaName);
  head.set("schema_version", sliceVersion);
  std::string text = writeJson(head) + "\n", last;
  // One kernel may be asked for more than once: it is one line.
  for (const SliceEntry &entry : entries)
    if (std::string line = writeJson(toJson(entry)) + "\n"; line != last) {
      text += line;
      last = std::move(line);
    }
  return text;
}

Expected<std::vector<SliceEntry>> readSlice(std::string_view text) {
  std::vector<SliceEntry> entries;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    QUERN_ASSIGN_OR_RETURN(
        JsonDocument document,
        parseJson(text.substr(0, end), {.name = "tuning.jsonl line " + std::to_string(line)}));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line > 1) {
      QUERN_ASSIGN_OR_RETURN(SliceEntry entry, fromJson(document.root()));
      entries.push_back(std::move(entry));
      continue;
    }
    QUERN_ASSIGN_OR_RETURN(std::string_view schema, document.root().getString("schema"));
    QUERN_ASSIGN_OR_RETURN(int64_t version, document.root().getInt("schema_version"));
    if (schema != schemaName || version != sliceVersion)
      return document.root().error("E-TUNING-SLICE",
                                   "is no slice of a tuning database that this program reads");
  }
  return std::move(entries);
}

} // namespace quern::tuner
