//===- CompileQueue.h - Candidates that are compiled beside the measuring -===//
#ifndef QUERN_TUNER_TUNE_COMPILEQUEUE_H
#define QUERN_TUNER_TUNE_COMPILEQUEUE_H

#include "tuner/tune/TuneProblem.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace quern::tuner {

/// Compiles what it is given, in that order, on threads of its own.
class CompileQueue {
public:
  CompileQueue(const CandidateCompiler &compile, const KernelProblem &problem, unsigned workers);
  /// What has not begun is dropped.
  ~CompileQueue();

  /// Once for each schedule.
  void submit(const std::string &schedule);
  /// Waits for a schedule that was submitted.
  Expected<Candidate> take(const std::string &schedule);
  size_t finished() const;

private:
  void work(unsigned slot);

  const CandidateCompiler &compile;
  const KernelProblem &problem;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::string> waiting;
  std::map<std::string, Expected<Candidate>> done;
  size_t count = 0;
  bool ending = false;
  std::vector<std::thread> threads;
};

} // namespace quern::tuner

#endif // QUERN_TUNER_TUNE_COMPILEQUEUE_H
