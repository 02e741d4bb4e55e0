//===- KvCache.cpp --------------------------------------------------------===//
#include "runtime/kvcache/KvCache.h"

#include <algorithm>

namespace quern::runtime {

namespace {

constexpr uint8_t poisonByte = 0xFF; // NaN in bf16, f32 and fp8 (E4M3FN)

} // namespace

KvCache::KvCache(Device &device, const CachePlan &plan, const KvCacheLimits &limits, int32_t pages)
    : device(&device), plan(plan), limits(limits), pool(pages, limits.poison ? 1 : 0),
      columns(int32_t(pagesFor(limits.positions))), slots(size_t(limits.sequences)),
      table(size_t(limits.sequences) * size_t(columns)) {}

Expected<KvCache> KvCache::create(Device &device, const CachePlan &plan, const KvCacheLimits &limits) {
  int64_t pages = limits.pages ? limits.pages : limits.sequences * pagesFor(limits.positions);
  pages += limits.poison ? 1 : 0;
  if (pages < 1 || pages > maxSymbolValue)
    return Status::error(Exit::Usage, "E-CACHE-SIZE",
                         "a KV cache of " + std::to_string(pages) + " pages cannot be addressed")
        .remedy("choose a smaller batch or context");
  KvCache cache(device, plan, limits, int32_t(pages));
  for (const CachePart &part : plan.parts) {
    uint64_t bytes = uint64_t(plan.layers) * uint64_t(pages) * part.pageBytes;
    QUERN_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, device.allocate(bytes));
    if (limits.poison)
      QUERN_RETURN_IF_ERROR(device.fill(*buffer, 0, bytes, poisonByte));
    cache.buffers.push_back(std::move(buffer));
  }
  return cache;
}

uint64_t KvCache::address(size_t part, int64_t layer) const {
  return buffers[part]->address() + uint64_t(layer) * uint64_t(pool.size()) * plan.parts[part].pageBytes;
}

std::vector<Buffer *> KvCache::memory() const {
  std::vector<Buffer *> result;
  for (const auto &buffer : buffers)
    result.push_back(buffer.get());
  return result;
}

uint64_t KvCache::bytes() const {
  uint64_t total = 0;
  for (const auto &buffer : buffers)
    total += buffer->size();
  return total;
}

std::optional<int32_t> KvCache::openSlot() {
  auto slot = std::find(slots.begin(), slots.end(), std::nullopt);
  if (slot == slots.end())
    return std::nullopt;
  slot->emplace();
  return int32_t(slot - slots.begin());
}

Status KvCache::reserve(int32_t slot, int64_t positions) {
  std::vector<int32_t> &own = *slots[size_t(slot)];
  int64_t wanted = pagesFor(positions), had = int64_t(own.size());
  if (wanted <= had)
    return Status::success();
  QUERN_RETURN_IF_ERROR(pool.take(int32_t(wanted - had), own));
  std::copy(own.begin() + had, own.end(), table.begin() + int64_t(slot) * columns + had);
  ++changes;
  return Status::success();
}

Status KvCache::truncate(int32_t slot, int64_t positions) {
  std::vector<int32_t> &own = *slots[size_t(slot)];
  int64_t kept = pagesFor(positions);
  if (kept >= int64_t(own.size()))
    return Status::success();
  std::span<const int32_t> freed(own.begin() + kept, own.end());
  if (limits.poison)
    QUERN_RETURN_IF_ERROR(poisonPages(freed));
  pool.give(freed);
  std::fill_n(table.begin() + int64_t(slot) * columns + kept, freed.size(), 0);
  own.resize(size_t(kept));
  ++changes;
  return Status::success();
}

Status KvCache::closeSlot(int32_t slot) {
  QUERN_RETURN_IF_ERROR(truncate(slot, 0));
  slots[size_t(slot)].reset();
  return Status::success();
}

Status KvCache::poisonPages(std::span<const int32_t> pages) {
  for (size_t part = 0; part < buffers.size(); ++part) {
    uint64_t pageBytes = plan.parts[part].pageBytes;
    for (int64_t layer = 0; layer < plan.layers; ++layer)
      for (int32_t page : pages)
        QUERN_RETURN_IF_ERROR(device->fill(*buffers[part], uint64_t(layer * pool.size() + page) * pageBytes,
                                           pageBytes, poisonByte));
  }
  return Status::success();
}

} // namespace quern::runtime
