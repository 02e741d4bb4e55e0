//===- BlockShape.h - What a kernel's attributes say about its block ------===//
#ifndef QUERN_LOWERING_TILE_BLOCKSHAPE_H
#define QUERN_LOWERING_TILE_BLOCKSHAPE_H

#include "dialects/tile/Schedule.h"
#include "dialects/tile/TileDialect.h"
#include "lowering/tile/AtomTiling.h"

namespace quern::lowering {

/// The block that a kernel is lowered for: from its `schedule` (text form) and `machine` attributes.
struct BlockShape {
  tile::Schedule schedule;
  int32_t lanes = 32; ///< lanes of a warp
  bool simd = false;  ///< lanes are SIMD lanes of one thread: neighbours belong to lanes, not to registers
  int32_t vectorBytes = 16;            ///< widest memory access of one lane
  int64_t sharedBytes = 0;             ///< shared memory that a block may have; 0: no bound is known
  const TargetInfo *target = nullptr;  ///< where `machine` names one
  const tile::MmaAtom *atom = nullptr; ///< of the schedule, where the target has it

  /// Emits an error on |kernel| and fails where an attribute is missing or cannot be read.
  static mlir::FailureOr<BlockShape> of(tile::KernelOp kernel);

  /// Issuers of the atom (warps where there is none), of all math groups together, and how many of them lie
  /// along the rows of a product; 0 where the lowering decides. Groups divide the rows.
  int32_t issuers() const { return schedule.warps * schedule.groups; }
  int32_t issuerRows() const;
  /// Warps that compute, which are the first ones of the block, and warps that only copy.
  int32_t warps() const { return issuers() * warpsOfIssuer(); }
  int32_t warpsOfIssuer() const {
    return atom && atom->issuer == tile::Issuer::WarpGroup ? atom->warps() : 1;
  }
  int32_t copyWarps() const { return schedule.strategy == tile::Strategy::Roles ? 4 : 0; }
  int32_t threads() const { return lanes * (warps() + copyWarps()); }
  /// Registers of a lane of warps that copy and that compute, where roles hand them over; 0: they do not.
  int32_t copyRegisters() const;
  int32_t computeRegisters() const;

  /// How the atom of |step| covers its tiles; empty where it has none. The atom and its fit were checked when
  /// it was selected.
  std::optional<AtomTiling> tilingOf(tile::MmaOp step) const;

  /// The layout that memory order suggests for a tile of |shape| whose elements in memory have |elementBits|.
  tile::Layout memoryLayout(const std::vector<int32_t> &shape, unsigned elementBits) const;
  /// The same for a tile whose elements become operands of a matrix atom: SIMD lanes then hold whole 32-bit
  /// words of neighbours, which is what atoms take.
  tile::Layout operandLayout(const std::vector<int32_t> &shape, unsigned elementBits) const;
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_TILE_BLOCKSHAPE_H
