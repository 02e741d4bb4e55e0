//===- MemoryAccess.h - What an access costs in banks and in lines --------===//
//
// Shared memory is a row of banks of four bytes. A wide access of a warp is served in *phases*: a subset of
// the lanes at a time, and within a phase every bank gives one word a clock. Lanes of a phase that ask one
// bank for different words wait for each other; lanes that ask for the same word do not. Which lanes form a
// phase depends on the target, on the direction and on the width, and is not always a run of neighbours:
//
//     16-byte reads of one family serve lanes {0-3, 20-23}, then {4-7, 16-19}, ...
//
// As XOR offsets from any lane those are the sums of 1, 2 and 20: the phase is a linear subspace, too. So the
// tables list three numbers for eight lanes, and the number of clocks follows from ranks; `sharedAccess`
// counts them lane by lane, which is exact for every layout, with repeats as well.
//
// Global memory is the same question with lines in place of banks: how many of the bytes that a request moves
// were asked for.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_MEMORYACCESS_H
#define QUERN_DIALECTS_TILE_MEMORYACCESS_H

#include "dialects/tile/MemoryLayout.h"

#include <span>

namespace quern::tile {

enum class Direction : uint8_t { Read, Write };

/// How shared memory serves one width in one direction.
struct BankRule {
  Direction direction = Direction::Read;
  int32_t bytes = 4;  ///< of one lane's access
  int32_t banks = 32; ///< of four bytes
  /// Lanes of one phase: the XOR sums of these, and for the other phases their cosets.
  std::vector<int32_t> together;
  bool measured = true; ///< false: by analogy, nobody has published a measurement

  /// Lanes of a phase.
  int32_t lanes() const { return 1 << together.size(); }
};

/// The rule of the narrowest width that is at least |bytes|; null where the table has none (no banks).
const BankRule *findBankRule(const std::vector<BankRule> &rules, Direction direction, int32_t bytes);

/// Of all accesses of one warp, the instructions that move its registers.
struct SharedAccess {
  int64_t instructions = 0;
  int64_t clocks = 0; ///< in which some bank is busy
  int64_t floor = 0;  ///< the clocks if the words were spread over all banks
  int64_t conflicts() const { return clocks - floor; }
};

/// Warp |warp| moves what |layout| gives it between registers and |memory|, |vector| elements an access.
/// |vector| divides `memory.vectorWidth(layout)`.
SharedAccess sharedAccess(const Layout &layout, const MemoryLayout &memory, unsigned elementBits,
                          int32_t vector, const BankRule &rule, int32_t warp = 0);

/// The same for runs of |bytes| that begin at the elements of |runs|, one a lane and register.
SharedAccess runAccess(const Layout &runs, const MemoryLayout &memory, unsigned elementBits, int32_t bytes,
                       const BankRule &rule, int32_t warp = 0);

/// Clocks of one phase: the most that any bank has to give. |addresses|: byte address of each lane.
int64_t phaseClocks(std::span<const int64_t> addresses, int32_t bytes, int32_t banks);

/// Of all accesses of one warp to global memory.
struct GlobalAccess {
  int64_t instructions = 0;
  int64_t bytes = 0; ///< asked for; what several lanes ask for counts once
  int64_t moved = 0; ///< the segments touched, times their size
  double efficiency() const { return moved ? double(bytes) / double(moved) : 1.0; }
};

/// As `sharedAccess`, for a view with |strides| in elements that begins at byte |base| of a segment.
GlobalAccess globalAccess(const Layout &layout, const std::vector<int64_t> &strides, unsigned elementBits,
                          int32_t vector, int32_t segmentBytes, int64_t base = 0, int32_t warp = 0);

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_MEMORYACCESS_H
