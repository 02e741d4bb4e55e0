//===- Trial.cpp ----------------------------------------------------------===//
#include "tuner/measure/Trial.h"

#include "support/ChildProcess.h"

#include <algorithm>
#include <cmath>

namespace quern::tuner {

//===----------------------------------------------------------------------===//
// Candidates: a field of JSON and one of code
//===----------------------------------------------------------------------===//

std::string writeCandidate(const Candidate &candidate) {
  Json root = Json::object(), grid = Json::array();
  root.set("schedule", candidate.schedule);
  root.set("symbol", candidate.symbol);
  root.set("threads", candidate.threads);
  root.set("shared_bytes", candidate.sharedBytes);
  root.set("scratch", candidate.scratch);
  for (const CandidateGrid &d : candidate.grid) {
    Json &row = grid.push(Json::object());
    row.set("argument", d.argument);
    row.set("extent", d.extent);
    row.set("step", d.step);
  }
  root.set("grid", std::move(grid));
  return messageField(writeJson(root)) + messageField(candidate.code);
}

Expected<Candidate> readCandidate(std::string_view bytes) {
  Candidate candidate;
  std::optional<std::string> text = takeField(bytes);
  std::optional<std::string> code = text ? takeField(bytes) : std::nullopt;
  if (!code || !bytes.empty() || code->empty())
    return Status::error(Exit::BadInput, "E-BUNDLE-CANDIDATE", "a candidate is damaged");
  candidate.code = *std::move(code);
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(*text, {.name = "candidate"}));
  JsonRef root = document.root();
  QUERN_ASSIGN_OR_RETURN(std::string_view schedule, root.getString("schedule"));
  QUERN_ASSIGN_OR_RETURN(std::string_view symbol, root.getString("symbol"));
  candidate.schedule = schedule;
  candidate.symbol = symbol;
  QUERN_ASSIGN_OR_RETURN(int64_t threads, root.getInt("threads", {1, 1024}));
  QUERN_ASSIGN_OR_RETURN(int64_t shared, root.getInt("shared_bytes", {0, int64_t(1) << 30}));
  QUERN_ASSIGN_OR_RETURN(candidate.scratch, root.getBool("scratch"));
  candidate.threads = uint32_t(threads);
  candidate.sharedBytes = uint32_t(shared);
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> grid, root.getArray("grid"));
  for (JsonRef row : grid) {
    CandidateGrid d;
    QUERN_ASSIGN_OR_RETURN(int64_t argument, row.getInt("argument", {-1, 255}));
    QUERN_ASSIGN_OR_RETURN(d.extent, row.getInt("extent", {0, INT32_MAX}));
    QUERN_ASSIGN_OR_RETURN(d.step, row.getInt("step", {1, INT32_MAX}));
    d.argument = int32_t(argument);
    candidate.grid.push_back(d);
  }
  return std::move(candidate);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

Json trialToJson(const TrialResult &result) {
  Json root = Json::object();
  root.set("outcome", outcomeName(result.outcome));
  if (!result.ok()) {
    root.set("cause", result.cause);
    return root;
  }
  root.set("cache", runtime::cacheStateName(result.cache));
  root.set("runs_per_sample", result.runsPerSample);
  Json &samples = root.set("samples", Json::array());
  for (double seconds : result.samples)
    samples.push(seconds);
  return root;
}

Expected<TrialResult> trialFromJson(JsonRef json) {
  TrialResult result;
  QUERN_ASSIGN_OR_RETURN(std::string_view outcome, json.getString("outcome"));
  QUERN_ASSIGN_OR_RETURN(result.outcome, parseOutcome(outcome));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> cause, json.findString("cause"));
  result.cause = cause.value_or("");
  if (!result.ok())
    return std::move(result);
  QUERN_ASSIGN_OR_RETURN(std::string_view cache, json.getString("cache"));
  result.cache = cache == "warm" ? runtime::CacheState::Warm : runtime::CacheState::Cold;
  QUERN_ASSIGN_OR_RETURN(int64_t runs, json.getInt("runs_per_sample", {1, INT32_MAX}));
  result.runsPerSample = uint32_t(runs);
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> samples, json.getArray("samples"));
  for (JsonRef sample : samples) {
    QUERN_ASSIGN_OR_RETURN(double seconds, sample.asFloat());
    if (!(seconds > 0) || !std::isfinite(seconds))
      return json.error("E-TRIAL-RESULT", "a trial took no time");
    result.samples.push_back(seconds);
  }
  if (result.samples.empty())
    return json.error("E-TRIAL-RESULT", "a trial that is ok has no samples");
  return std::move(result);
}

} // namespace quern::tuner
