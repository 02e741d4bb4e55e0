//===- VectorAlu.cpp - Sources and destinations of vector instructions ----===//
//
// DPP, SDWA and half selects; see VectorAlu.h. Rules from the CDNA3 manual, chapters "SDWA" and "DPP", and
// the RDNA3 manual, chapter "Data Parallel Processing (DPP)".
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/VectorAlu.h"

#include <cstring>

namespace quern::runtime::emulated::amd {

static uint32_t selected(uint32_t value, unsigned select, bool signExtend) {
  if (select < 4) {
    uint32_t byte = value >> (8 * select) & 0xff;
    return signExtend ? uint32_t(int32_t(int8_t(byte))) : byte;
  }
  if (select < 6) {
    uint32_t word = value >> (16 * (select - 4)) & 0xffff;
    return signExtend ? uint32_t(int32_t(int16_t(word))) : word;
  }
  return value;
}

const uint32_t *fetchRow(Wave &wave, const Instruction &in, unsigned index, unsigned dword,
                         uint32_t *buffer) {
  const Operand &op = in.operands[index];
  const uint32_t *row = wave.row(op.index + dword);
  if (in.shuffle && index == in.destinations) { // DPP applies to the first source
    const LaneShuffle &shuffle = *in.shuffle;
    uint64_t exec = wave.mask(scalar::Exec);
    for (unsigned lane = 0; lane < wave.width; ++lane) {
      int source = shuffle.source[lane];
      bool valid = source >= 0 && (shuffle.readsInactive || (exec >> source & 1));
      buffer[lane] = valid ? row[source] : 0;
    }
    return buffer;
  }
  if (in.sdwa && (op.select != 6 || op.signExtend)) {
    for (unsigned lane = 0; lane < wave.width; ++lane)
      buffer[lane] = selected(row[lane], op.select, op.signExtend);
    return buffer;
  }
  return row;
}

uint64_t activeLanes(Wave &wave, const Instruction &in) {
  uint64_t exec = wave.mask(scalar::Exec);
  if (!in.shuffle)
    return exec;
  const LaneShuffle &shuffle = *in.shuffle;
  uint64_t lanes = exec & shuffle.writable;
  if (shuffle.zeroInvalid)
    return lanes;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    int source = shuffle.source[lane];
    if (source < 0 || (!shuffle.readsInactive && !(exec >> source & 1)))
      lanes &= ~(uint64_t(1) << lane);
  }
  return lanes;
}

uint16_t halfConstant(const Operand &op) {
  return op.isFloat ? floatToHalfNearest(float(op.number)) : uint16_t(op.bits);
}
uint16_t bfloatConstant(const Operand &op) {
  return op.isFloat ? floatToBfloat(float(op.number)) : uint16_t(op.bits);
}
double doubleConstant(const Operand &op) {
  // A 32-bit literal is the high half of a double; an inline integer is its 64-bit pattern.
  return op.isFloat ? op.number
                    : doubleOf(op.isLiteral ? (op.bits >> 32 ? op.bits : op.bits << 32) : op.bits);
}

void writeRow(Wave &wave, const Operand &op, unsigned dword, const uint32_t *values, uint64_t lanes) {
  if (op.kind != OperandKind::Vector)
    return;
  uint32_t *row = wave.row(op.index + dword);
  if (lanes == wave.allLanes()) {
    std::memcpy(row, values, wave.width * sizeof(uint32_t));
    return;
  }
  const uint32_t *masks = wave.laneMasks(lanes);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    row[lane] = (row[lane] & ~masks[lane]) | (values[lane] & masks[lane]);
}

void writeSelected(Wave &wave, const Instruction &in, const uint32_t *values, uint64_t lanes, bool sixteen) {
  const uint32_t *row = wave.row(in.operands[0].index);
  uint32_t merged[kMaxLanes];
  unsigned select = in.destinationSelect;
  if (select == 6 && sixteen) { // a 16-bit result in a whole register: the high half is cleared
    writeRow(wave, in.operands[0], 0, values, lanes);
    return;
  }
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    unsigned bits = select < 4 ? 8 : select < 6 ? 16 : 32;
    unsigned shift = select < 4 ? 8 * select : select < 6 ? 16 * (select - 4) : 0;
    if (bits == 32) {
      merged[lane] = values[lane];
      continue;
    }
    uint32_t field = ((1u << bits) - 1) << shift, placed = values[lane] << shift & field;
    if (in.destinationUnused == 2) // UNUSED_PRESERVE
      merged[lane] = (row[lane] & ~field) | placed;
    else if (in.destinationUnused == 1) // UNUSED_SEXT: above the field its sign, below it zeros
      merged[lane] =
          uint32_t(int32_t(placed << (32 - bits - shift)) >> (32 - bits - shift)) & ~((1u << shift) - 1);
    else
      merged[lane] = placed;
  }
  writeRow(wave, in.operands[0], 0, merged, lanes);
}

void writeHalves(Wave &wave, const Instruction &in, const uint32_t *values, uint64_t lanes) {
  const uint32_t *row = wave.row(in.operands[0].index);
  uint32_t merged[kMaxLanes];
  bool high = in.destinationHigh || in.operands[0].high;
  bool clears = wave.target.zeroesHigh16 && !in.preservesHigh;
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (high)
      merged[lane] = (row[lane] & 0xffff) | values[lane] << 16;
    else
      merged[lane] = (clears ? 0 : row[lane] & 0xffff0000u) | (values[lane] & 0xffff);
  }
  writeRow(wave, in.operands[0], 0, merged, lanes);
}

} // namespace quern::runtime::emulated::amd
