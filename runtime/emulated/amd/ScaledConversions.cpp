//===- ScaledConversions.cpp - Conversions with a scale, and stochastic ones -===//
//
// V_CVT_SCALEF32_* of the CDNA4 manual, and V_CVT_SR_{F16,BF16}_F32. The scale is the exponent field of a
// binary32 operand (255: NaN): what goes to a small format is divided by it, what comes from one is
// multiplied. Formats of 6 and 4 bits saturate; fp8 and bf8 follow MODE.FP16_OVFL. Results past the largest
// number of f32, f16 and bf16 are infinite. All elements of a stochastic conversion use the same random
// number; see SmallRounding.
//
//   op_sel      from small formats: bits 1:0 the byte (or bit 0 the word) of the source, bit 2 the half of an
//   f16
//               result; to small formats: the last bit the word (fp8 pairs), the last two the byte (others)
//   2xpk16      elements alternate: 2i from the first source, 2i + 1 from the second
//
//===----------------------------------------------------------------------===//
#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/MatrixTypes.h"
#include "runtime/emulated/amd/NanReport.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {
namespace {

using u32 = uint32_t;
enum class Wide : uint8_t { F32, F16, Bf16 };

/// 2^(exponent - 127) of each lane, NaN for exponent 255.
void fetchScales(Wave &wave, const Instruction &in, unsigned index, double *out) {
  u32 buffer[kMaxLanes];
  const u32 *row = fetch<u32>(wave, in, index, buffer);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    u32 exponent = row[lane] >> 23 & 0xff;
    out[lane] = exponent == 255 ? double(NAN) : std::ldexp(1.0, int(exponent) - 127);
  }
}

const SmallFormat &formatOf(MatrixType type) {
  return type == MatrixType::Fp8   ? kE4M3
         : type == MatrixType::Bf8 ? kE5M2
         : type == MatrixType::Fp6 ? kE2M3
         : type == MatrixType::Bf6 ? kE3M2
                                   : kE2M1;
}

/// Instruction::immediate: small type in 3:0, wide type in 5:4, elements in 15:8, stochastic in 16.
struct Shape {
  MatrixType narrow;
  Wide wide;
  unsigned elements;
  bool stochastic;
  explicit Shape(uint32_t bits)
      : narrow(MatrixType(bits & 15)), wide(Wide(bits >> 4 & 3)), elements(bits >> 8 & 0xff),
        stochastic(bits >> 16 & 1) {}
  static uint32_t encoded(MatrixType narrow, Wide wide, unsigned elements, bool stochastic) {
    return uint32_t(narrow) | uint32_t(wide) << 4 | elements << 8 | uint32_t(stochastic) << 16;
  }
  unsigned wideBits() const { return wide == Wide::F32 ? 32 : 16; }
};

u32 wideCode(double value, Wide wide) {
  if (std::isnan(value))
    return wide == Wide::F32 ? 0x7fc00000u : wide == Wide::F16 ? 0x7e00u : 0x7fc0u;
  if (wide == Wide::F32)
    return bitsOf(float(value));
  float odd = std::isinf(float(value)) ? float(value) : narrowToOdd(value);
  return wide == Wide::F16 ? floatToHalfNearest(odd) : floatToBfloat(odd);
}
double wideValue(u32 code, Wide wide) {
  return wide == Wide::F32   ? floatOf(code)
         : wide == Wide::F16 ? halfToFloat(uint16_t(code))
                             : bfloatToFloat(uint16_t(code));
}

/// From a small format: [d, source, scale].
void widen(Wave &wave, const Instruction &in) {
  Shape shape(in.immediate);
  const Operand &d = in.operands[0], &source = in.operands[1];
  double scales[kMaxLanes];
  fetchScales(wave, in, 2, scales);
  unsigned bits = bitsOf(shape.narrow);
  // Where the elements begin in the source: a byte, a word, or the start.
  unsigned first = shape.elements > 2                 ? 0
                   : shape.elements == 2 && bits == 8 ? 16 * (in.opSel & 1)
                                                      : 8 * (in.opSel & 3);
  bool half = shape.elements == 1 && shape.wide != Wide::F32, high = half && (in.opSel >> 2 & 1);
  const std::array<float, 256> &values = codeValues(shape.narrow, false);
  uint64_t lanes = wave.mask(scalar::Exec);
  std::vector<u32> out(size_t(shape.elements * shape.wideBits() + 31) / 32 * wave.width);
  for (unsigned lane = 0; lane < wave.width; ++lane)
    for (unsigned i = 0; i < shape.elements; ++i) {
      u32 code;
      if (source.kind == OperandKind::Vector) {
        unsigned at = first + i * bits;
        uint64_t word = wave.row(source.index + at / 32)[lane];
        if (at % 32 + bits > 32)
          word |= uint64_t(wave.row(source.index + at / 32 + 1)[lane]) << 32;
        code = u32(word >> at % 32) & ((1u << bits) - 1);
      } else {
        code = wave.read32(source) >> (first + i * bits) & ((1u << bits) - 1);
      }
      u32 result = wideCode(double(values[code]) * scales[lane], shape.wide);
      unsigned at = i * shape.wideBits();
      out[at / 32 * wave.width + lane] |= result << at % 32;
    }
  if (half)
    for (unsigned lane = 0; lane < wave.width; ++lane) {
      u32 old = wave.row(d.index)[lane];
      out[lane] = high ? (old & 0xffff) | out[lane] << 16 : (old & 0xffff0000u) | out[lane];
    }
  for (unsigned r = 0; r < out.size() / wave.width; ++r)
    writeRow(wave, d, r, &out[r * wave.width], lanes);
}

/// To a small format: [d, source (, second source), (random,) scale].
void narrow(Wave &wave, const Instruction &in) {
  Shape shape(in.immediate);
  const Operand &d = in.operands[0];
  unsigned scaleIndex = in.operandCount - 1u;
  double scales[kMaxLanes];
  fetchScales(wave, in, scaleIndex, scales);
  u32 randomBuffer[kMaxLanes];
  const u32 *random = shape.stochastic ? fetch<u32>(wave, in, scaleIndex - 1, randomBuffer) : nullptr;
  unsigned sources = scaleIndex - 1u - (shape.stochastic ? 1 : 0); // 1 or 2
  unsigned bits = bitsOf(shape.narrow), wideBits = shape.wideBits();
  // Elements i of the operands as raw codes; signs apply to all of them.
  auto element = [&](unsigned lane, unsigned i) {
    const Operand &op = in.operands[1 + (sources == 2 ? i % 2 : 0)];
    unsigned at = (sources == 2 ? i / 2 : i) * wideBits;
    u32 word = op.kind == OperandKind::Vector ? wave.row(op.index + at / 32)[lane] : wave.read32(op);
    return double(withSigns(wideValue(word >> at % 32 & (wideBits == 32 ? ~0u : 0xffffu), shape.wide),
                            op.absolute, op.negate));
  };
  SmallRounding rounding{.saturate = wave.mode.saturate16, .stochastic = shape.stochastic};
  rounding.sourceFractionBits = shape.wide == Wide::F32 ? 23 : shape.wide == Wide::F16 ? 10 : 7;
  unsigned total = shape.elements * bits, registers = (total + 31) / 32;
  std::vector<u32> out(size_t(registers) * wave.width);
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    if (random)
      rounding.random = random[lane];
    for (unsigned i = 0; i < shape.elements; ++i) {
      double value = element(lane, i) / scales[lane];
      uint64_t code = toSmall(value, formatOf(shape.narrow), rounding);
      reportNan(wave, lane, value, uint32_t(code), formatOf(shape.narrow));
      unsigned at = i * bits;
      out[at / 32 * wave.width + lane] |= u32(code << at % 32);
      if (at % 32 + bits > 32)
        out[(at / 32 + 1) * wave.width + lane] |= u32(code >> (32 - at % 32));
    }
    if (total < 32) { // a byte or a word of the register; the others stay
      unsigned place = total == 16 ? 16 * (in.opSel >> (sources + 1 + (shape.stochastic ? 1 : 0)) & 1)
                                   : 8 * (in.opSel >> 2 & 3);
      u32 field = ((1u << total) - 1) << place;
      out[lane] = (wave.row(d.index)[lane] & ~field) | out[lane] << place;
    }
  }
  uint64_t lanes = wave.mask(scalar::Exec);
  for (unsigned r = 0; r < registers; ++r)
    writeRow(wave, d, r, &out[r * wave.width], lanes);
}

/// v_cvt_sr_f16_f32, v_cvt_sr_bf16_f32: one half of the result, by the last bit of op_sel.
template <Wide W> void roundToHalf(Wave &wave, const Instruction &in) {
  float a[kMaxLanes];
  u32 b[kMaxLanes], out[kMaxLanes];
  const float *pa = fetch(wave, in, 1, a);
  const u32 *random = fetch<u32>(wave, in, 2, b);
  SmallRounding rounding{.saturate = W == Wide::F16 && wave.mode.saturate16, .stochastic = true};
  for (unsigned lane = 0; lane < wave.width; ++lane) {
    rounding.random = random[lane];
    out[lane] = isNan(pa[lane]) ? wideCode(pa[lane], W)
                                : toSmall(pa[lane], W == Wide::F16 ? kHalf : kBfloat, rounding);
  }
  writeHalves(wave, in, out, activeLanes(wave, in));
}

} // namespace

void HandlerTable::addScaledConversions() {
  static const std::pair<const char *, MatrixType> eights[] = {{"fp8", MatrixType::Fp8},
                                                               {"bf8", MatrixType::Bf8}},
                                                   sixes[] = {{"fp6", MatrixType::Fp6},
                                                              {"bf6", MatrixType::Bf6}};
  static const std::pair<const char *, Wide> wides[] = {
      {"f32", Wide::F32}, {"f16", Wide::F16}, {"bf16", Wide::Bf16}};
  const std::string prefix = "v_cvt_scalef32_";
  auto enter = [&](const std::string &name, Handler handler, MatrixType type, Wide wide, unsigned elements,
                   bool stochastic) {
    add(prefix + name, {handler, Unit::Vector, 1, false, Shape::encoded(type, wide, elements, stochastic)});
  };
  for (auto [wideName, wide] : wides) {
    std::string w = wideName;
    for (auto [name, type] : eights) {
      std::string n = name;
      if (wide != Wide::Bf16)
        enter(w + "_" + n, widen, type, wide, 1, false);
      enter("pk_" + w + "_" + n, widen, type, wide, 2, false);
      enter("pk_" + n + "_" + w, narrow, type, wide, 2, false);
      enter("sr_" + n + "_" + w, narrow, type, wide, 1, true);
    }
    enter("pk_" + w + "_fp4", widen, MatrixType::Fp4, wide, 2, false);
    enter("pk_fp4_" + w, narrow, MatrixType::Fp4, wide, 2, false);
    enter("sr_pk_fp4_" + w, narrow, MatrixType::Fp4, wide, 2, true);
    for (auto [name, type] : sixes) {
      std::string n = name;
      enter("pk32_" + w + "_" + n, widen, type, wide, 32, false);
      if (wide == Wide::F32)
        enter("2xpk16_" + n + "_f32", narrow, type, wide, 32, false);
      else
        enter("pk32_" + n + "_" + w, narrow, type, wide, 32, false);
      enter("sr_pk32_" + n + "_" + w, narrow, type, wide, 32, true);
    }
  }
  add("v_cvt_sr_f16_f32", {roundToHalf<Wide::F16>, Unit::Vector, 1, true, 0});
  add("v_cvt_sr_bf16_f32", {roundToHalf<Wide::Bf16>, Unit::Vector, 1, true, 0});
}

} // namespace quern::runtime::emulated::amd
