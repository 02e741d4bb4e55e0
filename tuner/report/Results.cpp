//===- Results.cpp --------------------------------------------------------===//
#include "tuner/report/Results.h"

#include "support/Files.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace quern::report {

using runtime::Estimate;
using runtime::estimate;

namespace {

constexpr uint64_t mostBytes = uint64_t(256) << 20;
/// As the stopwatch's: clocks and peaks are known to some per cent.
constexpr double limitTolerance = 1.05;

/// Seconds of the unit of Google Benchmark's `time_unit`; 0 for none.
double unitSeconds(std::string_view unit) {
  return unit == "ns" ? 1e-9 : unit == "us" ? 1e-6 : unit == "ms" ? 1e-3 : unit == "s" ? 1 : 0;
}

Expected<double> timeOf(const JsonRef &value, double unit) {
  QUERN_ASSIGN_OR_RETURN(double number, value.asFloat());
  const double seconds = number * unit;
  // Three years: beyond that a unit was mistaken.
  if (!(seconds > 0) || seconds > 1e8)
    return value.error("E-RESULTS-TIME",
                       "a time must be above 0 and below 10^8 s, and is " + std::to_string(number));
  return seconds;
}

Expected<std::vector<double>> timesOf(const JsonRef &list, double unit) {
  std::vector<double> times;
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, list.asArray());
  for (const JsonRef &item : items) {
    QUERN_ASSIGN_OR_RETURN(double seconds, timeOf(item, unit));
    times.push_back(seconds);
  }
  return times;
}

Expected<double> optionalNumber(const JsonRef &row, const char *key) {
  QUERN_ASSIGN_OR_RETURN(std::optional<double> value, row.findFloat(key));
  if (value && (!(*value >= 0) || std::isinf(*value)))
    return row.error("E-RESULTS-TIME", std::string("`") + key + "` is " + std::to_string(*value));
  return value.value_or(0);
}

Status checkVersion(const JsonRef &root) {
  QUERN_ASSIGN_OR_RETURN(std::optional<int64_t> version, root.findInt("schema_version", {0, 1 << 30}));
  if (version && *version > resultsVersion)
    return Status(root.error("E-RESULTS-NEWER", "the results have schema version " +
                                                    std::to_string(*version) + ", this program reads up to " +
                                                    std::to_string(resultsVersion)))
        .remedy("use a newer program, or write the results again with this one");
  return Status::success();
}

/// Members of |row| that are scalars and no part of what was read.
void readFacts(const JsonRef &row, ResultRow &result) {
  for (const char *key : {"kernel", "symbol", "note", "blocks", "replay", "runs_per_sample"})
    if (std::optional<JsonRef> value = row.find(key)) {
      const Json &json = value->value();
      result.facts[key] = json.isString() ? json.string() : writeJson(json);
    }
}

Expected<ResultRow> kernelRow(const JsonRef &row) {
  ResultRow result;
  result.group = "kernel";
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> runName, row.findString("run_name"));
  QUERN_ASSIGN_OR_RETURN(std::string_view name, row.getString("name"));
  result.name = std::string(runName.value_or(name));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> unitName, row.findString("time_unit"));
  const double unit = unitSeconds(unitName.value_or("ns"));
  if (unit == 0)
    return Status(row.error("E-RESULTS-UNIT", "`" + std::string(*unitName) + "` is no unit of time"))
        .remedy("use ns, us, ms or s");
  QUERN_ASSIGN_OR_RETURN(JsonRef time, row.get("real_time"));
  QUERN_ASSIGN_OR_RETURN(double median, timeOf(time, unit));
  if (std::optional<JsonRef> samples = row.find("samples")) {
    QUERN_ASSIGN_OR_RETURN(result.samples, timesOf(*samples, unit));
  }
  if (result.samples.empty())
    result.samples = {median};
  result.seconds = estimate(result.samples);
  QUERN_ASSIGN_OR_RETURN(double launches, optionalNumber(row, "launches_per_step"));
  result.weight = launches > 0 ? launches : 1;
  QUERN_ASSIGN_OR_RETURN(result.operations, optionalNumber(row, "operations"));
  QUERN_ASSIGN_OR_RETURN(result.bytes, optionalNumber(row, "bytes"));
  readFacts(row, result);
  return result;
}

Expected<ResultRow> llamaRow(const JsonRef &row) {
  constexpr IntRange counts = {0, int64_t(1) << 40};
  ResultRow result;
  result.group = "model";
  QUERN_ASSIGN_OR_RETURN(int64_t prompt, row.getInt("n_prompt", counts));
  QUERN_ASSIGN_OR_RETURN(int64_t generated, row.getInt("n_gen", counts));
  QUERN_ASSIGN_OR_RETURN(std::optional<int64_t> depth, row.findInt("n_depth", counts));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> test, row.findString("test"));
  std::string name = prompt && generated ? "pp" + std::to_string(prompt) + "+tg" + std::to_string(generated)
                     : prompt            ? "pp" + std::to_string(prompt)
                                         : "tg" + std::to_string(generated);
  if (depth.value_or(0))
    name += " @ d" + std::to_string(*depth);
  result.name = test ? std::string(*test) : name;
  result.tokens = prompt + generated;
  result.facts = {{"n_prompt", std::to_string(prompt)},
                  {"n_gen", std::to_string(generated)},
                  {"n_depth", std::to_string(depth.value_or(0))}};
  if (std::optional<JsonRef> samples = row.find("samples_ns")) {
    QUERN_ASSIGN_OR_RETURN(result.samples, timesOf(*samples, 1e-9));
  }
  if (result.samples.empty()) {
    QUERN_ASSIGN_OR_RETURN(JsonRef average, row.get("avg_ns"));
    QUERN_ASSIGN_OR_RETURN(double seconds, timeOf(average, 1e-9));
    result.samples = {seconds};
  }
  result.seconds = estimate(result.samples);
  return result;
}

/// Repetitions of Google Benchmark are rows of one name; others of one name contradict each other.
Status append(const JsonRef &row, ResultRow &&result, ResultSet &set) {
  auto same = std::find_if(set.rows.begin(), set.rows.end(), [&](const ResultRow &known) {
    return known.name == result.name && known.group == result.group;
  });
  if (same == set.rows.end()) {
    set.rows.push_back(std::move(result));
    return Status::success();
  }
  if (!row.find("repetition_index") || result.samples.size() != 1)
    return row.error("E-RESULTS-TWICE", "there are two results of `" + result.name + "`");
  same->samples.push_back(result.samples.front());
  same->seconds = estimate(same->samples);
  return Status::success();
}

Status checkLimits(const JsonDocument &document, const ResultSet &set) {
  const Json *cache = set.context.find("cache_state");
  if (!cache || !cache->isString() || cache->string() != "cold")
    return Status::success();
  for (const ResultRow &row : set.rows) {
    const double ops = row.operations / row.seconds.median, bytes = row.bytes / row.seconds.median;
    const bool tooMany =
        set.limits.operationsPerSecond && ops > limitTolerance * set.limits.operationsPerSecond;
    if (!tooMany && !(set.limits.bytesPerSecond && bytes > limitTolerance * set.limits.bytesPerSecond))
      continue;
    return Status::error(Exit::Unexpected, "E-MEASURE-ABOVE-LIMIT",
                         document.name() + ": `" + row.name + "` is above what its device can do")
        .cause(tooMany ? std::to_string(ops / 1e9) + " of " +
                             std::to_string(set.limits.operationsPerSecond / 1e9) + " GFLOP/s"
                       : std::to_string(bytes / 1e9) + " of " +
                             std::to_string(set.limits.bytesPerSecond / 1e9) + " GB/s")
        .remedy("measure again; a clock, a cache or the kernel's results were not what they seemed");
  }
  return Status::success();
}

Status readContext(const JsonRef &root, ResultSet &set) {
  QUERN_ASSIGN_OR_RETURN(std::optional<JsonRef> context, root.findObject("context"));
  if (!context)
    return Status::success();
  set.context = context->value();
  QUERN_RETURN_IF_ERROR(checkVersion(*context));
  for (auto [key, rates] : {std::pair("peaks", &set.peaks), std::pair("limits", &set.limits)}) {
    QUERN_ASSIGN_OR_RETURN(std::optional<JsonRef> object, context->findObject(key));
    if (!object)
      continue;
    QUERN_ASSIGN_OR_RETURN(rates->operationsPerSecond, optionalNumber(*object, "operations_per_second"));
    QUERN_ASSIGN_OR_RETURN(rates->bytesPerSecond, optionalNumber(*object, "bytes_per_second"));
  }
  return Status::success();
}

/// One document from lines of one object each.
Expected<JsonDocument> readLines(const std::string &path) {
  QUERN_ASSIGN_OR_RETURN(std::string text, readFile(path, mostBytes));
  Json list = Json::array();
  for (size_t at = 0, line = 1; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end != at) {
      JsonLimits limits;
      limits.name = path + ":" + std::to_string(line);
      QUERN_ASSIGN_OR_RETURN(JsonDocument one,
                             parseJson(std::string_view(text).substr(at, end - at), limits));
      const Json *event = one.value().find("event");
      if (!event || *event == Json("result"))
        list.push(one.value());
    }
    at = end + 1;
  }
  return JsonDocument(path, std::move(list));
}

} // namespace

ResultRow makeRow(std::string name, std::string group, std::vector<double> samples) {
  ResultRow row;
  row.name = std::move(name);
  row.group = std::move(group);
  row.seconds = estimate(samples);
  row.samples = std::move(samples);
  return row;
}

Expected<ResultSet> parseResults(const JsonDocument &document) {
  const JsonRef root = document.root();
  ResultSet set;
  set.name = std::filesystem::path(document.name()).stem();
  auto read = [&](const std::vector<JsonRef> &rows, bool kernels) -> Status {
    for (const JsonRef &row : rows) {
      if (kernels) {
        QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> type, row.findString("run_type"));
        if (type.value_or("iteration") != "iteration" || row.find("error_occurred"))
          continue;
      } else if (!row.has("n_prompt")) {
        return row.error("E-RESULTS-FORM", "a row has no `n_prompt`");
      }
      QUERN_ASSIGN_OR_RETURN(ResultRow result, kernels ? kernelRow(row) : llamaRow(row));
      QUERN_RETURN_IF_ERROR(append(row, std::move(result), set));
    }
    return Status::success();
  };
  if (root->isArray()) {
    QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> rows, root.asArray());
    QUERN_RETURN_IF_ERROR(read(rows, false));
  } else {
    QUERN_RETURN_IF_ERROR(checkVersion(root));
    QUERN_RETURN_IF_ERROR(readContext(root, set));
    if (!root.find("benchmarks") && !root.find("rows"))
      return Status(root.error("E-RESULTS-FORM", "this is no file of results"))
          .remedy("give what `quern bench --format json` or Google Benchmark wrote");
    for (auto [key, kernels] : {std::pair("benchmarks", true), std::pair("rows", false)})
      if (root.find(key)) {
        QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> rows, root.getArray(key));
        QUERN_RETURN_IF_ERROR(read(rows, kernels));
      }
  }
  if (set.rows.empty())
    return root.error("E-RESULTS-EMPTY", "there are no results in it");
  QUERN_RETURN_IF_ERROR(checkLimits(document, set));
  return set;
}

Expected<ResultSet> readResults(const std::string &path) {
  if (path.ends_with(".jsonl")) {
    QUERN_ASSIGN_OR_RETURN(JsonDocument lines, readLines(path));
    return parseResults(lines);
  }
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, readJsonFile(path, {.maxBytes = mostBytes}));
  return parseResults(document);
}

} // namespace quern::report
