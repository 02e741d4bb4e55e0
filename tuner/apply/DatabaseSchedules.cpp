//===- DatabaseSchedules.cpp ----------------------------------------------===//
#include "tuner/apply/DatabaseSchedules.h"
#include "kernels/KernelTexts.h"

#include <algorithm>

namespace quern::tuner {

using lowering::CodeTarget;
using lowering::KernelRequest;

Expected<std::optional<Problem>> problemOfText(const std::string &kernel, std::string_view text,
                                               TokenRange rows) {
  const KernelText *space = findKernelSpace(kernel);
  if (!space)
    return std::optional<Problem>();
  QUERN_ASSIGN_OR_RETURN(KernelKey key, KernelKey::parse(space->text, kernel, space->path));
  return std::optional(key.problem(parametersOfText(text), rows));
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

std::optional<tile::Schedule> DatabaseSchedules::find(const KernelRequest &request, const CodeTarget &target,
                                                      int64_t firstRows, int64_t lastRows) {
  const TokenRange rows{firstRows, lastRows};
  Expected<std::optional<Problem>> problem = problemOf(request, rows);
  LookupRequest question;
  question.target = target.name;
  question.compiler = options.compiler;
  question.defaultConfig = request.schedule.str();
  LookupAnswer answer;
  if (problem.ok() && *problem) {
    question.problem = **problem;
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
    answer = lookup.find(question);
  } else {
    question.problem.kernel = request.kernel;
    question.problem.tokens = rows;
    answer.config = question.defaultConfig;
    answer.why = problem.ok() ? "the kernel declares no space to tune in" : problem.error().sentence();
  }
  SliceEntry entry = sliceEntry(question, answer);
  KernelRequest chosen = request;
  if (Expected<tile::Schedule> schedule = tile::Schedule::parse(answer.config); schedule.ok())
    chosen.schedule = *std::move(schedule);
  if (!problem.ok() || !*problem)
    entry.family.clear();
  entry.parameters = parametersText(request);
  entry.symbol = chosen.symbol();
  entries.push_back(std::move(entry));
  if (chosen.schedule == request.schedule)
    return std::nullopt;
  return chosen.schedule;
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

} // namespace quern::tuner
