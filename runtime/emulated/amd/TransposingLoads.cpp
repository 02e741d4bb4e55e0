//===- TransposingLoads.cpp - Loads that transpose inside groups of lanes --===//
//
// Local memory, gfx950 (CDNA4 manual, DS_READ_B64_TR_B16 and its kin): the 64 (96) bits that 16 lanes read
// form a matrix whose rows of 16 elements stand in 4, 2 or 1 consecutive lanes (16-, 8-, and 4- or 6-bit
// elements); lane l of the group gets column l.
//
// Global memory, gfx12 (RDNA4 manual, GLOBAL_LOAD_TR_B128 and _B64, wave32). 128 bits of 16-bit elements: 8
// lanes form an 8 x 8 matrix, transposed. 64 bits of 8-bit elements: in each half of 16 lanes of the result,
// lane l's element e comes from lane (e % 4) + 8 * (e / 4) + 4 * (l / 8) of the half, element l % 8.
//
// EXEC must be all ones.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MemoryAccess.h"

#include <cstring>

namespace quern::runtime::emulated::amd {
namespace {

struct Source {
  unsigned lane, element;
};

/// Local: |bits| per element, |items| of them per lane.
Source localSource(unsigned lane, unsigned item, unsigned items) {
  unsigned lanesOfRow = 16 / items, column = lane % 16;
  return {lane / 16 * 16 + item * lanesOfRow + column / items, column % items};
}
Source globalSource(unsigned lane, unsigned item, unsigned bits) {
  if (bits == 16)
    return {lane / 8 * 8 + item, lane % 8};
  return {lane / 16 * 16 + item % 4 + 8 * (item / 4) + 4 * (lane / 8 % 2), lane % 8};
}

uint32_t bitsAt(const uint8_t *bytes, unsigned first, unsigned count) {
  uint32_t word = 0;
  for (unsigned i = 0; i < count; ++i)
    word |= uint32_t(bytes[(first + i) / 8] >> (first + i) % 8 & 1) << i;
  return word;
}

/// Instruction::immediate: element bits in 7:0, bytes of a lane in 15:8, global in 16.
void loadTransposed(Wave &wave, const Instruction &in) {
  unsigned bits = in.immediate & 0xff, bytes = in.immediate >> 8 & 0xff, items = bytes * 8 / bits;
  bool global = in.immediate >> 16 & 1;
  uint64_t lanes = wave.mask(scalar::Exec);
  if (lanes != wave.allLanes()) {
    wave.fault("operand", "a transposing load needs all lanes of the wave");
    return;
  }
  uint8_t data[kMaxLanes][16];
  Outstanding operation{.counter = global ? Counter::Load : Counter::Local};
  LaneAddresses addresses;
  if (global && !computeAddresses(wave, in, Space::Global, 1, 2, lanes, addresses))
    return;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    const uint8_t *from;
    if (global) {
      bool local;
      from = resolve(wave, lane, addresses.address[lane], bytes, AccessKind::Read, local);
    } else {
      uint32_t address = wave.row(in.operands[1].index)[lane] + uint32_t(in.offset);
      // Aligned to the data, 96 bits to 16 bytes.
      if (address & (bytes == 8 ? 7 : 15)) {
        wave.fault("misaligned", "local address " + std::to_string(address) + " of a transposing load", lane);
        return;
      }
      bool good = wave.block.checkLocal(wave, lane, address, bytes) &&
                  wave.block.touchLocal(wave, lane, address, bytes, LocalAccess::Read);
      from = good ? wave.block.local.data() + address : nullptr;
      if (wave.block.launch.options->sanitize)
        operation.addresses.push_back(address);
    }
    if (!from)
      return;
    std::memcpy(data[lane], from, bytes);
  }
  operation.toVector = true;
  operation.lanes = lanes;
  operation.first = in.operands[0].index;
  operation.dwords = uint8_t(bytes / 4);
  operation.addressSize = uint8_t(bytes);
  operation.addressKind = uint8_t(LocalAccess::Read);
  operation.data.assign(size_t(bytes / 4) * wave.width, 0);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    for (unsigned item = 0; item < items; ++item) {
      Source source = global ? globalSource(lane, item, bits) : localSource(lane, item, items);
      uint32_t value = bitsAt(data[source.lane], source.element * bits, bits);
      unsigned at = item * bits, shift = at % 32;
      operation.data[at / 32 * wave.width + lane] |= value << shift;
      if (shift + bits > 32)
        operation.data[(at / 32 + 1) * wave.width + lane] |= value >> (32 - shift);
    }
  if (global)
    countGlobal(wave, false, addresses, lanes, bytes);
  else
    countLocal(wave, false, wave.row(in.operands[1].index), uint32_t(in.offset), lanes, bytes);
  (global ? wave.globalLoadBytes : wave.localLoadBytes) += uint64_t(bytes) * wave.width;
  wave.issue(std::move(operation));
}

} // namespace

void HandlerTable::addTransposingLoads() {
  auto shape = [](uint32_t bits, uint32_t bytes, bool global) {
    return bits | bytes << 8 | uint32_t(global) << 16;
  };
  add("ds_read_b64_tr_b16", {loadTransposed, Unit::Local, 1, false, shape(16, 8, false)});
  add("ds_read_b64_tr_b8", {loadTransposed, Unit::Local, 1, false, shape(8, 8, false)});
  add("ds_read_b64_tr_b4", {loadTransposed, Unit::Local, 1, false, shape(4, 8, false)});
  add("ds_read_b96_tr_b6", {loadTransposed, Unit::Local, 1, false, shape(6, 12, false)});
  add("global_load_tr_b128", {loadTransposed, Unit::Memory, 1, false, shape(16, 16, true)});
  add("global_load_tr_b64", {loadTransposed, Unit::Memory, 1, false, shape(8, 8, true)});
}

} // namespace quern::runtime::emulated::amd
