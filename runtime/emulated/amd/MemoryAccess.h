//===- MemoryAccess.h - Checked addresses of memory instructions ----------===//
//
// Turns the address operands of one instruction into one address per lane and each address into host memory,
// if it is allowed: device buffers and what the launch may read (global), the block's local memory and the
// lane's private memory (flat and scratch), or the range of a buffer descriptor.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_MEMORYACCESS_H
#define QUERN_RUNTIME_EMULATED_AMD_MEMORYACCESS_H

#include "runtime/emulated/amd/Block.h"
#include "runtime/emulated/amd/VectorAlu.h"

#include <array>

namespace quern::runtime::emulated::amd {

enum class Space : uint8_t { Global, Flat, Scratch, Buffer };

/// Instruction::immediate of loads and stores.
struct AccessShape {
  uint8_t bytes; ///< of one lane
  bool signExtend, d16, d16High;
  Space space;

  uint32_t encoded() const {
    return bytes | uint32_t(signExtend) << 8 | uint32_t(d16) << 9 | uint32_t(d16High) << 10 |
           uint32_t(space) << 12;
  }
  static AccessShape decoded(uint32_t bits) {
    return {uint8_t(bits), bool(bits >> 8 & 1), bool(bits >> 9 & 1), bool(bits >> 10 & 1),
            Space(bits >> 12 & 3)};
  }
  unsigned dwords() const { return bytes <= 4 ? 1 : bytes / 4; }
};

struct LaneAddresses {
  std::array<uint64_t, kMaxLanes> address;
  std::array<uint8_t, kMaxLanes> inside; ///< bytes from the address on that are within the buffer's range
  bool ranged = false;                   ///< |inside| counts
};

/// Addresses of the instruction's active lanes. |first| is the index of the address operand; |last| of the
/// operand that holds the base (or "off"). False after a fault.
bool computeAddresses(Wave &wave, const Instruction &in, Space space, unsigned first, unsigned last,
                      uint64_t lanes, LaneAddresses &out);

enum class AccessKind : uint8_t { Read, Write, Atomic };

/// Host memory of one lane's access, or null after a fault. Flat and scratch addresses resolve to local and
/// private memory; |local| says so.
uint8_t *resolve(Wave &wave, unsigned lane, uint64_t address, unsigned size, AccessKind kind, bool &local);

/// For the counters of the block, if it has any: an access to local memory at |base|[lane] + |offset|, and
/// one to global memory (flat accesses elsewhere and private memory are not counted).
void countLocal(Wave &wave, bool write, const uint32_t *base, uint32_t offset, uint64_t lanes,
                unsigned bytes);
void countGlobal(Wave &wave, bool write, const LaneAddresses &addresses, uint64_t lanes, unsigned bytes);

/// True if the whole range may be read by scalar loads.
bool readable(const Wave &wave, uint64_t address, uint64_t size);

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_MEMORYACCESS_H
