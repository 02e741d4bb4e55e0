//===- Compare.cpp --------------------------------------------------------===//
#include "tuner/report/Compare.h"

#include "runtime/measure/Bootstrap.h"

#include <algorithm>

namespace quern::report {

using runtime::Estimate;
using runtime::SamplePair;

const char *verdictName(Verdict verdict) {
  switch (verdict) {
  case Verdict::Undecided:
    return "no winner";
  case Verdict::TooFew:
    return "too few samples";
  case Verdict::AFaster:
    return "A";
  case Verdict::BFaster:
    return "B";
  }
  return "";
}

const char *intervalName(IntervalKind kind) {
  return kind == IntervalKind::Pairs ? "pairs" : kind == IntervalKind::Bootstrap ? "bootstrap" : "none";
}

namespace {

Verdict verdictOf(const Estimate &ratio) {
  return ratio.low > 1 ? Verdict::AFaster : ratio.high < 1 ? Verdict::BFaster : Verdict::Undecided;
}

/// Whether both have samples enough for an interval, and as many where they are pairs.
bool enough(const ResultRow &a, const ResultRow &b) {
  return std::min(a.samples.size(), b.samples.size()) >= runtime::fewestSamples;
}

Pair compareRows(const ResultRow &a, const ResultRow &b, bool paired) {
  Pair pair{&a, &b, {}, IntervalKind::None, Verdict::TooFew, {}};
  paired = paired && a.samples.size() == b.samples.size();
  if (paired)
    for (size_t i = 0; i < a.samples.size(); ++i)
      pair.ratios.push_back(b.samples[i] / a.samples[i]);
  if (!enough(a, b)) {
    pair.ratio.median = pair.ratio.low = pair.ratio.high = b.seconds.median / a.seconds.median;
    pair.ratio.minimum = pair.ratio.maximum = pair.ratio.median;
    pair.ratio.samples = std::min(a.samples.size(), b.samples.size());
    return pair;
  }
  pair.interval = paired ? IntervalKind::Pairs : IntervalKind::Bootstrap;
  pair.ratio = paired ? runtime::estimate(pair.ratios) : runtime::bootstrapRatio(b.samples, a.samples);
  pair.verdict = verdictOf(pair.ratio);
  return pair;
}

void addGroups(Comparison &comparison) {
  std::vector<std::string> names;
  for (const Pair &pair : comparison.pairs)
    if (std::find(names.begin(), names.end(), pair.a->group) == names.end())
      names.push_back(pair.a->group);
  for (const std::string &name : names) {
    GroupMean group;
    group.group = name;
    std::vector<SamplePair> rows;
    for (const Pair &pair : comparison.pairs) {
      if (pair.a->group != name)
        continue;
      group.aSeconds += pair.a->weight * pair.a->seconds.median;
      group.bSeconds += pair.b->weight * pair.b->seconds.median;
      if (pair.interval != IntervalKind::None)
        rows.push_back({pair.b->samples, pair.a->samples, pair.interval == IntervalKind::Pairs});
    }
    group.rows = rows.size();
    if (rows.empty()) {
      group.verdict = Verdict::TooFew;
    } else {
      group.ratio = runtime::bootstrapGeometricMean(rows, {.draws = 1000});
      group.verdict = verdictOf(group.ratio);
    }
    comparison.groups.push_back(std::move(group));
  }
}

const ResultRow *findRow(const ResultSet &set, const ResultRow &like) {
  auto found = std::find_if(set.rows.begin(), set.rows.end(), [&](const ResultRow &row) {
    return row.name == like.name && row.group == like.group;
  });
  return found == set.rows.end() ? nullptr : &*found;
}

Json estimateJson(const Estimate &e, double scale = 1) {
  Json json = Json::object();
  json.set("median", e.median * scale);
  json.set("low", e.low * scale);
  json.set("high", e.high * scale);
  json.set("samples", uint64_t(e.samples));
  return json;
}

Json namesJson(const std::vector<std::string> &names) {
  Json list = Json::array();
  for (const std::string &name : names)
    list.push(name);
  return list;
}

} // namespace

bool takenInTurns(const ResultSet &a, const ResultSet &b) {
  const Json *left = a.context.find("interleaved"), *right = b.context.find("interleaved");
  return left && right && left->isString() && !left->string().empty() && *left == *right;
}

Expected<Comparison> compareResults(const ResultSet &a, const ResultSet &b, bool paired) {
  Comparison comparison;
  comparison.a = &a;
  comparison.b = &b;
  comparison.paired = paired;
  for (const ResultRow &row : a.rows) {
    if (const ResultRow *other = findRow(b, row))
      comparison.pairs.push_back(compareRows(row, *other, paired));
    else
      comparison.onlyA.push_back(row.name);
  }
  for (const ResultRow &row : b.rows)
    if (!findRow(a, row))
      comparison.onlyB.push_back(row.name);
  if (comparison.pairs.empty())
    return Status::error(Exit::BadInput, "E-COMPARE-NOTHING",
                         "`" + a.name + "` and `" + b.name + "` have no result of one name")
        .cause("the first names are `" + a.rows.front().name + "` and `" + b.rows.front().name + "`")
        .remedy("compare results of the same verb, with the same shapes");
  addGroups(comparison);
  return comparison;
}

Json comparisonJson(const Comparison &comparison) {
  Json root = Json::object(), pairs = Json::array(), groups = Json::array();
  root.set("schema", "quern.compare");
  root.set("schema_version", resultsVersion);
  root.set("a", comparison.a->name);
  root.set("b", comparison.b->name);
  root.set("ratio", "time of B / time of A");
  root.set("interval", "95 %");
  root.set("taken_in_turns", comparison.paired);
  for (const Pair &pair : comparison.pairs) {
    Json &json = pairs.push(Json::object());
    json.set("name", pair.a->name);
    json.set("group", pair.a->group);
    json.set("weight", pair.a->weight);
    json.set("a_us", estimateJson(pair.a->seconds, 1e6));
    json.set("b_us", estimateJson(pair.b->seconds, 1e6));
    json.set("ratio", estimateJson(pair.ratio));
    json.set("interval", intervalName(pair.interval));
    json.set("faster", verdictName(pair.verdict));
  }
  for (const GroupMean &group : comparison.groups) {
    Json &json = groups.push(Json::object());
    json.set("group", group.group);
    json.set("rows", uint64_t(group.rows));
    json.set("geometric_mean", estimateJson(group.ratio));
    json.set("faster", verdictName(group.verdict));
    json.set("a_seconds", group.aSeconds);
    json.set("b_seconds", group.bSeconds);
  }
  root.set("pairs", std::move(pairs));
  root.set("groups", std::move(groups));
  root.set("only_a", namesJson(comparison.onlyA));
  root.set("only_b", namesJson(comparison.onlyB));
  return root;
}

} // namespace quern::report
