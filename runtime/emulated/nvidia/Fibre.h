//===- Fibre.h - Stacks that one host thread switches between -------------===//
//
// Every thread of a GPU block is a fibre: a stack of its own and a saved stack pointer. A switch saves the
// registers that the System V x86-64 ABI gives to the callee and costs a few nanoseconds. Fibres never
// unwind: what runs on one holds no C++ object with a destructor across a switch that may be the last one.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_FIBRE_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_FIBRE_H

#include <cstddef>
#include <cstdint>

namespace quern::runtime::emulated::nvidia {

/// Stacks for the fibres of one block, mapped once and used again for every block. Pages are touched on
/// demand.
class FibreStacks {
public:
  static constexpr size_t stackBytes = 256 * 1024;

  FibreStacks() = default;
  FibreStacks(const FibreStacks &) = delete;
  FibreStacks &operator=(const FibreStacks &) = delete;
  ~FibreStacks();

  /// Makes room for |count| stacks. False when the host has no memory for them.
  bool reserve(uint32_t count);

  /// A stack pointer at which `switchFibre` starts |entry| with |argument|. |entry| never returns.
  void *prepare(uint32_t index, void (*entry)(void *), void *argument);

private:
  std::byte *base = nullptr;
  uint32_t capacity = 0;
};

/// Saves the running fibre's stack pointer in |*save| and goes on with |resume|. Returns when someone
/// switches back.
extern "C" void quernSwitchFibre(void **save, void *resume);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_FIBRE_H
