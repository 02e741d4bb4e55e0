//===- DeviceCallsMemory.cpp - Memory accesses out of line ----------------===//

#include "runtime/emulated/nvidia/Arithmetic.h"
#include "runtime/emulated/nvidia/CheckedAccess.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>

namespace quern::runtime::emulated::nvidia {

void failAccess(ThreadContext *thread, uint32_t site, Fault::Kind kind, uint64_t address, uint64_t bytes,
                const char *text) {
  Fault fault;
  fault.kind = kind;
  fault.site = site;
  fault.address = address;
  fault.bytes = bytes;
  fault.text = text;
  thread->block->run->fail(thread, fault);
}

void failOnConflict(ThreadContext *thread, uint32_t site, uint64_t address, uint64_t bytes,
                    const Conflict &conflict) {
  if (conflict.kind == Conflict::None)
    return;
  Fault fault;
  fault.kind = conflict.kind == Conflict::Uninitialised ? Fault::Uninitialised : Fault::Race;
  fault.site = site;
  fault.address = address;
  fault.bytes = bytes;
  fault.other = conflict;
  thread->block->run->fail(thread, fault);
}

std::byte *sharedAccess(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                        uint32_t flags, const void *stored) {
  BlockContext *found = thread->block;
  BlockRun &run = *found->run;
  if (flags & AccessCluster) {
    found = run.blockOf(thread, address);
    if (!found)
      failAccess(thread, site, Fault::OutOfBounds, address, bytes, "shared::cluster");
    if (found != thread->block && run.hasEnded(*found))
      failAccess(thread, site, Fault::OutOfBounds, address, bytes,
                 "shared memory of a block that has ended, at shared::cluster");
  }
  BlockContext &block = *found;
  uint64_t offset = address - block.sharedOrigin;
  if (offset > block.sharedBytes || bytes > block.sharedBytes - offset)
    failAccess(thread, site, Fault::OutOfBounds, address, bytes, "shared");
  if (address & (bytes - 1))
    failAccess(thread, site, Fault::Misaligned, address, bytes, "shared");
  std::byte *place = block.shared + offset;
  if (!run.setup().options->sanitize)
    return place;
  SharedShadow &shadow = run.sharedShadow();
  bool strong = flags & AccessStrong;
  Conflict conflict;
  uint64_t where = run.shadowOffset(block, address);
  if (flags & AccessWrite) {
    bool same = stored && std::memcmp(stored, place, bytes) == 0;
    conflict = shadow.write(thread->linear, site, where, bytes, strong, same);
  } else {
    conflict = shadow.read(thread->linear, site, where, bytes, strong);
  }
  failOnConflict(thread, site, address, bytes, conflict);
  return place;
}

std::byte *sharedPlace(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes) {
  const BlockContext &block = *thread->block;
  uint64_t offset = address - block.sharedOrigin;
  if (offset > block.sharedBytes || bytes > block.sharedBytes - offset)
    failAccess(thread, site, Fault::OutOfBounds, address, bytes, "shared");
  if (address & (bytes - 1))
    failAccess(thread, site, Fault::Misaligned, address, bytes, "shared");
  return block.shared + offset;
}

const std::byte *globalRange(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes) {
  const BlockSetup &setup = thread->block->run->setup();
  SiteCache &cache = thread->block->caches[site];
  if (address - cache.base < cache.limit && bytes <= cache.limit - (address - cache.base))
    return reinterpret_cast<const std::byte *>(address);
  for (const GlobalMemory *memory : {setup.memory, setup.variables, setup.constants}) {
    uint64_t base = 0, size = 0;
    if (!memory->find(address, base, size) || bytes > size - (address - base))
      continue;
    // The limit is the size here: the width of the access is not always the same.
    cache = {base, size};
    return reinterpret_cast<const std::byte *>(address);
  }
  failAccess(thread, site, Fault::OutOfBounds, address, bytes, "global");
}

std::byte *globalAccess(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                        uint32_t flags, bool isGeneric) {
  BlockContext &block = *thread->block;
  BlockRun &run = *block.run;
  const BlockSetup &setup = run.setup();
  if (isGeneric && address - sharedWindow < windowBytes)
    return sharedAccess(thread, site, address - sharedWindow, bytes, flags | AccessCluster, nullptr);
  bool misaligned = (address & (bytes - 1)) && (setup.options->sanitize || (flags & AccessAtomic));
  if (isGeneric && address - localWindow < windowBytes) {
    uint64_t offset = address - localWindow;
    if (offset > thread->localTop || bytes > thread->localTop - offset)
      failAccess(thread, site, Fault::OutOfBounds, offset, bytes, "local");
    if (misaligned)
      failAccess(thread, site, Fault::Misaligned, offset, bytes, "local");
    return thread->local + offset;
  }
  auto find = [&](const GlobalMemory &memory) {
    uint64_t base = 0, size = 0;
    if (!memory.find(address, base, size) || bytes > size - (address - base))
      return false;
    if (size >= bytes)
      block.caches[site] = {base, size - bytes + 1};
    return true;
  };
  bool found =
      find(*setup.memory) || find(*setup.variables) || (!(flags & AccessWrite) && find(*setup.constants));
  if (!found && isGeneric && !(flags & AccessWrite)) {
    // A kernel parameter whose address was taken.
    auto begin = reinterpret_cast<uint64_t>(setup.parameters);
    found = address >= begin && address - begin <= setup.parameterBytes &&
            bytes <= setup.parameterBytes - (address - begin);
  }
  if (!found)
    failAccess(thread, site, Fault::OutOfBounds, address, bytes, "global");
  if (misaligned)
    failAccess(thread, site, Fault::Misaligned, address, bytes, "global");
  return reinterpret_cast<std::byte *>(address);
}

extern "C" {

static void *quernResolve(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                          uint32_t flags, bool isGeneric) {
  return globalAccess(thread, site, address, bytes, flags, isGeneric);
}

static void *quernSharedAccess(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                               uint32_t flags, const void *stored) {
  return sharedAccess(thread, site, address, bytes, flags, stored);
}

static void quernSharedFault(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes) {
  uint64_t offset = address - thread->block->sharedOrigin;
  bool inside = offset <= thread->block->sharedBytes && bytes <= thread->block->sharedBytes - offset;
  failAccess(thread, site, inside ? Fault::Misaligned : Fault::OutOfBounds, address, bytes, "shared");
}

static void quernLocalFault(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes) {
  bool inside = address <= thread->localTop && bytes <= thread->localTop - address;
  failAccess(thread, site, inside ? Fault::Misaligned : Fault::OutOfBounds, address, bytes, "local");
}

static void quernStackDepth(ThreadContext *thread, uint32_t site) {
  failAccess(thread, site, Fault::StackDepth, 0, 0, "");
}
static void quernNotModelled(ThreadContext *thread, uint32_t site) {
  failAccess(thread, site, Fault::NotModelled, 0, 0, "");
}
static void quernTrap(ThreadContext *thread, uint32_t site) {
  failAccess(thread, site, Fault::Trap, 0, 0, "");
}
static void quernBadOperand(ThreadContext *thread, uint32_t site, const char *text) {
  failAccess(thread, site, Fault::BadOperand, 0, 0, text);
}

/// flags: low 4 bits f32, f64, f16, bf16; next 4 add, min, max; 0x100 two lanes; 0x200 flush subnormals.
static uint64_t quernAtomicFloat(void *place, uint64_t value, uint32_t flags) {
  uint32_t kind = flags & 15, op = flags >> 4 & 15;
  auto apply = [&](uint64_t old) -> uint64_t {
    if (kind == 0) {
      auto flush = [&](float x) {
        return (flags & 0x200) && std::abs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x;
      };
      float sum = flush(flush(std::bit_cast<float>(static_cast<uint32_t>(old))) +
                        flush(std::bit_cast<float>(static_cast<uint32_t>(value))));
      return sum != sum ? 0x7FFFFFFF : std::bit_cast<uint32_t>(sum);
    }
    if (kind == 1)
      return std::bit_cast<uint64_t>(std::bit_cast<double>(old) + std::bit_cast<double>(value));
    HalfOp half = op == 0 ? HalfOp::Add : op == 1 ? HalfOp::Min : HalfOp::Max;
    uint32_t what = static_cast<uint32_t>(half) | (kind == 3 ? HalfIsBF16 : 0u);
    uint64_t result = halfArithmetic(what, static_cast<uint16_t>(old), static_cast<uint16_t>(value), 0);
    if (flags & 0x100)
      result |= uint64_t(halfArithmetic(what, static_cast<uint16_t>(old >> 16),
                                        static_cast<uint16_t>(value >> 16), 0))
                << 16;
    return result;
  };
  auto exchange = [&](auto zero) -> uint64_t {
    std::atomic_ref<decltype(zero)> word(*static_cast<decltype(zero) *>(place));
    auto old = word.load();
    while (!word.compare_exchange_weak(old, static_cast<decltype(zero)>(apply(old)))) {
    }
    return old;
  };
  if (kind == 1)
    return exchange(uint64_t(0));
  return kind == 0 || (flags & 0x100) ? exchange(uint32_t(0)) : exchange(uint16_t(0));
}

} // extern "C"

std::span<const DeviceCall> memoryCalls() {
#define QUERN_CALL(name)                                                                                     \
  {                                                                                                          \
    #name, reinterpret_cast<void *>(&name)                                                                   \
  }
  static const DeviceCall calls[] = {
      QUERN_CALL(quernResolve),    QUERN_CALL(quernSharedAccess), QUERN_CALL(quernSharedFault),
      QUERN_CALL(quernLocalFault), QUERN_CALL(quernStackDepth),   QUERN_CALL(quernNotModelled),
      QUERN_CALL(quernTrap),       QUERN_CALL(quernBadOperand),   QUERN_CALL(quernAtomicFloat)};
#undef QUERN_CALL
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
