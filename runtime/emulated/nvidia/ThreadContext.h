//===- ThreadContext.h - State of GPU threads, shared with translated code ===//
//
// Translated code reads these structures at the offsets that `offsetof` gives; they are plain data. One
// ThreadContext stands for one GPU thread, one BlockContext for the block that it is in; both belong to the
// host thread (worker) that runs the block.
//
// Addresses. A global address is a host address. A shared or local address is an offset into the block's or
// the thread's buffer; as a generic address it is that offset plus a window base that no host address can
// have, so that a generic access knows its space (PTX ISA 5.1, "isspacep", "cvta"). In a kernel that knows of
// clusters a shared address holds the rank of its block in bits 24 and up: the shared::cta window is a part
// of the shared::cluster window (PTX ISA 5.1.7), and `mapa` exchanges the rank.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_THREADCONTEXT_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_THREADCONTEXT_H

#include <cstddef>
#include <cstdint>

namespace quern::runtime::emulated::nvidia {

class BlockRun;

inline constexpr uint64_t sharedWindow = 0x2000'0000'0000'0000;
inline constexpr uint64_t localWindow = 0x4000'0000'0000'0000;
/// Size of each window; an offset beyond it belongs to no space.
inline constexpr uint64_t windowBytes = uint64_t(1) << 32;

inline constexpr uint32_t clusterRankShift = 24;
inline constexpr uint32_t maxClusterBlocks = 16; ///< with the non-portable size (CUDA programming guide)

inline constexpr uint32_t warpSize = 32;
inline constexpr uint32_t maxThreads = 1024; ///< of a block (PTX ISA, compute capability limits)
inline constexpr uint32_t maxCallDepth = 64; ///< nested calls of device functions

/// The allocation that the last access of one instruction fell into, per worker: |limit| is the number of
/// start addresses from |base| on at which an access of the instruction's width fits. Zero-initialised:
/// nothing fits.
struct SiteCache {
  uint64_t base = 0;
  uint64_t limit = 0;
};

struct BlockContext {
  std::byte *shared = nullptr;
  uint64_t sharedBytes = 0;
  const std::byte *parameters = nullptr;
  SiteCache *caches = nullptr; ///< by site
  uint32_t block[3] = {}, blocks[3] = {}, threads[3] = {};
  uint32_t dynamicSharedBytes = 0;
  uint32_t clusterRank = 0, clusterBlocks = 1;
  uint32_t cluster = 0, clusters = 0; ///< %clusterid.x, %nclusterid.x
  uint32_t isExplicitCluster = 0;
  uint64_t sharedOrigin = 0; ///< shared address of the first byte: rank << clusterRankShift, or 0
  BlockRun *run = nullptr;
};

/// Dynamic counts of one thread; the order is known to the translator.
struct ThreadCounts {
  uint64_t instructions = 0;
  uint64_t globalLoadBytes = 0, globalStoreBytes = 0, sharedLoadBytes = 0, sharedStoreBytes = 0;
};

/// What a thread stands still for, and where.
struct Waiting {
  enum What : uint8_t { Nothing, Barrier, Warp, Active, Mbarrier, Cluster };
  What what = Nothing;
  bool aligned = false;
  uint32_t site = 0;
  uint32_t detail = 0; ///< barrier number, member mask, or shared address of the mbarrier
  uint32_t value = 0;  ///< result of what it waited for
};

/// What a switch to the thread touches stands in the first cache line.
struct alignas(64) ThreadContext {
  BlockContext *block = nullptr;
  void *stackPointer = nullptr;
  uint32_t linear = 0;         ///< index in the run: whole warps, block after block of the cluster
  uint32_t lane = 0, warp = 0; ///< warp of the block
  uint32_t runWarp = 0;        ///< warp of the run
  Waiting waiting;
  uint32_t callDepth = 0;
  uint32_t id[3] = {};
  std::byte *local = nullptr; ///< local memory of this thread
  uint64_t localTop = 0;      ///< bytes in use by the frames of the functions that are active
  uint64_t localBytes = 0;    ///< size of the buffer
  ThreadCounts counts;
  uint64_t *segments = nullptr; ///< with Checks::counters: CountPlan.h
};

/// What a translated kernel or function looks like from outside: parameters and results are pointers to
/// parameter memory, after the thread.
using KernelEntry = void (*)(ThreadContext *);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_THREADCONTEXT_H
