//===- MatrixUnit.cpp - MFMA ----------------------------------------------===//
//
// D = A * B + C over whole waves of 64 lanes: "AMD Instinct MI200 / MI300 / CDNA4 Instruction Set
// Architecture", chapter "Matrix arithmetic instructions", with the layouts of MatrixFragments.h and the
// arithmetic of MatrixTypes.h. EXEC is ignored; A, B, C and D may be vector or accumulation registers.
// Rounding is to nearest even and subnormals are kept whatever MODE says, but for f16 and bf16 on gfx90a:
// there subnormal inputs and results become zero. xf32 reads the upper 19 bits of its inputs.
//
//   cbsz, abid   block b of A is block abid of the aligned group of 2^cbsz blocks that b lies in
//   blgp         the lanes of B: 1 low half twice, 2 high half twice, 3 rotated by 16, 4..7 one row of 16 for
//   all neg          f64 on gfx942 and later: negates A, B, C
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MatrixFragments.h"
#include "runtime/emulated/amd/MatrixTypes.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;

/// The number that an element is multiplied as, and the sum's type.
template <MatrixType T>
using Factor = std::conditional_t<
    T == MatrixType::F64, double,
    std::conditional_t<T == MatrixType::F32, float, std::conditional_t<T == MatrixType::I8, u32, double>>>;

/// The lane that lane |lane| of B reads.
unsigned patternLane(unsigned lane, unsigned pattern) {
  switch (pattern) {
  case 0:
    return lane;
  case 1:
    return lane % 32;
  case 2:
    return lane % 32 + 32;
  case 3:
    return (lane + 16) % 64;
  default:
    return lane % 16 + 16 * (pattern - 4);
  }
}

template <MatrixType T> Factor<T> factorOf(const Wave &wave, uint64_t bits) {
  bool flushes = wave.target.generation == Generation::Gfx90a;
  if constexpr (T == MatrixType::F64) {
    return doubleOf(bits);
  } else if constexpr (T == MatrixType::F32) {
    return floatOf(u32(bits));
  } else if constexpr (T == MatrixType::Xf32) {
    return double(floatOf(u32(bits) & ~0x1fffu));
  } else if constexpr (T == MatrixType::F16) {
    return double(halfToFloat(flushes && !(bits & 0x7c00) ? bits & 0x8000 : uint16_t(bits)));
  } else if constexpr (T == MatrixType::Bf16) {
    return double(bfloatToFloat(flushes && !(bits & 0x7f80) ? bits & 0x8000 : uint16_t(bits)));
  } else if constexpr (T == MatrixType::I8) {
    return u32(int32_t(int8_t(bits)));
  } else {
    return double(codeValues(T, wave.target.fp8IsFnuz)[bits]);
  }
}

/// C as the sum's type: registers, or an inline constant for all elements.
template <MatrixType T> Factor<T> startOf(Wave &wave, const Operand &op, Place place) {
  if constexpr (T == MatrixType::F64) {
    return op.kind == OperandKind::Vector ? doubleOf(itemBits(wave, op.index, 64, place.lane, place.item))
                                          : doubleConstant(op);
  } else {
    u32 bits = op.kind == OperandKind::Vector ? wave.row(op.index + place.item)[place.lane] : wave.read32(op);
    if constexpr (T == MatrixType::I8)
      return bits;
    bool flushes = wave.target.generation == Generation::Gfx90a && bitsOf(T) == 16;
    return Factor<T>(flushes ? flushed(floatOf(bits)) : floatOf(bits));
  }
}

template <MatrixType T> Factor<T> multiplyAdd(Factor<T> a, Factor<T> b, Factor<T> c) {
  if constexpr (T == MatrixType::F64 || T == MatrixType::F32)
    return std::fma(a, b, c);
  else
    return a * b + c;
}

template <MatrixType T> void store(Wave &wave, const Operand &op, Place place, Factor<T> sum) {
  if constexpr (T == MatrixType::F64) {
    uint64_t bits = std::isnan(sum) ? 0x7ff8000000000000ull : bitsOf(sum);
    wave.row(op.index + 2 * place.item)[place.lane] = u32(bits);
    wave.row(op.index + 2 * place.item + 1)[place.lane] = u32(bits >> 32);
  } else if constexpr (T == MatrixType::I8) {
    wave.row(op.index + place.item)[place.lane] = sum;
  } else {
    float value = roundedSum(double(sum));
    if (wave.target.generation == Generation::Gfx90a && bitsOf(T) == 16)
      value = flushed(value);
    wave.row(op.index + place.item)[place.lane] = bitsOf(value);
  }
}

/// True if the manual of the target gives the instruction the modifiers that it carries; else not modelled.
template <MatrixType T, unsigned Blocks> bool modifiersKnown(Wave &wave, const Instruction &in) {
  bool oldest = wave.target.generation == Generation::Gfx90a;
  bool patterns = T == MatrixType::F32 || (T != MatrixType::F64 && (oldest || Blocks > 1));
  if (in.lanePattern && !patterns)
    wave.notModelled("blgp, which the manual does not give this instruction");
  else if ((1u << in.broadcastSize) > Blocks || in.broadcastBlock >= 1u << in.broadcastSize)
    wave.notModelled("cbsz or abid beyond the blocks of the instruction");
  return wave.signal != Signal::Fault;
}

template <unsigned M, unsigned N, unsigned K, unsigned Blocks, MatrixType TA, MatrixType TB = TA>
void multiply(Wave &wave, const Instruction &in) {
  using F = Factor<TA>;
  constexpr unsigned height = TA == MatrixType::F64 ? 1 : 4;
  const Operand &d = in.operands[0], &a = in.operands[1], &b = in.operands[2], &c = in.operands[3];
  if (a.kind != OperandKind::Vector || b.kind != OperandKind::Vector || in.operandCount != 4) {
    wave.notModelled("a matrix instruction whose inputs are no registers");
    return;
  }
  if (!modifiersKnown<TA, Blocks>(wave, in))
    return;
  F signA = in.negateLow & 1 ? F(-1) : F(1), signB = in.negateLow & 2 ? F(-1) : F(1);
  F left[Blocks][M][K], right[Blocks][K][N], sums[Blocks][M][N];
  unsigned group = 1u << in.broadcastSize;
  for (unsigned block = 0; block < Blocks; ++block) {
    unsigned from = block / group * group + in.broadcastBlock;
    for (unsigned k = 0; k < K; ++k) {
      for (unsigned i = 0; i < M; ++i) {
        Place place = mfmaInput(M, K, Blocks, i, k, from);
        left[block][i][k] =
            signA * factorOf<TA>(wave, itemBits(wave, a.index, bitsOf(TA), place.lane, place.item));
      }
      for (unsigned j = 0; j < N; ++j) {
        Place place = mfmaInput(N, K, Blocks, j, k, block);
        unsigned lane = patternLane(place.lane, in.lanePattern);
        right[block][k][j] =
            signB * factorOf<TB>(wave, itemBits(wave, b.index, bitsOf(TB), lane, place.item));
      }
    }
    for (unsigned i = 0; i < M; ++i) {
      F *row = sums[block][i];
      for (unsigned j = 0; j < N; ++j) {
        row[j] = startOf<TA>(wave, c, mfmaOutput(M, N, height, i, j, block));
        if (in.negateLow & 4)
          row[j] = -row[j];
      }
      for (unsigned k = 0; k < K; ++k)
        for (unsigned j = 0; j < N; ++j)
          row[j] = multiplyAdd<TA>(left[block][i][k], right[block][k][j], row[j]);
    }
  }
  for (unsigned block = 0; block < Blocks; ++block)
    for (unsigned i = 0; i < M; ++i)
      for (unsigned j = 0; j < N; ++j)
        store<TA>(wave, d, mfmaOutput(M, N, height, i, j, block), sums[block][i][j]);
}

template <unsigned M, unsigned N, unsigned K, unsigned Blocks, MatrixType TA, MatrixType TB = TA>
HandlerEntry entry() {
  return {multiply<M, N, K, Blocks, TA, TB>, Unit::Vector, 1, false, 0};
}

} // namespace

void HandlerTable::addMatrix() {
  using enum MatrixType;
  // Each line: the names on gfx90a and since gfx942. Shapes and block counts: the opcode tables of VOP3P-MAI.
  add({"v_mfma_f32_32x32x1f32", "v_mfma_f32_32x32x1_2b_f32"}, entry<32, 32, 1, 2, F32>());
  add({"v_mfma_f32_16x16x1f32", "v_mfma_f32_16x16x1_4b_f32"}, entry<16, 16, 1, 4, F32>());
  add({"v_mfma_f32_4x4x1f32", "v_mfma_f32_4x4x1_16b_f32"}, entry<4, 4, 1, 16, F32>());
  add({"v_mfma_f32_32x32x2f32", "v_mfma_f32_32x32x2_f32"}, entry<32, 32, 2, 1, F32>());
  add({"v_mfma_f32_16x16x4f32", "v_mfma_f32_16x16x4_f32"}, entry<16, 16, 4, 1, F32>());
  add({"v_mfma_f32_32x32x4f16", "v_mfma_f32_32x32x4_2b_f16"}, entry<32, 32, 4, 2, F16>());
  add({"v_mfma_f32_16x16x4f16", "v_mfma_f32_16x16x4_4b_f16"}, entry<16, 16, 4, 4, F16>());
  add({"v_mfma_f32_4x4x4f16", "v_mfma_f32_4x4x4_16b_f16"}, entry<4, 4, 4, 16, F16>());
  add({"v_mfma_f32_32x32x8f16", "v_mfma_f32_32x32x8_f16"}, entry<32, 32, 8, 1, F16>());
  add({"v_mfma_f32_16x16x16f16", "v_mfma_f32_16x16x16_f16"}, entry<16, 16, 16, 1, F16>());
  // gfx90a keeps the bf16 forms of gfx908, which hold two k in a register, beside the _1k forms.
  add("v_mfma_f32_32x32x2bf16", entry<32, 32, 2, 2, Bf16>());
  add("v_mfma_f32_16x16x2bf16", entry<16, 16, 2, 4, Bf16>());
  add("v_mfma_f32_4x4x2bf16", entry<4, 4, 2, 16, Bf16>());
  add("v_mfma_f32_32x32x4bf16", entry<32, 32, 4, 1, Bf16>());
  add("v_mfma_f32_16x16x8bf16", entry<16, 16, 8, 1, Bf16>());
  add({"v_mfma_f32_32x32x4bf16_1k", "v_mfma_f32_32x32x4_2b_bf16"}, entry<32, 32, 4, 2, Bf16>());
  add({"v_mfma_f32_16x16x4bf16_1k", "v_mfma_f32_16x16x4_4b_bf16"}, entry<16, 16, 4, 4, Bf16>());
  add({"v_mfma_f32_4x4x4bf16_1k", "v_mfma_f32_4x4x4_16b_bf16"}, entry<4, 4, 4, 16, Bf16>());
  add({"v_mfma_f32_32x32x8bf16_1k", "v_mfma_f32_32x32x8_bf16"}, entry<32, 32, 8, 1, Bf16>());
  add({"v_mfma_f32_16x16x16bf16_1k", "v_mfma_f32_16x16x16_bf16"}, entry<16, 16, 16, 1, Bf16>());
  add({"v_mfma_i32_32x32x4i8", "v_mfma_i32_32x32x4_2b_i8"}, entry<32, 32, 4, 2, I8>());
  add({"v_mfma_i32_16x16x4i8", "v_mfma_i32_16x16x4_4b_i8"}, entry<16, 16, 4, 4, I8>());
  add({"v_mfma_i32_4x4x4i8", "v_mfma_i32_4x4x4_16b_i8"}, entry<4, 4, 4, 16, I8>());
  add("v_mfma_i32_32x32x8i8", entry<32, 32, 8, 1, I8>());
  add("v_mfma_i32_16x16x16i8", entry<16, 16, 16, 1, I8>());
  add({"v_mfma_f64_16x16x4f64", "v_mfma_f64_16x16x4_f64"}, entry<16, 16, 4, 1, F64>());
  add({"v_mfma_f64_4x4x4f64", "v_mfma_f64_4x4x4_4b_f64"}, entry<4, 4, 4, 4, F64>());
  // Since gfx942.
  add("v_mfma_i32_32x32x16_i8", entry<32, 32, 16, 1, I8>());
  add("v_mfma_i32_16x16x32_i8", entry<16, 16, 32, 1, I8>());
  add("v_mfma_f32_32x32x4_xf32", entry<32, 32, 4, 1, Xf32>()); // gfx942 alone
  add("v_mfma_f32_16x16x8_xf32", entry<16, 16, 8, 1, Xf32>());
  add("v_mfma_f32_32x32x16_fp8_fp8", entry<32, 32, 16, 1, Fp8, Fp8>());
  add("v_mfma_f32_32x32x16_fp8_bf8", entry<32, 32, 16, 1, Fp8, Bf8>());
  add("v_mfma_f32_32x32x16_bf8_fp8", entry<32, 32, 16, 1, Bf8, Fp8>());
  add("v_mfma_f32_32x32x16_bf8_bf8", entry<32, 32, 16, 1, Bf8, Bf8>());
  add("v_mfma_f32_16x16x32_fp8_fp8", entry<16, 16, 32, 1, Fp8, Fp8>());
  add("v_mfma_f32_16x16x32_fp8_bf8", entry<16, 16, 32, 1, Fp8, Bf8>());
  add("v_mfma_f32_16x16x32_bf8_fp8", entry<16, 16, 32, 1, Bf8, Fp8>());
  add("v_mfma_f32_16x16x32_bf8_bf8", entry<16, 16, 32, 1, Bf8, Bf8>());
  // Since gfx950.
  add("v_mfma_f32_32x32x16_f16", entry<32, 32, 16, 1, F16>());
  add("v_mfma_f32_16x16x32_f16", entry<16, 16, 32, 1, F16>());
  add("v_mfma_f32_32x32x16_bf16", entry<32, 32, 16, 1, Bf16>());
  add("v_mfma_f32_16x16x32_bf16", entry<16, 16, 32, 1, Bf16>());
  add("v_mfma_i32_32x32x32_i8", entry<32, 32, 32, 1, I8>());
  add("v_mfma_i32_16x16x64_i8", entry<16, 16, 64, 1, I8>());
}

} // namespace quern::runtime::emulated::amd
