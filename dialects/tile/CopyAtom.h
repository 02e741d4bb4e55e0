//===- CopyAtom.h - Instructions that move pieces of tiles ----------------===//
//
// A copy atom is one instruction that moves a piece of a tile between two places. For those that touch memory
// lane by lane there is one description: every lane of the warp gives the *address* of a run of neighbours in
// memory, and `result` says which element of which lane's run ends in which register:
//
//     result: (register, lane) -> (address lane, element of its run)
//
//     an ordinary 16-byte load of 16-bit elements   register (0,1)(0,2)(0,4)  lane (1,0)(2,0)(4,0)...
//     an 8x8 matrix load, four matrices             register (0,1)(8,0)(16,0) lane (0,2)(0,4)(1,0)(2,0)(4,0)
//     the same, transposed                          register (1,0)(8,0)(16,0) lane (2,0)(4,0)(0,1)(0,2)(0,4)
//
// The matrix load redistributes: lane 8 of it gives the address of row 0 of matrix 1 and receives a part of
// row 2 of every matrix. Whether a fragment can be loaded so from a given memory layout is then a comparison
// of bases, done by `planCopy` for every such instruction of every vendor alike.
//
// Copies that a descriptor describes move a whole box and have no `result`.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_COPYATOM_H
#define QUERN_DIALECTS_TILE_COPYATOM_H

#include "dialects/tile/MemoryAccess.h"

#include <string>

namespace quern::tile {

enum class CopyPath : uint8_t {
  GlobalToRegister,
  RegisterToGlobal,
  GlobalToShared, ///< asynchronous, without registers
  SharedToGlobal, ///< asynchronous, without registers
  SharedToRegister,
  RegisterToShared,
};

struct CopyAtom {
  std::string name; ///< "shared.load.16", "ldmatrix.x4.trans"; unique within a target
  CopyPath path = CopyPath::GlobalToRegister;
  unsigned elementBits = 8; ///< what `result` counts; smaller elements move as parts of one
  Layout result;            ///< see above; rank 0 for a copy by descriptor
  /// The destination in shared memory is a base of the warp plus |runBytes| times the lane: a swizzle must be
  /// put on the global side.
  bool laneLinear = false;

  bool byDescriptor() const { return result.rank() == 0; }
  /// Bytes at each address.
  int32_t runBytes() const { return byDescriptor() ? 0 : result.shape()[1] * int32_t(elementBits) / 8; }
  /// Elements that one instruction leaves in a lane.
  int32_t registers() const { return result.numRegisters(); }
};

/// True for plain loads and stores: every lane moves its own run and nothing else.
bool isLaneCopy(const CopyAtom &atom);

/// How a tile is moved by one copy atom.
struct CopyPlan {
  const CopyAtom *atom = nullptr;
  unsigned elementBits = 0; ///< of the tile
  /// For each bit of the register index of one instruction, lowest first, in elements of the tile: the bit of
  /// the core register index of the tile's layout.
  std::vector<unsigned> registerBits;
  /// The other bits, and the repeats behind them, count instructions.
  int32_t instructions = 0;
  /// Where the runs begin: lane = address lane, register = instruction.
  Layout addresses;
};

/// The plan that moves a tile of |layout| by |atom| from or to |memory|; nullopt where the atom cannot
/// deliver this layout. |memory| may be that of the tile in global memory too.
std::optional<CopyPlan> planCopy(const CopyAtom &atom, const Layout &layout, const MemoryLayout &memory,
                                 unsigned elementBits);

/// What the instructions of |plan| cost in banks of shared memory for one warp, those of its address lanes.
/// Zero where |banks| has no rule.
SharedAccess copyAccess(const CopyPlan &plan, const MemoryLayout &memory, const std::vector<BankRule> &banks,
                        Direction direction);

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_COPYATOM_H
