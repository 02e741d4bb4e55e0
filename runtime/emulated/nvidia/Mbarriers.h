//===- Mbarriers.h - The mbarrier objects of a cluster --------------------===//
//
// PTX ISA 9.7.13.15. An mbarrier is an opaque 64-bit object in shared memory: here its state is kept beside
// the memory, and the word holds a picture of it by which a program that writes over it is found out. A phase
// ends when no arrivals are pending and no bytes are outstanding (9.7.13.15.5); the next begins with the
// expected count.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_MBARRIERS_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_MBARRIERS_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

namespace quern::runtime::emulated::nvidia {

struct Mbarrier {
  /// Counts are from 1 to this (9.7.13.15.9), outstanding bytes within plus or minus this (9.7.13.15.6).
  static constexpr uint32_t maxCount = (1u << 20) - 1;
  static constexpr uint32_t none = ~0u;

  std::byte *word = nullptr;
  uint32_t expected = 0, pending = 0; ///< arrivals
  int32_t outstanding = 0;            ///< bytes, the tx-count
  uint32_t phase = 0;                 ///< completed phases
  uint32_t inFlight = 0;              ///< operations that will signal it and have been issued in this phase
  uint32_t site = 0;                  ///< of its initialisation
  uint32_t initThread = 0, initClock = 0;
  uint32_t agent = none;                    ///< of the shadow: operations that signal it
  std::vector<uint32_t> arrived, completed; ///< rows of the shadow
  std::vector<uint32_t> waiting;            ///< threads

  /// The picture in memory: pending 0..19, expected 20..39, outstanding 40..61, parity 62.
  uint64_t picture() const {
    return pending | uint64_t(expected) << 20 |
           uint64_t(static_cast<uint32_t>(outstanding) & 0x3FFFFF) << 40 | uint64_t(phase & 1) << 62;
  }
  void draw() const {
    uint64_t value = picture();
    std::memcpy(word, &value, sizeof value);
  }
  bool isIntact() const {
    uint64_t value = picture();
    return std::memcmp(word, &value, sizeof value) == 0;
  }
  /// What an arrival returns: the phase it belongs to and the arrivals that were pending.
  uint64_t state() const { return uint64_t(phase) | uint64_t(pending) << 32; }
  /// Has the phase of |parity| ended? It is the current one or the one before (9.7.13.15.16).
  bool hasPassed(uint32_t parity) const { return (phase & 1) != (parity & 1); }
};

/// By shared address in the cluster.
using Mbarriers = std::map<uint64_t, Mbarrier>;

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_MBARRIERS_H
