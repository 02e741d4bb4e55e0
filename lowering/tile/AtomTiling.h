//===- AtomTiling.h - A block's product cut into instructions of one atom ---===//
//
// The fragment of an atom covers one instruction; a block's tile is a grid of them. Along each dimension of
// the product the grid is, from the inside out: the fragment, further instructions of the same warp, the
// warps, and repeats where the size is no power of two. The warps are numbered along n first.
//
// An example, 32x32 of an atom with 16x8 for four warps in 2 x 2:
//
//     rows 0..15 of columns 0..15 are warp 0 (two instructions side by side), of columns 16..31 warp 1,
//     rows 16..31 are warps 2 and 3.
//
// A warp that shares its rows with another needs the same fragments of A: the warp bit along n is a replica
// there.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_TILE_ATOMTILING_H
#define QUERN_LOWERING_TILE_ATOMTILING_H

#include "dialects/tile/Atoms.h"

#include <optional>
#include <string>

namespace quern::lowering {

struct AtomTiling {
  const tile::MmaAtom *atom = nullptr;
  tile::Layout a;           ///< of A [m, k]; of rank 0 where the atom has no fragment of it
  tile::Layout b;           ///< of B [n, k]; likewise
  tile::Layout accumulator; ///< of C [m, n]

  /// |m| x |n| x |k| over |warps| issuers of the atom (warps, or groups of warps, which the fragment then
  /// divides first) of which |warpRows| lie along m; 0 leaves the choice to the tiling,
  /// which takes the one that reads the least of A and B. Empty where a size does not fit; |misfit| then says
  /// which.
  static std::optional<AtomTiling> of(const tile::MmaAtom &atom, int32_t m, int32_t n, int32_t k,
                                      int32_t warps, int32_t warpRows, std::string *misfit = nullptr);
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_TILE_ATOMTILING_H
