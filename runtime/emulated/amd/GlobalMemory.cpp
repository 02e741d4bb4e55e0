//===- GlobalMemory.cpp - Loads and stores of vector memory ---------------===//
//
// Global, flat, scratch and buffer instructions. The data of a load is read when it issues and reaches the
// registers at the wait that covers it (Wave.h). Reads outside a buffer descriptor's range give zero and
// stores are dropped; everything else that is out of bounds is a fault.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MemoryAccess.h"

#include <cstring>

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;

/// One check for all lanes of a global access, where they lie in one buffer and are aligned.
bool insideOneBuffer(const Wave &wave, const LaneAddresses &addresses, uint64_t lanes, unsigned bytes) {
  uint64_t low = ~uint64_t(0), high = 0, bits = 0;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    low = std::min(low, addresses.address[lane]);
    high = std::max(high, addresses.address[lane]);
    bits |= addresses.address[lane];
  }
  return low <= high && !(bits & (std::min(bytes, 4u) - 1)) &&
         wave.block.launch.memory->contains(low, high - low + bytes);
}

void load(Wave &wave, const Instruction &in) {
  AccessShape shape = AccessShape::decoded(in.immediate);
  uint64_t lanes = wave.mask(scalar::Exec);
  LaneAddresses addresses;
  if (!computeAddresses(wave, in, shape.space, 1, 2, lanes, addresses))
    return;
  countGlobal(wave, false, addresses, lanes, shape.bytes);
  Outstanding operation{.counter = Counter::Load};
  operation.alsoLocal = shape.space == Space::Flat;
  operation.toVector = true;
  operation.d16 = shape.d16;
  operation.d16High = shape.d16High;
  operation.first = in.operands[0].index;
  operation.dwords = uint8_t(shape.dwords());
  operation.lanes = lanes;
  operation.data.assign(size_t(operation.dwords) * wave.width, 0);
  bool global = shape.space == Space::Global && insideOneBuffer(wave, addresses, lanes, shape.bytes);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    unsigned bytes = addresses.ranged ? std::min<unsigned>(addresses.inside[lane], shape.bytes) : shape.bytes;
    if (bytes == 0)
      continue; // out of the descriptor's range: zero
    uint64_t address = addresses.address[lane];
    bool local = false;
    const uint8_t *from = global ? reinterpret_cast<const uint8_t *>(address)
                                 : resolve(wave, lane, address, bytes, AccessKind::Read, local);
    if (!from || ((global || !local) && !wave.block.touchGlobal(wave, lane, address, bytes, false)))
      return;
    u32 words[4] = {};
    std::memcpy(words, from, bytes);
    if (shape.signExtend)
      words[0] = shape.bytes == 1 ? u32(int32_t(int8_t(words[0]))) : u32(int32_t(int16_t(words[0])));
    for (unsigned i = 0; i < operation.dwords; ++i)
      operation.data[i * wave.width + lane] = words[i];
    wave.globalLoadBytes += bytes;
  }
  wave.issue(std::move(operation));
}

/// Looks for races of a store. Waves may all write what is there already: that is recorded but no race.
bool mayWrite(Wave &wave, unsigned lane, uint64_t address, const uint8_t *old, const u32 *words,
              unsigned bytes) {
  GlobalShadow *shadow = wave.block.launch.globalShadow;
  if (!shadow)
    return true;
  if (std::memcmp(old, words, bytes) != 0)
    return wave.block.touchGlobal(wave, lane, address, bytes, true);
  GlobalShadow::Conflict ignored;
  shadow->touch(address, bytes, {wave.block.index, wave.number, wave.barrierSignals, wave.barrierWaits, true},
                ignored);
  return true;
}

void store(Wave &wave, const Instruction &in) {
  AccessShape shape = AccessShape::decoded(in.immediate);
  uint64_t lanes = wave.mask(scalar::Exec);
  LaneAddresses addresses;
  // Buffer stores name the data first, the others second.
  bool buffer = shape.space == Space::Buffer;
  unsigned addressIndex = buffer ? 1 : 0, dataIndex = buffer ? 0 : 1;
  if (!computeAddresses(wave, in, shape.space, addressIndex, 2, lanes, addresses))
    return;
  const Operand &data = in.operands[dataIndex];
  countGlobal(wave, true, addresses, lanes, shape.bytes);
  bool global = shape.space == Space::Global && insideOneBuffer(wave, addresses, lanes, shape.bytes);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(lanes >> lane & 1))
      continue;
    unsigned bytes = addresses.ranged ? std::min<unsigned>(addresses.inside[lane], shape.bytes) : shape.bytes;
    if (bytes == 0)
      continue;
    uint64_t address = addresses.address[lane];
    bool local = false;
    uint8_t *to = global ? reinterpret_cast<uint8_t *>(address)
                         : resolve(wave, lane, address, bytes, AccessKind::Write, local);
    if (!to)
      return;
    u32 words[4];
    for (unsigned i = 0; i < shape.dwords(); ++i)
      words[i] = wave.row(data.index + i)[lane];
    if (shape.d16High)
      words[0] >>= 16;
    if ((global || !local) && !mayWrite(wave, lane, address, to, words, bytes))
      return;
    std::memcpy(to, words, bytes);
    wave.globalStoreBytes += bytes;
  }
  Outstanding operation{.counter = Counter::Store};
  operation.alsoLocal = shape.space == Space::Flat && !wave.target.separateStoreCounter;
  wave.issue(std::move(operation));
}

} // namespace

void HandlerTable::addGlobalMemory() {
  struct Form {
    const char *oldName, *newName; ///< before and since gfx11
    uint8_t bytes;
    bool signExtend, d16, d16High;
  };
  static const Form loads[] = {
      {"ubyte", "u8", 1, false, false, false},         {"sbyte", "i8", 1, true, false, false},
      {"ushort", "u16", 2, false, false, false},       {"sshort", "i16", 2, true, false, false},
      {"dword", "b32", 4, false, false, false},        {"dwordx2", "b64", 8, false, false, false},
      {"dwordx3", "b96", 12, false, false, false},     {"dwordx4", "b128", 16, false, false, false},
      {"ubyte_d16", "d16_u8", 1, false, true, false},  {"ubyte_d16_hi", "d16_hi_u8", 1, false, true, true},
      {"sbyte_d16", "d16_i8", 1, true, true, false},   {"sbyte_d16_hi", "d16_hi_i8", 1, true, true, true},
      {"short_d16", "d16_b16", 2, false, true, false}, {"short_d16_hi", "d16_hi_b16", 2, false, true, true},
  };
  static const Form stores[] = {
      {"byte", "b8", 1, false, false, false},
      {"short", "b16", 2, false, false, false},
      {"dword", "b32", 4, false, false, false},
      {"dwordx2", "b64", 8, false, false, false},
      {"dwordx3", "b96", 12, false, false, false},
      {"dwordx4", "b128", 16, false, false, false},
      {"byte_d16_hi", "d16_hi_b8", 1, false, false, true},
      {"short_d16_hi", "d16_hi_b16", 2, false, false, true},
  };
  static const struct {
    const char *prefix;
    Space space;
  } spaces[] = {{"global", Space::Global},
                {"flat", Space::Flat},
                {"scratch", Space::Scratch},
                {"buffer", Space::Buffer}};
  for (auto &[prefix, space] : spaces) {
    for (const Form &form : loads) {
      AccessShape shape{form.bytes, form.signExtend, form.d16, form.d16High, space};
      for (const char *name : {form.oldName, form.newName})
        add(std::string(prefix) + "_load_" + name, {load, Unit::Memory, 1, false, shape.encoded()});
    }
    for (const Form &form : stores) {
      AccessShape shape{form.bytes, form.signExtend, form.d16, form.d16High, space};
      for (const char *name : {form.oldName, form.newName})
        add(std::string(prefix) + "_store_" + name, {store, Unit::Memory, 0, false, shape.encoded()});
    }
  }
}

} // namespace quern::runtime::emulated::amd
