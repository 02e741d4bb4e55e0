//===- MmaTile.h - A block tile covered by copies of one atom -------------===//
//
// C[M,N] += A[M,K] * B[N,K] of a block, computed by a grid of issuers (warps, groups of four, or the block
// itself), each of which repeats one atom. The layouts are those that the operands have in registers:
//
//     mma.m16n8k16.bf16, tile 64 x 96 x 32, 2 x 2 warps: 2 x 6 x 2 instructions a warp
//     c: rows to warps 0/1 in runs of 16, columns to warps 0/2 in runs of 8
//     a: the same rows, and the warps that differ in columns hold the same; b likewise
//
// Warp index = warp of the issuer + its warps * (row of the grid + rows * column of the grid).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_MMATILE_H
#define QUERN_DIALECTS_TILE_MMATILE_H

#include "dialects/tile/Atoms.h"

namespace quern::tile {

struct MmaTile {
  const MmaAtom *atom = nullptr;
  int32_t issuersM = 1, issuersN = 1;
  int32_t repeatM = 1, repeatN = 1, repeatK = 1; ///< instructions of one issuer along each dimension
  Layout a, b, c;                                ///< rank 0 where the atom takes no fragment

  /// Instructions that one issuer executes for the tile.
  int64_t instructions() const { return int64_t(repeatM) * repeatN * repeatK; }
  /// 32-bit registers of a lane: the accumulator (0 if it has memory of its own), and the operands of one
  /// instruction step along k.
  int32_t accumulatorRegisters() const;
  int32_t operandRegistersPerStep() const;

  /// The elements of C of instruction (i, j) of an issuer are those of its fragment, moved by this much; with
  /// (i, kk) and (j, kk) those of A and B. The registers of the tile's layout follow from
  /// `layout.findRegister(origin + fragment.registerPart(r))`.
  Coordinate originC(int32_t i, int32_t j) const;
  Coordinate originA(int32_t i, int32_t kk) const;
  Coordinate originB(int32_t j, int32_t kk) const;
};

/// nullopt where |m| x |n| x |k| is not a whole number of atoms on that grid. |issuersM| and |issuersN| are
/// powers of two. For a pair of blocks, |m| counts the rows of both.
std::optional<MmaTile> tileByAtom(const MmaAtom &atom, int32_t m, int32_t n, int32_t k, int32_t issuersM,
                                  int32_t issuersN);

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_MMATILE_H
