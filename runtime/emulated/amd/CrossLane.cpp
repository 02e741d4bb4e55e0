//===- CrossLane.cpp - Instructions that move data between lanes ----------===//
//
// CDNA3 manual (V_READLANE, V_WRITELANE, V_MBCNT), CDNA4 manual (V_PERMLANE16_SWAP, V_PERMLANE32_SWAP), RDNA4
// manual (V_PERMLANE16, V_PERMLANEX16, their VAR forms, V_PERMLANE64). DPP is in VectorAlu.cpp, the ds_ forms
// in LocalMemory.cpp.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;

/// A lane of a vector operand, or the scalar or constant that stands in its place.
u32 laneOf(Wave &wave, const Operand &op, unsigned lane) {
  return op.kind == OperandKind::Vector ? wave.row(op.index)[lane] : wave.read32(op);
}

void readFirstLane(Wave &wave, const Instruction &in) {
  uint64_t exec = wave.mask(scalar::Exec);
  unsigned lane = exec ? unsigned(std::countr_zero(exec)) : 0; // an empty EXEC reads lane 0
  wave.write32(in.operands[0], laneOf(wave, in.operands[1], lane));
}

void readLane(Wave &wave, const Instruction &in) {
  unsigned lane = wave.read32(in.operands[2]) & (wave.width - 1);
  wave.write32(in.operands[0], laneOf(wave, in.operands[1], lane));
}

void writeLane(Wave &wave, const Instruction &in) {
  unsigned lane = wave.read32(in.operands[2]) & (wave.width - 1);
  wave.row(in.operands[0].index)[lane] = wave.read32(in.operands[1]);
}

/// Bits of the mask in lanes below this one; low or high 32 lanes.
template <bool High> void maskedBitCount(Wave &wave, const Instruction &in) {
  u32 a[kMaxLanes], b[kMaxLanes], out[kMaxLanes];
  const u32 *pa = fetch(wave, in, 1, a), *pb = fetch(wave, in, 2, b);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    uint64_t below = (uint64_t(1) << lane) - 1;
    u32 mask = High ? u32(below >> 32) : u32(below);
    out[lane] = u32(std::popcount(pa[lane] & mask)) + pb[lane];
  }
  writeResult<u32>(wave, in, out, activeLanes(wave, in));
}

/// |selector(lane)| gives the source lane within a row of 16; |Crossed| reads the other row of the pair.
template <bool Crossed, typename Selector>
void permuteRows(Wave &wave, const Instruction &in, Selector selector) {
  bool readsInactive = in.opSel & 1, zeroInvalid = in.opSel & 2;
  uint64_t exec = wave.mask(scalar::Exec), lanes = exec;
  u32 source[kMaxLanes], out[kMaxLanes];
  std::copy_n(wave.row(in.operands[1].index), wave.width, source);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    unsigned row = (lane & ~15u) ^ (Crossed ? 16 : 0), from = row | (selector(lane) & 15);
    bool valid = readsInactive || (exec >> from & 1);
    out[lane] = valid ? source[from] : 0;
    if (!valid && !zeroInvalid)
      lanes &= ~(uint64_t(1) << lane);
  }
  writeRow(wave, in.operands[0], 0, out, lanes);
}

template <bool Crossed> void permlane16(Wave &wave, const Instruction &in) {
  u32 low = wave.read32(in.operands[2]), high = wave.read32(in.operands[3]);
  permuteRows<Crossed>(wave, in, [&](unsigned lane) { return (lane & 8 ? high : low) >> (4 * (lane & 7)); });
}
template <bool Crossed> void permlane16Var(Wave &wave, const Instruction &in) {
  u32 selectors[kMaxLanes];
  std::copy_n(wave.row(in.operands[2].index), wave.width, selectors);
  permuteRows<Crossed>(wave, in, [&](unsigned lane) { return selectors[lane]; });
}

void permlane64(Wave &wave, const Instruction &in) {
  if (wave.width == 32)
    return; // has no effect in wave32
  u32 source[kMaxLanes], out[kMaxLanes];
  std::copy_n(wave.row(in.operands[1].index), wave.width, source);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    out[lane] = source[lane ^ 32];
  writeRow(wave, in.operands[0], 0, out, wave.mask(scalar::Exec));
}

/// Exchanges the odd rows of the first register with the even rows of the second; rows of |Row| lanes.
template <unsigned Row> void permlaneSwap(Wave &wave, const Instruction &in) {
  u32 a[kMaxLanes], b[kMaxLanes], outA[kMaxLanes], outB[kMaxLanes];
  std::copy_n(wave.row(in.operands[0].index), wave.width, a);
  std::copy_n(wave.row(in.operands[1].index), wave.width, b);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    bool odd = lane & Row;
    outA[lane] = odd ? b[lane ^ Row] : a[lane];
    outB[lane] = odd ? b[lane] : a[lane ^ Row];
  }
  uint64_t exec = wave.mask(scalar::Exec);
  writeRow(wave, in.operands[0], 0, outA, exec);
  writeRow(wave, in.operands[1], 0, outB, exec);
}

} // namespace

void HandlerTable::addCrossLane() {
  add("v_readfirstlane_b32", {readFirstLane});
  add("v_readlane_b32", {readLane});
  add("v_writelane_b32", {writeLane});
  add("v_mbcnt_lo_u32_b32", {maskedBitCount<false>});
  add("v_mbcnt_hi_u32_b32", {maskedBitCount<true>});
  add("v_permlane16_b32", {permlane16<false>});
  add("v_permlanex16_b32", {permlane16<true>});
  add("v_permlane16_var_b32", {permlane16Var<false>});
  add("v_permlanex16_var_b32", {permlane16Var<true>});
  add("v_permlane64_b32", {permlane64});
  add("v_permlane16_swap_b32", {permlaneSwap<16>, Unit::Vector, 2, false, 0});
  add("v_permlane32_swap_b32", {permlaneSwap<32>, Unit::Vector, 2, false, 0});
}

} // namespace quern::runtime::emulated::amd
