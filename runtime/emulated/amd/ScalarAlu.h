//===- ScalarAlu.h - How a scalar instruction becomes a handler -----------===//
//
// A scalar instruction's formula is a lambda over host types, as for vector instructions (VectorAlu.h). A
// trailing `bool &` parameter is SCC: read before and written after, as the formula does.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_SCALARALU_H
#define QUERN_RUNTIME_EMULATED_AMD_SCALARALU_H

#include "runtime/emulated/amd/HandlerTable.h"
#include "runtime/emulated/amd/VectorAlu.h"

namespace quern::runtime::emulated::amd {

template <typename R> void writeScalar(Wave &wave, const Operand &op, R value) {
  if constexpr (std::is_same_v<R, Half>)
    wave.write32(op, floatToHalf(value.value, wave.mode.round64));
  else if constexpr (std::is_same_v<R, float>)
    wave.write32(op, bitsOf(wave.mode.denormal32 & 2 ? value : flushed(value)));
  else if constexpr (sizeof(R) == 8)
    wave.write64(op, std::bit_cast<uint64_t>(value));
  else
    wave.write32(op, uint32_t(value));
}

template <typename T> T scalarSource(const Wave &wave, const Operand &op) {
  T value = scalarValue<T>(wave, op);
  if constexpr (std::is_same_v<T, float>)
    return wave.mode.denormal32 & 1 ? value : flushed(value);
  else
    return value;
}

/// |Accumulates|: the last value parameter is the destination's old value.
template <auto F, bool Accumulates = false> void scalarOp(Wave &wave, const Instruction &in) {
  using Sig = SignatureOf<F>;
  using R = typename Sig::Result;
  using Arguments = typename Sig::Arguments;
  constexpr unsigned parameters = Sig::count;
  constexpr bool usesScc = [] {
    if constexpr (parameters == 0)
      return false;
    else
      return std::is_same_v<std::tuple_element_t<parameters - 1, Arguments>, bool &>;
  }();
  constexpr unsigned values = parameters - (usesScc ? 1 : 0);
  constexpr unsigned first = std::is_void_v<R> ? 0 : 1;
  [&]<size_t... I>(std::index_sequence<I...>) {
    auto source = [&]<size_t K>(std::integral_constant<size_t, K>) {
      return scalarSource<std::tuple_element_t<K, Arguments>>(
          wave, in.operands[Accumulates && K + 1 == values ? 0 : first + K]);
    };
    bool scc = wave.scc;
    RoundingScope scope(std::is_same_v<R, float> ? wave.mode.round32 : Rounding::NearestEven);
    auto call = [&] {
      if constexpr (usesScc)
        return F(source(std::integral_constant<size_t, I>())..., scc);
      else
        return F(source(std::integral_constant<size_t, I>())...);
    };
    if constexpr (std::is_void_v<R>)
      call();
    else
      writeScalar<R>(wave, in.operands[0], call());
    wave.scc = scc;
  }(std::make_index_sequence<values>());
}

template <auto F> HandlerEntry scalarEntry() {
  return {scalarOp<F>, Unit::Scalar,
          std::is_void_v<typename SignatureOf<F>::Result> ? uint8_t(0) : uint8_t(1), false, 0};
}
template <auto F> HandlerEntry scalarAccumulate() { return {scalarOp<F, true>, Unit::Scalar, 1, false, 0}; }

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_SCALARALU_H
