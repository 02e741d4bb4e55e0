//===- GlobalShadow.cpp - Who touched which global word, and when ---------===//

#include "runtime/emulated/nvidia/GlobalShadow.h"

#include "runtime/emulated/nvidia/CheckedAccess.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <bit>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

GlobalShadow::GlobalShadow(uint32_t granuleBytes)
    : shift(static_cast<uint32_t>(std::countr_zero(granuleBytes))), parts(new Shard[shards]) {}

GlobalShadow::Cell &GlobalShadow::cell(Shard &shard, uint64_t granule) {
  std::unique_ptr<Cell[]> &page = shard.pages[granule / cellsOfPage];
  if (!page)
    page = std::make_unique<Cell[]>(cellsOfPage);
  return page[granule % cellsOfPage];
}

namespace {

/// Takes over what |from| knows and |into| does not.
void learn(ForeignClocks &into, const ForeignClocks &from) {
  for (const auto &[run, clocks] : from) {
    std::vector<uint32_t> &mine = into[run];
    mine.resize(std::max(mine.size(), clocks.size()));
    for (size_t i = 0; i < clocks.size(); ++i)
      mine[i] = std::max(mine[i], clocks[i]);
  }
}

} // namespace

GlobalShadow::Found GlobalShadow::access(uint32_t run, uint32_t thread, uint32_t site, uint64_t address,
                                         uint32_t bytes, bool write, bool strong, bool same,
                                         const SharedShadow &local, GlobalOrder &order) {
  Found found;
  uint64_t first = address >> shift, last = (address + bytes - 1) >> shift;
  auto shardOf = [&](uint64_t granule) -> Shard & { return parts[granule / cellsOfPage % shards]; };
  if (strong) {
    Shard &shard = shardOf(first);
    std::lock_guard guard(shard.lock);
    // A strong access reads what others have published there; a write publishes too.
    if (auto it = shard.published.find(address); it != shard.published.end())
      learn(order.known, it->second);
    if (write && thread < order.fences.size() && !order.fences[thread].empty()) {
      ForeignClocks mine = order.known;
      mine[run] = order.fences[thread];
      learn(shard.published[address], mine);
    }
  }
  auto before = [&](const Access &access) {
    if (access.run == 0 || (strong && access.strong))
      return true;
    if (access.run - 1 == run)
      return local.isAfter(thread, access.thread, access.clock);
    auto it = order.known.find(access.run - 1);
    return it != order.known.end() && access.thread < it->second.size() &&
           access.clock <= it->second[access.thread];
  };
  Access now{run + 1, static_cast<uint16_t>(thread), strong, local.clockOf(thread), site};
  for (uint64_t granule = first; granule <= last; ++granule) {
    Shard &shard = shardOf(granule);
    std::lock_guard guard(shard.lock);
    Cell &place = cell(shard, granule);
    auto report = [&](Conflict::Kind kind, const Access &access) {
      found.conflict = {kind, access.thread, access.site, false};
      found.run = access.run - 1;
    };
    if (!before(place.writer) && !(write && same))
      report(write ? Conflict::WriteWrite : Conflict::WriteRead, place.writer);
    if (write) {
      for (const Access &reader : place.readers)
        if (!before(reader) && !same)
          report(Conflict::ReadWrite, reader);
      place.writer = now;
    } else {
      if (place.readers[0].run != 0 &&
          (place.readers[0].run != now.run || place.readers[0].thread != now.thread))
        place.readers[1] = place.readers[0];
      place.readers[0] = now;
    }
  }
  return found;
}

void noteGlobal(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes, uint32_t flags,
                const void *stored) {
  BlockRun &run = *thread->block->run;
  GlobalShadow *shadow = run.setup().globalShadow;
  if (!shadow || address - sharedWindow < windowBytes || address - localWindow < windowBytes)
    return;
  auto begin = reinterpret_cast<uint64_t>(run.setup().parameters);
  if (address >= begin && address - begin < run.setup().parameterBytes)
    return;
  if (flags & AccessRelease)
    run.fenceGlobal(thread);
  bool write = flags & AccessWrite,
       same = stored && std::memcmp(stored, reinterpret_cast<const void *>(address), bytes) == 0;
  auto found = shadow->access(run.index(), thread->linear, site, address, bytes, write, flags & AccessStrong,
                              same, run.sharedShadow(), run.globalOrder());
  if (found.conflict.kind == Conflict::None)
    return;
  Fault fault;
  fault.kind = Fault::Race;
  fault.site = site;
  fault.address = address;
  fault.bytes = bytes;
  fault.text = "global";
  fault.other = found.conflict;
  fault.otherRun = found.run;
  fault.isForeign = found.run != run.index();
  run.fail(thread, fault);
}

void BlockRun::fenceGlobal(ThreadContext *thread) {
  if (!launch.globalShadow)
    return;
  global.fences.resize(threads.size());
  std::vector<uint32_t> row;
  shadow.release(thread->linear, row);
  // What the whole block knows is not in the row.
  for (uint32_t i = 0; i < threads.size(); ++i)
    if (i != thread->linear)
      row[i] = std::max(row[i], shadow.knownTo(thread->linear, i));
  global.fences[thread->linear] = std::move(row);
}

extern "C" {

static void quernNoteGlobal(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                            uint32_t flags, const void *stored) {
  noteGlobal(thread, site, address, bytes, flags, stored);
}

static void quernFenceGlobal(ThreadContext *thread) { thread->block->run->fenceGlobal(thread); }

static void quernUndefinedRegister(ThreadContext *thread, uint32_t site, const char *name) {
  failAccess(thread, site, Fault::Uninitialised, 0, 0, name);
}

static void quernSmallNan(ThreadContext *thread, uint32_t site) {
  failAccess(thread, site, Fault::SmallNan, 0, 0, "");
}

} // extern "C"

std::span<const DeviceCall> checkCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {QUERN_CALL(quernNoteGlobal), QUERN_CALL(quernFenceGlobal),
                                     QUERN_CALL(quernUndefinedRegister), QUERN_CALL(quernSmallNan)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
