//===- BlockRun.h - Runs the threads of one block, or of one cluster ------===//
//
// One host thread runs one block, or all blocks of one cluster, at a time: the GPU threads are fibres, and a
// fibre runs until it has to wait. Waiting are a block barrier (PTX ISA 9.7.13, "bar", "barrier"), a cluster
// barrier, a wait on an mbarrier, a collective of a warp ("shfl.sync" and its like, which wait for all
// non-exited threads of their member mask), and `activemask`, which stands still until the warp has nothing
// else to do and then answers the threads that are with it. When nothing can run, asynchronous operations
// that are under way take effect (AsyncOperations.h); when there is none and threads are left, that is a
// deadlock, and the fault says who waits for what.
//
// Threads are numbered by whole warps, block after block of the cluster: block b of a cluster whose blocks
// have w warps holds the threads from 32 * w * b on.
//
// The seed permutes the order of the warps and the first lane of each; results of a correct kernel do not
// depend on it. The first fault ends the block.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKRUN_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKRUN_H

#include "runtime/emulated/Machine.h"
#include "runtime/emulated/nvidia/AsyncCopies.h"
#include "runtime/emulated/nvidia/AsyncOperations.h"
#include "runtime/emulated/nvidia/BlockSetup.h"
#include "runtime/emulated/nvidia/Fibre.h"
#include "runtime/emulated/nvidia/GlobalShadow.h"
#include "runtime/emulated/nvidia/Mbarriers.h"
#include "runtime/emulated/nvidia/SharedShadow.h"
#include "runtime/emulated/nvidia/ThreadContext.h"

#include <atomic>
#include <bit>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace quern::runtime::emulated::nvidia {

/// The bulk copies of one thread to global memory (PTX ISA 9.7.9.25.3, bulk async-groups).
struct BulkGroups {
  uint32_t committed = 0;
  uint32_t agent = Mbarrier::none; ///< of the shadow; its clock counts groups
};

class AsyncMatrix;
class BlockCounts;

class BlockRun {
public:
  BlockRun();
  ~BlockRun();

  /// Computes the results of one collective for the lanes in |lanes| from their |arguments| (by lane).
  using Collective = void (*)(void *const *arguments, uint32_t lanes, ThreadContext *warp);
  enum class BarrierOp : uint8_t { Sync, Arrive, Count, And, Or };

  /// Makes room for the blocks of one launch. False when the host has no memory for them.
  bool prepare(const BlockSetup &setup);
  /// Runs cluster |index| to its end; adds to |counters|. A fault is left in `fault()`.
  bool run(uint32_t index, RunCounters &counters);
  const Fault &fault() const { return current; }
  /// Null without BlockSetup::counts.
  BlockCounts *counts() { return counting.get(); }

  // What follows is called on a fibre, by translated code.

  void barrier(ThreadContext *thread, uint32_t site, uint32_t id, uint32_t count, BarrierOp op, bool aligned,
               uint32_t &value);
  void collective(ThreadContext *thread, uint32_t site, uint32_t mask, Collective what, void *arguments);
  /// All lanes of the warp execute setmaxnreg with |count|.
  void setRegisterCount(ThreadContext *thread, uint32_t site, uint32_t count);
  void warpBarrier(ThreadContext *thread, uint32_t site, uint32_t mask);
  uint32_t activeMask(ThreadContext *thread, uint32_t site);
  /// Lets the others run; checks the step limit. |steps|: instructions of the running function so far.
  void tick(ThreadContext *thread, uint32_t site, uint64_t steps);
  [[noreturn]] void fail(ThreadContext *thread, const Fault &fault);
  /// The thread ends here, inside of a function.
  [[noreturn]] void exit(ThreadContext *thread) { finish(thread); }

  const BlockSetup &setup() const { return launch; }
  SharedShadow &sharedShadow() { return shadow; }
  bool sanitizes() const { return launch.options->sanitize && (launch.sharedBytes || launch.globalShadow); }
  GlobalOrder &globalOrder() { return global; }
  uint32_t index() const { return firstBlock / launch.clusterBlocks; }
  /// |thread| publishes with its next strong writes what it knows now.
  void fenceGlobal(ThreadContext *thread);
  AsyncOperations &operations() { return asynchronous; }
  /// The block of the cluster that a shared address names; null where there is none.
  BlockContext *blockOf(const ThreadContext *thread, uint64_t address);
  /// True once all threads of the block have exited.
  bool hasEnded(const BlockContext &block) const { return live[block.clusterRank] == 0; }
  /// The place of a shared address in the shadow.
  uint64_t shadowOffset(const BlockContext &block, uint64_t address) const {
    return block.clusterRank * sharedStride + (address - block.sharedOrigin);
  }
  ThreadContext *threadAt(uint32_t linear) { return &threads[linear]; }
  uint32_t blockIndexOf(const ThreadContext *thread) const { return firstBlock + thread->block->clusterRank; }

  // Mbarriers (MbarrierRun.cpp). |address| is a shared address that any block of the cluster may use.

  void initMbarrier(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t count);
  void invalidateMbarrier(ThreadContext *thread, uint32_t site, uint64_t address);
  /// The mbarrier at |address|; a fault where there is none.
  Mbarrier &mbarrierAt(ThreadContext *thread, uint32_t site, uint64_t address, uint64_t &key);
  struct Arrival {
    uint32_t count = 1, expectBytes = 0;
    bool arrives = true, drops = false, expects = false, completes = true, releases = true;
  };
  uint64_t arriveMbarrier(ThreadContext *thread, uint32_t site, uint64_t address, const Arrival &arrival);
  /// Waits until the phase has ended, or some time; true if it has.
  bool waitMbarrier(ThreadContext *thread, uint32_t site, uint64_t address, uint64_t stateOrParity,
                    bool isParity, bool acquires);
  /// An operation that will signal the mbarrier: its agent and the clock that its end has.
  struct Signal {
    uint64_t key = 0;
    uint32_t agent = 0, clock = 0;
  };
  /// |asyncProxy|: the operation goes through the async proxy.
  Signal expectSignal(ThreadContext *thread, uint32_t site, uint64_t address, bool asyncProxy = true);
  /// The operation has ended with |bytes|, or with |arrivals|.
  void signal(uint64_t key, uint32_t site, uint32_t bytes, uint32_t arrivals);

  // Copies of cp.async (AsyncCopies.cpp).

  /// Starts |copy| to shared |address|, which has been checked.
  void startCopy(ThreadContext *thread, AsyncCopy copy, uint64_t address);
  void commitCopies(ThreadContext *thread);
  void waitForCopyGroups(ThreadContext *thread, uint32_t open);
  void waitForAllCopies(ThreadContext *thread);
  void arriveAfterCopies(ThreadContext *thread, uint32_t site, uint64_t address, bool increments);

  /// Takes back `expectSignal`: the operation announces itself again.
  void forgetSignal(uint64_t key) { --mbarriers[key].inFlight; }
  BulkGroups &bulkGroups(const ThreadContext *thread) { return groupsOf[thread->linear]; }
  void countCopy(ThreadContext *thread, uint64_t loadBytes, uint64_t storeBytes) {
    thread->counts.globalLoadBytes += loadBytes;
    thread->counts.globalStoreBytes += storeBytes;
  }
  /// Tensor maps that tensormap.replace has changed, until fence.proxy.tensormap acquires them.
  void changedMap(uint64_t address) { changedMaps.insert(address); }
  void fenceMap(uint64_t address) { changedMaps.erase(address); }
  bool isUnfencedMap(uint64_t address) const { return changedMaps.count(address) != 0; }
  /// The state of warpgroup matrix operations and of tensor memory.
  AsyncMatrix &asyncMatrix();
  /// The shadow's place of 32 lanes of one column of tensor memory.
  uint64_t tensorShadowOffset(const BlockContext &block, uint32_t column, uint32_t quarter) const {
    return sharedStride * contexts.size() + ((block.clusterRank * 512 + column) * 4 + quarter) * shadowCell;
  }
  static constexpr uint32_t shadowCell = 16;
  /// As `signal` with one arrival, by an operation of |agent| that has come to |clock| and knows |row|.
  void signalAfter(uint64_t key, uint32_t site, uint32_t agent, uint32_t clock,
                   const std::vector<uint32_t> &row);
  /// Waits for `resume`; others run.
  void standStill(ThreadContext *thread, uint32_t site) { block(thread, Waiting::Warp, site, 0); }
  void resume(uint32_t thread) { wake(thread); }
  BlockContext &blockAt(uint32_t rank) { return contexts[rank]; }
  void clusterArrive(ThreadContext *thread, uint32_t site, bool releases);
  void clusterWait(ThreadContext *thread, uint32_t site, bool acquires);
  [[noreturn]] void failAt(ThreadContext *thread, uint32_t site, Fault::Kind kind, const char *text,
                           Conflict other = {});

private:
  static constexpr size_t sharedPadding = 128;

  struct Barrier {
    uint32_t arrived = 0, expected = 0, site = 0, rank = 0;
    bool counted = false, arriveOnly = false;
    BarrierOp op = BarrierOp::Sync;
    uint32_t sum = 0;
    std::vector<uint32_t> waiting;  ///< threads
    std::vector<uint32_t> released; ///< shadow row of those that arrived without waiting
  };
  struct Pending {
    Pending(uint32_t mask, Collective what) : mask(mask), what(what) {}
    uint32_t mask, arrived = 0;
    Collective what;           ///< null for a barrier
    void *arguments[warpSize]; ///< of the lanes that have arrived
  };
  struct Warp {
    uint32_t ready = 0, gone = 0, parked = 0; ///< lanes; gone: exited, or beyond the block
    uint32_t cursor = 0;                      ///< lane that is asked first
    std::vector<Pending> pending;
    std::vector<std::pair<uint32_t, uint32_t>> registerCounts; ///< of each setmaxnreg, with its site
  };
  static void enter(void *thread);
  [[noreturn]] void finish(ThreadContext *thread);
  void runOneByOne();
  void block(ThreadContext *thread, Waiting::What what, uint32_t site, uint32_t detail);
  ThreadContext *pick(uint32_t warp) {
    const Warp &at = warps[warp];
    auto lane = static_cast<uint32_t>(std::countr_zero(std::rotr(at.ready, static_cast<int>(at.cursor))));
    return &threads[warp * warpSize + (lane + at.cursor) % warpSize];
  }
  ThreadContext *next(uint32_t warp, bool leaveWarp);
  void switchTo(ThreadContext *from, ThreadContext *to);
  void releaseParked(uint32_t warp);
  void wake(uint32_t thread) { warps[thread / warpSize].ready |= 1u << (thread % warpSize); }
  void completeBarrier(Barrier &barrier);
  void checkBarriers(const BlockContext &block);
  /// Nothing can run: lets an asynchronous operation end, or a wait on an mbarrier; false where there is
  /// none.
  bool letTimePass();
  void checkPhase(uint64_t key, Mbarrier &mbarrier, uint32_t site);
  void checkCluster();
  void checkRegisterCounts(ThreadContext *thread);
  void checkLeftovers(ThreadContext *thread);
  bool completePending(Warp &warp, size_t index);
  void endCopies(ThreadContext *thread, std::vector<AsyncCopy> ended);
  std::string describeWaiters() const;
  std::string describeMbarrier(uint32_t key) const;
  void start(uint32_t index);

  uint64_t tensorShadowBytes() const { return launch.usesTensorMemory ? 512 * 4 * shadowCell : 0; }

  BlockSetup launch;
  std::vector<BlockContext> contexts; ///< the blocks of the cluster
  uint32_t threadStride = 0;          ///< threads of a block, rounded up to whole warps
  uint64_t sharedStride = 0; ///< bytes from one block's shared memory to the next's, in the shadow too
  FibreStacks stacks;
  SharedShadow shadow;
  GlobalOrder global;
  std::vector<ThreadContext> threads;
  std::vector<Warp> warps;
  std::vector<uint32_t> warpOrder, warpPlace; ///< permutation by seed and its inverse
  uint32_t firstLane = 0;
  std::vector<Barrier> barriers;
  std::vector<std::byte> shared, local;
  std::vector<SiteCache> caches;
  std::vector<uint32_t> live; ///< by block of the cluster
  uint32_t liveThreads = 0;
  uint64_t barrierCount = 0;
  std::unique_ptr<BlockCounts> counting;
  uint32_t firstBlock = 0; ///< of the cluster
  AsyncOperations asynchronous;
  Mbarriers mbarriers;
  std::vector<AsyncCopies> copies;         ///< by thread, made when the first copy is started
  std::map<uint32_t, BulkGroups> groupsOf; ///< by thread
  std::set<uint64_t> changedMaps;
  std::unique_ptr<AsyncMatrix> matrices; ///< made when the first instruction of its kind is met
  uint32_t waitingOnMbarriers = 0, fruitlessWaits = 0;
  struct ClusterBarrier {
    uint32_t arrived = 0, phase = 0;
    std::vector<uint32_t> phaseOf;           ///< by thread: 1 + the phase that it has arrived in, 0: none
    std::vector<uint32_t> waiting;           ///< threads
    std::vector<uint32_t> joined, completed; ///< rows of the shadow
  } clusterBarrier;
  void *mainStack = nullptr;
  Fault current;
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_BLOCKRUN_H
