//===- SharedShadow.cpp - Who touched which shared word, and when ---------===//

#include "runtime/emulated/nvidia/SharedShadow.h"

#include <algorithm>
#include <bit>

namespace quern::runtime::emulated::nvidia {

void SharedShadow::reset(uint32_t count, uint64_t bytes, uint32_t granuleBytes, bool uninitialised) {
  threads = count;
  findUninitialised = uninitialised;
  shift = static_cast<uint32_t>(std::countr_zero(granuleBytes));
  granules.assign((bytes + granuleBytes - 1) >> shift, Granule());
  clocks.assign(count, 1);
  known.assign(count, 0);
  rows.clear();
}

Conflict SharedShadow::read(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes, bool strong) {
  Conflict conflict;
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i) {
    Granule &granule = granules[i];
    const Access &writer = granule.writer;
    if (writer.clock == 0) {
      if (findUninitialised)
        conflict = {Conflict::Uninitialised, 0, 0};
    } else if (!before(writer, thread) && !(strong && writer.strong)) {
      conflict = {Conflict::WriteRead, writer.thread, writer.site};
    }
    Access now{clocks[thread], static_cast<uint16_t>(thread), strong, site};
    if (granule.readers[0].clock != 0 && granule.readers[0].thread != thread)
      granule.readers[1] = granule.readers[0];
    granule.readers[0] = now;
  }
  return conflict;
}

Conflict SharedShadow::write(uint32_t thread, uint32_t site, uint64_t offset, uint32_t bytes, bool strong,
                             bool same) {
  Conflict conflict;
  for (uint64_t i = offset >> shift, last = (offset + bytes - 1) >> shift; i <= last; ++i) {
    Granule &granule = granules[i];
    const Access &writer = granule.writer;
    if (writer.clock != 0 && !same && !before(writer, thread) && !(strong && writer.strong))
      conflict = {Conflict::WriteWrite, writer.thread, writer.site};
    for (const Access &reader : granule.readers)
      if (reader.clock != 0 && !same && !before(reader, thread) && !(strong && reader.strong))
        conflict = {Conflict::ReadWrite, reader.thread, reader.site};
    granule.writer = {clocks[thread], static_cast<uint16_t>(thread), strong, site};
  }
  return conflict;
}

void SharedShadow::meetAll() {
  for (uint32_t i = 0; i < threads; ++i)
    known[i] = clocks[i]++;
}

void SharedShadow::needRows() {
  if (rows.empty())
    rows.assign(size_t(threads) * threads, 0);
}

void SharedShadow::release(uint32_t thread, std::vector<uint32_t> &row) {
  needRows();
  row.resize(threads, 0);
  const uint32_t *mine = &rows[size_t(thread) * threads];
  for (uint32_t i = 0; i < threads; ++i)
    row[i] = std::max(row[i], mine[i]);
  row[thread] = clocks[thread]++;
}

void SharedShadow::meet(std::span<const uint32_t> who, std::span<const uint32_t> released) {
  needRows();
  joined.assign(threads, 0);
  std::copy(released.begin(), released.end(), joined.begin());
  for (uint32_t thread : who) {
    const uint32_t *row = &rows[size_t(thread) * threads];
    for (uint32_t i = 0; i < threads; ++i)
      joined[i] = std::max(joined[i], row[i]);
  }
  for (uint32_t thread : who)
    joined[thread] = clocks[thread]++;
  for (uint32_t thread : who)
    std::copy(joined.begin(), joined.end(), rows.begin() + static_cast<ptrdiff_t>(size_t(thread) * threads));
}

} // namespace quern::runtime::emulated::nvidia
