//===- KvCache.h - The memory of the KV cache and its sequences -----------===//
//
// One buffer for each part of the cache ("keys", "values", "latent"), layer after layer; a layer is an array
// [P][...] of pages. Sequences own pages through slots: slot s is row s of the block table [B, M] that
// kernels read. Pages are not cleared when they change hands: kernels read only positions that were written.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_KVCACHE_KVCACHE_H
#define QUERN_RUNTIME_KVCACHE_KVCACHE_H

#include "runtime/Device.h"
#include "runtime/kvcache/PagePool.h"
#include "runtime/plan/Plan.h"

#include <optional>

namespace quern::runtime {

struct KvCacheLimits {
  int32_t sequences = 1; ///< B
  int64_t positions = 0; ///< of one sequence at most
  int32_t pages = 0;     ///< P; 0 for as many as all sequences can need
  /// For tests: memory starts as NaN bytes and becomes NaN again when a page is freed, and page 0, which the
  /// unused entries of the block table name, is never handed out.
  bool poison = false;
};

class KvCache {
public:
  /// Exit::Resource "E-DEVICE-OUT-OF-MEMORY".
  static Expected<KvCache> create(Device &device, const CachePlan &plan, const KvCacheLimits &limits);

  /// Where layer |layer| of part |part| begins.
  uint64_t address(size_t part, int64_t layer) const;
  /// The memory behind the addresses.
  std::vector<Buffer *> memory() const;
  uint64_t bytes() const;
  int32_t pages() const { return pool.size(); }
  int32_t freePages() const { return pool.free(); }
  int32_t pagesPerSequence() const { return columns; } ///< M

  /// A free slot, or nothing where all are in use. It has no positions yet.
  std::optional<int32_t> openSlot();
  /// Frees the slot and its pages.
  Status closeSlot(int32_t slot);
  /// Makes sure that positions 0 .. |positions| - 1 of |slot| have pages. Exit::Resource "E-CACHE-FULL".
  Status reserve(int32_t slot, int64_t positions);
  /// Gives back pages that hold no position below |positions|.
  Status truncate(int32_t slot, int64_t positions);

  /// i32 [B, M].
  std::span<const int32_t> blockTable() const { return table; }
  /// Counts the changes of the block table.
  uint64_t version() const { return changes; }

private:
  KvCache(Device &device, const CachePlan &plan, const KvCacheLimits &limits, int32_t pages);
  Status poisonPages(std::span<const int32_t> pages);

  Device *device;
  CachePlan plan;
  KvCacheLimits limits;
  PagePool pool;
  int32_t columns;
  std::vector<std::unique_ptr<Buffer>> buffers; ///< by part
  std::vector<std::optional<std::vector<int32_t>>> slots;
  std::vector<int32_t> table;
  uint64_t changes = 1;
};

/// Pages that |positions| need.
constexpr int64_t pagesFor(int64_t positions) { return (positions + pageTokens - 1) / pageTokens; }

} // namespace quern::runtime

#endif // QUERN_RUNTIME_KVCACHE_KVCACHE_H
