//===- WorkLayout.cpp -----------------------------------------------------===//
#include "runtime/plan/WorkLayout.h"

#include <algorithm>
#include <numeric>

namespace quern::runtime {

WorkLayout layOutWork(const PlanEntry &entry, const SymbolValues &limits) {
  constexpr uint64_t alignment = 256;
  size_t count = entry.work.size();
  std::vector<uint64_t> sizes(count);
  for (size_t i = 0; i < count; ++i) {
    uint64_t bytes = uint64_t(std::max<int64_t>(entry.work[i].bytes.evaluate(limits), 1));
    sizes[i] = (bytes + alignment - 1) / alignment * alignment;
  }
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t(0));
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return sizes[a] != sizes[b] ? sizes[a] > sizes[b] : a < b; });

  WorkLayout layout;
  layout.offsets.resize(count);
  std::vector<size_t> placed; // by offset
  for (size_t i : order) {
    const WorkBuffer &buffer = entry.work[i];
    uint64_t at = 0;
    for (size_t other : placed) {
      const WorkBuffer &there = entry.work[other];
      if (there.last < buffer.first || buffer.last < there.first)
        continue;
      if (at + sizes[i] <= layout.offsets[other])
        break;
      at = std::max(at, layout.offsets[other] + sizes[other]);
    }
    layout.offsets[i] = at;
    layout.bytes = std::max(layout.bytes, at + sizes[i]);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), i,
                                   [&](size_t a, size_t b) { return layout.offsets[a] < layout.offsets[b]; }),
                  i);
  }
  return layout;
}

} // namespace quern::runtime
