//===- MeasureProcess.cpp -------------------------------------------------===//
#include "tuner/measure/MeasureProcess.h"

#include <charconv>

namespace quern::tuner {

using namespace quern::runtime;

/// To open a device and to make the operands of a problem.
static constexpr std::chrono::seconds setUpDeadline{120};

//===----------------------------------------------------------------------===//
// Messages
//===----------------------------------------------------------------------===//

static std::string join(std::initializer_list<std::string_view> parts) {
  std::string message;
  for (std::string_view part : parts)
    message += messageField(part);
  return message;
}

static Status damaged(const char *what) {
  return Status::error(Exit::Unexpected, "E-MEASURE-WORKER",
                       std::string(what) + " of a measuring process is damaged");
}

static Expected<std::vector<std::string>> split(std::string_view message) {
  std::vector<std::string> parts;
  while (!message.empty()) {
    std::optional<std::string> part = takeField(message);
    if (!part)
      return damaged("a message");
    parts.push_back(*std::move(part));
  }
  return std::move(parts);
}

static std::string errorMessage(const Status &status) {
  return join({"error", std::to_string(int(status.exit())), status.id(), status.sentence(),
               status.causeText(), status.remedyText()});
}

static std::string writeOptions(const MeasureOptions &options) {
  Json root = Json::object();
  root.set("cache", cacheStateName(options.cache));
  root.set("warm_up", options.warmUpSeconds);
  root.set("minimum_samples", uint64_t(options.minimumSamples));
  root.set("maximum_samples", uint64_t(options.maximumSamples));
  root.set("maximum_seconds", options.maximumSeconds);
  root.set("relative_error", options.relativeError);
  return writeJson(root);
}

static Expected<MeasureOptions> readOptions(const std::string &text) {
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, {.name = "options"}));
  JsonRef root = document.root();
  MeasureOptions options;
  QUERN_ASSIGN_OR_RETURN(std::string_view cache, root.getString("cache"));
  options.cache = cache == "warm" ? CacheState::Warm : CacheState::Cold;
  QUERN_ASSIGN_OR_RETURN(options.warmUpSeconds, root.getFloat("warm_up"));
  QUERN_ASSIGN_OR_RETURN(options.minimumSamples, root.getUInt("minimum_samples"));
  QUERN_ASSIGN_OR_RETURN(options.maximumSamples, root.getUInt("maximum_samples"));
  QUERN_ASSIGN_OR_RETURN(options.maximumSeconds, root.getFloat("maximum_seconds"));
  QUERN_ASSIGN_OR_RETURN(options.relativeError, root.getFloat("relative_error"));
  return std::move(options);
}

//===----------------------------------------------------------------------===//
// The worker's side
//===----------------------------------------------------------------------===//

namespace {

class Worker {
public:
  explicit Worker(const DeviceOpener &open) : open(open) {}

  std::string answer(const std::string &message) {
    Expected<std::string> reply = handle(message);
    return reply.ok() ? *std::move(reply) : errorMessage(reply.error());
  }

private:
  Expected<std::string> handle(const std::string &message) {
    QUERN_ASSIGN_OR_RETURN(std::vector<std::string> parts, split(message));
    const std::string verb = parts.empty() ? "" : parts[0];
    if (verb == "open" && parts.size() == 3) {
      runner.reset();
      QUERN_ASSIGN_OR_RETURN(device, open(parts[1], uint32_t(std::strtoul(parts[2].c_str(), nullptr, 10))));
      runner = std::make_unique<TrialRunner>(*device);
      return join({"ok"});
    }
    if (!runner)
      return damaged("an order");
    if (verb == "problem" && parts.size() > 3) {
      TrialProblem problem;
      problem.work = {std::strtod(parts[1].c_str(), nullptr), std::strtod(parts[2].c_str(), nullptr)};
      for (size_t i = 3; i < parts.size(); ++i) {
        QUERN_ASSIGN_OR_RETURN(KernelCase given, readCase(parts[i]));
        problem.cases.push_back(std::move(given));
      }
      QUERN_RETURN_IF_ERROR(runner->begin(problem));
      return join({"ok"});
    }
    if (verb == "trial" && parts.size() == 3) {
      QUERN_ASSIGN_OR_RETURN(Candidate candidate, readCandidate(parts[1]));
      QUERN_ASSIGN_OR_RETURN(MeasureOptions options, readOptions(parts[2]));
      QUERN_ASSIGN_OR_RETURN(TrialResult result, runner->run(candidate, options));
      return join({"ok", writeJson(trialToJson(result))});
    }
    if (verb == "pair" && parts.size() == 4) {
      QUERN_ASSIGN_OR_RETURN(Candidate a, readCandidate(parts[1]));
      QUERN_ASSIGN_OR_RETURN(Candidate b, readCandidate(parts[2]));
      QUERN_ASSIGN_OR_RETURN(MeasureOptions options, readOptions(parts[3]));
      QUERN_ASSIGN_OR_RETURN(auto both, runner->runPair(a, b, options));
      return join({"ok", writeJson(trialToJson(both.first)), writeJson(trialToJson(both.second))});
    }
    return damaged("an order");
  }

  const DeviceOpener &open;
  std::unique_ptr<Device> device;
  std::unique_ptr<TrialRunner> runner;
};

} // namespace

int runMeasureWorker(const DeviceOpener &open) {
  Worker worker(open);
  return serveMessages([&](const std::string &message) { return worker.answer(message); });
}

int runMeasureWorker() {
  return runMeasureWorker([](const std::string &name, uint32_t threads) {
    DeviceOptions options;
    options.threads = threads;
    return openDevice(name, options);
  });
}

//===----------------------------------------------------------------------===//
// The parent's side
//===----------------------------------------------------------------------===//

Expected<std::vector<std::string>> MeasureProcess::fields(const std::string &reply) {
  QUERN_ASSIGN_OR_RETURN(std::vector<std::string> parts, split(reply));
  if (!parts.empty() && parts[0] == "ok")
    return std::move(parts);
  int exit = 0;
  if (parts.size() != 6 || parts[0] != "error" || parts[2].empty() ||
      std::from_chars(parts[1].data(), parts[1].data() + parts[1].size(), exit).ec != std::errc())
    return damaged("a reply");
  return Status::error(Exit(exit), parts[2], parts[3]).cause(parts[4]).remedy(parts[5]);
}

Status MeasureProcess::ensure() {
  if (child.running())
    return Status::success();
  QUERN_RETURN_IF_ERROR(child.start(program, measureWorkerArgument));
  ++started;
  std::vector<std::string> orders = {join({"open", device, std::to_string(threads)})};
  if (!problem.empty())
    orders.push_back(problem);
  for (const std::string &order : orders) {
    std::string reply;
    if (child.exchange(order, reply, setUpDeadline) != Received::Message)
      return Status::error(Exit::NoDevice, "E-MEASURE-WORKER",
                           "the process that opens `" + device + "` does not answer")
          .cause("it ended with " + child.stop(/*kill=*/true));
    if (Expected<std::vector<std::string>> done = fields(reply); !done.ok()) {
      child.stop(/*kill=*/true);
      return done.takeError();
    }
  }
  return Status::success();
}

Status MeasureProcess::begin(const TrialProblem &given) {
  char operations[40], bytes[40];
  std::snprintf(operations, sizeof operations, "%.17g", given.work.operations);
  std::snprintf(bytes, sizeof bytes, "%.17g", given.work.bytes);
  std::string order = join({"problem", operations, bytes});
  for (const KernelCase &one : given.cases)
    order += messageField(writeCase(one));
  problem = std::move(order);
  if (!child.running())
    return ensure();
  std::string reply;
  if (child.exchange(problem, reply, setUpDeadline) != Received::Message) {
    child.stop(/*kill=*/true);
    return ensure();
  }
  Expected<std::vector<std::string>> done = fields(reply);
  return done.ok() ? Status::success() : done.takeError();
}

Expected<std::vector<std::string>> MeasureProcess::ask(const std::string &message,
                                                       std::chrono::milliseconds deadline,
                                                       std::optional<TrialResult> &failure) {
  QUERN_RETURN_IF_ERROR(ensure());
  std::string reply;
  const Received received = child.exchange(message, reply, deadline);
  if (received != Received::Message) {
    ++lost;
    failure.emplace();
    const bool late = received == Received::Late;
    const std::string end = child.stop(late);
    failure->outcome = late ? Outcome::Hung : Outcome::RunFailed;
    failure->cause = late ? "no result within " + std::to_string(deadline.count()) + " ms"
                          : "its process ended with " + end;
    return std::vector<std::string>();
  }
  Expected<std::vector<std::string>> parts = fields(reply);
  if (!parts.ok()) // the device is not to be trusted any more
    child.stop(/*kill=*/true);
  return parts;
}

static Expected<TrialResult> readResult(const std::string &text) {
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, {.name = "result"}));
  Expected<TrialResult> result = trialFromJson(document.root());
  if (result.ok() || result.error().id() != "E-TRIAL-RESULT")
    return result;
  // A clock that stood still or ran backwards.
  TrialResult failure;
  failure.outcome = Outcome::RunFailed;
  failure.cause = result.error().sentence();
  return failure;
}

Expected<TrialResult> MeasureProcess::run(const Candidate &candidate, const MeasureOptions &options,
                                          std::chrono::milliseconds deadline) {
  std::optional<TrialResult> failure;
  QUERN_ASSIGN_OR_RETURN(
      std::vector<std::string> parts,
      ask(join({"trial", writeCandidate(candidate), writeOptions(options)}), deadline, failure));
  if (failure)
    return *std::move(failure);
  if (parts.size() != 2)
    return damaged("a reply");
  return readResult(parts[1]);
}

Expected<std::pair<TrialResult, TrialResult>> MeasureProcess::runPair(const Candidate &a, const Candidate &b,
                                                                      const MeasureOptions &options,
                                                                      std::chrono::milliseconds deadline) {
  std::optional<TrialResult> failure;
  QUERN_ASSIGN_OR_RETURN(
      std::vector<std::string> parts,
      ask(join({"pair", writeCandidate(a), writeCandidate(b), writeOptions(options)}), deadline, failure));
  if (failure)
    return std::pair(*failure, *failure);
  if (parts.size() != 3)
    return damaged("a reply");
  QUERN_ASSIGN_OR_RETURN(TrialResult first, readResult(parts[1]));
  QUERN_ASSIGN_OR_RETURN(TrialResult second, readResult(parts[2]));
  return std::pair(std::move(first), std::move(second));
}

} // namespace quern::tuner
