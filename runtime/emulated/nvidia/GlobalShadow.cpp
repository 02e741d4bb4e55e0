//===- GlobalShadow.cpp - Who touched which global word, and when ---------===//

#include "runtime/emulated/nvidia/GlobalShadow.h"

#include "runtime/emulated/nvidia/CheckedAccess.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <algorithm>
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

void GlobalOrder::acquire(uint32_t thread, const SharedShadow &local) {
  if (thread >= seen.size() || seen[thread].empty())
    return;
  uint32_t clock = local.clockOf(thread);
  auto last = std::find_if(acquired.rbegin(), acquired.rend(),
                           [&](const Acquisition &a) { return a.thread == thread && a.clock == clock; });
  if (last == acquired.rend()) {
    acquired.push_back({thread, clock, {}});
    last = acquired.rbegin();
  }
  learn(last->known, seen[thread]);
  seen[thread].clear();
}

ForeignClocks GlobalOrder::knownTo(uint32_t thread, const SharedShadow &local) const {
  ForeignClocks all;
  for (const Acquisition &a : acquired)
    if (local.isAfter(thread, a.thread, a.clock))
      learn(all, a.known);
  return all;
}

GlobalShadow::Found GlobalShadow::access(uint32_t run, GlobalActor actor, uint32_t site, uint64_t address,
                                         uint32_t bytes, bool write, bool strong, bool same,
                                         const SharedShadow &local, GlobalOrder &order) {
  Found found;
  const uint32_t thread = actor.thread;
  uint64_t first = address >> shift, last = (address + bytes - 1) >> shift;
  auto shardOf = [&](uint64_t granule) -> Shard & { return parts[granule / cellsOfPage % shards]; };
  if (strong && !actor.isAgent()) {
    Shard &shard = shardOf(first);
    std::lock_guard guard(shard.lock);
    // A strong access reads what others have published there; a write publishes too.
    if (auto it = shard.published.find(address); it != shard.published.end()) {
      order.seen.resize(std::max<size_t>(order.seen.size(), thread + 1));
      learn(order.seen[thread], it->second);
    }
    if (write && thread < order.fences.size() && !order.fences[thread].empty()) {
      ForeignClocks mine = order.knownTo(thread, local);
      mine[run] = order.fences[thread];
      learn(shard.published[address], mine);
    }
  }
  auto before = [&](const Access &access) {
    if (access.run == 0 || (strong && access.strong))
      return true;
    if (access.run - 1 == run)
      return local.isAfter(thread, access.thread, access.clock);
    return std::any_of(order.acquired.begin(), order.acquired.end(), [&](const GlobalOrder::Acquisition &a) {
      auto it = a.known.find(access.run - 1);
      return it != a.known.end() && access.thread < it->second.size() &&
             access.clock <= it->second[access.thread] && local.isAfter(thread, a.thread, a.clock);
    });
  };
  Access now{run + 1, static_cast<uint16_t>(actor.as), strong, actor.clock, site};
  for (uint64_t granule = first; granule <= last; ++granule) {
    Shard &shard = shardOf(granule);
    std::lock_guard guard(shard.lock);
    Cell &place = cell(shard, granule);
    auto report = [&](Conflict::Kind kind, const Access &access) {
      found.conflict = {kind, access.thread, access.site,
                        access.run - 1 == run && local.isAgent(access.thread)};
      found.run = access.run - 1;
    };
    if (!before(place.writer) && !(write && same))
      report(write ? Conflict::WriteWrite : Conflict::WriteRead, place.writer);
    else if (actor.isAgent() && !write && place.writer.run == run + 1 &&
             !local.isAgent(place.writer.thread) &&
             !local.isFenced(place.writer.thread, place.writer.clock, thread))
      report(Conflict::Unfenced, place.writer);
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

static void failOnGlobal(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                         const GlobalShadow::Found &found, bool isAgent = false) {
  if (found.conflict.kind == Conflict::None)
    return;
  BlockRun &run = *thread->block->run;
  Fault fault;
  fault.kind = Fault::Race;
  fault.site = site;
  fault.address = address;
  fault.bytes = bytes;
  fault.text = "global";
  if (found.conflict.kind == Conflict::Unfenced) {
    fault.kind = Fault::Asynchronous;
    fault.text = "what a plain store has written is not made visible to an asynchronous operation by "
                 "fence.proxy.async";
  }
  fault.isAgent = isAgent;
  fault.other = found.conflict;
  fault.otherRun = found.run;
  fault.isForeign = found.run != run.index();
  run.fail(thread, fault);
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
  uint32_t self = thread->linear;
  auto found =
      shadow->access(run.index(), {self, self, run.sharedShadow().clockOf(self)}, site, address, bytes, write,
                     flags & AccessStrong, same, run.sharedShadow(), run.globalOrder());
  if (flags & AccessAcquire)
    run.globalOrder().acquire(self, run.sharedShadow());
  failOnGlobal(thread, site, address, bytes, found);
}

void noteGlobalCopy(ThreadContext *thread, uint32_t site, uint32_t agent, uint32_t clock, uint64_t address,
                    uint64_t bytes, bool write, bool strong) {
  BlockRun &run = *thread->block->run;
  GlobalShadow *shadow = run.setup().globalShadow;
  if (!shadow || bytes == 0)
    return;
  auto found =
      shadow->access(run.index(), {thread->linear, agent, clock}, site, address, static_cast<uint32_t>(bytes),
                     write, strong, false, run.sharedShadow(), run.globalOrder());
  failOnGlobal(thread, site, address, static_cast<uint32_t>(bytes), found, true);
}

void BlockRun::fenceGlobal(ThreadContext *thread) {
  if (!launch.globalShadow)
    return;
  global.acquire(thread->linear, shadow);
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
