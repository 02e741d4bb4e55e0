//===- MeasureProcess.h - The device behind a process of its own ----------===//
//
// A candidate may spin for ever, write over memory or take the driver down. So the device is opened in a
// re-executed copy of the program; the parent gives every trial a deadline, ends the process where that
// passes, and records what happened as the trial's outcome. The next trial starts a new process.
//
// Parent and child speak in messages of fields (support/ChildProcess.h):
//
//   open DEVICE THREADS | problem OPERATIONS BYTES CASE... | trial CANDIDATE OPTIONS | pair A B OPTIONS
//   -> ok [JSON [JSON]] | error EXIT ID SENTENCE CAUSE REMEDY
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_MEASURE_MEASUREPROCESS_H
#define QUERN_TUNER_MEASURE_MEASUREPROCESS_H

#include "runtime/Devices.h"
#include "support/ChildProcess.h"
#include "tuner/measure/TrialRunner.h"

#include <functional>

namespace quern::tuner {

/// The argument with which a program that calls `runMeasureWorker` is started as a worker.
inline constexpr const char *measureWorkerArgument = "--measure-worker";

using DeviceOpener =
    std::function<Expected<std::unique_ptr<runtime::Device>>(const std::string &name, uint32_t threads)>;
/// The worker's side: opens the device that the parent names, through |open|, and answers until the input
/// ends. Returns the exit code of the process.
int runMeasureWorker(const DeviceOpener &open);
/// The same with the devices of this machine.
int runMeasureWorker();

class MeasureProcess {
public:
  /// |program| is executed with `measureWorkerArgument`. |threads| of a CPU device; 0: its default.
  MeasureProcess(std::string program, std::string device, uint32_t threads)
      : program(std::move(program)), device(std::move(device)), threads(threads) {}

  /// The problem of the trials to come. Errors of the device and of `TrialRunner::begin`.
  Status begin(const TrialProblem &problem);

  /// One trial, which may take |deadline| in all. An error says that there is no device any more
  /// (Exit::NoDevice) or no process (Exit::Resource): nothing about the candidate.
  Expected<TrialResult> run(const Candidate &candidate, const runtime::MeasureOptions &options,
                            std::chrono::milliseconds deadline);
  Expected<std::pair<TrialResult, TrialResult>> runPair(const Candidate &a, const Candidate &b,
                                                        const runtime::MeasureOptions &options,
                                                        std::chrono::milliseconds deadline);
  /// Processes that were started, and those of them that a candidate took down.
  uint64_t starts() const { return started; }
  uint64_t losses() const { return lost; }

private:
  /// Starts the process and tells it device and problem, unless it runs.
  Status ensure();
  /// A reply's fields behind "ok"; the error that it carries.
  Expected<std::vector<std::string>> fields(const std::string &reply);
  /// Sends |message|; where no reply comes, |failure| is the outcome.
  Expected<std::vector<std::string>> ask(const std::string &message, std::chrono::milliseconds deadline,
                                         std::optional<TrialResult> &failure);

  std::string program, device;
  uint32_t threads;
  std::string problem; ///< the message that tells it
  ChildProcess child;
  uint64_t started = 0, lost = 0;
};

} // namespace quern::tuner

#endif // QUERN_TUNER_MEASURE_MEASUREPROCESS_H
