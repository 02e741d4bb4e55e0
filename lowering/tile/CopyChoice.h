//===- CopyChoice.h - Which instruction copies rows to shared memory ------===//
#ifndef QUERN_LOWERING_TILE_COPYCHOICE_H
#define QUERN_LOWERING_TILE_COPYCHOICE_H

#include "lowering/tile/BlockShape.h"

namespace quern::lowering {

/// The widest copy without registers that |path| has for tiles of |type| whose rows begin at |column| of
/// |view|: each lane of the block then has as many to make. Empty where none fits.
struct RowCopy {
  const tile::CopyAtom *atom = nullptr;
  int32_t vector = 1; ///< elements of one copy
};
std::optional<RowCopy> chooseRowCopy(const BlockShape &block, tile::RingPath path, tile::ViewOp view,
                                     mlir::Value column, mlir::ShapedType type);

/// Which lane copies which elements of a slot in |memory|: the first registers are the |vector| elements of
/// one copy. With |laneLinear| neighbouring lanes fill neighbouring places of memory, else they read
/// neighbouring elements. Empty where lanes would copy the same elements, or a copy would be torn.
std::optional<tile::Layout> copyLayout(const BlockShape &block, const tile::MemoryLayout &memory,
                                       int32_t vector, bool laneLinear);

/// The plain store that moves a tile of |layout| to |memory|.
std::optional<tile::CopyPlan> chooseSharedStore(const BlockShape &block, const tile::Layout &layout,
                                                const tile::MemoryLayout &memory, unsigned elementBits);

} // namespace quern::lowering

#endif // QUERN_LOWERING_TILE_COPYCHOICE_H
