//===- MbarrierRun.cpp - Waiting between the threads of a cluster ---------===//
//
// PTX ISA 9.7.13.15 (mbarrier) and 9.7.13.3 (barrier.cluster).
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/AsyncMatrix.h"
#include "runtime/emulated/nvidia/BlockRun.h"

namespace quern::runtime::emulated::nvidia {

namespace {

/// Rounds in which every wait on an mbarrier has given up and nothing has changed: a deadlock.
constexpr uint32_t maxFruitlessWaits = 3;
constexpr uint32_t mbarrierBytes = 8;
/// How the waits end, in Waiting::value.
constexpr uint32_t gaveUp = 0, passed = 1;

} // namespace

BlockContext *BlockRun::blockOf(const ThreadContext *thread, uint64_t address) {
  BlockContext &own = *thread->block;
  if (address - own.sharedOrigin < (uint64_t(1) << clusterRankShift))
    return &own;
  uint64_t rank = address >> clusterRankShift;
  return launch.knowsClusters && rank < contexts.size() ? &contexts[rank] : nullptr;
}

//===----------------------------------------------------------------------===//
// Mbarriers
//===----------------------------------------------------------------------===//

void BlockRun::initMbarrier(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t count) {
  BlockContext &block = *thread->block;
  if (count == 0 || count > Mbarrier::maxCount)
    failAt(thread, site, Fault::BadOperand, "the count of an mbarrier is not from 1 to 2^20 - 1");
  uint64_t offset = address - block.sharedOrigin;
  if (mbarriers.count(address) && mbarriers[address].isIntact())
    failAt(thread, site, Fault::Asynchronous, "an mbarrier is initialised twice without mbarrier.inval",
           {Conflict::WriteWrite, thread->linear, mbarriers[address].site});
  Mbarrier &made = mbarriers[address];
  made = Mbarrier();
  made.word = block.shared + offset;
  made.expected = made.pending = count;
  made.site = site;
  made.initThread = thread->linear;
  made.initClock = sanitizes() ? shadow.clockOf(thread->linear) : 0;
  made.draw();
}

void BlockRun::invalidateMbarrier(ThreadContext *thread, uint32_t site, uint64_t address) {
  uint64_t key;
  Mbarrier &mbarrier = mbarrierAt(thread, site, address, key);
  if (mbarrier.inFlight || !mbarrier.waiting.empty())
    failAt(thread, site, Fault::Asynchronous, "an mbarrier is invalidated while it is in use",
           {Conflict::WriteWrite, thread->linear, mbarrier.site});
  mbarriers.erase(key);
}

Mbarrier &BlockRun::mbarrierAt(ThreadContext *thread, uint32_t site, uint64_t address, uint64_t &key) {
  BlockContext *block = blockOf(thread, address);
  uint64_t offset = block ? address - block->sharedOrigin : 0;
  Fault fault;
  fault.site = site;
  fault.address = address;
  fault.bytes = mbarrierBytes;
  fault.text = "shared";
  if (!block || offset > launch.sharedBytes || mbarrierBytes > launch.sharedBytes - offset ||
      hasEnded(*block)) {
    fault.kind = Fault::OutOfBounds;
    fail(thread, fault);
  }
  if (offset % mbarrierBytes) {
    fault.kind = Fault::Misaligned;
    fail(thread, fault);
  }
  auto it = mbarriers.find(address);
  if (it == mbarriers.end())
    failAt(thread, site, Fault::Asynchronous, "the mbarrier has not been initialised");
  Mbarrier &mbarrier = it->second;
  if (!mbarrier.isIntact())
    failAt(thread, site, Fault::Asynchronous, "the memory of an mbarrier has been written over",
           {Conflict::WriteWrite, mbarrier.initThread, mbarrier.site});
  key = address;
  if (sanitizes()) {
    // The operations are atomic among each other; others, and the initialisation, must be ordered.
    Conflict conflict =
        shadow.write(thread->linear, site, shadowOffset(*block, address), mbarrierBytes, true, false);
    if (!shadow.isAfter(thread->linear, mbarrier.initThread, mbarrier.initClock))
      conflict = {Conflict::WriteWrite, mbarrier.initThread, mbarrier.site};
    if (conflict.kind != Conflict::None) {
      fault.kind = Fault::Race;
      fault.other = conflict;
      fail(thread, fault);
    }
  }
  return mbarrier;
}

void BlockRun::checkPhase(uint64_t key, Mbarrier &mbarrier, uint32_t site) {
  if (mbarrier.pending != 0 || mbarrier.outstanding != 0) {
    mbarrier.draw();
    return;
  }
  // Copies that belong to this phase are still under way: fewer bytes were expected than they bring.
  if (mbarrier.inFlight != 0)
    for (const AsyncOperation &operation : asynchronous.operations())
      if (operation.kind == AsyncOperation::Signal && operation.key == key)
        failAt(
            &threads[operation.issuer], operation.site, Fault::Asynchronous,
            "a phase of an mbarrier ends before a copy that signals it: fewer bytes are expected than come",
            {Conflict::WriteRead, mbarrier.initThread, site});
  ++mbarrier.phase;
  mbarrier.pending = mbarrier.expected;
  mbarrier.inFlight = 0;
  mbarrier.draw();
  mbarrier.completed = mbarrier.arrived;
  if (mbarrier.agent != Mbarrier::none)
    shadow.learn(mbarrier.completed, mbarrier.agent, mbarrier.phase);
  fruitlessWaits = 0;
  waitingOnMbarriers -= static_cast<uint32_t>(mbarrier.waiting.size());
  for (uint32_t index : mbarrier.waiting) {
    threads[index].waiting.value = passed;
    wake(index);
  }
  mbarrier.waiting.clear();
}

uint64_t BlockRun::arriveMbarrier(ThreadContext *thread, uint32_t site, uint64_t address,
                                  const Arrival &arrival) {
  uint64_t key;
  Mbarrier &mbarrier = mbarrierAt(thread, site, address, key);
  uint64_t state = mbarrier.state();
  constexpr int64_t most = Mbarrier::maxCount;
  if (arrival.expects) {
    int64_t sum = int64_t(mbarrier.outstanding) + static_cast<int32_t>(arrival.expectBytes);
    if (sum > most || sum < -most)
      failAt(thread, site, Fault::BadOperand, "the bytes that an mbarrier expects are not below 2^20");
    mbarrier.outstanding = static_cast<int32_t>(sum);
  }
  if (sanitizes() && arrival.releases)
    shadow.release(thread->linear, mbarrier.arrived);
  if (arrival.arrives) {
    if (arrival.count == 0 || arrival.count > mbarrier.pending)
      failAt(thread, site, Fault::Asynchronous, "more threads arrive at an mbarrier than its count says",
             {Conflict::WriteWrite, mbarrier.initThread, mbarrier.site});
    if (arrival.drops)
      mbarrier.expected -= arrival.count;
    mbarrier.pending -= arrival.count;
    if (!arrival.completes && mbarrier.pending == 0 && mbarrier.outstanding == 0)
      failAt(thread, site, Fault::Asynchronous, "an arrival with .noComplete completes the phase");
  }
  checkPhase(key, mbarrier, site);
  return state;
}

bool BlockRun::waitMbarrier(ThreadContext *thread, uint32_t site, uint64_t address, uint64_t stateOrParity,
                            bool isParity, bool acquires) {
  if (asynchronous.order() == AsyncOrder::Random && asynchronous.toss())
    asynchronous.applyOne();
  uint64_t key;
  Mbarrier &mbarrier = mbarrierAt(thread, site, address, key);
  bool done = isParity ? mbarrier.hasPassed(static_cast<uint32_t>(stateOrParity))
                       : mbarrier.phase != static_cast<uint32_t>(stateOrParity);
  if (!isParity && mbarrier.phase - static_cast<uint32_t>(stateOrParity) > 1)
    failAt(thread, site, Fault::BadOperand, "the state is not of the current phase or the one before");
  if (!done) {
    mbarrier.waiting.push_back(thread->linear);
    ++waitingOnMbarriers;
    block(thread, Waiting::Mbarrier, site, static_cast<uint32_t>(address));
    done = thread->waiting.value == passed;
  }
  if (done && acquires && sanitizes())
    shadow.acquire(thread->linear, mbarriers[key].completed);
  return done;
}

BlockRun::Signal BlockRun::expectSignal(ThreadContext *thread, uint32_t site, uint64_t address,
                                        bool asyncProxy) {
  Signal signal;
  Mbarrier &mbarrier = mbarrierAt(thread, site, address, signal.key);
  ++mbarrier.inFlight;
  if (sanitizes()) {
    // The operation looks at the mbarrier through the async proxy: PTX ISA 9.7.13.4, "fence.mbarrier_init".
    if (asyncProxy && !shadow.isFenced(mbarrier.initThread, mbarrier.initClock, thread->linear))
      failAt(thread, site, Fault::Asynchronous,
             "the initialisation of the mbarrier is not made visible by fence.mbarrier_init or "
             "fence.proxy.async",
             {Conflict::WriteRead, mbarrier.initThread, mbarrier.site});
    if (mbarrier.agent == Mbarrier::none)
      mbarrier.agent = shadow.addAgent();
  }
  signal.agent = mbarrier.agent;
  signal.clock = mbarrier.phase + 1;
  return signal;
}

void BlockRun::signal(uint64_t key, uint32_t site, uint32_t bytes, uint32_t arrivals) {
  auto it = mbarriers.find(key);
  if (it == mbarriers.end())
    return; // its end is reported where it is invalidated
  Mbarrier &mbarrier = it->second;
  if (mbarrier.inFlight)
    --mbarrier.inFlight;
  // Far out of range it stays there: the end of the block reports it.
  constexpr int64_t least = -2 * int64_t(Mbarrier::maxCount);
  mbarrier.outstanding = static_cast<int32_t>(std::max(mbarrier.outstanding - int64_t(bytes), least));
  mbarrier.pending -= std::min(arrivals, mbarrier.pending);
  checkPhase(key, mbarrier, site);
}

void BlockRun::signalAfter(uint64_t key, uint32_t site, uint32_t agent, uint32_t clock,
                           const std::vector<uint32_t> &row) {
  if (auto it = mbarriers.find(key); it != mbarriers.end() && agent != Mbarrier::none) {
    std::vector<uint32_t> &arrived = it->second.arrived;
    arrived.resize(std::max(arrived.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      arrived[i] = std::max(arrived[i], row[i]);
    shadow.learn(arrived, agent, clock);
  }
  signal(key, site, 0, 1);
}

std::string BlockRun::describeMbarrier(uint32_t key) const {
  auto it = mbarriers.find(key);
  if (it == mbarriers.end())
    return "";
  const Mbarrier &mbarrier = it->second;
  return " for phase " + std::to_string(mbarrier.phase) + " of the mbarrier at shared address " +
         std::to_string(key & ((1u << clusterRankShift) - 1)) +
         (launch.clusterBlocks > 1
              ? " of block " +
                    std::to_string(firstBlock + (launch.knowsClusters ? key >> clusterRankShift : 0))
              : "") +
         ", which waits for " + std::to_string(mbarrier.pending) + " of " +
         std::to_string(mbarrier.expected) + " arrivals and " + std::to_string(mbarrier.outstanding) +
         " bytes";
}

bool BlockRun::letTimePass() {
  if (liveThreads == 0 || current.kind != Fault::None)
    return false;
  if (asynchronous.applyOne())
    return true;
  // A wait may end without success: PTX ISA 9.7.13.15.16, "try_wait ... a system-dependent time limit".
  if (waitingOnMbarriers == 0 || ++fruitlessWaits > maxFruitlessWaits)
    return false;
  for (auto &[key, mbarrier] : mbarriers) {
    for (uint32_t index : mbarrier.waiting) {
      threads[index].waiting.value = gaveUp;
      wake(index);
    }
    mbarrier.waiting.clear();
  }
  waitingOnMbarriers = 0;
  return true;
}

/// The thread ends: what it has started must not need its memory any more.
void BlockRun::checkLeftovers(ThreadContext *thread) {
  waitForAllCopies(thread);
  if (matrices && live[thread->block->clusterRank] == 1 && launch.options->sanitize)
    matrices->checkEnd(thread);
  if (asynchronous.empty() && mbarriers.empty())
    return;
  if (const AsyncOperation *operation = asynchronous.oldest(thread->linear);
      operation && launch.options->sanitize)
    failAt(thread, operation->site, Fault::Asynchronous,
           "the thread ends while its bulk copy may still read shared memory: a wait_group is missing");
  asynchronous.applyGroups(thread->linear, ~0u);
  if (live[thread->block->clusterRank] != 1 || !launch.options->sanitize)
    return;
  // The last thread of the block: nothing may write to its shared memory, or arrive there, any more.
  for (auto &[key, mbarrier] : mbarriers) {
    if (mbarrier.word < thread->block->shared || mbarrier.word >= thread->block->shared + launch.sharedBytes)
      continue;
    if (mbarrier.outstanding < 0)
      failAt(thread, mbarrier.site, Fault::Asynchronous,
             "more bytes have come to the mbarrier than were expected");
    for (const AsyncOperation &operation : asynchronous.operations())
      if (operation.kind == AsyncOperation::Signal && operation.key == key)
        failAt(&threads[operation.issuer], operation.site, Fault::Asynchronous,
               "the block ends while a copy into its shared memory is under way: a wait is missing");
  }
}

//===----------------------------------------------------------------------===//
// The barrier of the cluster
//===----------------------------------------------------------------------===//

void BlockRun::clusterArrive(ThreadContext *thread, uint32_t site, bool releases) {
  ClusterBarrier &barrier = clusterBarrier;
  if (barrier.phaseOf[thread->linear] != 0)
    failAt(thread, site, Fault::Divergence,
           "a thread arrives at the cluster barrier again without a wait between");
  barrier.phaseOf[thread->linear] = 1 + barrier.phase;
  ++barrier.arrived;
  if (releases && sanitizes())
    shadow.release(thread->linear, barrier.joined);
  checkCluster();
}

void BlockRun::clusterWait(ThreadContext *thread, uint32_t site, bool acquires) {
  ClusterBarrier &barrier = clusterBarrier;
  uint32_t mine = barrier.phaseOf[thread->linear];
  if (mine == 0)
    failAt(thread, site, Fault::Divergence, "a thread waits at the cluster barrier without having arrived");
  if (mine == 1 + barrier.phase) {
    barrier.waiting.push_back(thread->linear);
    block(thread, Waiting::Cluster, site, 0);
  }
  clusterBarrier.phaseOf[thread->linear] = 0;
  if (acquires && sanitizes())
    shadow.acquire(thread->linear, clusterBarrier.completed);
}

/// The phase ends when all threads of the cluster that have not exited have arrived.
void BlockRun::checkCluster() {
  ClusterBarrier &barrier = clusterBarrier;
  if (barrier.arrived == 0 || barrier.arrived < liveThreads)
    return;
  ++barrierCount;
  ++barrier.phase;
  barrier.arrived = 0;
  barrier.completed = barrier.joined;
  for (uint32_t index : barrier.waiting)
    wake(index);
  barrier.waiting.clear();
}

} // namespace quern::runtime::emulated::nvidia
