//===- GlobalShadow.h - Who touched which global word, and when -----------===//
//
// Finds data races in global memory during one launch (Checks::globalRaces). Inside of what runs together (a
// block, or a cluster) the order is that of the shared-memory shadow. Between blocks there is order only
// through strong accesses (atomics, volatile, relaxed, acquire, release; PTX ISA 8, "synchronizes-with"): a
// thread that has executed a fence of gpu or system scope, or whose access releases, publishes with its next
// strong writes all that it knew at the fence; a strong read of the place makes that known to its whole
// block.
//
// What a missing acquire or a missing barrier after it would allow is not found; a missing fence, a missing
// barrier before it and a missing atomic are.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_GLOBALSHADOW_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_GLOBALSHADOW_H

#include "runtime/emulated/nvidia/SharedShadow.h"

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace quern::runtime::emulated::nvidia {

/// Clocks of the threads of a run, by run (block or cluster).
using ForeignClocks = std::map<uint32_t, std::vector<uint32_t>>;

/// What one run knows of the others, and what its threads have fenced.
struct GlobalOrder {
  ForeignClocks known;
  std::vector<std::vector<uint32_t>> fences; ///< by thread: what it knew at its last fence

  void reset() {
    known.clear();
    fences.clear();
  }
};

/// Shared by all host threads of a launch.
class GlobalShadow {
public:
  explicit GlobalShadow(uint32_t granuleBytes);

  struct Found {
    Conflict conflict;
    uint32_t run = 0; ///< of the other side
  };
  /// Notes an access of |thread| of run |run|. |same|: the bytes written equal those that are there.
  Found access(uint32_t run, uint32_t thread, uint32_t site, uint64_t address, uint32_t bytes, bool write,
               bool strong, bool same, const SharedShadow &local, GlobalOrder &order);

private:
  struct Access {
    uint32_t run = 0; ///< plus one; 0: no such access
    uint16_t thread = 0, strong = 0;
    uint32_t clock = 0, site = 0;
  };
  struct Cell {
    Access writer, readers[2];
  };
  static constexpr uint32_t cellsOfPage = 1024, shards = 64;
  struct Shard {
    std::mutex lock;
    std::unordered_map<uint64_t, std::unique_ptr<Cell[]>> pages;
    std::unordered_map<uint64_t, ForeignClocks> published; ///< by the address of the strong write
  };
  Cell &cell(Shard &shard, uint64_t granule);

  uint32_t shift = 2;
  std::unique_ptr<Shard[]> parts;
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_GLOBALSHADOW_H
