//===- BlockCounts.h - The counters of the blocks that one host thread runs ===//
//
// Threads of a warp are run one by one, so an access of the warp comes in pieces: the n-th execution of an
// instruction by each lane belongs to the n-th request. A request is counted when all lanes of the warp have
// come to it, or when the block has ended.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKCOUNTS_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKCOUNTS_H

#include "runtime/emulated/nvidia/CountPlan.h"
#include "runtime/emulated/nvidia/ThreadContext.h"

#include <deque>

namespace quern::runtime::emulated::nvidia {

class BlockCounts {
public:
  enum class Way : uint8_t {
    GlobalRead,
    GlobalWrite,
    SharedRead,
    SharedWrite,
    RowsRead, ///< 16 bytes of a matrix, as ldmatrix names them
    RowsWrite
  };

  /// For runs of |threads| threads (whole warps); |plan| outlives this.
  BlockCounts(const CountPlan &plan, uint32_t threads);

  /// Before and after the threads of some blocks run. |live|: lanes of each warp that exist.
  void start(std::span<ThreadContext> threads, std::vector<uint32_t> live);
  void finish();

  /// One lane's part of an access. |second|: the other of the two accesses of the site.
  void access(const ThreadContext *thread, uint32_t site, Way way, uint64_t address, uint32_t bytes,
              bool second = false);
  /// A matrix operation whose shape the text does not tell.
  void matrix(const std::string &name, uint64_t multiplyAdds, uint64_t operandBytes);

  Counters &counters() { return counted; }
  /// Puts what the segments counted into `counters()`: once, when the launch has ended.
  void close();

private:
  struct Request {
    uint32_t lanes = 0;
    uint64_t address[warpSize];
  };
  struct Queue {
    std::deque<Request> open;
    uint64_t first = 0;           ///< number of the front request
    uint64_t next[warpSize] = {}; ///< number of each lane's next request
    Way way = Way::GlobalRead;
    uint32_t bytes = 0;
  };
  void count(const Queue &queue, const Request &request);

  /// Requests of one instruction and warp that wait for lanes; more are counted as they are.
  static constexpr size_t longestQueue = size_t(1) << 17;

  const CountPlan &plan;
  Counters counted;
  std::vector<uint64_t> segments;      ///< [thread][segment]
  std::vector<uint64_t> issued, lanes; ///< by segment, of all blocks
  std::vector<uint32_t> live;
  std::vector<Queue> queues; ///< [warp][access]
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKCOUNTS_H
