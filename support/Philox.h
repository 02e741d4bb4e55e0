//===- Philox.h - The random numbers of sampling and of test data ---------===//
//
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a block
// cipher of ten rounds turns a 128-bit counter and a 64-bit key into four 32-bit numbers. There is no state,
// so host and device, any thread and any order of calls get the same numbers.
//
// Sampling draws with counter = (request seed, position) and key = (stream, 0).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_PHILOX_H
#define QUERN_SUPPORT_PHILOX_H

#include <array>
#include <cstdint>

namespace quern {

/// Four numbers for the counter (low word first) and the key.
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  // Multipliers and Weyl increments of the paper, section 4.3.
  constexpr uint64_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  constexpr uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    uint64_t product0 = multiplier0 * counter[0], product1 = multiplier1 * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key = {key[0] + weyl0, key[1] + weyl1};
  }
  return counter;
}

/// Four numbers for one position of one request. |stream| separates uses that share seed and position.
constexpr std::array<uint32_t, 4> philoxAt(uint64_t seed, uint64_t position, uint32_t stream = 0) {
  return philox4x32({static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                     static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32)},
                    {stream, 0});
}

/// Uniform in [0, 1) from the upper 24 bits: every value is exact in f32.
constexpr float uniformFloat(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1p-24f; }

} // namespace quern

#endif // QUERN_SUPPORT_PHILOX_H
