//===- StepTimes.cpp ------------------------------------------------------===//
#include "runtime/measure/StepTimes.h"
#include "runtime/measure/KernelWork.h"

#include <cassert>

namespace quern::runtime {

namespace {

std::string scalarsOf(std::span<const Argument> arguments) {
  std::string text;
  for (const Argument &argument : arguments)
    if (argument.kind != ArgumentKind::Pointer)
      text += (text.empty() ? "" : ",") + std::to_string(argument.bits);
  return text;
}

/// One step of a fresh sequence; |sink| gets the logits of its last token.
Status runStep(Session &session, int64_t tokens, const Session::RowSink &sink) {
  QUERN_ASSIGN_OR_RETURN(int32_t sequence, session.begin());
  std::vector<uint32_t> ids = benchTokens(tokens, session.plan().validVocabulary);
  Feed feed{sequence, ids, RowChoice::Last};
  Status status = session.run(std::span(&feed, 1), sink);
  Status ended = session.end(sequence);
  return status.ok() ? std::move(ended) : std::move(status);
}

Status noKernel(const std::string &filter) {
  return Status::error(Exit::Usage, "E-BENCH-KERNEL",
                       "no kernel of the step has `" + filter + "` in its text")
      .remedy("`quern inspect` lists the kernels");
}

} // namespace

std::vector<uint32_t> benchTokens(int64_t count, int64_t vocabulary) {
  std::vector<uint32_t> ids(static_cast<size_t>(count));
  for (size_t i = 0; i < ids.size(); ++i)
    ids[i] = uint32_t((i * 7919 + 13) % uint64_t(vocabulary));
  return ids;
}

std::string StepKernel::name(int64_t tokens) const {
  return text.substr(0, text.find('{')) + "/" + note + "/tokens:" + std::to_string(tokens);
}

std::optional<size_t> LaunchGroups::find(const ObservedLaunch &launch) {
  const PlanKernel &kernel = plan.kernels[size_t(launch.launch.kernel)];
  if (kernel.text.find(filter) == std::string::npos)
    return std::nullopt;
  auto [it, fresh] = known.try_emplace(
      {launch.launch.kernel, launch.launch.note, scalarsOf(launch.arguments)}, kernels.size());
  if (fresh) {
    StepKernel &one = kernels.emplace_back();
    one.symbol = kernel.symbol;
    one.text = kernel.text;
    one.note = launch.launch.note;
    one.scalars = scalarsOf(launch.arguments);
    one.blocks = launch.shape.blocks;
    one.threads = launch.shape.threads;
    one.work = kernelWork(kernel.text, rowsOf(launch.arguments));
  }
  return it->second;
}

Expected<std::vector<KernelTime>> timeKernels(Session &session, int64_t tokens, const std::string &filter,
                                              const MeasureOptions &options,
                                              const std::optional<DeviceLimits> &limits) {
  assert(tokens >= 1 && tokens <= session.tokensPerStep() && "one step");
  Device &device = session.launchDevice();
  QUERN_ASSIGN_OR_RETURN(Stopwatch stopwatch, Stopwatch::create(device));
  if (limits)
    stopwatch.limits = *limits;
  std::vector<KernelTime> times;
  LaunchGroups groups(session.plan(), filter);
  session.launches().observe([&](const ObservedLaunch &observed) -> Status {
    if (!observed.done)
      return Status::success();
    std::optional<size_t> group = groups.find(observed);
    if (!group)
      return Status::success();
    if (*group == times.size()) {
      KernelTime &time = times.emplace_back();
      static_cast<StepKernel &>(time) = groups.kernels[*group];
      QUERN_ASSIGN_OR_RETURN(
          time.measurement,
          stopwatch.measure([&] { return device.launch(observed.kernel, observed.shape, observed.passed); },
                            time.work, options));
    }
    ++times[*group].launches;
    return Status::success();
  });
  Status status =
      runStep(session, tokens, [](size_t, size_t, std::span<const float>) { return Status::success(); });
  session.launches().observe({});
  QUERN_RETURN_IF_ERROR(std::move(status));
  if (times.empty())
    return noKernel(filter);
  return std::move(times);
}

Expected<StepSampler> StepSampler::create(Session &session, int64_t tokens, const std::string &filter,
                                          CacheState cache) {
  assert(tokens >= 1 && tokens <= session.tokensPerStep() && "one step");
  StepSampler sampler(session, tokens, filter);
  Device &device = session.launchDevice();
  QUERN_ASSIGN_OR_RETURN(sampler.timer, device.timer());
  if (cache == CacheState::Cold) {
    QUERN_ASSIGN_OR_RETURN(sampler.flush, device.allocate(flushBytesOf(deviceLimits(device.info()))));
  }
  return std::move(sampler);
}

Expected<std::vector<double>> StepSampler::sample() {
  Device &device = session->launchDevice();
  std::vector<double> sums;
  std::vector<uint32_t> counts;
  // The mark behind a launch is queued with it, without waiting in between: the host's time is then no part
  // of the device's.
  auto observer = [&](const ObservedLaunch &observed) -> Status {
    std::optional<size_t> group = groups.find(observed);
    if (!group)
      return Status::success();
    if (!observed.done) {
      if (flush)
        QUERN_RETURN_IF_ERROR(device.fill(*flush, 0, flush->size(), ++flushValue));
      return timer->start();
    }
    QUERN_RETURN_IF_ERROR(timer->stop());
    QUERN_ASSIGN_OR_RETURN(double seconds, timer->seconds());
    if (!(seconds > 0))
      return Status::error(Exit::Unexpected, "E-MEASURE-NO-TIME",
                           "the clock of `" + device.info().name + "` did not move during a run");
    sums.resize(groups.kernels.size());
    counts.resize(groups.kernels.size());
    sums[*group] += seconds;
    ++counts[*group];
    return Status::success();
  };
  session->launches().observe(observer, /*wait=*/false);
  Status status = runStep(*session, tokens, [&](size_t, size_t, std::span<const float> row) {
    lastLogits.assign(row.begin(), row.end());
    return Status::success();
  });
  session->launches().observe({});
  QUERN_RETURN_IF_ERROR(std::move(status));
  if (sums.empty())
    return noKernel(groups.wanted());
  for (size_t i = 0; i < sums.size(); ++i) {
    groups.kernels[i].launches = counts[i];
    sums[i] /= counts[i];
  }
  return std::move(sums);
}

} // namespace quern::runtime
