//===- Conversion.h - From one register layout to another -----------------===//
//
// A tile that one instruction leaves in layout |from| and another one wants in layout |to| must move. Both
// are linear maps, so the way from a place in |to| back to the place in |from| that holds the same element is
// one, too, and its shape decides how expensive the move is:
//
//   * only register bits mix       -> a permutation of registers, no instruction at all
//   * register and lane bits mix   -> shuffles between the lanes of a warp
//   * warp bits mix                -> through shared memory
//
// Shuffles. In every round each lane sends one register and receives one. Which lane it reads, which register
// it sends and which register it fills are linear in its own index, up to a constant of the round:
//
//     receive register = receive(lane, warp) ^ round.receive
//     from lane        = source(lane, warp)  ^ round.source
//     which sends      = send(its lane, warp) ^ round.send
//
// Exchanging register bit 0 with lane bit 0 of two registers: source is the identity, round 0 reads the lane
// itself, round 1 its neighbour; lane l sends register l & 1 in round 0 and the other one in round 1. The
// method chooses `receive` so that `source` is a bijection: no register is ever sent twice in a round.
//
// Shared memory. The layout there is chosen from the two register layouts and the bank rules: vectors that
// both sides can move at once come first (V); then the bits that tell rows of banks apart (S) are picked so
// that no sum of them is a sum of V and the lanes that one phase serves, on either side. Where lanes of one
// side are in the way, the sum of one lane bit of each side is taken: this XOR is the swizzle. Two proper
// subspaces never cover a space, so such a bit exists as long as a phase needs no more than one row of banks:
// conversions whose two sides move the same vectors are free of conflicts.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_CONVERSION_H
#define QUERN_DIALECTS_TILE_CONVERSION_H

#include "dialects/tile/MemoryAccess.h"

namespace quern::tile {

/// One round of shuffles; see above. Registers count core registers, that is, each repeat does the same.
struct LaneRound {
  int32_t receive = 0, source = 0, send = 0;
};

struct LaneExchange {
  /// Input: lane bits, then warp bits.
  LinearMap receive, source, send;
  std::vector<LaneRound> rounds;
  /// Neighbouring registers that move together: rounds name the first of them. At most a 32-bit word.
  int32_t unit = 1;
  bool sourceIsIdentity = true; ///< on lane bits, and the warp changes nothing: shuffles are by XOR

  /// True if the lanes of |round| read themselves.
  bool isLocal(const LaneRound &round) const;
  /// Rounds in which lanes read others.
  int32_t shuffles() const;
};

/// One side of a conversion through memory.
struct SharedSide {
  /// The register layout with its registers in the order of the accesses: |vector| consecutive ones each.
  Layout layout;
  /// For each register of `layout` the register of the layout that was given.
  std::vector<int32_t> registers;
  int32_t vector = 1;  ///< elements of one access
  SharedAccess access; ///< of one warp
};

struct SharedExchange {
  MemoryLayout memory;
  SharedSide store, load;
};

enum class ConversionKind : uint8_t { Registers, Lanes, Shared };

struct ConversionPlan {
  ConversionKind kind = ConversionKind::Registers;
  std::vector<int32_t> sourceRegisters; ///< `Registers`: for each register of |to| the one of |from|
  LaneExchange lanes;
  SharedExchange shared;
};

/// Both layouts are of one tile, one number of lanes and of warps, and surjective. |banks|: rules of the
/// target; with an empty list conversions through memory move single elements in row order.
ConversionPlan planConversion(const Layout &from, const Layout &to, unsigned elementBits,
                              const std::vector<BankRule> &banks);

/// The way through registers and lanes; nullopt where elements must change warps, where the two layouts
/// repeat differently, and where a warp drops elements that |from| holds in it so that its lanes would read
/// several registers of one lane.
std::optional<LaneExchange> planLaneExchange(const Layout &from, const Layout &to, unsigned elementBits);

/// The memory layout for a tile that is written in layout |from| and read in layout |to|.
SharedExchange planSharedExchange(const Layout &from, const Layout &to, unsigned elementBits,
                                  const std::vector<BankRule> &banks);

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_CONVERSION_H
