//===- Threads.cpp --------------------------------------------------------===//
#include "support/Threads.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <mutex>
#include <sched.h>
#include <thread>
#include <vector>

namespace quern {

namespace {

/// Which pool the current thread is running a body of, and as which worker; tells nested calls apart.
struct Running {
  const void *pool = nullptr;
  unsigned worker = 0;
};
thread_local Running running;

/// Rounds of busy waiting before a thread sleeps: some tens of microseconds, about the distance between two
/// kernels of a decode step, so that a step does not pay for a wake-up per kernel.
constexpr unsigned spinRounds = 2000;

inline void pauseBriefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

} // namespace

unsigned availableThreads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

struct ThreadPool::State {
  std::mutex turn; ///< held by the thread whose parallelFor runs

  // The job, written before `generation` moves on and read after.
  const std::function<void(uint64_t, uint64_t, unsigned)> *body = nullptr;
  uint64_t begin = 0, end = 0, piece = 1, pieces = 0;

  std::atomic<uint64_t> nextPiece{0};
  std::atomic<uint32_t> generation{0}; ///< moves on once per job
  std::atomic<uint32_t> busy{0};       ///< workers that have not finished the job yet
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;
  unsigned spins = 0;

  void work(unsigned worker) {
    Running outer = running;
    running = {this, worker};
    for (;;) {
      uint64_t index = nextPiece.fetch_add(1, std::memory_order_relaxed);
      if (index >= pieces)
        break;
      uint64_t first = begin + index * piece;
      (*body)(first, std::min(end - first, piece) + first, worker);
    }
    running = outer;
  }

  void serve(unsigned worker) {
    uint32_t seen = 0;
    for (;;) {
      for (unsigned i = 0; i != spins && generation.load(std::memory_order_acquire) == seen; ++i)
        pauseBriefly();
      generation.wait(seen, std::memory_order_acquire);
      seen = generation.load(std::memory_order_acquire);
      if (stopping.load(std::memory_order_relaxed))
        return;
      work(worker);
      if (busy.fetch_sub(1, std::memory_order_acq_rel) == 1)
        busy.notify_one();
    }
  }
};

ThreadPool::ThreadPool(unsigned threads) : state(std::make_unique<State>()) {
  unsigned available = availableThreads();
  if (threads == 0)
    threads = available;
  // More threads than processors: whoever waits should give its processor away at once.
  state->spins = threads <= available ? spinRounds : 0;
  for (unsigned worker = 1; worker < threads; ++worker)
    state->workers.emplace_back([s = state.get(), worker] { s->serve(worker); });
}

ThreadPool::~ThreadPool() {
  state->stopping.store(true, std::memory_order_relaxed);
  state->generation.fetch_add(1, std::memory_order_release);
  state->generation.notify_all();
  for (std::thread &worker : state->workers)
    worker.join();
}

unsigned ThreadPool::size() const { return static_cast<unsigned>(state->workers.size()) + 1; }

void ThreadPool::parallelFor(uint64_t begin, uint64_t end, uint64_t piece,
                             const std::function<void(uint64_t, uint64_t, unsigned)> &body) {
  assert(piece != 0 && "pieces must have a length");
  if (begin >= end)
    return;
  if (running.pool == state.get()) {
    for (uint64_t first = begin; first < end; first += std::min(end - first, piece))
      body(first, first + std::min(end - first, piece), running.worker);
    return;
  }
  std::lock_guard lock(state->turn);
  state->body = &body;
  state->begin = begin;
  state->end = end;
  state->piece = piece;
  state->pieces = (end - begin - 1) / piece + 1;
  state->nextPiece.store(0, std::memory_order_relaxed);
  if (state->workers.empty() || state->pieces == 1) {
    state->work(0);
    return;
  }
  state->busy.store(static_cast<uint32_t>(state->workers.size()), std::memory_order_relaxed);
  state->generation.fetch_add(1, std::memory_order_release);
  state->generation.notify_all();
  state->work(0);
  for (unsigned i = 0; i != state->spins && state->busy.load(std::memory_order_acquire) != 0; ++i)
    pauseBriefly();
  while (uint32_t left = state->busy.load(std::memory_order_acquire))
    state->busy.wait(left, std::memory_order_acquire);
}

} // namespace quern
