//===- Exchange.cpp -------------------------------------------------------===//
#include "tuner/database/Exchange.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace quern::tuner {

static Expected<uint64_t> total(const Database &database) {
  QUERN_ASSIGN_OR_RETURN(Database::Counts counts, database.counts());
  return counts.measurements + counts.decisions + counts.seeds;
}

Expected<MergeCounts> mergeInto(Database &into, const Database &from) {
  MergeCounts counts;
  // Read whole before anything is written: the source may be the database itself.
  QUERN_ASSIGN_OR_RETURN(std::vector<Measurement> measurements, from.measurements());
  QUERN_ASSIGN_OR_RETURN(std::vector<Decision> decisions, from.decisions());
  QUERN_ASSIGN_OR_RETURN(std::vector<Seed> seeds, from.seeds());
  counts.measurements = measurements.size();
  counts.decisions = decisions.size();
  counts.seeds = seeds.size();
  QUERN_RETURN_IF_ERROR(into.transaction([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(uint64_t before, total(into));
    QUERN_ASSIGN_OR_RETURN(size_t fresh, into.insert(std::span<const Measurement>(measurements)));
    (void)fresh;
    for (const Decision &decision : decisions)
      QUERN_RETURN_IF_ERROR(into.insert(decision));
    for (const Seed &seed : seeds)
      QUERN_RETURN_IF_ERROR(into.insert(seed));
    QUERN_ASSIGN_OR_RETURN(uint64_t after, total(into));
    counts.fresh = after - before;
    return Status::success();
  }));
  return counts;
}

static constexpr const char *schemaName = "quern.tuning-database";

/// The record with the labels that are no part of its key.
static Json withLabels(const Measurement &measurement) {
  Json json = toJson(measurement);
  Json device = *json.find("device"), toolchain = *json.find("toolchain");
  device.set("name", measurement.device.name);
  toolchain.set("version", measurement.toolchain.version);
  json.set("device", std::move(device));
  json.set("toolchain", std::move(toolchain));
  return json;
}

Expected<std::string> exportLines(const Database &database) {
  Json head = Json::object();
  head.set("schema", schemaName);
  head.set("schema_version", schemaVersion);
  std::string text = writeJson(head) + "\n";
  QUERN_ASSIGN_OR_RETURN(std::vector<Measurement> measurements, database.measurements());
  for (const Measurement &measurement : measurements)
    text += writeJson(withLabels(measurement)) + "\n";
  QUERN_ASSIGN_OR_RETURN(std::vector<Decision> decisions, database.decisions());
  for (const Decision &decision : decisions)
    text += writeJson(toJson(decision)) + "\n";
  QUERN_ASSIGN_OR_RETURN(std::vector<Seed> seeds, database.seeds());
  for (const Seed &seed : seeds)
    text += writeJson(toJson(seed)) + "\n";
  return text;
}

static Status importLine(Database &into, JsonRef json, MergeCounts &counts) {
  QUERN_ASSIGN_OR_RETURN(std::string_view record, json.getString("record"));
  if (record == "measurement") {
    ++counts.measurements;
    QUERN_ASSIGN_OR_RETURN(Measurement measurement, measurementFromJson(json));
    return into.insert(measurement);
  }
  if (record == "decision") {
    ++counts.decisions;
    QUERN_ASSIGN_OR_RETURN(Decision decision, decisionFromJson(json));
    return into.insert(decision);
  }
  if (record == "seed") {
    ++counts.seeds;
    QUERN_ASSIGN_OR_RETURN(Seed seed, seedFromJson(json));
    return into.insert(seed);
  }
  return json.error("E-DATABASE-RECORD", "there is no record `" + std::string(record) + "`");
}

Expected<MergeCounts> importLines(Database &into, std::string_view text, const std::string &name) {
  MergeCounts counts;
  QUERN_RETURN_IF_ERROR(into.transaction([&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(uint64_t before, total(into));
    for (size_t line = 1; !text.empty(); ++line) {
      const size_t end = std::min(text.find('\n'), text.size());
      QUERN_ASSIGN_OR_RETURN(
          JsonDocument document,
          parseJson(text.substr(0, end), {.name = name + " line " + std::to_string(line)}));
      text.remove_prefix(std::min(end + 1, text.size()));
      if (line > 1) {
        QUERN_RETURN_IF_ERROR(importLine(into, document.root(), counts));
        continue;
      }
      QUERN_ASSIGN_OR_RETURN(std::string_view schema, document.root().getString("schema"));
      QUERN_ASSIGN_OR_RETURN(int64_t version, document.root().getInt("schema_version"));
      if (schema != schemaName || version > schemaVersion)
        return document.root().error("E-DATABASE-SCHEMA-NEWER",
                                     "is no export of a database that this program reads");
    }
    QUERN_ASSIGN_OR_RETURN(uint64_t after, total(into));
    counts.fresh = after - before;
    return Status::success();
  }));
  return counts;
}

std::vector<Difference> differences(const Lookup &before, const Lookup &after) {
  using Key = std::tuple<std::string, std::string, std::string>;
  auto keyOf = [](const MeasuredGroup &group) {
    return Key(group.problem().family(), group.device().key(), group.toolchain().key());
  };
  std::map<Key, std::pair<const MeasuredGroup *, const MeasuredGroup *>> pairs;
  for (const MeasuredGroup &group : before.groups())
    pairs[keyOf(group)].first = &group;
  for (const MeasuredGroup &group : after.groups())
    pairs[keyOf(group)].second = &group;
  std::vector<Difference> result;
  for (const auto &[key, pair] : pairs) {
    std::set<TokenRange> ranges;
    for (const MeasuredGroup *group : {pair.first, pair.second})
      for (size_t i = 0; group && i < group->measurements.size(); ++i)
        ranges.insert(group->measurements[i].problem.tokens);
    const MeasuredGroup &any = pair.second ? *pair.second : *pair.first;
    for (TokenRange range : ranges) {
      auto chosen = [&](const MeasuredGroup *group, const Lookup &lookup) {
        Choice none;
        none.why = "never measured";
        return group ? choose(group->measurements, range, lookup.decisions()) : none;
      };
      Choice a = chosen(pair.first, before), b = chosen(pair.second, after);
      if (a.config == b.config)
        continue;
      Difference difference;
      difference.problem = any.problem();
      difference.problem.tokens = range;
      difference.device = any.device();
      difference.toolchain = any.toolchain();
      difference.before = a.config;
      difference.after = b.config;
      difference.whyBefore = a.why;
      difference.whyAfter = b.why;
      difference.ratioBefore = a.ratio;
      difference.ratioAfter = b.ratio;
      result.push_back(std::move(difference));
    }
  }
  return result;
}

} // namespace quern::tuner
