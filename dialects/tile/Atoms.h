//===- Atoms.h - What the matrix unit of a target can do ------------------===//
//
// An *atom* is one hardware instruction together with the layouts of its operands. The lowering asks this
// table which atoms a target has for a pair of element types, tiles a block with the fragments of one of
// them, and hands the atom's name to the target's folder, which alone knows the intrinsic behind it. The same
// rows feed the legality check of a Schedule and the cost model. No one asks for a vendor.
//
// An example. `mma.m16n8k16.bf16` multiplies A [16,16] by B [8,16] (always written n x k) into C [16,8]. The
// 32 lanes of a warp issue it together. Each holds 8 elements of A, two to a 32-bit register:
//
//     a.layout = register [[0,1], [8,0], [0,8]], lane [[0,2], [0,4], [1,0], [2,0], [4,0]]
//
//     element 5 = bits 0 and 2            -> (0,1) ^ (0,8) = (0,9)
//     lane 6    = bits 1 and 2            -> (0,4) ^ (1,0) = (1,4)
//     so the high half of register 2 of lane 6 is A[1,13].
//
// "Register" of a fragment's layout counts *elements* of a lane; they are packed little-endian into 32-bit
// words, `elementsPerWord()` to a word. A lane basis that is zero means that the instruction wants its
// operand repeated in those lanes.
//
// K is summed, so a permutation of k that is applied to A and B alike gives the same sum in another order.
// Where the architected order would cut a lane's k into short runs, the table holds the permuted one (marked
// at the row): the fragment is then one wide load. Atoms with block scales keep the architected order,
// because a scale belongs to a run of k.
//
// Operands that an instruction reads from shared memory by descriptor have no fragment there; their layout in
// memory is one of those of `MemoryLayout`. An accumulator in accumulator memory has the layout that its
// whole-row load returns: lane l of warp w sees row 32*w + l, one register a column.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_ATOMS_H
#define QUERN_DIALECTS_TILE_ATOMS_H

#include "dialects/tile/CopyAtom.h"
#include "dialects/tile/MemoryAccess.h"
#include "support/ElementType.h"
#include "support/target/KnownTargets.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quern::tile {

/// Who issues an atom, and whose registers its fragments fill.
enum class Issuer : uint8_t {
  Lane,      ///< one lane for the whole block; operands are not in its registers
  Warp,      ///< all lanes of a warp; on a CPU the SIMD lanes of one thread
  WarpGroup, ///< four warps whose first index is a multiple of four
  BlockPair, ///< one lane for two blocks of a cluster, each of which holds half of the rows
};

/// Where an operand may live, a set.
enum class Where : uint8_t { Register = 1, Shared = 2, Accumulator = 4 };
constexpr Where operator|(Where a, Where b) { return Where(uint8_t(a) | uint8_t(b)); }
constexpr bool contains(Where set, Where place) { return uint8_t(set) & uint8_t(place); }

struct MmaOperand {
  ElementType type = ElementType::F32;
  Where where = Where::Register;
  /// Of A [m,k], of B [n,k], of C [m,n]. Rank 0 for an operand that cannot be in registers. Warps are those
  /// of the issuer. C of a block pair is the half of one block, [m/2,n].
  Layout layout;
  /// In shared memory the rows may also run along m or n instead of k.
  bool transposable = false;

  bool hasFragment() const { return layout.rank() != 0; }
  int32_t elementsPerWord() const { return 32 / int32_t(elementBits(type)); }
  /// 32-bit registers of a lane that the fragment takes.
  int32_t wordsPerLane() const {
    return hasFragment() ? (layout.numRegisters() + elementsPerWord() - 1) / elementsPerWord() : 0;
  }
};

/// Power-of-two scales that the unit applies itself: one for |block| neighbours along k.
struct BlockScales {
  ElementType type = ElementType::F8E8M0;
  int32_t block = 0; ///< elements of k that share a scale; 0: the atom has no scales
  Where where = Where::Register;
  /// Of the scales of A [m, s] and of B [n, s]; "register" counts bytes. s can exceed k / block: one word
  /// then serves s * block / k instructions, each of which selects its bytes.
  Layout a, b;
};

struct MmaAtom {
  /// "wgmma.m64n128k16.bf16": family, shape, element type of A and B; ".b32" behind it with block scales.
  /// Unique within a target; the value of `mma=` in a Schedule.
  std::string name;
  int32_t m = 0, n = 0, k = 0; ///< of one instruction; m covers both blocks of a pair
  Issuer issuer = Issuer::Warp;
  MmaOperand a, b, c;
  BlockScales scales;
  /// Multiply-adds a clock of one unit that issues nothing else, dense.
  int32_t multiplyAddsPerClock = 0;
  /// The sum is kept with fewer bits than f32 has: a long one is promoted to f32 registers every 128 of k.
  bool shortAccumulator = false;

  bool hasScales() const { return scales.block != 0; }
  /// Warps that hold the accumulator, or read it from accumulator memory.
  int32_t warps() const { return c.layout.numWarps(); }
};

/// How a target lets warps, blocks and copies wait for each other. 0 or false: it has none of it.
struct SyncFacts {
  int32_t namedBarriers = 0;         ///< of a block; a subset of its warps may use one
  bool transactionBarriers = false;  ///< barriers in shared memory that count bytes of copies
  bool copyGroups = false;           ///< asynchronous copies are waited for by groups, in order
  int32_t copiesInFlight = 0;        ///< largest count of global accesses that a wait can leave open
  int32_t sharedInFlight = 0;        ///< likewise of accesses to shared memory
  bool registerReallocation = false; ///< warps can hand registers to each other
  bool priorities = false;           ///< a warp can ask to be issued before its partner
  bool dependentLaunch = false;      ///< a kernel may begin before its predecessor has ended
  bool peerSignals = false;          ///< blocks of a cluster can signal each other
};

/// All that the tables know of one target.
struct AtomTable {
  std::vector<MmaAtom> mma;     ///< fastest first, of equally fast ones the larger instruction, then by name
  std::vector<CopyAtom> copies; ///< by path, in order of preference
  std::vector<BankRule> banks;  ///< empty for a CPU
  SyncFacts sync;
  int32_t segmentBytes = 0;       ///< of global memory: the unit in which it is read, aligned
  int32_t cacheBytesPerClock = 0; ///< that one unit gets from L2 while all of them ask; 0: not known
};

/// The table of |target|; that of an unknown target is empty.
const AtomTable &atomTable(const TargetInfo &target);

/// The matrix atoms of |target| for these types, fastest first: those without block scales unless |scales|.
/// Empty where the unit has none: convert to a type that it has, or multiply on the ordinary pipes.
std::vector<const MmaAtom *> findMmaAtoms(const TargetInfo &target, ElementType a, ElementType b,
                                          bool scales = false);
/// By the text "nvidia:sm_90a" of a known target; empty for others.
std::vector<const MmaAtom *> findMmaAtoms(std::string_view target, ElementType a, ElementType b,
                                          bool scales = false);
/// By name; null where the target has none of it.
const MmaAtom *findMmaAtom(const TargetInfo &target, std::string_view name);
const CopyAtom *findCopyAtom(const TargetInfo &target, std::string_view name);

/// The copy atoms of |path|, in the order of the table.
std::vector<const CopyAtom *> findCopyAtoms(const TargetInfo &target, CopyPath path);
/// The first atom of |path| that can move a tile of |layout| from or to |memory|; nullopt where only single
/// elements can.
std::optional<CopyPlan> chooseCopy(const TargetInfo &target, CopyPath path, const Layout &layout,
                                   const MemoryLayout &memory, unsigned elementBits);

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_ATOMS_H
