//===- VectorSource.h - Operand types and sources of lane formulas --------===//
//
// The types that a lane formula's parameters and result may have (VectorAlu.h lists them), and how a source
// operand becomes a row of lanes: DPP, SDWA and half selects, signs, and the flush of subnormal inputs.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_VECTORSOURCE_H
#define QUERN_RUNTIME_EMULATED_AMD_VECTORSOURCE_H

#include "runtime/emulated/amd/Wave.h"

#include <algorithm>
#include <cfenv>
#include <type_traits>

namespace quern::runtime::emulated::amd {

inline constexpr unsigned kMaxLanes = 64;

/// A binary16 or bfloat16 value held as float. As a result it is rounded to the format when it is written.
struct Half {
  float value;
};
struct Bfloat {
  float value;
};
/// One bit of a mask register.
struct Lanes {
  uint32_t bit;
};
template <typename T> struct Saturating {
  int64_t value;
};
template <typename T> struct WithCarry {
  T value;
  uint32_t carry;
};

template <typename T>
inline constexpr bool isSixteen = std::is_same_v<T, uint16_t> || std::is_same_v<T, int16_t> ||
                                  std::is_same_v<T, Half> || std::is_same_v<T, Bfloat>;
template <typename T> inline constexpr bool isSaturating = false;
template <typename T> inline constexpr bool isSaturating<Saturating<T>> = true;

/// Raw dwords of a vector operand, after DPP (first source) and SDWA selection. |buffer| holds kMaxLanes.
const uint32_t *fetchRow(Wave &wave, const Instruction &in, unsigned index, unsigned dword, uint32_t *buffer);
/// The lanes that the instruction writes: EXEC, less what DPP disables.
uint64_t activeLanes(Wave &wave, const Instruction &in);
/// Value of a constant operand for a 16-bit type.
uint16_t halfConstant(const Operand &op);
uint16_t bfloatConstant(const Operand &op);
double doubleConstant(const Operand &op);

/// Runs the host in the wave's rounding mode for the life of the object.
class RoundingScope {
public:
  explicit RoundingScope(Rounding mode) : changed(mode != Rounding::NearestEven) {
    if (changed) [[unlikely]] {
      static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
      std::fesetround(modes[unsigned(mode)]);
    }
  }
  ~RoundingScope() {
    if (changed)
      std::fesetround(FE_TONEAREST);
  }

private:
  bool changed;
};

template <typename T> inline T fromBits(uint32_t low, uint32_t high) {
  if constexpr (std::is_same_v<T, float>)
    return floatOf(low);
  else if constexpr (std::is_same_v<T, double>)
    return doubleOf(low | uint64_t(high) << 32);
  else if constexpr (std::is_same_v<T, Half>)
    return Half{halfToFloat(uint16_t(low))};
  else if constexpr (std::is_same_v<T, Bfloat>)
    return Bfloat{bfloatToFloat(uint16_t(low))};
  else if constexpr (sizeof(T) == 8)
    return T(low | uint64_t(high) << 32);
  else
    return T(low);
}

template <typename T> inline T withSigns(T value, bool absolute, bool negate) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, Bfloat>)
    return T{withSigns(value.value, absolute, negate)};
  else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, uint32_t> || std::is_same_v<T, int32_t>) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    return std::bit_cast<T>((absolute ? bits & 0x7fffffffu : bits) ^ (negate ? 0x80000000u : 0));
  } else if constexpr (sizeof(T) == 8) {
    uint64_t bits = std::bit_cast<uint64_t>(value);
    return std::bit_cast<T>((absolute ? bits & ~(uint64_t(1) << 63) : bits) ^
                            (negate ? uint64_t(1) << 63 : 0));
  } else {
    uint16_t bits = uint16_t(value);
    return T((absolute ? bits & 0x7fff : bits) ^ (negate ? 0x8000 : 0));
  }
}

/// The value of a scalar or constant operand as T.
template <typename T> T scalarValue(const Wave &wave, const Operand &op) {
  T value;
  if (op.kind == OperandKind::Constant) {
    if constexpr (std::is_same_v<T, double>)
      value = doubleConstant(op);
    else if constexpr (std::is_same_v<T, Bfloat>)
      value = Bfloat{bfloatToFloat(bfloatConstant(op))};
    else if constexpr (isSixteen<T>)
      value = fromBits<T>(halfConstant(op), 0);
    else if constexpr (std::is_same_v<T, int64_t>)
      value = op.isFloat     ? int64_t(bitsOf(op.number))
              : op.isLiteral ? int64_t(int32_t(op.bits))
                             : int64_t(op.bits);
    else if constexpr (sizeof(T) == 8)
      value = op.isFloat ? bitsOf(op.number) : op.bits;
    else
      value = fromBits<T>(wave.read32(op), 0);
  } else if constexpr (sizeof(T) == 8) {
    uint64_t bits = wave.read64(op);
    value = fromBits<T>(uint32_t(bits), uint32_t(bits >> 32));
  } else {
    uint32_t bits = wave.read32(op);
    value = fromBits<T>(isSixteen<T> && op.high ? bits >> 16 : bits, 0);
  }
  return withSigns(value, op.absolute, op.negate);
}

/// One source as a row of lanes. |buffer| has kMaxLanes elements; the result may point into the register
/// file.
template <typename T> const T *fetch(Wave &wave, const Instruction &in, unsigned index, T *buffer) {
  const Operand &op = in.operands[index];
  const unsigned width = wave.width;
  if constexpr (std::is_same_v<T, Lanes>) {
    uint64_t bits = wave.readMask(op);
    for (unsigned lane = 0; lane < width; ++lane)
      buffer[lane].bit = bits >> lane & 1;
    return buffer;
  } else {
    if (op.kind != OperandKind::Vector) {
      std::fill_n(buffer, width, scalarValue<T>(wave, op));
    } else {
      uint32_t lowBuffer[kMaxLanes];
      const uint32_t *low = fetchRow(wave, in, index, 0, lowBuffer);
      if constexpr (sizeof(T) == 8) {
        uint32_t highBuffer[kMaxLanes];
        const uint32_t *high = fetchRow(wave, in, index, 1, highBuffer);
        for (unsigned lane = 0; lane < width; ++lane)
          buffer[lane] = fromBits<T>(low[lane], high[lane]);
      } else if constexpr (isSixteen<T>) {
        unsigned shift = op.high ? 16 : 0;
        for (unsigned lane = 0; lane < width; ++lane)
          buffer[lane] = fromBits<T>(low[lane] >> shift & 0xffff, 0);
      } else {
        bool flushes = std::is_same_v<T, float> && !(wave.mode.denormal32 & 1);
        if (!op.negate && !op.absolute && !flushes && low != lowBuffer)
          return reinterpret_cast<const T *>(low);
        for (unsigned lane = 0; lane < width; ++lane)
          buffer[lane] = fromBits<T>(low[lane], 0);
      }
      if (op.negate || op.absolute)
        for (unsigned lane = 0; lane < width; ++lane)
          buffer[lane] = withSigns(buffer[lane], op.absolute, op.negate);
    }
    // Subnormal inputs, where the mode flushes them.
    if constexpr (std::is_same_v<T, float>) {
      if (!(wave.mode.denormal32 & 1)) [[unlikely]]
        for (unsigned lane = 0; lane < width; ++lane)
          buffer[lane] = flushed(buffer[lane]);
    } else if constexpr (std::is_same_v<T, double>) {
      if (!(wave.mode.denormal64 & 1)) [[unlikely]]
        for (unsigned lane = 0; lane < width; ++lane)
          buffer[lane] = flushed(buffer[lane]);
    } else if constexpr (std::is_same_v<T, Half>) {
      if (!(wave.mode.denormal64 & 1)) [[unlikely]]
        for (unsigned lane = 0; lane < width; ++lane)
          if (std::fabs(buffer[lane].value) < 0x1p-14f)
            buffer[lane].value = std::copysign(0.0f, buffer[lane].value);
    }
    return buffer;
  }
}

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_VECTORSOURCE_H
