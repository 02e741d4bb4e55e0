//===- SharedShadow.cpp - Who touched which shared word, and when ---------===//

#include "runtime/emulated/nvidia/SharedShadow.h"

#include <algorithm>
#include <bit>

namespace quern::runtime::emulated::nvidia {

void SharedShadow::reset(uint32_t count, uint64_t bytes, uint32_t granuleBytes, bool uninitialised) {
  threads = stride = count;
  agents = 0;
  findUninitialised = uninitialised;
  shift = static_cast<uint32_t>(std::countr_zero(granuleBytes));
  granules.assign((bytes + granuleBytes - 1) >> shift, Granule());
  clocks.assign(count, 1);
  known.assign(count, 0);
  rows.clear();
  fences.clear();
}

//===----------------------------------------------------------------------===//
// Accesses
//===----------------------------------------------------------------------===//

void SharedShadow::note(Granule &granule, const Access &reader) {
  if (granule.readers[0].clock != 0 && granule.readers[0].thread != reader.thread)
    granule.readers[1] = granule.readers[0];
  granule.readers[0] = reader;
}

Conflict SharedShadow::read(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes, bool strong) {
  Conflict conflict;
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i) {
    Granule &granule = granules[i];
    const Access &writer = granule.writer;
    if (writer.clock == 0) {
      if (findUninitialised)
        conflict.kind = Conflict::Uninitialised;
    } else if (!before(writer, thread) && !(strong && writer.strong == 1)) {
      conflict = with(Conflict::WriteRead, writer);
    }
    note(granule, {clocks[thread], static_cast<uint16_t>(thread), strong, site});
  }
  return conflict;
}

Conflict SharedShadow::write(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes, bool strong,
                             bool same) {
  Conflict conflict;
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i) {
    Granule &granule = granules[i];
    const Access &writer = granule.writer;
    // An operation that is still going on may also change what it has not changed yet.
    auto differs = [&](const Access &access) {
      return !same || access.thread >= threads || (access.strong & inFlight);
    };
    if (writer.clock != 0 && differs(writer) && !before(writer, thread) && !(strong && writer.strong == 1))
      conflict = with(Conflict::WriteWrite, writer);
    for (const Access &reader : granule.readers)
      if (reader.clock != 0 && !same && !before(reader, thread) && !(strong && reader.strong))
        conflict = with(Conflict::ReadWrite, reader);
    granule.writer = {clocks[thread], static_cast<uint16_t>(thread), strong, site};
  }
  return conflict;
}

Conflict SharedShadow::beginCopy(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes) {
  Conflict conflict = write(thread, site, offset, bytes, false, false);
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i)
    granules[i].writer.strong = inFlight;
  return conflict;
}

void SharedShadow::endCopy(uint32_t thread, uint32_t writer, uint32_t clock, uint32_t site, uint64_t offset,
                           uint32_t bytes) {
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i) {
    Access &access = granules[i].writer;
    if ((access.strong & inFlight) && access.thread == thread && access.site == site)
      access = {clock, static_cast<uint16_t>(writer), 0, site};
  }
}

Conflict SharedShadow::asyncRead(uint32_t issuer, uint32_t agent, uint32_t clock, uint32_t site,
                                 uint64_t offset, uint64_t bytes, bool isTensor) {
  Conflict conflict;
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i) {
    Granule &granule = granules[i];
    const Access &writer = granule.writer;
    if (writer.clock == 0) {
      if (findUninitialised)
        conflict.kind = Conflict::Uninitialised;
    } else if (writer.thread != agent && !before(writer, issuer)) {
      conflict = with(Conflict::WriteRead, writer);
    } else if (!isTensor && writer.thread < threads && !isFenced(writer.thread, writer.clock, issuer)) {
      conflict = with(Conflict::Unfenced, writer);
    }
    note(granule, {clock, static_cast<uint16_t>(agent), 0, site});
  }
  return conflict;
}

Conflict SharedShadow::asyncWrite(uint32_t issuer, uint32_t agent, uint32_t clock, uint32_t site,
                                  uint64_t offset, uint64_t bytes, bool isTensor) {
  Conflict conflict;
  auto after = [&](const Access &access) {
    return (isTensor && access.thread == agent) || before(access, issuer);
  };
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i) {
    Granule &granule = granules[i];
    const Access &writer = granule.writer;
    if (writer.clock != 0 && !after(writer))
      conflict = with(Conflict::WriteWrite, writer);
    for (const Access &reader : granule.readers)
      if (reader.clock != 0 && !after(reader))
        conflict = with(Conflict::ReadWrite, reader);
    granule.writer = {clock, static_cast<uint16_t>(agent), 0, site};
  }
  return conflict;
}

//===----------------------------------------------------------------------===//
// Who knows what
//===----------------------------------------------------------------------===//

uint32_t SharedShadow::addAgent() {
  if (threads + agents == stride) {
    uint32_t wider = stride + 64;
    if (!rows.empty()) {
      std::vector<uint32_t> fresh(size_t(threads) * wider, 0);
      for (uint32_t i = 0; i < threads; ++i)
        std::copy_n(rows.begin() + static_cast<ptrdiff_t>(size_t(i) * stride), stride,
                    fresh.begin() + static_cast<ptrdiff_t>(size_t(i) * wider));
      rows = std::move(fresh);
    }
    stride = wider;
  }
  needRows();
  return threads + agents++;
}

void SharedShadow::learn(uint32_t thread, uint32_t agent, uint32_t clock) {
  uint32_t &place = rows[size_t(thread) * stride + agent];
  place = std::max(place, clock);
}

void SharedShadow::learn(std::vector<uint32_t> &row, uint32_t agent, uint32_t clock) {
  if (row.size() <= agent)
    row.resize(stride, 0);
  row[agent] = std::max(row[agent], clock);
}

void SharedShadow::proxyFence(uint32_t thread) {
  if (fences.empty())
    fences.resize(threads);
  Fences &mine = fences[thread];
  mine.clocks.push_back(clocks[thread]);
  mine.row.resize(threads);
  for (uint32_t i = 0; i < threads; ++i)
    mine.row[i] = knowledge(thread, i);
  ++clocks[thread];
}

bool SharedShadow::isFenced(uint32_t thread, uint32_t clock, uint32_t issuer) const {
  if (fences.empty())
    return false;
  const Fences &theirs = fences[thread];
  auto fence = std::lower_bound(theirs.clocks.begin(), theirs.clocks.end(), clock);
  if (fence != theirs.clocks.end() && (thread == issuer || *fence <= knowledge(issuer, thread)))
    return true;
  const Fences &mine = fences[issuer];
  return thread != issuer && !mine.row.empty() && mine.row[thread] >= clock;
}

void SharedShadow::meetAll() {
  for (uint32_t i = 0; i < threads; ++i)
    known[i] = clocks[i]++;
  for (uint32_t agent = threads; agent < threads + agents; ++agent) {
    uint32_t clock = 0;
    for (uint32_t i = 0; i < threads; ++i)
      clock = std::max(clock, rows[size_t(i) * stride + agent]);
    for (uint32_t i = 0; i < threads; ++i)
      rows[size_t(i) * stride + agent] = clock;
  }
}

void SharedShadow::needRows() {
  if (rows.empty())
    rows.assign(size_t(threads) * stride, 0);
}

void SharedShadow::release(uint32_t thread, std::vector<uint32_t> &row) {
  needRows();
  row.resize(stride, 0);
  const uint32_t *mine = &rows[size_t(thread) * stride];
  for (uint32_t i = 0; i < stride; ++i)
    row[i] = std::max(row[i], mine[i]);
  row[thread] = clocks[thread]++;
}

void SharedShadow::acquire(uint32_t thread, const std::vector<uint32_t> &row) {
  needRows();
  uint32_t *mine = &rows[size_t(thread) * stride];
  for (size_t i = 0; i < row.size(); ++i)
    mine[i] = std::max(mine[i], row[i]);
}

void SharedShadow::meet(std::span<const uint32_t> who, std::span<const uint32_t> released) {
  needRows();
  joined.assign(stride, 0);
  std::copy(released.begin(), released.end(), joined.begin());
  for (uint32_t thread : who) {
    const uint32_t *row = &rows[size_t(thread) * stride];
    for (uint32_t i = 0; i < stride; ++i)
      joined[i] = std::max(joined[i], row[i]);
  }
  for (uint32_t thread : who)
    joined[thread] = clocks[thread]++;
  for (uint32_t thread : who)
    std::copy(joined.begin(), joined.end(), rows.begin() + static_cast<ptrdiff_t>(size_t(thread) * stride));
}

} // namespace quern::runtime::emulated::nvidia
