//===- SharedShadow.h - Who touched which shared word, and when -----------===//
//
// Finds data races in shared memory (PTX ISA 8, memory consistency model: two accesses conflict when they
// overlap, one writes, and neither happens before the other). Happens-before comes from barriers alone:
//
//   * each thread has a clock that advances whenever it takes part in a barrier;
//   * a barrier makes the clocks of those who arrived known to those who waited;
//   * an access by thread u at clock c happens before what thread t does now if t knows a clock of u that is
//   at
//     least c.
//
// After a barrier of the whole block everybody knows the same clocks, and one array holds them. Barriers of a
// part of the block (named barriers with a count, bar.warp.sync) need a row per thread; the rows are made
// when the first such barrier is seen. Each granule of memory keeps its last writer and its last two readers.
// Granules are as large as the smallest access of the kernel, so that neighbours never look like conflicts.
//
// Asynchronous operations (bulk copies, matrix operations) access memory on behalf of an *agent*, which has a
// clock like a thread: one agent per mbarrier whose clock counts phases, one per thread or warpgroup that
// waits for groups. Such an access is checked when it is issued, against what the issuing thread knows, and
// is over for those who have learned the agent's clock. They go through the async proxy: a write by a plain
// store must also have been fenced, by the writer or by the issuer (PTX ISA 8.6, proxies; 9.7.13.4,
// "fence.proxy.async").
//
// Two threads that store the same value to the same place without an order are not reported: programs that
// distribute a value over threads with replication do so, and the result does not depend on the order.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_SHAREDSHADOW_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_SHAREDSHADOW_H

#include "runtime/emulated/nvidia/ThreadContext.h"

#include <algorithm>
#include <span>
#include <vector>

namespace quern::runtime::emulated::nvidia {

/// The other side of a conflict.
struct Conflict {
  enum Kind : uint8_t { None, WriteRead, ReadWrite, WriteWrite, Uninitialised, Unfenced } kind = None;
  uint32_t thread = 0, site = 0;
  bool isAgent = false; ///< the other side is an asynchronous operation
};

class SharedShadow {
public:
  /// Forgets everything: a block of |threads| threads with |bytes| of shared memory starts.
  void reset(uint32_t threads, uint64_t bytes, uint32_t granuleBytes, bool findUninitialised);

  /// Notes an access that is inside the memory. |strong|: atomic, volatile or with a memory-order qualifier;
  /// two strong accesses do not conflict. |same|: the bytes written equal those that are there.
  Conflict read(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes, bool strong);
  Conflict write(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes, bool strong, bool same);

  /// |thread| starts a copy (cp.async) into the memory: until endCopy no access is in order with it.
  Conflict beginCopy(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes);
  /// The copy has ended: it counts as a write by |writer|, a thread or an agent, at |clock|.
  void endCopy(uint32_t thread, uint32_t writer, uint32_t clock, uint32_t site, uint64_t offset,
               uint32_t bytes);

  /// A clock for asynchronous operations; starts at zero, which everybody knows.
  uint32_t addAgent();
  /// An access of an asynchronous operation that |issuer| starts; those who know |clock| of |agent| come
  /// after.
  /// |isTensor|: tensor memory, which has no proxies and where one agent's operations are in order.
  Conflict asyncRead(uint32_t issuer, uint32_t agent, uint32_t clock, uint32_t site, uint64_t offset,
                     uint64_t bytes, bool isTensor = false);
  Conflict asyncWrite(uint32_t issuer, uint32_t agent, uint32_t clock, uint32_t site, uint64_t offset,
                      uint64_t bytes, bool isTensor = false);
  /// |thread| learns |clock| of |agent|; |row| likewise.
  void learn(uint32_t thread, uint32_t agent, uint32_t clock);
  void learn(std::vector<uint32_t> &row, uint32_t agent, uint32_t clock);
  /// |thread| makes what it knows of visible to the async proxy.
  void proxyFence(uint32_t thread);
  /// Has |thread| made what it did so far visible to the async proxy at |clock| or later?
  bool isFenced(uint32_t thread, uint32_t clock, uint32_t issuer) const;
  /// Does |thread| come after what |of| did at |clock|?
  bool isAfter(uint32_t thread, uint32_t of, uint32_t clock) const {
    return thread == of || clock <= knowledge(thread, of);
  }
  /// The clock of |of| that |thread| knows.
  uint32_t knownTo(uint32_t thread, uint32_t of) const { return knowledge(thread, of); }
  uint32_t clockOf(uint32_t thread) const { return clocks[thread]; }

  /// Every thread of the block has met every other.
  void meetAll();
  /// What |thread| knows now is added to |row| (made as needed), and its clock advances.
  void release(uint32_t thread, std::vector<uint32_t> &row);
  /// |thread| learns what |row| holds.
  void acquire(uint32_t thread, const std::vector<uint32_t> &row);
  /// The threads of |who| have met each other, and know what |released| holds (empty: nothing more).
  void meet(std::span<const uint32_t> who, std::span<const uint32_t> released);

private:
  struct Access {
    uint32_t clock = 0; ///< 0: no such access
    uint16_t thread = 0;
    uint16_t strong = 0; ///< 1: strong; inFlight: a copy that |thread| has started
    uint32_t site = 0;
  };
  static constexpr uint16_t inFlight = 2;
  struct Granule {
    Access writer, readers[2];
  };

  uint32_t knowledge(uint32_t thread, uint32_t of) const {
    uint32_t clock = of < threads ? known[of] : 0;
    return rows.empty() ? clock : std::max(clock, rows[size_t(thread) * stride + of]);
  }
  bool before(const Access &access, uint32_t thread) const {
    if (access.strong & inFlight)
      return false;
    return access.thread == thread || access.clock <= knowledge(thread, access.thread);
  }
  Conflict with(Conflict::Kind kind, const Access &access) const {
    return {kind, access.thread, access.site, access.thread >= threads || (access.strong & inFlight)};
  }
  void note(Granule &granule, const Access &reader);
  void needRows();

  uint32_t threads = 0, stride = 0, agents = 0, shift = 0;
  bool findUninitialised = false;
  std::vector<Granule> granules;
  std::vector<uint32_t> clocks; ///< by thread
  std::vector<uint32_t> known;  ///< by thread: the clock that everybody knows
  std::vector<uint32_t> rows;   ///< [knower][thread or agent], empty until needed
  std::vector<uint32_t> joined; ///< scratch row
  struct Fences {
    std::vector<uint32_t> clocks; ///< of the thread's own proxy fences
    std::vector<uint32_t> row;    ///< what it knew at the last one, by thread
  };
  std::vector<Fences> fences; ///< by thread
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_SHAREDSHADOW_H
