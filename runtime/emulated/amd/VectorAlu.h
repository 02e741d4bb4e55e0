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

#include "runtime/emulated/amd/VectorSource.h"

#include <array>
#include <limits>
#include <tuple>
#include <utility>

namespace quern::runtime::emulated::amd {

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
