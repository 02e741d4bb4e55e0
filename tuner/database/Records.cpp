//===- Records.cpp --------------------------------------------------------===//
#include "tuner/database/Records.h"
#include "dialects/tile/Schedule.h"
#include "support/Hash.h"

#include <cmath>

namespace quern::tuner {

/// 32 hexadecimal digits of a digest: enough that no two things share a key.
static std::string keyOf(std::string_view text) { return sha256(text).hex().substr(0, 32); }

std::string TokenRange::text() const {
  return first == last ? std::to_string(first) : std::to_string(first) + ".." + std::to_string(last);
}

std::string Problem::family() const {
  std::string text = kernel;
  for (const auto &[name, value] : parameters)
    text += " " + name + "=" + value;
  return text + " dtype=" + dtype;
}
std::string Problem::text() const { return family() + " T=" + tokens.text(); }
std::string Problem::key() const { return keyOf("problem " + text()); }
std::string Problem::familyKey() const { return keyOf("family " + family()); }

std::string DeviceIdentity::text() const {
  return hardware + " " + architecture + " units=" + std::to_string(units) + " partition=" + partition +
         " memory=" + std::to_string(memoryClockMhz);
}
std::string DeviceIdentity::key() const { return keyOf("device " + text()); }

uint32_t memoryClockClass(uint32_t mhz) { return (mhz + 25) / 50 * 50; }

std::string Toolchain::text() const {
  return "compiler=" + compiler + " target=" + target + " driver=" + driver;
}
std::string Toolchain::key() const { return keyOf("toolchain " + text()); }

static constexpr const char *outcomeNames[outcomeCount] = {"ok",         "wrong", "compile failed",
                                                           "run failed", "hung",  "out of memory"};

const char *outcomeName(Outcome outcome) { return outcomeNames[size_t(outcome)]; }

static Status recordError(std::string sentence) {
  return Status::error(Exit::BadInput, "E-DATABASE-RECORD", std::move(sentence));
}

Expected<Outcome> parseOutcome(std::string_view name) {
  for (size_t i = 0; i < outcomeCount; ++i)
    if (name == outcomeNames[i])
      return Outcome(i);
  return recordError("there is no outcome `" + std::string(name) + "`");
}

std::string Measurement::key() const { return keyOf("measurement " + writeJson(toJson(*this))); }
std::string Decision::key() const { return keyOf("decision " + writeJson(toJson(*this))); }
std::string Seed::key() const { return keyOf("seed " + writeJson(toJson(*this))); }

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static Status checkProblem(const Problem &problem) {
  if (problem.kernel.empty() || problem.kernel.find_first_of(" {}") != std::string::npos)
    return recordError("`" + problem.kernel + "` is no name of a kernel");
  for (const auto &[name, value] : problem.parameters)
    if (name.empty() || value.empty() || (name + value).find_first_of(" =\n") != std::string::npos)
      return recordError("the parameter `" + name + "=" + value + "` of `" + problem.kernel + "` is no word");
  if (problem.tokens.first < 1 || problem.tokens.last < problem.tokens.first)
    return recordError("`" + problem.text() + "` has an empty range of tokens");
  return Status::success();
}

static Status checkConfig(const Problem &problem, const std::string &config) {
  Expected<tile::Schedule> schedule = tile::Schedule::parse(config);
  if (!schedule.ok())
    return recordError("`" + config + "` is no configuration").cause(schedule.error().message());
  if (schedule->str() != config)
    return recordError("`" + config + "` is not the canonical text of its configuration")
        .cause("that is `" + schedule->str() + "`");
  if (schedule->kernel != problem.kernel)
    return recordError("`" + config + "` is no configuration of the kernel `" + problem.kernel + "`");
  return Status::success();
}

Status check(const Measurement &m) {
  QUERN_RETURN_IF_ERROR(checkProblem(m.problem));
  QUERN_RETURN_IF_ERROR(checkConfig(m.problem, m.config));
  if (m.device.hardware.empty() || m.device.architecture.empty())
    return recordError("a measurement of `" + m.problem.text() +
                       "` does not say on which device it was taken");
  if (m.toolchain.compiler.empty())
    return recordError("a measurement of `" + m.problem.text() +
                       "` does not say which compiler made the code");
  if (!m.problem.tokens.contains(m.tokens))
    return recordError("a measurement of `" + m.problem.text() + "` was taken at " +
                       std::to_string(m.tokens) + " tokens, which are outside of the range");
  if ((m.outcome == Outcome::Ok) == m.samples.empty())
    return recordError("a measurement of `" + m.problem.text() + "` has the outcome `" +
                       outcomeName(m.outcome) + "` and " + std::to_string(m.samples.size()) + " samples");
  for (double seconds : m.samples)
    if (!(seconds > 0) || !std::isfinite(seconds))
      return recordError("a measurement of `" + m.problem.text() + "` has a sample that is no time");
  if (m.cache != "cold" && m.cache != "warm")
    return recordError("a measurement of `" + m.problem.text() + "` has an unknown cache state `" + m.cache +
                       "`");
  if (!std::isfinite(m.error) || m.runsPerSample == 0 || !m.facts.isObject())
    return recordError("a measurement of `" + m.problem.text() + "` contradicts itself");
  return Status::success();
}

Status check(const Seed &seed) {
  QUERN_RETURN_IF_ERROR(checkProblem(seed.problem));
  QUERN_RETURN_IF_ERROR(checkConfig(seed.problem, seed.config));
  if (!(seed.seconds >= 0) || !std::isfinite(seed.seconds))
    return recordError("a seed of `" + seed.problem.text() + "` claims a time that is none");
  return Status::success();
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

static Json problemToJson(const Problem &problem) {
  Json json = Json::object(), parameters = Json::object();
  for (const auto &[name, value] : problem.parameters)
    parameters.set(name, value);
  json.set("kernel", problem.kernel);
  json.set("parameters", std::move(parameters));
  json.set("dtype", problem.dtype);
  json.set("first", problem.tokens.first);
  json.set("last", problem.tokens.last);
  return json;
}

static Expected<Problem> problemFromJson(JsonRef json) {
  Problem problem;
  QUERN_ASSIGN_OR_RETURN(problem.kernel, json.getString("kernel"));
  QUERN_ASSIGN_OR_RETURN(JsonRef parameters, json.getObject("parameters"));
  QUERN_ASSIGN_OR_RETURN(auto members, parameters.asObject());
  for (const auto &[name, value] : members) {
    QUERN_ASSIGN_OR_RETURN(std::string_view text, value.asString());
    problem.parameters.emplace(name, text);
  }
  QUERN_ASSIGN_OR_RETURN(problem.dtype, json.getString("dtype"));
  QUERN_ASSIGN_OR_RETURN(problem.tokens.first, json.getInt("first", {1}));
  QUERN_ASSIGN_OR_RETURN(problem.tokens.last, json.getInt("last", {1}));
  return std::move(problem);
}

static Json deviceToJson(const DeviceIdentity &device) {
  Json json = Json::object();
  json.set("hardware", device.hardware);
  json.set("architecture", device.architecture);
  json.set("units", device.units);
  json.set("partition", device.partition);
  json.set("memory_clock_mhz", device.memoryClockMhz);
  return json;
}

static Json toolchainToJson(const Toolchain &toolchain) {
  Json json = Json::object();
  json.set("compiler", toolchain.compiler);
  json.set("target", toolchain.target);
  json.set("driver", toolchain.driver);
  return json;
}

// Labels (the device's name, the compiler's version) are no part of what a key is made of, so they are added
// by the writers of whole lines, see Exchange.cpp.
Json toJson(const Measurement &m) {
  Json json = Json::object(), samples = Json::array();
  for (double seconds : m.samples)
    samples.push(seconds);
  json.set("record", "measurement");
  json.set("problem", problemToJson(m.problem));
  json.set("device", deviceToJson(m.device));
  json.set("toolchain", toolchainToJson(m.toolchain));
  json.set("config", m.config);
  json.set("tokens", m.tokens);
  json.set("default", m.isDefault);
  json.set("outcome", outcomeName(m.outcome));
  json.set("samples", std::move(samples));
  json.set("runs_per_sample", m.runsPerSample);
  json.set("cache", m.cache);
  json.set("seed", m.seed);
  json.set("error", m.error);
  json.set("timestamp", m.timestamp);
  json.set("session", m.session);
  json.set("detail", m.detail);
  json.set("facts", m.facts);
  return json;
}

Json toJson(const Decision &decision) {
  Json json = Json::object();
  json.set("record", "decision");
  json.set("family", decision.family);
  json.set("device", decision.device);
  json.set("config", decision.config);
  json.set("kind", decision.kind == Decision::Kind::Revert ? "revert" : "restore");
  json.set("timestamp", decision.timestamp);
  json.set("note", decision.note);
  return json;
}

Json toJson(const Seed &seed) {
  Json json = Json::object();
  json.set("record", "seed");
  json.set("problem", problemToJson(seed.problem));
  json.set("device", seed.device);
  json.set("config", seed.config);
  json.set("source", seed.source);
  json.set("seconds", seed.seconds);
  return json;
}

Expected<Measurement> measurementFromJson(JsonRef json) {
  Measurement m;
  QUERN_ASSIGN_OR_RETURN(JsonRef problem, json.getObject("problem"));
  QUERN_ASSIGN_OR_RETURN(m.problem, problemFromJson(problem));
  QUERN_ASSIGN_OR_RETURN(JsonRef device, json.getObject("device"));
  QUERN_ASSIGN_OR_RETURN(m.device.hardware, device.getString("hardware"));
  QUERN_ASSIGN_OR_RETURN(m.device.architecture, device.getString("architecture"));
  QUERN_ASSIGN_OR_RETURN(int64_t units, device.getInt("units", {0, UINT32_MAX}));
  QUERN_ASSIGN_OR_RETURN(m.device.partition, device.getString("partition"));
  QUERN_ASSIGN_OR_RETURN(int64_t clock, device.getInt("memory_clock_mhz", {0, UINT32_MAX}));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> name, device.findString("name"));
  m.device.units = uint32_t(units);
  m.device.memoryClockMhz = uint32_t(clock);
  m.device.name = name.value_or("");
  QUERN_ASSIGN_OR_RETURN(JsonRef toolchain, json.getObject("toolchain"));
  QUERN_ASSIGN_OR_RETURN(m.toolchain.compiler, toolchain.getString("compiler"));
  QUERN_ASSIGN_OR_RETURN(m.toolchain.target, toolchain.getString("target"));
  QUERN_ASSIGN_OR_RETURN(m.toolchain.driver, toolchain.getString("driver"));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> version, toolchain.findString("version"));
  m.toolchain.version = version.value_or("");
  QUERN_ASSIGN_OR_RETURN(m.config, json.getString("config"));
  QUERN_ASSIGN_OR_RETURN(m.tokens, json.getInt("tokens", {1}));
  QUERN_ASSIGN_OR_RETURN(m.isDefault, json.getBool("default"));
  QUERN_ASSIGN_OR_RETURN(std::string_view outcome, json.getString("outcome"));
  QUERN_ASSIGN_OR_RETURN(m.outcome, parseOutcome(outcome));
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> samples, json.getArray("samples"));
  for (JsonRef sample : samples) {
    QUERN_ASSIGN_OR_RETURN(double seconds, sample.asFloat());
    m.samples.push_back(seconds);
  }
  QUERN_ASSIGN_OR_RETURN(int64_t runs, json.getInt("runs_per_sample", {1, UINT32_MAX}));
  m.runsPerSample = uint32_t(runs);
  QUERN_ASSIGN_OR_RETURN(m.cache, json.getString("cache"));
  QUERN_ASSIGN_OR_RETURN(m.seed, json.getUInt("seed"));
  QUERN_ASSIGN_OR_RETURN(m.error, json.getFloat("error"));
  QUERN_ASSIGN_OR_RETURN(m.timestamp, json.getInt("timestamp"));
  QUERN_ASSIGN_OR_RETURN(m.session, json.getString("session"));
  QUERN_ASSIGN_OR_RETURN(m.detail, json.getString("detail"));
  QUERN_ASSIGN_OR_RETURN(JsonRef facts, json.getObject("facts"));
  m.facts = facts.value();
  QUERN_RETURN_IF_ERROR(check(m));
  return std::move(m);
}

Expected<Decision> decisionFromJson(JsonRef json) {
  Decision decision;
  QUERN_ASSIGN_OR_RETURN(decision.family, json.getString("family"));
  QUERN_ASSIGN_OR_RETURN(decision.device, json.getString("device"));
  QUERN_ASSIGN_OR_RETURN(decision.config, json.getString("config"));
  QUERN_ASSIGN_OR_RETURN(std::string_view kind, json.getString("kind"));
  if (kind != "revert" && kind != "restore")
    return recordError("there is no decision `" + std::string(kind) + "`");
  decision.kind = kind == "revert" ? Decision::Kind::Revert : Decision::Kind::Restore;
  QUERN_ASSIGN_OR_RETURN(decision.timestamp, json.getInt("timestamp"));
  QUERN_ASSIGN_OR_RETURN(decision.note, json.getString("note"));
  return std::move(decision);
}

Expected<Seed> seedFromJson(JsonRef json) {
  Seed seed;
  QUERN_ASSIGN_OR_RETURN(JsonRef problem, json.getObject("problem"));
  QUERN_ASSIGN_OR_RETURN(seed.problem, problemFromJson(problem));
  QUERN_ASSIGN_OR_RETURN(seed.device, json.getString("device"));
  QUERN_ASSIGN_OR_RETURN(seed.config, json.getString("config"));
  QUERN_ASSIGN_OR_RETURN(seed.source, json.getString("source"));
  QUERN_ASSIGN_OR_RETURN(seed.seconds, json.getFloat("seconds"));
  QUERN_RETURN_IF_ERROR(check(seed));
  return std::move(seed);
}

} // namespace quern::tuner
