//===- DeviceCallsMbarrier.cpp - Mbarriers, clusters and fences out of line ===//

#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

namespace quern::runtime::emulated::nvidia {

namespace {

/// The shared address of a generic one; an address that is none stays outside of every block.
uint64_t sharedAddress(uint64_t address, bool isGeneric) {
  return isGeneric ? address - sharedWindow : address;
}

/// Without .shared::cluster only the block's own mbarriers can be named.
void checkOwn(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t flags) {
  uint64_t offset = address - thread->block->sharedOrigin;
  if ((flags & MbarrierCluster) || offset < thread->block->sharedBytes)
    return;
  Fault fault;
  fault.kind = Fault::OutOfBounds;
  fault.site = site;
  fault.address = address;
  fault.bytes = 8;
  fault.text = "shared::cta";
  thread->block->run->fail(thread, fault);
}

} // namespace

extern "C" {

static void quernMbarrierInit(ThreadContext *thread, uint32_t site, uint64_t address, bool isGeneric,
                              uint32_t count) {
  thread->block->run->initMbarrier(thread, site, sharedAddress(address, isGeneric), count);
}

static void quernMbarrierInvalidate(ThreadContext *thread, uint32_t site, uint64_t address, bool isGeneric) {
  address = sharedAddress(address, isGeneric);
  checkOwn(thread, site, address, 0);
  thread->block->run->invalidateMbarrier(thread, site, address);
}

static uint64_t quernMbarrierArrive(ThreadContext *thread, uint32_t site, uint64_t address, bool isGeneric,
                                    uint32_t count, uint32_t bytes, uint32_t flags) {
  address = sharedAddress(address, isGeneric);
  checkOwn(thread, site, address, isGeneric ? flags | MbarrierCluster : flags);
  BlockRun::Arrival arrival;
  arrival.count = count;
  arrival.expectBytes = flags & MbarrierCompletes ? 0 - bytes : bytes;
  arrival.arrives = flags & MbarrierArrives;
  arrival.drops = flags & MbarrierDrops;
  arrival.expects = flags & (MbarrierExpects | MbarrierCompletes);
  arrival.completes = !(flags & MbarrierNoComplete);
  arrival.releases = flags & MbarrierOrders;
  return thread->block->run->arriveMbarrier(thread, site, address, arrival);
}

static bool quernMbarrierWait(ThreadContext *thread, uint32_t site, uint64_t address, bool isGeneric,
                              uint64_t stateOrParity, uint32_t flags) {
  address = sharedAddress(address, isGeneric);
  checkOwn(thread, site, address, 0);
  return thread->block->run->waitMbarrier(thread, site, address, stateOrParity, flags & MbarrierParity,
                                          flags & MbarrierOrders);
}

/// mapa: the same place in the shared memory of block |rank|.
static uint64_t quernMapAddress(ThreadContext *thread, uint32_t site, uint64_t address, bool isGeneric,
                                uint32_t rank) {
  BlockContext &block = *thread->block;
  if (rank >= block.clusterBlocks)
    block.run->failAt(thread, site, Fault::BadOperand, "the rank is not one of the cluster");
  uint64_t offset = sharedAddress(address, isGeneric);
  if (!block.run->blockOf(thread, offset))
    block.run->failAt(thread, site, Fault::BadOperand,
                      "the address is not one of the cluster's shared memory");
  offset &= (uint64_t(1) << clusterRankShift) - 1;
  return offset + (uint64_t(rank) << clusterRankShift) + (isGeneric ? sharedWindow : 0);
}

static void quernClusterBarrier(ThreadContext *thread, uint32_t site, bool waits, bool orders) {
  if (waits)
    thread->block->run->clusterWait(thread, site, orders);
  else
    thread->block->run->clusterArrive(thread, site, orders);
}

/// fence.proxy.async and fence.mbarrier_init.
static void quernProxyFence(ThreadContext *thread) {
  if (thread->block->run->sanitizes())
    thread->block->run->sharedShadow().proxyFence(thread->linear);
}

} // extern "C"

std::span<const DeviceCall> mbarrierCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernMbarrierInit),   QUERN_CALL(quernMbarrierInvalidate),
                                     QUERN_CALL(quernMbarrierArrive), QUERN_CALL(quernMbarrierWait),
                                     QUERN_CALL(quernMapAddress),     QUERN_CALL(quernClusterBarrier),
                                     QUERN_CALL(quernProxyFence)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
