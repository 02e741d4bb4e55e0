//===- TrialRunner.cpp ----------------------------------------------------===//
#include "tuner/measure/TrialRunner.h"

#include <algorithm>

namespace quern::tuner {

using namespace quern::runtime;

/// Bytes before and behind every buffer: NaN around an input, the sentinel around an output.
static constexpr uint64_t guardBytes = 4096;
static constexpr uint8_t nanByte = 0xFF;

struct TrialRunner::PlacedCase {
  KernelCase given;
  std::vector<std::unique_ptr<Buffer>> buffers; ///< of the arguments; null for those without
  std::vector<Argument> arguments;
};

struct TrialRunner::Loaded {
  const Candidate &candidate;
  std::unique_ptr<Module> module;
  Kernel *kernel = nullptr;
};

TrialRunner::TrialRunner(Device &device) : device(device) {}
TrialRunner::~TrialRunner() = default;

Status TrialRunner::begin(const TrialProblem &problem) {
  if (!stopwatch) {
    QUERN_ASSIGN_OR_RETURN(Stopwatch made, Stopwatch::create(device));
    stopwatch = std::make_unique<Stopwatch>(std::move(made));
  }
  cases.clear();
  work = problem.work;
  for (const KernelCase &given : problem.cases) {
    auto placed = std::make_unique<PlacedCase>();
    placed->given = given;
    for (const CaseArgument &argument : given.arguments) {
      std::unique_ptr<Buffer> buffer;
      Argument slot{ArgumentKind::Pointer, 0};
      if (argument.kind == CaseArgument::Kind::Scalar)
        slot = {ArgumentKind::I32, uint64_t(uint32_t(int32_t(argument.scalar)))};
      if (argument.kind == CaseArgument::Kind::Input || argument.kind == CaseArgument::Kind::Output) {
        const uint64_t bytes = argument.count * elementBytes(argument.element);
        QUERN_ASSIGN_OR_RETURN(buffer, device.allocate(bytes + 2 * guardBytes));
        slot.bits = buffer->address() + guardBytes;
      }
      if (argument.kind == CaseArgument::Kind::Input) {
        QUERN_RETURN_IF_ERROR(device.fill(*buffer, 0, buffer->size(), nanByte));
        if (argument.list.empty())
          QUERN_RETURN_IF_ERROR(
              device.upload(*buffer, guardBytes, makeData(argument.data, argument.element, argument.count)));
        else
          QUERN_RETURN_IF_ERROR(device.upload(*buffer, guardBytes, std::as_bytes(std::span(argument.list))));
      }
      placed->buffers.push_back(std::move(buffer));
      placed->arguments.push_back(slot);
    }
    cases.push_back(std::move(placed));
  }
  return device.synchronize();
}

Status TrialRunner::launch(Loaded &loaded, const PlacedCase &placed) {
  const Candidate &c = loaded.candidate;
  LaunchShape shape;
  shape.threads = c.threads;
  shape.scratchBytes = c.scratch ? c.sharedBytes : 0;
  uint64_t blocks = 1;
  for (const CandidateGrid &d : c.grid) {
    if (d.argument >= int32_t(placed.arguments.size()))
      return Status::error(Exit::Usage, "E-LAUNCH-SHAPE", "the grid names an argument that there is not");
    const int64_t extent =
        d.argument < 0 ? d.extent : int64_t(int32_t(placed.arguments[size_t(d.argument)].bits));
    blocks *= uint64_t((extent + d.step - 1) / d.step);
    if (blocks > UINT32_MAX)
      return Status::error(Exit::Usage, "E-LAUNCH-SHAPE", "the grid has too many blocks");
  }
  shape.blocks = uint32_t(blocks);
  return device.launch(*loaded.kernel, shape, placed.arguments);
}

Status TrialRunner::check(Loaded &loaded, std::string &wrong) {
  for (const std::unique_ptr<PlacedCase> &placed : cases) {
    for (const ExpectedRows &expected : placed->given.expected) {
      Buffer &buffer = *placed->buffers[expected.argument];
      QUERN_RETURN_IF_ERROR(device.fill(buffer, 0, buffer.size(), sentinelByte));
    }
    QUERN_RETURN_IF_ERROR(launch(loaded, *placed));
    QUERN_RETURN_IF_ERROR(device.synchronize());
    for (const ExpectedRows &expected : placed->given.expected) {
      const CaseArgument &argument = placed->given.arguments[expected.argument];
      const uint64_t bytes = argument.count * elementBytes(argument.element);
      std::vector<std::byte> all(bytes + 2 * guardBytes);
      QUERN_RETURN_IF_ERROR(device.download(*placed->buffers[expected.argument], 0, all));
      std::span<const std::byte> view(all);
      auto untouched = [](std::span<const std::byte> guard) {
        return std::all_of(guard.begin(), guard.end(),
                           [](std::byte b) { return b == std::byte(sentinelByte); });
      };
      if (!untouched(view.first(guardBytes)) || !untouched(view.last(guardBytes)))
        wrong = "written outside of the output";
      else
        wrong = checkOutput(placed->given, expected, view.subspan(guardBytes, bytes));
      if (!wrong.empty())
        return Status::success();
    }
  }
  return Status::success();
}

namespace {
TrialResult outcome(Outcome outcome, std::string cause) {
  TrialResult result;
  result.outcome = outcome;
  result.cause = std::move(cause);
  return result;
}

/// What an error of the device says about the candidate. A figure above the device's limits says that the
/// kernel did not do its work.
TrialResult outcomeOf(const Status &status) {
  const std::string cause = status.sentence() + (status.causeText().empty() ? "" : ": " + status.causeText());
  return outcome(status.id() == "E-DEVICE-OUT-OF-MEMORY"  ? Outcome::OutOfMemory
                 : status.id() == "E-MEASURE-ABOVE-LIMIT" ? Outcome::Wrong
                                                          : Outcome::RunFailed,
                 cause);
}

/// The device is gone, or the user wants to end: no fault of the candidate.
bool endsSession(const Status &status) {
  return status.exit() == Exit::NoDevice || status.exit() == Exit::Interrupted;
}

TrialResult timed(const runtime::Measurement &measurement) {
  TrialResult result;
  result.samples = measurement.samples;
  result.runsPerSample = measurement.runsPerSample;
  result.cache = measurement.cache;
  return result;
}
} // namespace

/// Ok without samples where the candidate is right and may be timed.
Expected<TrialResult> TrialRunner::prepare(const Candidate &candidate, std::unique_ptr<Loaded> &loaded) {
  auto fail = [](Status status) -> Expected<TrialResult> {
    if (endsSession(status))
      return status;
    return outcomeOf(status);
  };
  loaded = std::make_unique<Loaded>(Loaded{candidate, nullptr});
  Expected<std::unique_ptr<Module>> module = device.load(std::as_bytes(std::span(candidate.code)));
  if (!module.ok())
    return fail(module.takeError());
  loaded->module = *std::move(module);
  Expected<Kernel *> kernel = loaded->module->kernel(candidate.symbol);
  if (!kernel.ok())
    return fail(kernel.takeError());
  loaded->kernel = *kernel;
  std::string wrong;
  if (Status checked = check(*loaded, wrong); !checked.ok())
    return fail(std::move(checked));
  return wrong.empty() ? TrialResult() : outcome(Outcome::Wrong, wrong);
}

Expected<TrialResult> TrialRunner::run(const Candidate &candidate, const MeasureOptions &options) {
  std::unique_ptr<Loaded> loaded;
  QUERN_ASSIGN_OR_RETURN(TrialResult checked, prepare(candidate, loaded));
  if (!checked.ok())
    return std::move(checked);
  Expected<runtime::Measurement> measurement =
      stopwatch->measure([&] { return launch(*loaded, *cases.back()); }, work, options);
  if (measurement.ok())
    return timed(*measurement);
  Status status = measurement.takeError();
  if (endsSession(status))
    return status;
  return outcomeOf(status);
}

Expected<std::pair<TrialResult, TrialResult>> TrialRunner::runPair(const Candidate &a, const Candidate &b,
                                                                   const MeasureOptions &options) {
  std::unique_ptr<Loaded> first, second;
  QUERN_ASSIGN_OR_RETURN(TrialResult checkedA, prepare(a, first));
  QUERN_ASSIGN_OR_RETURN(TrialResult checkedB, prepare(b, second));
  if (!checkedA.ok() || !checkedB.ok())
    return std::pair(std::move(checkedA), std::move(checkedB));
  Expected<std::pair<runtime::Measurement, runtime::Measurement>> both =
      stopwatch->measurePair([&] { return launch(*first, *cases.back()); },
                             [&] { return launch(*second, *cases.back()); }, work, options);
  if (both.ok())
    return std::pair(timed(both->first), timed(both->second));
  Status status = both.takeError();
  if (endsSession(status))
    return status;
  return std::pair(outcomeOf(status), outcomeOf(status));
}

} // namespace quern::tuner
