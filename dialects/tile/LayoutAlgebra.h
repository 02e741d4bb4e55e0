//===- LayoutAlgebra.h - Where the elements of a tile live ----------------===//
//
// A layout says which element of a tile a given register of a given lane of a given warp holds. Quern writes
// it as a linear map over bits (the "linear layouts" idea): the hardware position is a string of bits
// (register bits, lane bits, warp bits), the tile coordinate is a string of bits, and each hardware bit has
// one *basis*: the coordinate that it adds. The coordinate of a position is the XOR of the bases of its set
// bits.
//
// An example. A 4x8 tile over 8 lanes, each lane holding 4 neighbours of one row:
//
//     register bases (0,1) (0,2)      lane bases (0,4) (1,0) (2,0)      no warp bases
//
//     lane 5 = bits 0 and 2           -> (0,4) ^ (2,0) = (2,4)
//     register 3 = bits 0 and 1       -> (0,1) ^ (0,2) = (0,3)
//     so register 3 of lane 5 holds   -> (2,4) ^ (0,3) = (2,7)
//
//          col 0..3     col 4..7
//     row 0  lane 0       lane 1
//     row 1  lane 2       lane 3
//     row 2  lane 4       lane 5
//     row 3  lane 6       lane 7
//
// A basis that is all zero means replication: the positions that differ only in that bit hold the same
// element. Every fragment of a matrix unit, every shared-memory swizzle and every vectorised access is such a
// map, so that vector widths, shuffles, conversions and bank conflicts are computed from bases instead of
// being guessed.
//
// Tiles whose sizes are not powers of two (48, 96, 192, 576) are a power-of-two *core* and a *repeat* count
// per dimension: 192 = 64 x 3. Repeats are the high part of the register index, last dimension fastest.
//
// Why hardware -> tile, and not the other way round? Because replication (several positions, one element) is
// then an ordinary map; the inverse would be multi-valued. The alternative, a list of named layout classes
// with special cases for each pair, is what this replaces.
//
// This header knows no MLIR; the tile dialect wraps a Layout in one attribute (`#tile.layout`).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_LAYOUTALGEBRA_H
#define QUERN_DIALECTS_TILE_LAYOUTALGEBRA_H

#include "dialects/tile/LinearMap.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quern::tile {

/// A coordinate of a tile, or what one hardware bit adds to it; one entry per tile dimension.
using Coordinate = std::vector<int32_t>;

/// The three hardware dimensions of a block. A CPU block is one warp whose lanes are SIMD lanes.
enum class Hardware : uint8_t { Register, Lane, Warp };
inline constexpr unsigned numHardware = 3;

/// Coordinates of a box with power-of-two sides as one bit string, the last dimension in the lowest bits.
class CoordinateBits {
public:
  explicit CoordinateBits(const std::vector<int32_t> &sides);
  unsigned bits() const { return bits_; }
  uint64_t pack(const Coordinate &at) const;
  Coordinate unpack(uint64_t packed) const;

private:
  std::vector<unsigned> shifts_, widths_;
  unsigned bits_ = 0;
};

/// A place in a block.
struct Position {
  int32_t reg = 0, lane = 0, warp = 0;
  bool operator==(const Position &) const = default;
};

/// One factor of a grid of warps: |count| warps, a power of two, that divide the tile along dimension |dim|,
/// or, where |dim| is negative, hold the same elements.
struct WarpSplit {
  int32_t dim = -1;
  int32_t count = 1;
};

class Layout {
public:
  Layout() = default;
  /// |bases[h]| lists the bases of hardware dimension |h|, lowest bit first; |repeats| has one entry per tile
  /// dimension. Tile sizes follow: core size (from the bases) times repeat.
  Layout(std::vector<int32_t> shape, std::array<std::vector<Coordinate>, numHardware> bases,
         std::vector<int32_t> repeats);

  /// The layout that memory order suggests: |vector| neighbours of the last dimension in registers, then
  /// lanes, then warps, then the remaining elements in registers. Dimensions are filled from the last to the
  /// first. Lanes and warps that find no element left are replicated.
  static Layout blocked(const std::vector<int32_t> &shape, int32_t lanes, int32_t warps, int32_t vector);

  /// Every element in registers, the same in each lane and warp.
  static Layout replicated(const std::vector<int32_t> &shape, int32_t lanes, int32_t warps);

  /// The product of a fragment with a grid of warps and with repetition: the layout of a tile of |shape| that
  /// is covered by copies of |fragment|. Neighbouring fragments go to neighbouring warps (the warp bits of
  /// the fragment first, then |grid| in its order); what is left is repeated in registers.
  ///
  ///     16x8 accumulators of a warp, tile 64x96, grid {dim 0, 2 warps} {dim 1, 2 warps}:
  ///     rows 0-15 and 32-47 to warps 0 and 2, columns 0-7, 16-23, ... to warps 0 and 1: 2 x 6 fragments a
  ///     warp
  ///
  /// A fragment whose own size is no power of two cannot be split further along that dimension. nullopt where
  /// the tile is not a whole number of fragments and warps.
  static std::optional<Layout> tiled(const Layout &fragment, const std::vector<int32_t> &shape,
                                     const std::vector<WarpSplit> &grid);
  /// The inverse of the product: the layout of fragments in a tile of |shape()| / |fragment.shape()| cells,
  /// if this layout is built of copies of |fragment|. A fragment with repeats divides only layouts with the
  /// same ones.
  std::optional<Layout> dividedBy(const Layout &fragment) const;

  unsigned rank() const { return shape_.size(); }
  const std::vector<int32_t> &shape() const { return shape_; }
  const std::vector<int32_t> &repeats() const { return repeats_; }
  const std::vector<Coordinate> &bases(Hardware h) const { return bases_[unsigned(h)]; }
  /// Size of the power-of-two core along |dim|.
  int32_t core(unsigned dim) const { return shape_[dim] / repeats_[dim]; }
  std::vector<int32_t> core() const;

  int32_t numRegisters() const;
  int32_t numLanes() const { return 1 << bases(Hardware::Lane).size(); }
  int32_t numWarps() const { return 1 << bases(Hardware::Warp).size(); }

  /// What register |r| adds (core bits and repeats).
  Coordinate registerPart(int32_t r) const;
  /// The element at (register, lane, warp).
  Coordinate apply(int32_t r, int32_t lane, int32_t warp) const;

  /// The core as a map of bits: register bits, lane bits, warp bits -> `CoordinateBits` of the core.
  LinearMap map() const;
  /// A position that holds |at|, the one whose replica bits are zero; empty where none does.
  std::optional<Position> find(const Coordinate &at) const;
  /// The register of the same lane and warp that holds what |registerPart| == |part|; empty where none does.
  std::optional<int32_t> findRegister(const Coordinate &part) const;

  /// The layout of the tile that keeps only |dims|, in this order (all of them: a transposition): what a
  /// reduction over the other dimensions leaves, and what a broadcast into them needs. Registers that add
  /// nothing any more are dropped; lanes and warps that add nothing are replicas.
  Layout project(const std::vector<unsigned> &dims) const;

  /// The layout with dimension |dim| (of size |size|) inserted, all of it in registers.
  Layout insertRegisterDim(unsigned dim, int32_t size) const;

  /// Number of neighbouring elements of the last dimension that consecutive registers hold, a power of two:
  /// the widest vector access.
  int32_t vectorWidth() const;

  /// True if the map from lane bits reads consecutive elements of the last dimension: lane i holds element i.
  bool lanesAreContiguous() const;
  /// True if lane i holds elements i * |size| .. of the last dimension in its first |size| registers, a power
  /// of two; or if all lanes hold the same |size| neighbours.
  bool lanesHoldWords(int32_t size) const;
  /// True if all lanes hold the same element.
  bool lanesAreReplicated() const;

  /// True if no two bases share a coordinate bit, so that XOR is addition; holds for every layout without
  /// swizzle.
  bool isDisjoint() const;
  /// True if every element is held by some position: the bases span the core.
  bool isSurjective() const;

  /// "register=[[0,1]] lane=[] warp=[] repeat=[1,1]"; canonical.
  std::string str() const;

  bool operator==(const Layout &) const = default;

private:
  /// Which of |columns| (packed bases of the core) add up to |at|, and the index of its repeat.
  std::optional<std::pair<uint64_t, int32_t>> solve(const Coordinate &at,
                                                    const std::vector<uint64_t> &columns) const;

  std::vector<int32_t> shape_, repeats_;
  std::array<std::vector<Coordinate>, numHardware> bases_;
};

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_LAYOUTALGEBRA_H
