//===- CompileQueue.cpp ---------------------------------------------------===//
#include "tuner/tune/CompileQueue.h"

#include <algorithm>

namespace quern::tuner {

CompileQueue::CompileQueue(const CandidateCompiler &compile, const KernelProblem &problem, unsigned workers)
    : compile(compile), problem(problem) {
  for (unsigned slot = 0; slot < std::max(1u, workers); ++slot)
    threads.emplace_back([this, slot] { work(slot); });
}

CompileQueue::~CompileQueue() {
  {
    std::lock_guard lock(mutex);
    ending = true;
    waiting.clear();
  }
  changed.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

void CompileQueue::submit(const std::string &schedule) {
  {
    std::lock_guard lock(mutex);
    waiting.push_back(schedule);
  }
  changed.notify_all();
}

void CompileQueue::work(unsigned slot) {
  std::unique_lock lock(mutex);
  while (true) {
    changed.wait(lock, [&] { return ending || !waiting.empty(); });
    if (ending)
      return;
    std::string schedule = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    Expected<Candidate> candidate = compile(slot, problem, schedule);
    lock.lock();
    done.emplace(std::move(schedule), std::move(candidate));
    ++count;
    changed.notify_all();
  }
}

Expected<Candidate> CompileQueue::take(const std::string &schedule) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done.count(schedule) != 0; });
  auto node = done.extract(schedule);
  return std::move(node.mapped());
}

size_t CompileQueue::finished() const {
  std::lock_guard lock(mutex);
  return count;
}

} // namespace quern::tuner
