//===- LocalMemory.cpp - Local memory and the lane exchanges through it ---===//
//
// ds_ instructions: loads and stores of every width, the two-address forms, swizzle and (b)permute, which
// move data between lanes without touching memory. CDNA3 manual, chapter "Data share operations". The atomics
// are in Atomics.cpp.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MemoryAccess.h"

#include <cstring>

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;

bool checkAlignment(Wave &wave, unsigned lane, u32 address, unsigned bytes) {
  if (!wave.block.launch.options->sanitize || !(address & (std::min(bytes, 4u) - 1)))
    return true;
  wave.fault("misaligned",
             "local address " + std::to_string(address) + " for " + std::to_string(bytes) + " bytes", lane);
  return false;
}

/// One address per lane at |offset|; fills dwords from |row| on of the operation.
bool readLocal(Wave &wave, const Operand &base, u32 offset, unsigned bytes, Outstanding &operation,
               unsigned row) {
  const u32 *addresses = wave.row(base.index);
  bool tracks = wave.block.launch.options->sanitize;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(operation.lanes >> lane & 1))
      continue;
    // Modulo 2^32: a negative base with an offset that brings it back is what compilers write.
    uint64_t address = addresses[lane] + offset;
    if (!wave.block.checkLocal(wave, lane, address, bytes) ||
        !checkAlignment(wave, lane, u32(address), bytes) ||
        !wave.block.touchLocal(wave, lane, u32(address), bytes, LocalAccess::Read))
      return false;
    u32 words[4] = {};
    std::memcpy(words, wave.block.local.data() + address, bytes);
    for (unsigned i = 0; i < std::max(1u, bytes / 4); ++i)
      operation.data[(row + i) * wave.width + lane] = words[i];
    if (tracks)
      operation.addresses.push_back(u32(address));
  }
  operation.addressSize = uint8_t(bytes);
  operation.addressKind = uint8_t(LocalAccess::Read);
  countLocal(wave, false, addresses, offset, operation.lanes, bytes);
  wave.localLoadBytes += uint64_t(bytes) * unsigned(std::popcount(operation.lanes));
  return true;
}

bool writeLocal(Wave &wave, const Operand &base, u32 offset, const Operand &data, unsigned bytes, bool high,
                Outstanding &operation) {
  const u32 *addresses = wave.row(base.index);
  bool tracks = wave.block.launch.options->sanitize;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (!(operation.lanes >> lane & 1))
      continue;
    // Modulo 2^32: a negative base with an offset that brings it back is what compilers write.
    uint64_t address = addresses[lane] + offset;
    if (!wave.block.checkLocal(wave, lane, address, bytes) ||
        !checkAlignment(wave, lane, u32(address), bytes) ||
        !wave.block.touchLocal(wave, lane, u32(address), bytes, LocalAccess::Write))
      return false;
    u32 words[4];
    for (unsigned i = 0; i < std::max(1u, bytes / 4); ++i)
      words[i] = wave.row(data.index + i)[lane];
    if (high)
      words[0] >>= 16;
    std::memcpy(wave.block.local.data() + address, words, bytes);
    if (tracks)
      operation.addresses.push_back(u32(address));
  }
  operation.addressSize = uint8_t(bytes);
  operation.addressKind = uint8_t(LocalAccess::Write);
  countLocal(wave, true, addresses, offset, operation.lanes, bytes);
  wave.localStoreBytes += uint64_t(bytes) * unsigned(std::popcount(operation.lanes));
  return true;
}

Outstanding localOperation(Wave &wave, const Instruction &in, unsigned dwords) {
  Outstanding operation{.counter = Counter::Local};
  operation.toVector = true;
  operation.lanes = wave.mask(scalar::Exec);
  operation.first = in.operands[0].index;
  operation.dwords = uint8_t(dwords);
  operation.data.assign(size_t(dwords) * wave.width, 0);
  return operation;
}

void localLoad(Wave &wave, const Instruction &in) {
  AccessShape shape = AccessShape::decoded(in.immediate);
  Outstanding operation = localOperation(wave, in, shape.dwords());
  operation.d16 = shape.d16;
  operation.d16High = shape.d16High;
  if (!readLocal(wave, in.operands[1], u32(in.offset), shape.bytes, operation, 0))
    return;
  if (shape.signExtend)
    for (u32 &word : operation.data)
      word = shape.bytes == 1 ? u32(int32_t(int8_t(word))) : u32(int32_t(int16_t(word)));
  wave.issue(std::move(operation));
}

void localStore(Wave &wave, const Instruction &in) {
  AccessShape shape = AccessShape::decoded(in.immediate);
  Outstanding operation = localOperation(wave, in, 0);
  if (writeLocal(wave, in.operands[0], u32(in.offset), in.operands[1], shape.bytes, shape.d16High, operation))
    wave.issue(std::move(operation));
}

/// Two addresses; their offsets count elements, or 64 elements in the st64 forms.
template <unsigned Bytes, unsigned Stride> void localLoad2(Wave &wave, const Instruction &in) {
  Outstanding operation = localOperation(wave, in, Bytes / 2);
  if (readLocal(wave, in.operands[1], u32(in.offset) * Bytes * Stride, Bytes, operation, 0) &&
      readLocal(wave, in.operands[1], u32(in.offset1) * Bytes * Stride, Bytes, operation, Bytes / 4))
    wave.issue(std::move(operation));
}
template <unsigned Bytes, unsigned Stride> void localStore2(Wave &wave, const Instruction &in) {
  Outstanding operation = localOperation(wave, in, 0);
  if (writeLocal(wave, in.operands[0], u32(in.offset) * Bytes * Stride, in.operands[1], Bytes, false,
                 operation) &&
      writeLocal(wave, in.operands[0], u32(in.offset1) * Bytes * Stride, in.operands[2], Bytes, false,
                 operation))
    wave.issue(std::move(operation));
}

//===-- lane exchanges ------------------------------------------------------===//

/// Source lane of ds_swizzle for |lane|, by the 16-bit offset field.
unsigned swizzled(unsigned lane, u32 pattern, bool rotates) {
  unsigned group = lane & ~31u, in32 = lane & 31;
  if (pattern >> 15 & 1) {
    if (rotates &&
        pattern >= 0xc000) { // rotation of 32 lanes: direction in bit 10, distance in 9:5, fixed bits in 4:0
      unsigned distance = pattern >> 5 & 31, fixed = pattern & 31;
      unsigned turned = (pattern >> 10 & 1 ? in32 - distance : in32 + distance) & 31;
      return group + ((in32 & fixed) | (turned & ~fixed & 31));
    }
    return (lane & ~3u) + (pattern >> (2 * (lane & 3)) & 3);
  }
  return group + ((((in32 & (pattern & 31)) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31)) & 31);
}

void swizzle(Wave &wave, const Instruction &in) {
  u32 pattern = in.immediate & 0xffff;
  if (pattern >= 0xe000) {
    wave.notModelled("the FFT mode of ds_swizzle");
    return;
  }
  Outstanding operation = localOperation(wave, in, 1);
  const u32 *source = wave.row(in.operands[1].index);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    unsigned from = swizzled(lane, pattern, true) & (wave.width - 1);
    operation.data[lane] = operation.lanes >> from & 1 ? source[from] : 0; // inactive lanes read as 0
  }
  wave.issue(std::move(operation));
}

/// Each lane reads the lane that its address names (a byte address: four per lane).
template <bool ReadsInactive> void permuteBackward(Wave &wave, const Instruction &in) {
  Outstanding operation = localOperation(wave, in, 1);
  const u32 *addresses = wave.row(in.operands[1].index), *source = wave.row(in.operands[2].index);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    unsigned from = (addresses[lane] + u32(in.offset)) / 4 & (wave.width - 1);
    operation.data[lane] = ReadsInactive || (operation.lanes >> from & 1) ? source[from] : 0;
  }
  wave.issue(std::move(operation));
}
/// Each active lane sends to the lane that its address names; the highest sender wins, the others read 0.
void permuteForward(Wave &wave, const Instruction &in) {
  Outstanding operation = localOperation(wave, in, 1);
  const u32 *addresses = wave.row(in.operands[1].index), *source = wave.row(in.operands[2].index);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    if (operation.lanes >> lane & 1)
      operation.data[(addresses[lane] + u32(in.offset)) / 4 & (wave.width - 1)] = source[lane];
  wave.issue(std::move(operation));
}

} // namespace

void HandlerTable::addLocalMemory() {
  struct Form {
    const char *name;
    uint8_t bytes;
    bool signExtend, d16, d16High;
  };
  static const Form loads[] = {{"u8", 1, false, false, false},     {"i8", 1, true, false, false},
                               {"u16", 2, false, false, false},    {"i16", 2, true, false, false},
                               {"b32", 4, false, false, false},    {"b64", 8, false, false, false},
                               {"b96", 12, false, false, false},   {"b128", 16, false, false, false},
                               {"u8_d16", 1, false, true, false},  {"u8_d16_hi", 1, false, true, true},
                               {"i8_d16", 1, true, true, false},   {"i8_d16_hi", 1, true, true, true},
                               {"u16_d16", 2, false, true, false}, {"u16_d16_hi", 2, false, true, true}};
  static const Form stores[] = {{"b8", 1, false, false, false},       {"b16", 2, false, false, false},
                                {"b32", 4, false, false, false},      {"b64", 8, false, false, false},
                                {"b96", 12, false, false, false},     {"b128", 16, false, false, false},
                                {"b8_d16_hi", 1, false, false, true}, {"b16_d16_hi", 2, false, false, true}};
  for (const Form &form : loads) {
    uint32_t shape =
        AccessShape{form.bytes, form.signExtend, form.d16, form.d16High, Space::Global}.encoded();
    for (const char *verb : {"ds_read_", "ds_load_"})
      add(std::string(verb) + form.name, {localLoad, Unit::Local, 1, false, shape});
  }
  for (const Form &form : stores) {
    uint32_t shape = AccessShape{form.bytes, false, false, form.d16High, Space::Global}.encoded();
    for (const char *verb : {"ds_write_", "ds_store_"})
      add(std::string(verb) + form.name, {localStore, Unit::Local, 0, false, shape});
  }
  add({"ds_read2_b32", "ds_load_2addr_b32"}, {localLoad2<4, 1>, Unit::Local, 1, false, 0});
  add({"ds_read2_b64", "ds_load_2addr_b64"}, {localLoad2<8, 1>, Unit::Local, 1, false, 0});
  add({"ds_read2st64_b32", "ds_load_2addr_stride64_b32"}, {localLoad2<4, 64>, Unit::Local, 1, false, 0});
  add({"ds_read2st64_b64", "ds_load_2addr_stride64_b64"}, {localLoad2<8, 64>, Unit::Local, 1, false, 0});
  add({"ds_write2_b32", "ds_store_2addr_b32"}, {localStore2<4, 1>, Unit::Local, 0, false, 0});
  add({"ds_write2_b64", "ds_store_2addr_b64"}, {localStore2<8, 1>, Unit::Local, 0, false, 0});
  add({"ds_write2st64_b32", "ds_store_2addr_stride64_b32"}, {localStore2<4, 64>, Unit::Local, 0, false, 0});
  add({"ds_write2st64_b64", "ds_store_2addr_stride64_b64"}, {localStore2<8, 64>, Unit::Local, 0, false, 0});
  add("ds_swizzle_b32", {swizzle, Unit::Local, 1, false, 0});
  add("ds_bpermute_b32", {permuteBackward<false>, Unit::Local, 1, false, 0});
  add("ds_bpermute_fi_b32", {permuteBackward<true>, Unit::Local, 1, false, 0});
  add("ds_permute_b32", {permuteForward, Unit::Local, 1, false, 0});
  add("ds_nop", {[](Wave &, const Instruction &) {}, Unit::Local, 0, false, 0});
}

} // namespace quern::runtime::emulated::amd
