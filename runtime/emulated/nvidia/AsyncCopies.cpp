//===- AsyncCopies.cpp - Copies of cp.async that have not ended -----------===//

#include "runtime/emulated/nvidia/AsyncCopies.h"

#include "runtime/emulated/nvidia/BlockCounts.h"
#include "runtime/emulated/nvidia/CheckedAccess.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <algorithm>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

void AsyncCopy::apply() {
  if (applied)
    return;
  if (sourceBytes) // else there may be no source at all
    std::memcpy(to, from, sourceBytes);
  std::memset(to + sourceBytes, 0, bytes - sourceBytes);
  applied = true;
}

std::vector<AsyncCopy> AsyncCopies::takeGroups(size_t open) {
  size_t count = 0;
  if (groups.size() > open) {
    auto end = groups.end() - static_cast<ptrdiff_t>(open);
    for (auto group = groups.begin(); group != end; ++group)
      count += *group;
    groups.erase(groups.begin(), end);
  }
  auto end = copies.begin() + static_cast<ptrdiff_t>(count);
  std::vector<AsyncCopy> taken(copies.begin(), end);
  copies.erase(copies.begin(), end);
  return taken;
}

std::vector<AsyncCopy> AsyncCopies::takeAll() {
  std::fill(groups.begin(), groups.end(), size_t(0));
  ungrouped = 0;
  return std::exchange(copies, {});
}

//===----------------------------------------------------------------------===//
// In a block
//===----------------------------------------------------------------------===//

void BlockRun::startCopy(ThreadContext *thread, AsyncCopy copy, uint64_t address) {
  AsyncOrder order = asynchronous.order();
  if (order == AsyncOrder::Earliest || (order == AsyncOrder::Random && asynchronous.toss()))
    copy.apply();
  if (sanitizes()) {
    copy.shadowOffset = shadowOffset(*thread->block, address);
    failOnConflict(thread, copy.site, address, copy.bytes,
                   shadow.beginCopy(thread->linear, copy.site, copy.shadowOffset, copy.bytes));
  } else if (copy.applied) {
    return;
  }
  if (copies.size() < threads.size())
    copies.resize(threads.size());
  copies[thread->linear].add(copy);
}

void BlockRun::commitCopies(ThreadContext *thread) {
  if (!copies.empty())
    copies[thread->linear].commit();
}

void BlockRun::endCopies(ThreadContext *thread, std::vector<AsyncCopy> ended) {
  for (AsyncCopy &copy : ended) {
    copy.apply();
    if (sanitizes())
      shadow.endCopy(thread->linear, thread->linear, shadow.clockOf(thread->linear), copy.site,
                     copy.shadowOffset, copy.bytes);
  }
}

void BlockRun::waitForCopyGroups(ThreadContext *thread, uint32_t open) {
  if (!copies.empty())
    endCopies(thread, copies[thread->linear].takeGroups(open));
}

void BlockRun::waitForAllCopies(ThreadContext *thread) {
  if (!copies.empty())
    endCopies(thread, copies[thread->linear].takeAll());
}

/// cp.async.mbarrier.arrive (PTX ISA 9.7.13.15.17): arrives when the copies so far have ended, whenever that
/// is. Without .noinc the arrival is one more than the mbarrier's count says.
void BlockRun::arriveAfterCopies(ThreadContext *thread, uint32_t site, uint64_t address, bool increments) {
  Signal expected = expectSignal(thread, site, address, false);
  if (increments) {
    Mbarrier &mbarrier = mbarriers[expected.key];
    if (mbarrier.pending == Mbarrier::maxCount)
      failAt(thread, site, Fault::Asynchronous, "the pending count of an mbarrier exceeds 2^20 - 1");
    ++mbarrier.pending;
    mbarrier.draw();
  }
  std::vector<AsyncCopy> mine;
  if (!copies.empty())
    mine = copies[thread->linear].takeAll();
  AsyncOperation operation;
  operation.issuer = thread->linear;
  operation.site = site;
  operation.key = expected.key;
  operation.apply = [this, thread, expected, site, mine = std::move(mine)]() mutable {
    for (AsyncCopy &copy : mine) {
      copy.apply();
      if (sanitizes())
        shadow.endCopy(thread->linear, expected.agent, expected.clock, copy.site, copy.shadowOffset,
                       copy.bytes);
    }
    signal(expected.key, site, 0, 1);
  };
  asynchronous.issue(std::move(operation));
}

namespace {

void copyAsync(ThreadContext *thread, uint32_t site, uint64_t to, uint64_t from, uint32_t bytes,
               uint32_t sourceBytes) {
  if (sourceBytes > bytes)
    failAccess(thread, site, Fault::BadOperand, 0, 0,
               "the source of an asynchronous copy is larger than the copy");
  AsyncCopy copy;
  copy.bytes = bytes;
  copy.sourceBytes = sourceBytes;
  copy.site = site;
  copy.to = sharedPlace(thread, site, to, bytes);
  if (sourceBytes != 0) {
    if (from & (bytes - 1))
      failAccess(thread, site, Fault::Misaligned, from, bytes, "global");
    copy.from = globalRange(thread, site, from, sourceBytes);
    noteGlobal(thread, site, from, sourceBytes, 0, nullptr);
  }
  if (BlockCounts *counts = thread->block->run->counts()) {
    counts->access(thread, site, BlockCounts::Way::SharedWrite, to, bytes);
    if (sourceBytes)
      counts->access(thread, site, BlockCounts::Way::GlobalRead, from, sourceBytes, true);
  }
  thread->block->run->startCopy(thread, copy, to);
}

} // namespace

extern "C" {

static void quernCopyAsync(ThreadContext *thread, uint32_t site, uint64_t to, uint64_t from, uint32_t bytes,
                           uint32_t sourceBytes) {
  copyAsync(thread, site, to, from, bytes, sourceBytes);
}

static void quernCommitCopies(ThreadContext *thread) { thread->block->run->commitCopies(thread); }

static void quernWaitForCopies(ThreadContext *thread, uint32_t open) {
  thread->block->run->waitForCopyGroups(thread, open);
}

static void quernWaitForAllCopies(ThreadContext *thread) { thread->block->run->waitForAllCopies(thread); }

static void quernArriveAfterCopies(ThreadContext *thread, uint32_t site, uint64_t address, bool increments) {
  thread->block->run->arriveAfterCopies(thread, site, address, increments);
}

} // extern "C"

std::span<const DeviceCall> copyCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernCopyAsync), QUERN_CALL(quernCommitCopies),
                                     QUERN_CALL(quernWaitForCopies), QUERN_CALL(quernWaitForAllCopies),
                                     QUERN_CALL(quernArriveAfterCopies)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
