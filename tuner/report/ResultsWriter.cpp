//===- ResultsWriter.cpp - Results as the files that Results.h names ------===//
#include "tuner/report/Results.h"

#include <cmath>

namespace quern::report {

namespace {

Json contextOf(const ResultSet &set, const char *schema) {
  Json context = Json::object();
  context.set("schema", schema);
  context.set("schema_version", resultsVersion);
  for (const Json::Member &member : set.context.members())
    context.set(member.key, member.value);
  for (auto [key, rates] : {std::pair("peaks", &set.peaks), std::pair("limits", &set.limits)}) {
    if (!rates->operationsPerSecond && !rates->bytesPerSecond)
      continue;
    Json &json = context.set(key, Json::object());
    json.set("operations_per_second", rates->operationsPerSecond);
    json.set("bytes_per_second", rates->bytesPerSecond);
  }
  return context;
}

Json listOf(const std::vector<double> &samples, double scale) {
  Json list = Json::array();
  for (double sample : samples)
    list.push(sample * scale);
  return list;
}

/// Mean and standard deviation, as llama-bench gives them.
std::pair<double, double> moments(const std::vector<double> &values) {
  double sum = 0, squares = 0;
  for (double value : values)
    sum += value;
  const double mean = sum / double(values.size());
  for (double value : values)
    squares += (value - mean) * (value - mean);
  return {mean, values.size() > 1 ? std::sqrt(squares / double(values.size() - 1)) : 0};
}

} // namespace

Json kernelResults(const ResultSet &set) {
  Json root = Json::object(), list = Json::array();
  root.set("context", contextOf(set, kernelSchema));
  for (const ResultRow &row : set.rows) {
    Json &json = list.push(Json::object());
    json.set("name", row.name);
    json.set("run_name", row.name);
    json.set("run_type", "iteration");
    json.set("repetitions", uint64_t(row.samples.size()));
    json.set("iterations", uint64_t(row.samples.size()));
    json.set("real_time", row.seconds.median * 1e6);
    json.set("cpu_time", row.seconds.median * 1e6);
    json.set("time_unit", "us");
    json.set("real_time_low", row.seconds.low * 1e6);
    json.set("real_time_high", row.seconds.high * 1e6);
    json.set("real_time_min", row.seconds.minimum * 1e6);
    json.set("launches_per_step", row.weight);
    if (row.operations)
      json.set("operations", row.operations);
    if (row.bytes)
      json.set("bytes", row.bytes);
    for (const auto &[key, value] : row.facts)
      json.set(key, value);
    json.set("samples", listOf(row.samples, 1e6));
  }
  root.set("benchmarks", std::move(list));
  return root;
}

Json modelRow(const ResultSet &set, const ResultRow &row) {
  Json json = Json::object();
  for (const auto &[column, key] : {std::pair("device", "device"),
                                    {"device_description", "device_description"},
                                    {"driver", "driver"},
                                    {"target", "target"},
                                    {"rung", "rung"},
                                    {"build_compiler", "compiler"},
                                    {"model_filename", "artifact"},
                                    {"model_size", "model_bytes"},
                                    {"n_threads", "threads"}})
    if (const Json *value = set.context.find(key))
      json.set(column, *value);
  for (const char *key : {"n_prompt", "n_gen", "n_depth"}) {
    auto fact = row.facts.find(key);
    json.set(key, fact == row.facts.end() ? int64_t(0) : int64_t(std::stoll(fact->second)));
  }
  json.set("test", row.name);
  const auto [mean, deviation] = moments(row.samples);
  std::vector<double> rates;
  for (double seconds : row.samples)
    rates.push_back(double(row.tokens) / seconds);
  const auto [rate, rateDeviation] = moments(rates);
  json.set("avg_ns", std::round(mean * 1e9));
  json.set("stddev_ns", std::round(deviation * 1e9));
  json.set("avg_ts", rate);
  json.set("stddev_ts", rateDeviation);
  json.set("median_ns", std::round(row.seconds.median * 1e9));
  json.set("low_ns", std::round(row.seconds.low * 1e9));
  json.set("high_ns", std::round(row.seconds.high * 1e9));
  Json nanoseconds = Json::array(), tokens = Json::array();
  for (double seconds : row.samples)
    nanoseconds.push(std::round(seconds * 1e9));
  for (double one : rates)
    tokens.push(one);
  json.set("samples_ns", std::move(nanoseconds));
  json.set("samples_ts", std::move(tokens));
  return json;
}

Json modelResults(const ResultSet &set) {
  Json root = Json::object(), rows = Json::array();
  root.set("schema", modelSchema);
  root.set("schema_version", resultsVersion);
  root.set("context", contextOf(set, modelSchema));
  for (const ResultRow &row : set.rows)
    rows.push(modelRow(set, row));
  root.set("rows", std::move(rows));
  return root;
}

} // namespace quern::report
