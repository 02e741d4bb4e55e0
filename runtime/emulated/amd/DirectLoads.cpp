//===- DirectLoads.cpp - Loads from global to local memory ----------------===//
//
// buffer_load_* ... lds (gfx90a and later CDNA) and global_load_lds_* (since gfx942); 12 and 16 bytes since
// gfx950. CDNA3 and CDNA4 manuals, "Memory buffer load to LDS" and "Global memory load to LDS":
//
//   local address = M0 + instruction offset + lane * 4 (lane * 16 for 12 and 16 bytes)
//
// The instruction offset counts in the global address as well; the other offsets count there alone. Bytes and
// shorts fill a dword. The data is read when the load issues; it reaches local memory at the wait that covers
// the load (or at once, see AsyncOrder). Lanes outside a buffer descriptor's range write zeros.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MemoryAccess.h"

#include <cstring>

namespace quern::runtime::emulated::amd {
namespace {

void loadToLocal(Wave &wave, const Instruction &in) {
  AccessShape shape = AccessShape::decoded(in.immediate);
  uint64_t lanes = wave.mask(scalar::Exec);
  LaneAddresses addresses;
  if (!computeAddresses(wave, in, shape.space, 0, 1, lanes, addresses))
    return;
  countGlobal(wave, false, addresses, lanes, shape.bytes);
  // 160 KiB of local memory need more than the 16 bits that the older targets use.
  uint32_t m0 = wave.scalars[scalar::M0] & (wave.target.localBytes > 65536 ? ~0u : 0xffffu);
  unsigned bytes = std::max<unsigned>(shape.bytes, 4), step = bytes == 4 ? 4 : 16;
  Outstanding operation{.counter = Counter::Load};
  operation.toLocal = true;
  operation.addressSize = uint8_t(bytes);
  operation.addressKind = uint8_t(LocalAccess::Direct);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    uint32_t words[4] = {};
    unsigned inside =
        addresses.ranged ? std::min<unsigned>(addresses.inside[lane], shape.bytes) : shape.bytes;
    if (inside) {
      bool local;
      const uint8_t *from = resolve(wave, lane, addresses.address[lane], inside, AccessKind::Read, local);
      if (!from || !wave.block.touchGlobal(wave, lane, addresses.address[lane], inside, false))
        return;
      std::memcpy(words, from, inside);
    }
    if (shape.signExtend)
      words[0] =
          shape.bytes == 1 ? uint32_t(int32_t(int8_t(words[0]))) : uint32_t(int32_t(int16_t(words[0])));
    uint64_t to = uint64_t(m0) + uint32_t(in.offset) + lane * step;
    if (!wave.block.checkLocal(wave, lane, uint32_t(to), bytes) ||
        !wave.block.touchLocal(wave, lane, uint32_t(to), bytes, LocalAccess::Direct))
      return;
    operation.addresses.push_back(uint32_t(to));
    operation.data.insert(operation.data.end(), words, words + bytes / 4);
    wave.globalLoadBytes += inside;
    wave.localStoreBytes += bytes;
  }
  // What arrives is written lane behind lane.
  uint32_t places[kMaxLanes];
  for (unsigned lane = 0; lane < wave.width; ++lane)
    places[lane] = m0 + lane * step;
  countLocal(wave, true, places, uint32_t(in.offset), lanes, bytes);
  wave.issue(std::move(operation));
}

} // namespace

void HandlerTable::addDirectLoads() {
  static const struct {
    const char *name;
    uint8_t bytes;
    bool signExtend;
  } forms[] = {{"ubyte", 1, false}, {"sbyte", 1, true},     {"ushort", 2, false},  {"sshort", 2, true},
               {"dword", 4, false}, {"dwordx3", 12, false}, {"dwordx4", 16, false}};
  static const struct {
    const char *prefix;
    Space space;
  } spaces[] = {{"buffer_load_lds_", Space::Buffer}, {"global_load_lds_", Space::Global}};
  for (auto &[prefix, space] : spaces)
    for (auto &[name, bytes, signExtend] : forms) {
      HandlerEntry entry{loadToLocal, Unit::Memory, 0, false,
                         AccessShape{bytes, signExtend, false, false, space}.encoded()};
      entry.readsM0 = true;
      add(std::string(prefix) + name, entry);
    }
}

} // namespace quern::runtime::emulated::amd
