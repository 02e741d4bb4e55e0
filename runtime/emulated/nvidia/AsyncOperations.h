//===- AsyncOperations.h - What has been started and has not ended --------===//
//
// Bulk copies and asynchronous matrix operations of the blocks that run together. PTX says when such an
// operation must have taken effect, not when it does; so each is applied at a moment that the run's option
// and seed choose between the earliest legal one, its issue, and the latest, the wait that covers it:
//
//   * operations that complete on an mbarrier are applied, at the latest, when no thread can go on without
//     one of them; the newest first, because nothing orders them;
//   * operations of one stream (tcgen05, PTX ISA 9.7.16.6.2) are applied in the order of issue;
//   * operations of a group are applied by the wait for the group.
//
// A program that waits for all that it uses gives the same result under every choice.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCOPERATIONS_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCOPERATIONS_H

#include "runtime/emulated/Machine.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <vector>

namespace quern::runtime::emulated::nvidia {

struct AsyncOperation {
  enum Kind : uint8_t { Signal, Stream, Group };
  Kind kind = Signal;
  uint32_t issuer = 0, site = 0;
  uint64_t key = 0;   ///< of the stream, or of who waits for the group
  uint32_t group = 0; ///< number of the group that it is in
  /// What it does to memory, with its completion. A group's operation may have a part that only reads.
  std::function<void()> read, apply;
};

class AsyncOperations {
public:
  void reset(const RunOptions &options, uint64_t block);

  /// Applies |operation| now or keeps it.
  void issue(AsyncOperation operation);
  /// Applies one operation without which threads may wait for ever; false where there is none.
  bool applyOne();
  /// Applies any one operation: time passes.
  bool applyAny();
  /// Applies the operations of |key| in groups up to |group|, in order; with |readOnly| their reading part.
  void applyGroups(uint64_t key, uint32_t group, bool readOnly = false);
  /// The oldest operation of |key| whose reading part has not been applied, or null.
  const AsyncOperation *oldest(uint64_t key) const;
  bool empty() const { return pending.empty(); }
  /// A coin of the run's seed.
  bool toss() { return random() & 1; }
  AsyncOrder order() const { return chosen; }
  const std::vector<AsyncOperation> &operations() const { return pending; }

private:
  void applyAt(size_t index);
  bool isFirstOfStream(size_t index) const;

  AsyncOrder chosen = AsyncOrder::Latest;
  std::mt19937_64 random;
  std::vector<AsyncOperation> pending;
  std::deque<AsyncOperation> running; ///< innermost last
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCOPERATIONS_H
