//===- PagedBatch.h - Sequences in a paged cache, for tests ---------------===//
#ifndef QUERN_TESTS_KERNELS_PAGEDBATCH_H
#define QUERN_TESTS_KERNELS_PAGEDBATCH_H

#include "tests/kernels/KernelHarness.h"

#include <limits>
#include <random>

namespace quern::test {

/// Sequences of the given lengths, their pages shuffled over a pool with spare ones; the tokens of a step are
/// the last |newTokens| positions of each (all of them where it has fewer).
struct PagedBatch {
  static constexpr int pageTokens = 64;
  int pages = 0, columns = 0;
  std::vector<int> lengths;
  std::vector<int32_t> table, positions, sequences;

  PagedBatch(std::vector<int> sequenceLengths, int newTokens, uint64_t seed)
      : lengths(std::move(sequenceLengths)) {
    for (int length : lengths) {
      columns = std::max(columns, (length + pageTokens - 1) / pageTokens);
      pages += (length + pageTokens - 1) / pageTokens + 1;
    }
    std::vector<int32_t> pool(pages);
    for (int i = 0; i < pages; ++i)
      pool[i] = i;
    std::mt19937_64 generator(seed);
    std::shuffle(pool.begin(), pool.end(), generator);
    // Entries that no token may read point far outside of the pool.
    table.assign(lengths.size() * columns, 1 << 20);
    for (size_t b = 0; b < lengths.size(); ++b) {
      for (int c = 0; c * pageTokens < lengths[b]; ++c) {
        table[b * columns + c] = pool.back();
        pool.pop_back();
      }
      for (int p = std::max(0, lengths[b] - newTokens); p < lengths[b]; ++p) {
        positions.push_back(p);
        sequences.push_back(int32_t(b));
      }
    }
  }

  int tokens() const { return int(positions.size()); }
  int page(int sequence, int position) const { return table[sequence * columns + position / pageTokens]; }

  /// Calls put(sequence, position, page, slot) for each position that the cache holds; all other slots are to
  /// be poisoned by the caller.
  template <typename Put> void forEachSlot(Put put) const {
    for (size_t b = 0; b < lengths.size(); ++b)
      for (int p = 0; p < lengths[b]; ++p)
        put(int(b), p, page(int(b), p), p % pageTokens);
  }
};

inline constexpr double poison = std::numeric_limits<double>::quiet_NaN();

} // namespace quern::test

#endif // QUERN_TESTS_KERNELS_PAGEDBATCH_H
