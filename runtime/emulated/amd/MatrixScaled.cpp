//===- MatrixScaled.cpp - MFMA f8f6f4 with and without block scales -------===//
//
// "AMD Instinct CDNA4 Instruction Set Architecture", 7.2: cbsz and blgp give the formats of A and B (0 E4M3,
// 1 E5M2, 2 E2M3, 3 E3M2, 4 E2M1), which take 8, 6 or 4 registers. The scaled form multiplies each 32 k of a
// row by an E8M0 scale: one byte of the scale register, numbered by op_sel (low bit) and op_sel_hi (high
// bit). The plain form has scale 1. Arithmetic: MatrixTypes.h; a NaN scale (0xff) makes its products NaN.
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MatrixFragments.h"
#include "runtime/emulated/amd/MatrixTypes.h"

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;

constexpr MatrixType kFormats[] = {MatrixType::Fp8, MatrixType::Bf8, MatrixType::Fp6, MatrixType::Bf6,
                                   MatrixType::Fp4};

/// One operand: M rows of K elements, and its scales.
struct ScaledOperand {
  const Operand &data;
  const Operand *scale; ///< null: 1
  MatrixType type;
  unsigned byte; ///< of the scale register
};

double scaleValue(u32 code) { return code == 0xff ? double(NAN) : std::ldexp(1.0, int(code) - 127); }

/// Elements times their scales; exact in double. |out| is indexed by row * rowStride + k * columnStride.
template <unsigned M, unsigned K>
void read(Wave &wave, const ScaledOperand &operand, double *out, unsigned rowStride, unsigned columnStride) {
  unsigned bits = bitsOf(operand.type);
  const std::array<float, 256> &values = codeValues(operand.type, false);
  for (unsigned i = 0; i < M; ++i)
    for (unsigned scaleBlock = 0; scaleBlock < K / 32; ++scaleBlock) {
      double scale = 1;
      if (operand.scale) {
        u32 word = wave.row(operand.scale->index)[mfmaScaleLane(M, i, scaleBlock)];
        scale = scaleValue(word >> (8 * operand.byte) & 0xff);
      }
      for (unsigned k = 32 * scaleBlock; k < 32 * scaleBlock + 32; ++k) {
        Place place = bits == 8 ? mfmaInputByRuns(M, i, k) : mfmaInput(M, K, 1, i, k, 0);
        out[i * rowStride + k * columnStride] =
            scale * values[itemBits(wave, operand.data.index, bits, place.lane, place.item)];
      }
    }
}

/// |Scaled|: two more operands, the scales of A and B.
template <unsigned M, unsigned K, bool Scaled> void multiplyScaled(Wave &wave, const Instruction &in) {
  const Operand &d = in.operands[0], &a = in.operands[1], &b = in.operands[2], &c = in.operands[3];
  if (a.kind != OperandKind::Vector || b.kind != OperandKind::Vector || in.operandCount != (Scaled ? 6 : 4) ||
      in.broadcastSize > 4 || in.lanePattern > 4) {
    wave.notModelled("inputs that are no registers, or an unknown format");
    return;
  }
  // An SGPR or constant as scale: hardware reads bits 30:23 of it, which LLVM no longer writes.
  if (Scaled && (in.operands[4].kind != OperandKind::Vector || in.operands[5].kind != OperandKind::Vector)) {
    wave.notModelled("a scale that is no vector register");
    return;
  }
  auto byteOf = [&](unsigned source) {
    return unsigned(in.opSel >> source & 1) | unsigned(in.opSelHigh >> source & 1) << 1;
  };
  ScaledOperand left{a, Scaled ? &in.operands[4] : nullptr, kFormats[in.broadcastSize], byteOf(0)},
      right{b, Scaled ? &in.operands[5] : nullptr, kFormats[in.lanePattern], byteOf(1)};
  for (const ScaledOperand &operand : {left, right})
    if (operand.data.dwords != bitsOf(operand.type)) {
      wave.notModelled("a register range that is not the format's");
      return;
    }
  double leftValues[M * K], rightValues[K * M], sums[M][M];
  read<M, K>(wave, left, leftValues, K, 1);
  read<M, K>(wave, right, rightValues, 1, M);
  for (unsigned i = 0; i < M; ++i) {
    for (unsigned j = 0; j < M; ++j) {
      Place place = mfmaOutput(M, M, 4, i, j, 0);
      sums[i][j] = floatOf(c.kind == OperandKind::Vector ? wave.row(c.index + place.item)[place.lane]
                                                         : wave.read32(c));
    }
    for (unsigned k = 0; k < K; ++k)
      for (unsigned j = 0; j < M; ++j)
        sums[i][j] += leftValues[i * K + k] * rightValues[k * M + j];
  }
  for (unsigned i = 0; i < M; ++i)
    for (unsigned j = 0; j < M; ++j) {
      Place place = mfmaOutput(M, M, 4, i, j, 0);
      wave.row(d.index + place.item)[place.lane] = bitsOf(roundedSum(sums[i][j]));
    }
}

} // namespace

void HandlerTable::addScaledMatrix() {
  add("v_mfma_f32_16x16x128_f8f6f4", {multiplyScaled<16, 128, false>});
  add("v_mfma_f32_32x32x64_f8f6f4", {multiplyScaled<32, 64, false>});
  add("v_mfma_scale_f32_16x16x128_f8f6f4", {multiplyScaled<16, 128, true>});
  add("v_mfma_scale_f32_32x32x64_f8f6f4", {multiplyScaled<32, 64, true>});
}

} // namespace quern::runtime::emulated::amd
