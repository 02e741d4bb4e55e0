//===- PagePool.h - Which pages of the KV cache belong to whom ------------===//
//
// The cache of a session is a pool of pages of 64 positions (contract 14). A page has one number in all
// layers and all parts. The pool hands out page numbers; it knows nothing of the memory behind them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_KVCACHE_PAGEPOOL_H
#define QUERN_RUNTIME_KVCACHE_PAGEPOOL_H

#include "support/Status.h"

#include <cstdint>
#include <span>
#include <vector>

namespace quern::runtime {

class PagePool {
public:
  /// Pages 0 .. |pages| - 1, all free. The first |reserved| of them are never handed out.
  explicit PagePool(int32_t pages, int32_t reserved = 0);

  /// Moves |count| free pages to the end of |to|, the one freed last first. Exit::Resource "E-CACHE-FULL",
  /// with nothing taken, where fewer are free.
  Status take(int32_t count, std::vector<int32_t> &to);
  /// Gives pages back; each must have been taken.
  void give(std::span<const int32_t> pages);

  int32_t size() const { return int32_t(taken.size()); }
  int32_t free() const { return int32_t(freePages.size()); }

private:
  std::vector<int32_t> freePages; ///< the next one last
  std::vector<bool> taken;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_KVCACHE_PAGEPOOL_H
