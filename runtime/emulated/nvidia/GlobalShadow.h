//===- GlobalShadow.h - Who touched which global word, and when -----------===//
//
// Finds data races in global memory during one launch (Checks::globalRaces). Inside of what runs together (a
// block, or a cluster) the order is that of the shared-memory shadow. Between blocks there is order only
// through strong accesses (atomics, volatile, relaxed, acquire, release; PTX ISA 8, "synchronizes-with"): a
// thread that has executed a fence of gpu or system scope, or whose access releases, publishes with its next
// strong writes all that it knew at the fence; a strong read of the place tells it to the reader once the
// read itself acquires or a fence of that scope follows it, and a barrier tells it to others.
//
// Bulk copies access global memory for an agent of the shared-memory shadow (SharedShadow.h): a read is over
// with the mbarrier's phase, a write with the wait for its group. What a plain store of the same block has
// written they find only behind a fence.proxy.async; the writes of other blocks are not held to that.
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
  /// At |clock| of |thread| it has learned |known|; who comes after that knows it too.
  struct Acquisition {
    uint32_t thread, clock;
    ForeignClocks known;
  };
  std::vector<Acquisition> acquired;
  std::vector<ForeignClocks> seen;           ///< by thread: what relaxed reads have found, until a fence
  std::vector<std::vector<uint32_t>> fences; ///< by thread: what it knew at its last fence

  void reset() {
    acquired.clear();
    seen.clear();
    fences.clear();
  }
  /// |thread| now knows what its strong reads have found.
  void acquire(uint32_t thread, const SharedShadow &local);
  /// All that |thread| knows of other runs.
  ForeignClocks knownTo(uint32_t thread, const SharedShadow &local) const;
};

/// Who makes an access: a thread, or for it an agent of asynchronous operations.
struct GlobalActor {
  uint32_t thread; ///< that issues it
  uint32_t as;     ///< the same, or an agent of the shared-memory shadow
  uint32_t clock;  ///< of |as|
  bool isAgent() const { return as != thread; }
};

/// Shared by all host threads of a launch.
class GlobalShadow {
public:
  explicit GlobalShadow(uint32_t granuleBytes);

  struct Found {
    Conflict conflict;
    uint32_t run = 0; ///< of the other side
  };
  /// Notes an access of run |run|. |same|: the bytes written equal those that are there.
  Found access(uint32_t run, GlobalActor actor, uint32_t site, uint64_t address, uint32_t bytes, bool write,
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
