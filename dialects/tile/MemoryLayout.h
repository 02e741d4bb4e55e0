//===- MemoryLayout.h - Where the elements of a tile lie in memory --------===//
//
// The companion of `Layout` for a tile in shared memory: it gives each bit of the *element offset* the
// coordinate that the bit adds, combined by XOR. Row order without any swizzle gives each offset bit one
// coordinate bit; a swizzle adds a second one, so that the columns of a row move with the row:
//
//     an 8x64 tile of 16-bit elements, 128 bytes a row, 16-byte chunks exchanged by the row:
//       offset bits 0..5   (0,1) (0,2) (0,4) (0,8) (0,16) (0,32)
//       offset bits 6..8   (1,8) (2,16) (4,32)
//     element (3,0): offset bits 6 and 7 give (1,8) ^ (2,16) = (3,24); bits 3 and 4 take the 24 away,
//     so it lies at 64 + 128 + 8 + 16 = 216: chunk 3 of its row.
//
// Reading one chunk of eight rows then touches eight different groups of banks, without a byte of padding.
//
// The map covers a power-of-two *core*. A tile is a grid of cores, each dimension with a stride of its own in
// whole cores: eight rows of 128 bytes are the core of every swizzle that hardware computes, 96 x 192
// elements are 12 x 3 of them. Inside of a core bits combine by XOR, cores are added:
//
//     offset(c) = split(c).crossed + split(c).added
//     split(a | b) = {a.crossed ^ b.crossed, a.added + b.added}     where a and b share no bit
//
// so that a lane computes its part of an address once and every register is a constant beside it.
//
// `offset` counts elements from a base that is aligned to the core where hardware computes the swizzle from
// address bits.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_MEMORYLAYOUT_H
#define QUERN_DIALECTS_TILE_MEMORYLAYOUT_H

#include "dialects/tile/LayoutAlgebra.h"

namespace quern::tile {

class MemoryLayout {
public:
  MemoryLayout() = default;
  /// |bases[i]|: the coordinate that offset bit i adds; a bijection of the box |core| (asserted).
  /// |strides[d]|: elements from one core to the next along d, a multiple of the core's size.
  MemoryLayout(std::vector<int32_t> shape, std::vector<int32_t> core, std::vector<Coordinate> bases,
               std::vector<int64_t> strides);

  /// Dense, without exchange: |fastest| first, then the other dimensions from the last to the first.
  static MemoryLayout dense(const std::vector<int32_t> &shape, unsigned fastest);
  static MemoryLayout dense(const std::vector<int32_t> &shape);

  /// What copy engines and matrix units call an N-byte swizzle of a two-dimensional tile: panels of |span|
  /// bytes (16, 32, 64 or 128) along dimension |fastest|, one after another, each with all of the other
  /// dimension. Within a panel the byte address a becomes a ^ ((a >> 7) & (span / 16 - 1)) << 4, which leaves
  /// 16 byte panels as they are. nullopt where the tile is not a whole number of panels and of eight rows.
  static std::optional<MemoryLayout> swizzled(const std::vector<int32_t> &shape, unsigned elementBits,
                                              int32_t span, unsigned fastest);

  unsigned rank() const { return unsigned(shape_.size()); }
  const std::vector<int32_t> &shape() const { return shape_; }
  const std::vector<int32_t> &core() const { return core_; }
  const std::vector<Coordinate> &bases() const { return bases_; }
  const std::vector<int64_t> &strides() const { return strides_; }
  int64_t coreElements() const { return int64_t(1) << bases_.size(); }
  /// Of the whole tile.
  int64_t elements() const;

  struct Split {
    int64_t crossed, added; ///< combine by XOR, and by addition
  };
  Split split(const Coordinate &at) const;
  /// Element offset of a coordinate.
  int64_t offset(const Coordinate &at) const;
  /// The element at an offset below `elements()`; strides must leave no holes, as those of the functions
  /// above.
  Coordinate coordinate(int64_t offset) const;

  /// The largest number of elements, a power of two, that consecutive registers of |layout| hold next to each
  /// other in memory and aligned to their number: the widest access, whatever the hardware can do.
  int32_t vectorWidth(const Layout &layout) const;

  /// "offset = [[0, 1], [1, 8]], core = [8, 64], stride = [512, 4096]"
  std::string str() const;

  bool operator==(const MemoryLayout &other) const {
    return shape_ == other.shape_ && core_ == other.core_ && bases_ == other.bases_ &&
           strides_ == other.strides_;
  }

private:
  std::vector<int32_t> shape_, core_;
  std::vector<Coordinate> bases_;
  std::vector<int64_t> strides_;
  LinearMap offsets_; ///< `CoordinateBits` of the core -> offset
};

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_MEMORYLAYOUT_H
