//===- BlockRun.cpp - Runs the threads of one block -----------------------===//

#include "runtime/emulated/nvidia/BlockRun.h"

#include "runtime/emulated/nvidia/AsyncMatrix.h"
#include "runtime/emulated/nvidia/BlockCounts.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <numeric>
#include <random>
#include <tuple>

namespace quern::runtime::emulated::nvidia {

namespace {

constexpr std::byte poison{0xCB};
constexpr uint32_t warpsOfGroup = 4;     ///< PTX ISA 9.7.15.1
constexpr uint32_t barriersOfBlock = 16; ///< PTX ISA 9.7.13.1
constexpr uint64_t defaultStepLimit = uint64_t(1) << 34;

uint32_t lanesOf(uint32_t threads, uint32_t warp) {
  uint32_t count = std::min(warpSize, threads - warp * warpSize);
  return count == warpSize ? ~0u : (1u << count) - 1;
}

} // namespace

//===----------------------------------------------------------------------===//
// Starting and ending
//===----------------------------------------------------------------------===//

BlockRun::BlockRun() = default;
BlockRun::~BlockRun() = default;

AsyncMatrix &BlockRun::asyncMatrix() {
  if (!matrices) {
    matrices = std::make_unique<AsyncMatrix>();
    matrices->reset(*this);
  }
  return *matrices;
}

bool BlockRun::prepare(const BlockSetup &setup) {
  launch = setup;
  uint32_t blockWarps = (launch.threads + warpSize - 1) / warpSize, blockCount = launch.clusterBlocks;
  threadStride = blockWarps * warpSize;
  if (!stacks.reserve(launch.canWait ? threadStride * blockCount : 1))
    return false;
  threads.resize(size_t(threadStride) * blockCount);
  copies.clear(); // those of an earlier launch are for as many threads as it had
  warps.resize(size_t(blockWarps) * blockCount);
  barriers.resize(size_t(barriersOfBlock) * blockCount);
  sharedStride = (launch.sharedBytes + 2 * sharedPadding + 15) / 16 * 16;
  shared.resize(sharedStride * blockCount);
  local.resize(launch.localBytes * (launch.canWait ? threads.size() : 1));
  caches.assign(launch.sites, SiteCache());
  live.resize(blockCount);
  counting =
      launch.counts ? std::make_unique<BlockCounts>(*launch.counts, uint32_t(threads.size())) : nullptr;

  warpOrder.resize(warps.size());
  std::iota(warpOrder.begin(), warpOrder.end(), 0u);
  firstLane = 0;
  if (launch.options->seed != 0) {
    std::mt19937_64 random(launch.options->seed);
    for (size_t i = warpOrder.size(); i > 1; --i)
      std::swap(warpOrder[i - 1], warpOrder[random() % i]);
    firstLane = static_cast<uint32_t>(random() % warpSize);
  }
  warpPlace.resize(warps.size());
  for (uint32_t i = 0; i < warpOrder.size(); ++i)
    warpPlace[warpOrder[i]] = i;

  contexts.assign(blockCount, BlockContext());
  for (uint32_t rank = 0; rank < blockCount; ++rank) {
    BlockContext &context = contexts[rank];
    context.shared = shared.data() + rank * sharedStride + sharedPadding;
    context.sharedBytes = launch.sharedBytes;
    context.parameters = launch.parameters;
    context.caches = caches.data();
    context.dynamicSharedBytes = launch.dynamicSharedBytes;
    context.clusterRank = rank;
    context.clusterBlocks = blockCount;
    context.clusters = launch.blocks[0] / blockCount;
    context.isExplicitCluster = launch.isExplicitCluster;
    if (launch.knowsClusters)
      context.sharedOrigin = uint64_t(rank) << clusterRankShift;
    context.run = this;
    for (int i = 0; i < 3; ++i) {
      context.threads[i] = launch.shape[i];
      context.blocks[i] = launch.blocks[i];
    }
  }
  return true;
}

void BlockRun::start(uint32_t index) {
  current = Fault();
  firstBlock = index * launch.clusterBlocks;
  barrierCount = 0;
  std::memset(shared.data(), launch.options->poisonShared ? static_cast<int>(poison) : 0, shared.size());
  if (sanitizes())
    shadow.reset(static_cast<uint32_t>(threads.size()),
                 sharedStride * launch.clusterBlocks + tensorShadowBytes() * launch.clusterBlocks,
                 launch.granuleBytes, launch.options->uninitialised);
  liveThreads = launch.threads * launch.clusterBlocks;
  for (BlockContext &context : contexts) {
    uint32_t block = firstBlock + context.clusterRank;
    context.cluster = index;
    context.block[0] = block % launch.blocks[0];
    context.block[1] = block / launch.blocks[0] % launch.blocks[1];
    context.block[2] = block / launch.blocks[0] / launch.blocks[1];
    live[context.clusterRank] = launch.threads;
    for (uint32_t i = 0; i < threadStride; ++i) {
      uint32_t linear = context.clusterRank * threadStride + i;
      ThreadContext &thread = threads[linear];
      thread = ThreadContext();
      thread.block = &context;
      thread.id[0] = i % launch.shape[0];
      thread.id[1] = i / launch.shape[0] % launch.shape[1];
      thread.id[2] = i / launch.shape[0] / launch.shape[1];
      thread.linear = linear;
      thread.lane = i % warpSize;
      thread.warp = i / warpSize;
      thread.runWarp = linear / warpSize;
      thread.local = local.data() + (launch.canWait ? launch.localBytes * linear : 0);
      thread.localBytes = launch.localBytes;
    }
  }
  for (uint32_t i = 0; i < warps.size(); ++i) {
    uint32_t lanes = lanesOf(launch.threads, i % (threadStride / warpSize));
    warps[i].ready = lanes;
    warps[i].gone = ~lanes;
    warps[i].parked = 0;
    warps[i].cursor = firstLane;
    warps[i].pending.clear();
    warps[i].registerCounts.clear();
  }
  if (counting) {
    std::vector<uint32_t> lanes;
    for (const Warp &warp : warps)
      lanes.push_back(warp.ready);
    counting->start(threads, std::move(lanes));
  }
  for (Barrier &barrier : barriers)
    barrier = Barrier();
  asynchronous.reset(*launch.options, index);
  global.reset();
  mbarriers.clear();
  for (AsyncCopies &mine : copies)
    mine.clear();
  groupsOf.clear();
  changedMaps.clear();
  if (matrices)
    matrices->reset(*this);
  waitingOnMbarriers = fruitlessWaits = 0;
  clusterBarrier = ClusterBarrier();
  clusterBarrier.phaseOf.resize(threads.size());
}

bool BlockRun::run(uint32_t index, RunCounters &counters) {
  start(index);
  if (!launch.canWait) {
    runOneByOne();
  } else {
    for (ThreadContext &thread : threads)
      thread.stackPointer = stacks.prepare(thread.linear, &BlockRun::enter, &thread);
    quernSwitchFibre(&mainStack, next(warpOrder[0], false)->stackPointer);
    if (current.kind == Fault::None && liveThreads != 0) {
      current.kind = Fault::Deadlock;
      for (const ThreadContext &thread : threads)
        if (thread.waiting.what != Waiting::Nothing) {
          current.block = blockIndexOf(&thread);
          current.thread = thread.linear % threadStride;
          current.site = thread.waiting.site;
          break;
        }
      current.waiters = describeWaiters();
    }
  }
  for (uint32_t i = 0; i < warps.size(); ++i) {
    uint64_t longest = 0;
    for (uint32_t j = i * warpSize; j < (i + 1) * warpSize; ++j) {
      const ThreadCounts &counts = threads[j].counts;
      longest = std::max(longest, counts.instructions);
      counters.threadInstructions += counts.instructions;
      counters.globalLoadBytes += counts.globalLoadBytes;
      counters.globalStoreBytes += counts.globalStoreBytes;
      counters.sharedLoadBytes += counts.sharedLoadBytes;
      counters.sharedStoreBytes += counts.sharedStoreBytes;
    }
    counters.warpInstructions += longest;
  }
  counters.barriers += barrierCount;
  if (counting) {
    counting->finish();
    counting->counters().total().barriers += barrierCount;
  }
  return current.kind == Fault::None;
}

void BlockRun::runOneByOne() {
  // The blocks one after the other, each in the order of its warps.
  for (uint32_t place = 0; place < warps.size(); ++place)
    for (uint32_t i = 0; i < warpSize; ++i) {
      uint32_t index = warpOrder[place] * warpSize + (i + firstLane) % warpSize;
      if (index % threadStride >= launch.threads)
        continue;
      void *stack = stacks.prepare(0, &BlockRun::enter, &threads[index]);
      quernSwitchFibre(&mainStack, stack);
      if (current.kind != Fault::None)
        return;
    }
}

/// Translated code has none of the marks by which a sanitizer would know the type of a function.
#ifdef __clang__
__attribute__((no_sanitize("function")))
#endif
void BlockRun::enter(void *argument) {
  auto *thread = static_cast<ThreadContext *>(argument);
  BlockRun *run = thread->block->run;
  run->launch.entry(thread);
  run->finish(thread);
}

void BlockRun::finish(ThreadContext *thread) {
  checkLeftovers(thread);
  checkRegisterCounts(thread);
  if (clusterBarrier.phaseOf[thread->linear] == 1 + clusterBarrier.phase)
    --clusterBarrier.arrived; // it is counted neither among those that arrive nor among those that live
  --liveThreads;
  --live[thread->block->clusterRank];
  Warp &warp = warps[thread->runWarp];
  uint32_t bit = 1u << thread->lane;
  warp.ready &= ~bit;
  warp.gone |= bit;
  if (launch.canWait) {
    // Those who waited for this thread need not wait longer: barriers and collectives count non-exited
    // threads.
    for (size_t i = 0; i < warp.pending.size();)
      if (!completePending(warp, i))
        ++i;
    checkBarriers(*thread->block);
    checkCluster();
    if (ThreadContext *other = next(thread->runWarp, false))
      quernSwitchFibre(&thread->stackPointer, other->stackPointer);
  }
  quernSwitchFibre(&thread->stackPointer, mainStack);
  __builtin_unreachable();
}

void BlockRun::fail(ThreadContext *thread, const Fault &fault) {
  current = fault;
  current.block = blockIndexOf(thread);
  current.thread = thread->linear % threadStride;
  if (fault.isForeign) {
    current.otherBlock = fault.otherRun * launch.clusterBlocks + fault.other.thread / threadStride;
    current.other.thread = fault.other.thread % threadStride;
  } else if (!fault.other.isAgent && fault.other.thread < threads.size()) {
    current.otherBlock = blockIndexOf(&threads[fault.other.thread]);
    current.other.thread = fault.other.thread % threadStride;
  }
  quernSwitchFibre(&thread->stackPointer, mainStack);
  __builtin_unreachable();
}

/// Out of line, so that the frames of what waits stay small: there is one for every thread that stands still.
[[gnu::noinline]] void BlockRun::failAt(ThreadContext *thread, uint32_t site, Fault::Kind kind,
                                        const char *text, Conflict other) {
  Fault fault;
  fault.kind = kind;
  fault.site = site;
  fault.text = text;
  fault.other = other;
  fail(thread, fault);
}

//===----------------------------------------------------------------------===//
// Scheduling
//===----------------------------------------------------------------------===//

/// The next thread to run: of |warp| while it has one, else of the next warp in the order of the seed; null
/// when nothing can run.
ThreadContext *BlockRun::next(uint32_t warp, bool leaveWarp) {
  uint32_t count = static_cast<uint32_t>(warps.size());
  uint32_t place = warpPlace[warp] + leaveWarp;
  do {
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t index = warpOrder[(place + i) % count];
      Warp &at = warps[index];
      if (at.ready == 0 && at.parked != 0)
        releaseParked(index);
      if (at.ready == 0)
        continue;
      return pick(index);
    }
  } while (letTimePass());
  return nullptr;
}

void BlockRun::switchTo(ThreadContext *from, ThreadContext *to) {
  if (to == from)
    return;
  quernSwitchFibre(&from->stackPointer, to ? to->stackPointer : mainStack);
}

void BlockRun::block(ThreadContext *thread, Waiting::What what, uint32_t site, uint32_t detail) {
  Waiting &waiting = thread->waiting;
  waiting.what = what;
  waiting.site = site;
  waiting.detail = detail;
  Warp &warp = warps[thread->runWarp];
  warp.ready &= ~(1u << thread->lane);
  switchTo(thread, warp.ready ? pick(thread->runWarp) : next(thread->runWarp, false));
  waiting.what = Waiting::Nothing;
}

void BlockRun::tick(ThreadContext *thread, uint32_t site, uint64_t steps) {
  uint64_t limit = launch.options->stepLimit ? launch.options->stepLimit : defaultStepLimit;
  if (thread->counts.instructions + steps > limit)
    failAt(thread, site, Fault::StepLimit, "");
  // When a block before this one has failed, this one need not end. Its own result is not looked at.
  if (launch.lowestFault && launch.lowestFault->load(std::memory_order_relaxed) < contexts[0].cluster)
    failAt(thread, site, Fault::Stopped, "");
  if (!launch.canWait)
    return;
  // Another warp goes on, and in this warp another lane is the next one: a thread that spins must not starve
  // the one it waits for.
  warps[thread->runWarp].cursor = (thread->lane + 1) % warpSize;
  asynchronous.applyAny();
  switchTo(thread, next(thread->runWarp, true));
}

//===----------------------------------------------------------------------===//
// Block barriers
//===----------------------------------------------------------------------===//

void BlockRun::barrier(ThreadContext *thread, uint32_t site, uint32_t id, uint32_t count, BarrierOp op,
                       bool aligned, uint32_t &value) {
  if (id >= barriersOfBlock)
    failAt(thread, site, Fault::BadOperand, "the barrier number is above 15");
  if (count % warpSize != 0)
    failAt(thread, site, Fault::BadOperand,
           "the thread count of the barrier is not a multiple of the warp size");
  Barrier &barrier = barriers[thread->block->clusterRank * barriersOfBlock + id];
  if (barrier.arrived == 0) {
    barrier.rank = thread->block->clusterRank;
    barrier.expected = count;
    barrier.site = site;
    barrier.op = op == BarrierOp::Arrive ? BarrierOp::Sync : op;
  } else if (barrier.expected != count) {
    failAt(thread, site, Fault::Divergence, "threads wait at one barrier with different thread counts",
           {Conflict::WriteRead, 0, barrier.site});
  }
  ++barrier.arrived;
  bool holds = value != 0;
  barrier.sum += holds;
  if (op == BarrierOp::Arrive) {
    barrier.arriveOnly = true;
    if (sanitizes())
      shadow.release(thread->linear, barrier.released);
    if (barrier.arrived == barrier.expected)
      completeBarrier(barrier);
    return;
  }
  thread->waiting.aligned = aligned;
  thread->waiting.site = site;
  barrier.waiting.push_back(thread->linear);
  if (barrier.arrived == (barrier.expected ? barrier.expected : live[barrier.rank]))
    completeBarrier(barrier);
  else
    block(thread, Waiting::Barrier, site, id);
  value = thread->waiting.value;
}

void BlockRun::completeBarrier(Barrier &barrier) {
  ++barrierCount;
  uint32_t result = barrier.sum;
  if (barrier.op == BarrierOp::And)
    result = barrier.sum == barrier.arrived;
  else if (barrier.op == BarrierOp::Or)
    result = barrier.sum != 0;
  // The aligned forms require that all threads of a warp execute the same instruction (PTX ISA, "barrier").
  std::sort(barrier.waiting.begin(), barrier.waiting.end());
  for (size_t i = 1; i < barrier.waiting.size(); ++i) {
    uint32_t a = barrier.waiting[i - 1], b = barrier.waiting[i];
    const Waiting &first = threads[a].waiting, &second = threads[b].waiting;
    if (a / warpSize == b / warpSize && first.site != second.site && (first.aligned || second.aligned))
      failAt(&threads[b], second.site, Fault::Divergence,
             "threads of one warp wait at different aligned barriers", {Conflict::WriteRead, a, first.site});
  }
  if (sanitizes()) {
    if (!barrier.arriveOnly && barrier.waiting.size() == liveThreads)
      shadow.meetAll();
    else
      shadow.meet(barrier.waiting, barrier.released);
  }
  for (uint32_t index : barrier.waiting) {
    threads[index].waiting.value = result;
    wake(index);
  }
  barrier.arrived = 0;
  barrier.sum = 0;
  barrier.arriveOnly = false;
  barrier.waiting.clear();
  barrier.released.clear();
}

/// A thread has exited: barriers of its whole block may be complete now.
void BlockRun::checkBarriers(const BlockContext &block) {
  for (uint32_t i = 0; i < barriersOfBlock; ++i) {
    Barrier &barrier = barriers[block.clusterRank * barriersOfBlock + i];
    if (barrier.arrived != 0 && barrier.expected == 0 && barrier.arrived == live[barrier.rank])
      completeBarrier(barrier);
  }
}

//===----------------------------------------------------------------------===//
// Collectives of a warp
//===----------------------------------------------------------------------===//

bool BlockRun::completePending(Warp &warp, size_t index) {
  Pending &pending = warp.pending[index];
  if ((pending.arrived | warp.gone) != (pending.mask | warp.gone) || pending.arrived == 0)
    return false;
  uint32_t firstThread = static_cast<uint32_t>(&warp - warps.data()) * warpSize;
  if (!pending.what) {
    if (sanitizes()) {
      uint32_t who[warpSize], count = 0;
      for (uint32_t rest = pending.arrived; rest; rest &= rest - 1)
        who[count++] = firstThread + static_cast<uint32_t>(std::countr_zero(rest));
      shadow.meet({who, count}, {});
    }
  } else {
    pending.what(pending.arguments, pending.arrived, &threads[firstThread]);
  }
  warp.ready |= pending.arrived;
  warp.pending.erase(warp.pending.begin() + static_cast<ptrdiff_t>(index));
  return true;
}

void BlockRun::collective(ThreadContext *thread, uint32_t site, uint32_t mask, Collective what,
                          void *arguments) {
  Warp &warp = warps[thread->runWarp];
  uint32_t bit = 1u << thread->lane;
  if (!(mask & bit))
    failAt(thread, site, Fault::Divergence, "the executing thread is not in its member mask");
  size_t index = 0;
  for (const Pending &pending : warp.pending) {
    if (pending.mask == mask && pending.what == what && !(pending.arrived & bit))
      break;
    ++index;
  }
  if (index == warp.pending.size())
    warp.pending.emplace_back(mask, what);
  Pending &pending = warp.pending[index];
  pending.arrived |= bit;
  pending.arguments[thread->lane] = arguments;
  // Most arrivals wait for more: that is seen here, without a call.
  if ((pending.arrived | warp.gone) != (mask | warp.gone) || !completePending(warp, index))
    block(thread, Waiting::Warp, site, mask);
}

/// The warps of a warpgroup execute the same setmaxnreg instructions (PTX ISA 9.7.19.5).
void BlockRun::setRegisterCount(ThreadContext *thread, uint32_t site, uint32_t count) {
  std::vector<std::pair<uint32_t, uint32_t>> &mine = warps[thread->runWarp].registerCounts;
  size_t index = mine.size();
  mine.emplace_back(count, site);
  uint32_t first = thread->runWarp - thread->warp % warpsOfGroup;
  for (uint32_t other = first; other < std::min<uint32_t>(first + warpsOfGroup, uint32_t(warps.size()));
       ++other) {
    const auto &theirs = warps[other].registerCounts;
    if (index < theirs.size() && theirs[index].first != count)
      failAt(thread, site, Fault::Divergence, "the warps of a warpgroup set different register counts",
             {Conflict::WriteWrite, other * warpSize, theirs[index].second});
  }
}

/// The last thread of a block ends: no warp may have left out what another of its warpgroup did.
void BlockRun::checkRegisterCounts(ThreadContext *thread) {
  if (live[thread->block->clusterRank] != 1)
    return;
  uint32_t begin = thread->block->clusterRank * (threadStride / warpSize),
           end = begin + threadStride / warpSize;
  for (uint32_t warp = begin; warp < end; ++warp) {
    uint32_t first = warp - (warp - begin) % warpsOfGroup;
    const auto &mine = warps[warp].registerCounts, &theirs = warps[first].registerCounts;
    if (mine.size() == theirs.size())
      continue;
    const auto &longer = mine.size() > theirs.size() ? mine : theirs;
    failAt(&threads[(mine.size() > theirs.size() ? warp : first) * warpSize], longer.back().second,
           Fault::Divergence, "not all warps of a warpgroup set their register count");
  }
}

void BlockRun::warpBarrier(ThreadContext *thread, uint32_t site, uint32_t mask) {
  collective(thread, site, mask, nullptr, nullptr);
}

uint32_t BlockRun::activeMask(ThreadContext *thread, uint32_t site) {
  if (!launch.canWait)
    return 1u << thread->lane;
  warps[thread->runWarp].parked |= 1u << thread->lane;
  block(thread, Waiting::Active, site, 0);
  return thread->waiting.value;
}

/// Nothing else of the warp can run: the threads that stand at the same `activemask` go on together.
void BlockRun::releaseParked(uint32_t index) {
  Warp &warp = warps[index];
  uint32_t first = static_cast<uint32_t>(std::countr_zero(warp.parked)), together = 0;
  for (uint32_t rest = warp.parked; rest; rest &= rest - 1) {
    uint32_t lane = static_cast<uint32_t>(std::countr_zero(rest));
    if (threads[index * warpSize + lane].waiting.site == threads[index * warpSize + first].waiting.site)
      together |= 1u << lane;
  }
  for (uint32_t rest = together; rest; rest &= rest - 1)
    threads[index * warpSize + static_cast<uint32_t>(std::countr_zero(rest))].waiting.value = together;
  warp.parked &= ~together;
  warp.ready |= together;
}

/// Groups the waiting threads: "threads 0-31, 40 wait at @7@". The caller puts the text of site 7 for "@7@".
std::string BlockRun::describeWaiters() const {
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, std::vector<uint32_t>> groups;
  for (const ThreadContext &thread : threads)
    if (const Waiting &waiting = thread.waiting; waiting.what != Waiting::Nothing)
      groups[{thread.block->clusterRank, waiting.site, waiting.detail}].push_back(thread.linear);
  std::string text;
  for (const auto &[where, linear] : groups) {
    const Waiting &waiting = threads[linear[0]].waiting;
    std::vector<uint32_t> who;
    for (uint32_t index : linear)
      who.push_back(index % threadStride);
    if (!text.empty())
      text += "; ";
    if (launch.clusterBlocks > 1)
      text += "in block " + std::to_string(blockIndexOf(&threads[linear[0]])) + " ";
    text += who.size() == 1 ? "thread " : "threads ";
    for (size_t i = 0; i < who.size();) {
      size_t end = i;
      while (end + 1 < who.size() && who[end + 1] == who[end] + 1)
        ++end;
      text += (i ? ", " : "") + std::to_string(who[i]);
      if (end > i)
        text += "-" + std::to_string(who[end]);
      i = end + 1;
    }
    text += who.size() == 1 ? " waits at @" : " wait at @";
    text += std::to_string(waiting.site) + "@";
    if (waiting.what == Waiting::Mbarrier)
      text += describeMbarrier(waiting.detail);
  }
  uint32_t all = launch.threads * launch.clusterBlocks, exited = all - liveThreads;
  if (exited)
    text += "; " + std::to_string(exited) + " of " + std::to_string(all) + " threads have exited";
  return text;
}

} // namespace quern::runtime::emulated::nvidia
