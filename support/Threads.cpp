//===- Threads.cpp --------------------------------------------------------===//
#include "support/Threads.h"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <charconv>
#include <cstdlib>
#include <cstring>
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

unsigned defaultThreads() {
  if (const char *text = getenv("OMP_NUM_THREADS")) {
    unsigned count = 0;
    auto [end, error] = std::from_chars(text, text + strlen(text), count);
    if (error == std::errc() && *end == 0 && count > 0 && count <= mostThreads)
      return count;
  }
  return availableThreads();
}

/// A job is cut into claims of |stride| pieces each (1 but for absurd ranges). `ticket` holds the number of
/// the job in its high half and the next claim in its low half. A thread reads the ticket, then the job, and
/// claims by comparing and swapping the ticket: that succeeds only while the job is the one that was read and
/// has not ended, because a job ends when all its claims are done. So nobody waits for a thread that has not
/// woken up yet: on a busy machine the caller does the work itself. The fields are atomic since a late thread
/// may read them while the next job is written; what it read is then thrown away.
struct ThreadPool::State {
  std::mutex turn; ///< held by the thread whose parallelFor runs

  std::atomic<const std::function<void(uint64_t, uint64_t, unsigned)> *> body{nullptr};
  std::atomic<uint64_t> begin{0}, end{0}, piece{1}, pieces{0}, stride{1};
  std::atomic<uint32_t> claims{0};

  std::atomic<uint64_t> ticket{0};
  std::atomic<uint32_t> done{0}; ///< claims of the current job that have ended
  std::atomic<uint32_t> wake{0}; ///< moves on once per job
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;
  unsigned spins = 0;

  void work(unsigned worker) {
    constexpr auto acquire = std::memory_order_acquire;
    Running outer = running;
    running = {this, worker};
    for (;;) {
      uint64_t seen = ticket.load(acquire);
      const uint32_t claim = static_cast<uint32_t>(seen), all = claims.load(acquire);
      const auto *run = body.load(acquire);
      const uint64_t from = begin.load(acquire), to = end.load(acquire), length = piece.load(acquire);
      const uint64_t count = pieces.load(acquire), step = stride.load(acquire);
      if (claim >= all)
        break;
      if (!ticket.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel, acquire))
        continue;
      for (uint64_t index = claim * step; index != std::min(count, (claim + 1) * step); ++index) {
        uint64_t first = from + index * length;
        (*run)(first, std::min(to - first, length) + first, worker);
      }
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == all)
        done.notify_one();
    }
    running = outer;
  }

  void serve(unsigned worker) {
    uint32_t seen = 0;
    for (;;) {
      for (unsigned i = 0; i != spins && wake.load(std::memory_order_acquire) == seen; ++i)
        pauseBriefly();
      wake.wait(seen, std::memory_order_acquire);
      seen = wake.load(std::memory_order_acquire);
      if (stopping.load(std::memory_order_relaxed))
        return;
      work(worker);
    }
  }

  void stop() {
    stopping.store(true, std::memory_order_relaxed);
    wake.fetch_add(1, std::memory_order_release);
    wake.notify_all();
    for (std::thread &worker : workers)
      worker.join();
  }
};

ThreadPool::ThreadPool(unsigned threads) : state(std::make_unique<State>()) {
  unsigned available = availableThreads();
  if (threads == 0)
    threads = available;
  // More threads than processors: whoever waits should give its processor away at once.
  state->spins = threads <= available ? spinRounds : 0;
  try {
    for (unsigned worker = 1; worker < threads; ++worker)
      state->workers.emplace_back([s = state.get(), worker] { s->serve(worker); });
  } catch (...) { // the system gives no more threads: end those that run before the error goes on
    state->stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { state->stop(); }

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
  constexpr uint64_t mostClaims = UINT32_MAX / 2;
  const uint64_t pieces = (end - begin - 1) / piece + 1, stride = (pieces - 1) / mostClaims + 1;
  const auto claims = static_cast<uint32_t>((pieces - 1) / stride + 1);
  // First a job that nobody can claim from, then its fields, then the job. Whoever reads one of the new
  // fields therefore no longer can claim from the job before.
  constexpr auto release = std::memory_order_release;
  const uint64_t job = ((state->ticket.load(std::memory_order_relaxed) >> 32) + 1) & UINT32_MAX;
  state->ticket.store(job << 32 | UINT32_MAX, release);
  state->body.store(&body, release);
  state->begin.store(begin, release);
  state->end.store(end, release);
  state->piece.store(piece, release);
  state->pieces.store(pieces, release);
  state->stride.store(stride, release);
  state->claims.store(claims, release);
  state->done.store(0, release);
  state->ticket.store(job << 32, release);
  if (!state->workers.empty() && claims > 1) {
    state->wake.fetch_add(1, std::memory_order_release);
    state->wake.notify_all();
  }
  state->work(0);
  for (unsigned i = 0; i != state->spins && state->done.load(std::memory_order_acquire) != claims; ++i)
    pauseBriefly();
  for (uint32_t ended; (ended = state->done.load(std::memory_order_acquire)) != claims;)
    state->done.wait(ended, std::memory_order_acquire);
}

} // namespace quern
