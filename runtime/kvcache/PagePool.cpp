//===- PagePool.cpp -------------------------------------------------------===//
#include "runtime/kvcache/PagePool.h"

#include <cassert>

namespace quern::runtime {

PagePool::PagePool(int32_t pages, int32_t reserved) : taken(size_t(pages)) {
  for (int32_t page = pages; page-- > reserved;)
    freePages.push_back(page);
}

Status PagePool::take(int32_t count, std::vector<int32_t> &to) {
  if (count > free())
    return Status::error(Exit::Resource, "E-CACHE-FULL",
                         "the KV cache has " + std::to_string(free()) + " free pages of " +
                             std::to_string(size()) + ", " + std::to_string(count) + " are needed")
        .remedy("end a sequence, or open the session with a larger context or batch");
  for (int32_t i = 0; i < count; ++i) {
    int32_t page = freePages.back();
    freePages.pop_back();
    taken[size_t(page)] = true;
    to.push_back(page);
  }
  return Status::success();
}

void PagePool::give(std::span<const int32_t> pages) {
  for (int32_t page : pages) {
    assert(taken[size_t(page)] && "a page is given back that was not taken");
    taken[size_t(page)] = false;
    freePages.push_back(page);
  }
}

} // namespace quern::runtime
