//===- HostPeaks.h - What the cores of this machine reach -----------------===//
//
// A CPU's peak is not in a table: clocks depend on the instructions in use, on the other cores and, in a
// virtual machine, on the host. So it is measured, by loops of independent instructions that touch no memory
// (arithmetic) or only stream through it (bandwidth), in the same run as the kernels that are held against
// it.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_MEASURE_HOSTPEAKS_H
#define QUERN_RUNTIME_MEASURE_HOSTPEAKS_H

#include "runtime/measure/Estimate.h"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace quern::runtime {

enum class HostUnit : uint8_t {
  Fma256,     ///< f32 multiply-adds in 256-bit registers (AVX2 and FMA)
  Fma512,     ///< the same in 512-bit registers (AVX-512F)
  Bf16Dot512, ///< products of bf16 pairs into f32, 512-bit (AVX512_BF16)
};

/// Operations per second (a multiply-add is two) of |unit| with |threads| > 0 threads at the same time: the
/// estimate over short runs. Nothing where the processor lacks it.
std::optional<Estimate> hostPeak(HostUnit unit, unsigned threads);

/// Bytes per second that |threads| threads read from memory, from an array of |bytes| that no cache holds.
Estimate hostReadBandwidth(unsigned threads, size_t bytes);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEASURE_HOSTPEAKS_H
