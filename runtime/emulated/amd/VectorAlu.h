//===- VectorAlu.h - How a vector instruction becomes a lane loop ---------===//
//
// The ISA manuals define a vector instruction by a formula over one lane. Here it is a lambda over host
// types, and `vectorOp<lambda>` makes the handler: it fetches each source as a row of lanes (applying DPP,
// SDWA, op_sel, neg, abs and the input flush), evaluates the formula for all lanes in a loop that the host
// compiler can vectorise, and writes the active lanes (applying omod, clamp, the output flush and the
// destination selects). All sources are read before anything is written, so a DPP instruction may write its
// own source.
//
// The parameter types say how a source is read and the result type how it is written:
//
//   uint32_t, int32_t, float, uint64_t, int64_t, double     32- and 64-bit registers
//   uint16_t, int16_t, Half, Bfloat                         one half of a register
//   Lanes                                                   one bit per lane of a mask register
//   bool (result)                                           a comparison: writes a mask register
//   Saturating<T> (result)                                  a wide integer, wrapped or clamped to T by the
//   clamp bit WithCarry<T> (result)                                   a value and a mask register
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_VECTORALU_H
#define QUERN_RUNTIME_EMULATED_AMD_VECTORALU_H

#include "runtime/emulated/amd/Wave.h"

#include <algorithm>
#include <cfenv>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

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

//===-- results ---------------------------------------------------------------===//

/// Writes the active lanes of one dword row.
void writeRow(Wave &wave, const Operand &op, unsigned dword, const uint32_t *values, uint64_t lanes);
/// Writes with the SDWA destination select.
void writeSelected(Wave &wave, const Instruction &in, const uint32_t *values, uint64_t lanes, bool sixteen);
/// Writes 16-bit results to the half that the instruction names.
void writeHalves(Wave &wave, const Instruction &in, const uint32_t *values, uint64_t lanes);

template <typename T> inline T clampedUnit(T x, bool nanToZero) {
  if (isNan(x))
    return nanToZero ? T(0) : x;
  return x < T(0) ? T(0) : x > T(1) ? T(1) : (x == T(0) ? T(0) : x);
}

template <typename T> inline T scaledOutput(T x, unsigned omod) {
  return omod == 1 ? x * T(2) : omod == 2 ? x * T(4) : omod == 3 ? x * T(0.5) : x;
}

template <typename T>
void writeSaturated(Wave &wave, const Instruction &in, Saturating<T> *out, uint64_t lanes);

/// Writes the results to operand 0 (and a carry to operand 1).
template <typename R> void writeResult(Wave &wave, const Instruction &in, R *out, uint64_t lanes) {
  const unsigned width = wave.width;
  if constexpr (std::is_same_v<R, bool>) {
    uint64_t bits = 0;
    for (unsigned lane = 0; lane < width; ++lane)
      bits |= uint64_t(out[lane]) << lane;
    bits &= lanes;
    wave.writeMask(in.operands[0], bits);
    if (in.immediate & 1) // v_cmpx
      wave.setMask(scalar::Exec, bits);
  } else if constexpr (requires { out->carry; }) {
    using T = decltype(out->value);
    T values[kMaxLanes];
    uint64_t bits = 0;
    for (unsigned lane = 0; lane < width; ++lane) {
      values[lane] = out[lane].value;
      bits |= uint64_t(out[lane].carry & 1) << lane;
    }
    if (in.clamp)
      for (unsigned lane = 0; lane < width; ++lane)
        if (bits >> lane & 1)
          values[lane] = (in.immediate & 2) ? T(0) : T(~T(0));
    writeResult<T>(wave, in, values, lanes);
    wave.writeMask(in.operands[1], bits & lanes);
  } else if constexpr (isSaturating<R>) {
    writeSaturated(wave, in, out, lanes);
  } else if constexpr (std::is_same_v<R, float>) {
    if (in.outputScale) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane] = scaledOutput(out[lane], in.outputScale);
    if (in.clamp) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane] = clampedUnit(out[lane], wave.mode.clampNan);
    if (!(wave.mode.denormal32 & 2)) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane] = flushed(out[lane]);
    writeResult<uint32_t>(wave, in, reinterpret_cast<uint32_t *>(out), lanes);
  } else if constexpr (std::is_same_v<R, double>) {
    if (in.outputScale) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane] = scaledOutput(out[lane], in.outputScale);
    if (in.clamp) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane] = clampedUnit(out[lane], wave.mode.clampNan);
    if (!(wave.mode.denormal64 & 2)) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane] = flushed(out[lane]);
    writeResult<uint64_t>(wave, in, reinterpret_cast<uint64_t *>(out), lanes);
  } else if constexpr (std::is_same_v<R, Half> || std::is_same_v<R, Bfloat>) {
    uint32_t values[kMaxLanes];
    if (in.outputScale) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane].value = scaledOutput(out[lane].value, in.outputScale);
    if (in.clamp) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane].value = clampedUnit(out[lane].value, wave.mode.clampNan);
    if constexpr (std::is_same_v<R, Bfloat>) {
      for (unsigned lane = 0; lane < width; ++lane)
        values[lane] = floatToBfloat(out[lane].value);
    } else if (wave.mode.round64 == Rounding::NearestEven) {
      for (unsigned lane = 0; lane < width; ++lane)
        values[lane] = floatToHalfNearest(out[lane].value);
    } else {
      for (unsigned lane = 0; lane < width; ++lane)
        values[lane] = floatToHalf(out[lane].value, wave.mode.round64);
    }
    if (!(wave.mode.denormal64 & 2)) [[unlikely]]
      for (unsigned lane = 0; lane < width; ++lane)
        if (!(values[lane] & 0x7c00))
          values[lane] &= 0x8000;
    in.sdwa ? writeSelected(wave, in, values, lanes, true) : writeHalves(wave, in, values, lanes);
  } else if constexpr (isSixteen<R>) {
    uint32_t values[kMaxLanes];
    for (unsigned lane = 0; lane < width; ++lane)
      values[lane] = uint16_t(out[lane]);
    in.sdwa ? writeSelected(wave, in, values, lanes, true) : writeHalves(wave, in, values, lanes);
  } else if constexpr (sizeof(R) == 8) {
    uint32_t low[kMaxLanes], high[kMaxLanes];
    for (unsigned lane = 0; lane < width; ++lane) {
      low[lane] = uint32_t(uint64_t(out[lane]));
      high[lane] = uint32_t(uint64_t(out[lane]) >> 32);
    }
    writeRow(wave, in.operands[0], 0, low, lanes);
    writeRow(wave, in.operands[0], 1, high, lanes);
  } else {
    static_assert(sizeof(R) == 4);
    uint32_t *values = reinterpret_cast<uint32_t *>(out);
    if (in.sdwa) [[unlikely]]
      writeSelected(wave, in, values, lanes, false);
    else
      writeRow(wave, in.operands[0], 0, values, lanes);
  }
}

template <typename T>
void writeSaturated(Wave &wave, const Instruction &in, Saturating<T> *out, uint64_t lanes) {
  T values[kMaxLanes];
  if (in.clamp)
    for (unsigned lane = 0; lane < wave.width; ++lane)
      values[lane] = T(
          std::clamp<int64_t>(out[lane].value, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  else
    for (unsigned lane = 0; lane < wave.width; ++lane)
      values[lane] = T(out[lane].value);
  writeResult<T>(wave, in, values, lanes);
}

//===-- the handler -------------------------------------------------------------===//

template <typename> struct Signature;
template <typename R, typename... A> struct Signature<R (*)(A...)> {
  using Result = R;
  using Arguments = std::tuple<A...>;
  static constexpr unsigned count = sizeof...(A);
};
template <auto F> using SignatureOf = Signature<decltype(+F)>;

template <typename T>
inline constexpr bool hasWideResult = std::is_same_v<T, double> || std::is_same_v<T, Half>;

/// Handler of a lane formula. The destinations come first, then one operand per parameter. With |Accumulates|
/// the last parameter is the destination's old value.
template <auto F, bool Accumulates = false> void vectorOp(Wave &wave, const Instruction &in) {
  using Sig = SignatureOf<F>;
  using R = typename Sig::Result;
  constexpr unsigned results = requires(R r) { r.carry; } ? 2 : 1;
  [&]<size_t... I>(std::index_sequence<I...>) {
    std::tuple<std::array<std::tuple_element_t<I, typename Sig::Arguments>, kMaxLanes>...> buffers;
    auto sources =
        std::make_tuple(fetch(wave, in, Accumulates && I + 1 == Sig::count ? 0 : unsigned(results + I),
                              std::get<I>(buffers).data())...);
    alignas(64) R out[kMaxLanes];
    {
      RoundingScope scope(hasWideResult<R>           ? wave.mode.round64
                          : std::is_same_v<R, float> ? wave.mode.round32
                                                     : Rounding::NearestEven);
      const unsigned width = wave.width;
      for (unsigned lane = 0; lane < width; ++lane)
        out[lane] = F(std::get<I>(sources)[lane]...);
    }
    writeResult<R>(wave, in, out, activeLanes(wave, in));
  }(std::make_index_sequence<Sig::count>());
}

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_VECTORALU_H
