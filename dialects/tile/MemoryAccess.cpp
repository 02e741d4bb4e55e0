//===- MemoryAccess.cpp ---------------------------------------------------===//
#include "dialects/tile/MemoryAccess.h"

#include <algorithm>
#include <set>

namespace quern::tile {

const BankRule *findBankRule(const std::vector<BankRule> &rules, Direction direction, int32_t bytes) {
  const BankRule *best = nullptr;
  for (const BankRule &rule : rules)
    if (rule.direction == direction && rule.bytes >= bytes && (!best || rule.bytes < best->bytes))
      best = &rule;
  return best;
}

/// Distinct words of four bytes that the lanes touch.
static std::set<int64_t> wordsOf(std::span<const int64_t> addresses, int32_t bytes) {
  std::set<int64_t> words;
  for (int64_t address : addresses)
    for (int64_t word = address / 4; word <= (address + bytes - 1) / 4; ++word)
      words.insert(word);
  return words;
}

int64_t phaseClocks(std::span<const int64_t> addresses, int32_t bytes, int32_t banks) {
  std::vector<int64_t> busy(size_t(banks), 0);
  for (int64_t word : wordsOf(addresses, bytes))
    ++busy[size_t(word % banks)];
  return *std::max_element(busy.begin(), busy.end());
}

/// Each lane accesses |bytes| at its element in every |step|-th register.
static SharedAccess countPhases(const Layout &layout, int32_t step, const MemoryLayout &memory,
                                unsigned elementBits, int32_t bytes, const BankRule &rule, int32_t warp) {
  SharedAccess access;
  // Phases: the cosets of the span of the rule's lanes.
  std::vector<uint64_t> together(rule.together.begin(), rule.together.end());
  Span phase(together);
  for (int32_t r = 0; r < layout.numRegisters(); r += step) {
    ++access.instructions;
    std::vector<std::pair<uint64_t, int64_t>> lanes; // phase, address
    for (int32_t lane = 0; lane < layout.numLanes(); ++lane)
      lanes.push_back({phase.reduce(uint64_t(lane)),
                       memory.offset(layout.apply(r, lane, warp)) * int64_t(elementBits) / 8});
    std::sort(lanes.begin(), lanes.end());
    for (size_t first = 0; first < lanes.size();) {
      std::vector<int64_t> addresses;
      size_t next = first;
      for (; next < lanes.size() && lanes[next].first == lanes[first].first; ++next)
        addresses.push_back(lanes[next].second);
      access.clocks += phaseClocks(addresses, bytes, rule.banks);
      int64_t words = int64_t(wordsOf(addresses, bytes).size());
      access.floor += (words + rule.banks - 1) / rule.banks;
      first = next;
    }
  }
  return access;
}

SharedAccess sharedAccess(const Layout &layout, const MemoryLayout &memory, unsigned elementBits,
                          int32_t vector, const BankRule &rule, int32_t warp) {
  int32_t bytes = std::max<int32_t>(1, vector * int32_t(elementBits) / 8);
  return countPhases(layout, vector, memory, elementBits, bytes, rule, warp);
}

SharedAccess runAccess(const Layout &runs, const MemoryLayout &memory, unsigned elementBits, int32_t bytes,
                       const BankRule &rule, int32_t warp) {
  return countPhases(runs, 1, memory, elementBits, bytes, rule, warp);
}

GlobalAccess globalAccess(const Layout &layout, const std::vector<int64_t> &strides, unsigned elementBits,
                          int32_t vector, int32_t segmentBytes, int64_t base, int32_t warp) {
  GlobalAccess access;
  int64_t bytes = std::max<int64_t>(1, vector * int64_t(elementBits) / 8);
  for (int32_t r = 0; r < layout.numRegisters(); r += vector) {
    ++access.instructions;
    std::set<int64_t> asked, segments;
    for (int32_t lane = 0; lane < layout.numLanes(); ++lane) {
      Coordinate at = layout.apply(r, lane, warp);
      int64_t address = 0;
      for (unsigned d = 0; d < layout.rank(); ++d)
        address += at[d] * strides[d];
      address = base + address * int64_t(elementBits) / 8;
      asked.insert(address);
      for (int64_t s = address / segmentBytes; s <= (address + bytes - 1) / segmentBytes; ++s)
        segments.insert(s);
    }
    access.bytes += int64_t(asked.size()) * bytes;
    access.moved += int64_t(segments.size()) * segmentBytes;
  }
  return access;
}

} // namespace quern::tile
