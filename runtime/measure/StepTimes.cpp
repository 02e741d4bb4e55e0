//===- StepTimes.cpp ------------------------------------------------------===//
#include "runtime/measure/StepTimes.h"

#include <cassert>
#include <tuple>

namespace quern::runtime {

namespace {

std::string scalarsOf(std::span<const Argument> arguments) {
  std::string text;
  for (const Argument &argument : arguments)
    if (argument.kind != ArgumentKind::Pointer)
      text += (text.empty() ? "" : ",") + std::to_string(argument.bits);
  return text;
}

/// Token ids that repeat seldom.
std::vector<uint32_t> tokenIds(int64_t count, int64_t vocabulary) {
  std::vector<uint32_t> ids(static_cast<size_t>(count));
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = uint32_t((i * 7919 + 13) % uint64_t(vocabulary));
  return ids;
}

} // namespace

Expected<std::vector<KernelTime>> timeKernels(Session &session, int64_t tokens, const std::string &filter,
                                              const MeasureOptions &options) {
  assert(tokens >= 1 && tokens <= session.tokensPerStep() && "one step");
  Device &device = session.launchDevice();
  QUERN_ASSIGN_OR_RETURN(Stopwatch stopwatch, Stopwatch::create(device));
  const Plan &plan = session.plan();
  std::vector<KernelTime> times;
  // What makes two launches the same work: the kernel, what it is for and its scalars, not where its data
  // lie.
  std::map<std::tuple<int32_t, std::string, std::string>, size_t> known;
  session.launches().observe([&](const ObservedLaunch &observed) -> Status {
    const PlanKernel &kernel = plan.kernels[size_t(observed.launch.kernel)];
    if (!observed.done || kernel.text.find(filter) == std::string::npos)
      return Status::success();
    auto [it, fresh] = known.try_emplace(
        {observed.launch.kernel, observed.launch.note, scalarsOf(observed.arguments)}, times.size());
    if (!fresh) {
      ++times[it->second].launches;
      return Status::success();
    }
    KernelTime &time = times.emplace_back();
    time.symbol = kernel.symbol;
    time.text = kernel.text;
    time.note = observed.launch.note;
    time.scalars = scalarsOf(observed.arguments);
    time.blocks = observed.shape.blocks;
    time.launches = 1;
    QUERN_ASSIGN_OR_RETURN(
        time.measurement,
        stopwatch.measure([&] { return device.launch(observed.kernel, observed.shape, observed.arguments); },
                          {}, options));
    return Status::success();
  });
  auto step = [&]() -> Status {
    QUERN_ASSIGN_OR_RETURN(int32_t sequence, session.begin());
    std::vector<uint32_t> ids = tokenIds(tokens, plan.validVocabulary);
    Feed feed{sequence, ids, RowChoice::Last};
    Status status = session.run(std::span(&feed, 1),
                                [](size_t, size_t, std::span<const float>) { return Status::success(); });
    Status ended = session.end(sequence);
    return status.ok() ? std::move(ended) : std::move(status);
  };
  Status status = step();
  session.launches().observe({});
  QUERN_RETURN_IF_ERROR(std::move(status));
  if (times.empty())
    return Status::error(Exit::Usage, "E-BENCH-KERNEL",
                         "no kernel of the step has `" + filter + "` in its text")
        .remedy("`quern inspect` lists the kernels");
  return std::move(times);
}

} // namespace quern::runtime
