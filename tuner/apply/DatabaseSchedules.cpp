//===- DatabaseSchedules.cpp ----------------------------------------------===//
#include "tuner/apply/DatabaseSchedules.h"
#include "kernels/KernelTexts.h"

#include <algorithm>

namespace quern::tuner {

using lowering::CodeTarget;
using lowering::KernelRequest;

Expected<std::optional<KernelKey>> keyOf(const std::string &kernel) {
  const KernelText *space = findKernelSpace(kernel);
  if (!space)
    return std::optional<KernelKey>();
  QUERN_ASSIGN_OR_RETURN(KernelKey key, KernelKey::parse(space->text, kernel, space->path));
  return std::optional(std::move(key));
}

Expected<std::optional<Problem>> problemOfText(const std::string &kernel, std::string_view text,
                                               TokenRange rows) {
  QUERN_ASSIGN_OR_RETURN(std::optional<KernelKey> key, keyOf(kernel));
  return key ? std::optional(key->problem(parametersOfText(text), rows)) : std::nullopt;
}

Expected<std::optional<Problem>> problemOf(const KernelRequest &request, TokenRange rows) {
  return problemOfText(request.kernel, request.text(), rows);
}

/// What tells kernels apart that are asked for: all parameters, not only those of the key.
static std::string parametersText(const KernelRequest &request) {
  const std::string text = request.text();
  return text.substr(scheduleOfText(text).size());
}

/// What a device of the target calls itself: "nvidia:sm_90a" -> "sm_90"; "cpu:x86-64-v4+avx512bf16" ->
/// "x86-64-v4", since a CPU's features stand beside its level.
static std::string architectureOf(const CodeTarget &target) {
  const std::string_view architecture = std::string_view(target.name).substr(target.vendor.size() + 1);
  return std::string(baseArchitecture(target.vendor, architecture.substr(0, architecture.find('+'))));
}

Expected<DatabaseSchedules> DatabaseSchedules::open(const std::string &path, ApplyOptions options) {
  QUERN_ASSIGN_OR_RETURN(Database database, Database::open(path, {.write = false}));
  QUERN_ASSIGN_OR_RETURN(Lookup lookup, Lookup::load(database));
  return DatabaseSchedules(std::move(lookup), std::move(options));
}

DatabaseSchedules::Asked DatabaseSchedules::ask(const KernelRequest &request, const CodeTarget &target,
                                                TokenRange rows) const {
  Expected<std::optional<KernelKey>> key = keyOf(request.kernel);
  Asked asked;
  LookupRequest &question = asked.question;
  question.target = target.name;
  question.compiler = options.compiler;
  question.defaultConfig = request.schedule.str();
  asked.hasSpace = key.ok() && *key && (*key)->isSearched();
  if (!asked.hasSpace) {
    question.problem.kernel = request.kernel;
    question.problem.tokens = rows;
    asked.answer.config = question.defaultConfig;
    asked.answer.why = key.ok() ? "the kernel declares no space to tune in" : key.error().sentence();
    return asked;
  }
  question.problem = (*key)->problem(parametersOfText(request.text()), rows);
  question.architecture = architectureOf(target);
  auto own = std::ranges::find(options.devices, question.architecture, &DeviceIdentity::architecture);
  if (own != options.devices.end())
    question.device = *own;
  question.allowNear = options.allowNear;
  // What one block computes has as many dimensions for every Schedule of a kernel.
  question.usable = [&](const std::string &config) {
    Expected<tile::Schedule> schedule = tile::Schedule::parse(config);
    return schedule.ok() && schedule->tile.size() == request.schedule.tile.size();
  };
  asked.answer = lookup.find(question);
  return asked;
}

std::optional<tile::Schedule> DatabaseSchedules::find(const KernelRequest &request, const CodeTarget &target,
                                                      int64_t firstRows, int64_t lastRows) {
  const Asked asked = ask(request, target, {firstRows, lastRows});
  SliceEntry entry = sliceEntry(asked.question, asked.answer);
  KernelRequest chosen = request;
  if (Expected<tile::Schedule> schedule = tile::Schedule::parse(asked.answer.config); schedule.ok())
    chosen.schedule = *std::move(schedule);
  if (!asked.hasSpace)
    entry.family.clear();
  entry.parameters = parametersText(request);
  entry.symbol = chosen.symbol();
  entries.push_back(std::move(entry));
  if (chosen.schedule == request.schedule)
    return std::nullopt;
  return chosen.schedule;
}

std::vector<int64_t> DatabaseSchedules::starts(const KernelRequest &request, const CodeTarget &target,
                                               int64_t firstRows, int64_t lastRows) {
  std::vector<int64_t> result = {firstRows};
  Expected<std::optional<KernelKey>> key = keyOf(request.kernel);
  if (!key.ok() || !*key)
    return result;
  std::optional<LookupAnswer> before;
  auto next = [&](int64_t first, int64_t last) {
    LookupAnswer answer = ask(request, target, {first, last}).answer;
    if (before && (answer.config != before->config || answer.nearness != before->nearness))
      result.push_back(first);
    before = std::move(answer);
  };
  int64_t known = firstRows - 1;
  for (TokenRange bucket : (*key)->buckets({firstRows, lastRows})) {
    known = std::min(bucket.last, lastRows);
    next(std::max(bucket.first, firstRows), known);
  }
  if (known < lastRows)
    next(known + 1, lastRows);
  return result;
}

std::optional<tile::Schedule> FrozenSchedules::find(const KernelRequest &request, const CodeTarget &target,
                                                    int64_t firstRows, int64_t lastRows) {
  const std::string parameters = parametersText(request);
  for (const SliceEntry &entry : entries)
    if (entry.target == target.name && entry.kernel == request.kernel && entry.parameters == parameters &&
        entry.rows == TokenRange{firstRows, lastRows})
      if (Expected<tile::Schedule> schedule = tile::Schedule::parse(entry.config); schedule.ok())
        return *std::move(schedule);
  return std::nullopt;
}

std::vector<int64_t> FrozenSchedules::starts(const KernelRequest &request, const CodeTarget &target,
                                             int64_t firstRows, int64_t lastRows) {
  const std::string parameters = parametersText(request);
  std::vector<int64_t> result = {firstRows};
  for (const SliceEntry &entry : entries)
    if (entry.target == target.name && entry.kernel == request.kernel && entry.parameters == parameters &&
        entry.rows.first > firstRows && entry.rows.last <= lastRows)
      result.push_back(entry.rows.first);
  std::ranges::sort(result);
  const auto same = std::ranges::unique(result);
  result.erase(same.begin(), same.end());
  return result;
}

} // namespace quern::tuner
