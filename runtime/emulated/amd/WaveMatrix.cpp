//===- WaveMatrix.cpp - WMMA ----------------------------------------------===//
//
// D = A * B + C of 16 x 16 elements over waves of 32 lanes: "RDNA3 Instruction Set Architecture", 7.9, and
// "RDNA4 Instruction Set Architecture", chapter "Wave matrix multiply accumulate", with the layouts of
// MatrixFragments.h and the arithmetic of MatrixTypes.h. EXEC is ignored.
//
//   neg_lo, neg_hi   f16, bf16: negate the even and the odd k of A and B; third bit: negate C, take |C| (the
//                    absolute value first). iu8, iu4: neg_lo makes A or B signed.
//   op_sel[2]        gfx11, 16-bit results: the half of the registers of C and D; the other half stays
//   clamp            integers: the sum saturates
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/Block.h"
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MatrixFragments.h"
#include "runtime/emulated/amd/MatrixTypes.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;

constexpr bool isInteger(MatrixType type) { return type == MatrixType::U8 || type == MatrixType::U4; }

template <MatrixType T> double valueOf(uint64_t bits, bool isSigned) {
  if constexpr (isInteger(T)) {
    unsigned unused = 64 - bitsOf(T);
    return isSigned ? double(int64_t(bits << unused) >> unused) : double(bits);
  } else if constexpr (T == MatrixType::F16) {
    return halfToFloat(uint16_t(bits));
  } else if constexpr (T == MatrixType::Bf16) {
    return bfloatToFloat(uint16_t(bits));
  } else {
    return codeValues(T, false)[bits];
  }
}

/// Reads A or B. |source| 0 is A. False after a fault.
template <unsigned K, MatrixType T>
bool readInput(Wave &wave, const Instruction &in, unsigned source, double *out, unsigned rowStride,
               unsigned columnStride) {
  const Operand &op = in.operands[1 + source];
  if (op.kind != OperandKind::Vector) {
    wave.notModelled("a matrix instruction whose inputs are no registers");
    return false;
  }
  bool gfx12 = wave.target.atLeast(Generation::Gfx12);
  bool low = in.negateLow >> source & 1, high = in.negateHigh >> source & 1;
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned k = 0; k < K; ++k) {
      Place place = gfx12 ? wmma12Input(K, bitsOf(T), i, k) : wmma11Input(i, k);
      uint64_t bits = itemBits(wave, op.index, bitsOf(T), place.lane, place.item);
      if (!gfx12 && wave.block.launch.options->sanitize &&
          bits != itemBits(wave, op.index, bitsOf(T), place.lane + 16, place.item)) [[unlikely]] {
        wave.fault("operand", "lanes 16 to 31 of a matrix operand must repeat lanes 0 to 15", place.lane);
        return false;
      }
      double value = valueOf<T>(bits, low);
      if constexpr (bitsOf(T) == 16)
        value = (place.item % 2 ? high : low) ? -value : value;
      out[i * rowStride + k * columnStride] = value;
    }
  return true;
}

/// Where an element of C and D lies: register row of the operand, lane, and the shift of 16-bit elements.
template <MatrixType D> struct Cell {
  unsigned row, lane, shift;
  Cell(const Wave &wave, const Instruction &in, unsigned i, unsigned j) {
    bool gfx12 = wave.target.atLeast(Generation::Gfx12), narrow = bitsOf(D) == 16;
    Place place = gfx12 ? wmma12Output(i, j) : wmma11Output(i, j);
    lane = place.lane;
    row = gfx12 && narrow ? place.item / 2 : place.item;
    shift = !narrow ? 0 : gfx12 ? 16 * (place.item % 2) : in.opSel >> 2 & 1 ? 16 : 0;
  }
};

template <MatrixType D> double startOf(Wave &wave, const Instruction &in, const Cell<D> &cell) {
  const Operand &op = in.operands[3];
  double value;
  if constexpr (bitsOf(D) == 16) {
    uint16_t bits = op.kind == OperandKind::Vector
                        ? uint16_t(wave.row(op.index + cell.row)[cell.lane] >> cell.shift)
                    : D == MatrixType::F16 ? halfConstant(op)
                                           : bfloatConstant(op);
    value = valueOf<D>(bits, false);
  } else {
    u32 bits = op.kind == OperandKind::Vector ? wave.row(op.index + cell.row)[cell.lane] : wave.read32(op);
    if constexpr (D == MatrixType::I8)
      return double(int32_t(bits));
    value = floatOf(bits);
  }
  if (in.negateHigh & 4)
    value = std::fabs(value);
  return in.negateLow & 4 ? -value : value;
}

template <MatrixType D> void store(Wave &wave, const Instruction &in, const Cell<D> &cell, double sum) {
  u32 &word = wave.row(in.operands[0].index + cell.row)[cell.lane];
  if constexpr (bitsOf(D) == 16) {
    float value = std::isnan(sum) ? floatOf(0x7fc00000u) : narrowToOdd(sum);
    u32 bits = D == MatrixType::F16 ? floatToHalfNearest(value) : floatToBfloat(value);
    word = (word & ~(0xffffu << cell.shift)) | bits << cell.shift;
  } else if constexpr (D == MatrixType::I8) {
    int64_t exact = int64_t(sum); // at most 2^31 + 32 * 2^16
    word = u32(in.clamp ? std::clamp<int64_t>(exact, INT32_MIN, INT32_MAX) : exact);
  } else {
    word = bitsOf(roundedSum(sum));
  }
}

/// |D| I8 stands for i32 results.
template <unsigned K, MatrixType A, MatrixType B, MatrixType D>
void multiply(Wave &wave, const Instruction &in) {
  double left[16 * K], right[K * 16], sums[16][16];
  if (in.operandCount != 4) {
    wave.notModelled("this form of the matrix instruction");
    return;
  }
  if (!readInput<K, A>(wave, in, 0, left, K, 1) || !readInput<K, B>(wave, in, 1, right, 1, 16))
    return;
  for (unsigned i = 0; i < 16; ++i) {
    for (unsigned j = 0; j < 16; ++j)
      sums[i][j] = startOf<D>(wave, in, Cell<D>(wave, in, i, j));
    for (unsigned k = 0; k < K; ++k)
      for (unsigned j = 0; j < 16; ++j)
        sums[i][j] += left[i * K + k] * right[k * 16 + j];
  }
  for (unsigned i = 0; i < 16; ++i)
    for (unsigned j = 0; j < 16; ++j)
      store<D>(wave, in, Cell<D>(wave, in, i, j), sums[i][j]);
}

template <unsigned K, MatrixType A, MatrixType B, MatrixType D> HandlerEntry entry() {
  return {multiply<K, A, B, D>, Unit::Vector, 1, false, 0};
}

} // namespace

void HandlerTable::addWaveMatrix() {
  using enum MatrixType;
  add("v_wmma_f32_16x16x16_f16", entry<16, F16, F16, F32>());
  add("v_wmma_f32_16x16x16_bf16", entry<16, Bf16, Bf16, F32>());
  add("v_wmma_f16_16x16x16_f16", entry<16, F16, F16, F16>());
  add("v_wmma_bf16_16x16x16_bf16", entry<16, Bf16, Bf16, Bf16>());
  add("v_wmma_i32_16x16x16_iu8", entry<16, U8, U8, I8>());
  add("v_wmma_i32_16x16x16_iu4", entry<16, U4, U4, I8>());
  // gfx12 alone.
  add("v_wmma_i32_16x16x32_iu4", entry<32, U4, U4, I8>());
  add("v_wmma_f32_16x16x16_fp8_fp8", entry<16, Fp8, Fp8, F32>());
  add("v_wmma_f32_16x16x16_fp8_bf8", entry<16, Fp8, Bf8, F32>());
  add("v_wmma_f32_16x16x16_bf8_fp8", entry<16, Bf8, Fp8, F32>());
  add("v_wmma_f32_16x16x16_bf8_bf8", entry<16, Bf8, Bf8, F32>());
}

} // namespace quern::runtime::emulated::amd
