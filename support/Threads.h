//===- Threads.h - A pool whose work split does not depend on its size ----===//
//
// `parallelFor` cuts an index range into pieces of a given length and runs each piece once, on whichever
// thread is free. The cut is a function of the range and the piece length alone: a caller whose pieces are
// independent gets the same result from one thread and from sixty-four.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_THREADS_H
#define QUERN_SUPPORT_THREADS_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace quern {

class ThreadPool {
public:
  /// |threads| workers in all, the calling thread among them; 0 means `availableThreads()`.
  explicit ThreadPool(unsigned threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  /// Threads that may run a piece at the same time; worker numbers are below it.
  unsigned size() const;

  /// Calls `body(first, last, worker)` for [begin, begin+piece), [begin+piece, ...) up to |end|, each once,
  /// in no particular order, and returns when all have returned. |worker| says which scratch memory the call
  /// may use: no two calls that run at the same time have the same number. |piece| must not be 0. A call from
  /// inside a body runs in the caller's thread with the caller's number; calls from several threads take
  /// turns. Bodies must not throw.
  void parallelFor(uint64_t begin, uint64_t end, uint64_t piece,
                   const std::function<void(uint64_t first, uint64_t last, unsigned worker)> &body);

private:
  struct State;
  std::unique_ptr<State> state;
};

/// Hardware threads that this process may run on (its affinity mask), at least 1.
unsigned availableThreads();

/// More threads than this are not asked for by the environment.
inline constexpr unsigned mostThreads = 4096;

/// The threads of a device for which none are named: OMP_NUM_THREADS where that is a number from 1 to
/// |mostThreads|, else `availableThreads()`.
unsigned defaultThreads();

} // namespace quern

#endif // QUERN_SUPPORT_THREADS_H
