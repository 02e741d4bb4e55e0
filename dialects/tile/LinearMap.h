//===- LinearMap.h - Linear algebra over bits -----------------------------===//
//
// Vectors are bit strings in a 64-bit word, addition is XOR. A linear map is the list of what each input bit
// turns into; its value at x is the XOR of the entries of the set bits of x. Layouts, swizzles and lane
// shuffles are such maps, so that "is this conversion possible without memory?" or "how many lanes meet in
// one bank?" become questions of rank, which a few lines answer exactly.
//
//     LinearMap swap({0b10, 0b01});          // exchanges bits 0 and 1
//     swap(0b01) == 0b10;  swap.inverse() == swap
//
// A `Span` is the set of all sums of the vectors that were inserted. It remembers how: `solve(v)` says which
// of them add up to v.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_LINEARMAP_H
#define QUERN_DIALECTS_TILE_LINEARMAP_H

#include <cstdint>
#include <optional>
#include <vector>

namespace quern::tile {

class Span {
public:
  Span() = default;
  explicit Span(const std::vector<uint64_t> &vectors) {
    for (uint64_t vector : vectors)
      insert(vector);
  }

  /// Adds |vector|, at most 64 in all; false if it was in the span already.
  bool insert(uint64_t vector);
  bool contains(uint64_t vector) const { return reduce(vector) == 0; }
  /// The smallest vector that differs from |vector| by an element of the span: equal for equal cosets.
  uint64_t reduce(uint64_t vector) const;
  /// Bit i of the result: the i-th inserted vector takes part in a sum that is |vector|.
  std::optional<uint64_t> solve(uint64_t vector) const;
  unsigned rank() const { return unsigned(rows_.size()); }

private:
  struct Row {
    uint64_t vector, sources; ///< the sum of the inserted vectors that |sources| marks
  };
  std::vector<Row> rows_; ///< each with a leading bit that no other row has
  unsigned inserted_ = 0;
};

class LinearMap {
public:
  LinearMap() = default;
  /// |columns[i]|: what input bit i turns into.
  explicit LinearMap(std::vector<uint64_t> columns) : columns_(std::move(columns)) {}
  static LinearMap identity(unsigned bits);

  unsigned inputBits() const { return unsigned(columns_.size()); }
  const std::vector<uint64_t> &columns() const { return columns_; }

  uint64_t operator()(uint64_t input) const;
  /// First |inner|, then this map.
  LinearMap after(const LinearMap &inner) const;

  unsigned rank() const { return Span(columns_).rank(); }
  bool isInjective() const { return rank() == inputBits(); }
  /// True if every string of |outputBits| bits is a value.
  bool isOnto(unsigned outputBits) const { return rank() == outputBits; }

  /// A map r with (*this)(r(y)) == y for every y of |outputBits| bits; nullopt unless this map is onto. The
  /// inverse if it is injective too; else input bits that add nothing new, the later ones, stay zero.
  std::optional<LinearMap> rightInverse(unsigned outputBits) const;
  /// A basis of the inputs whose value is zero.
  std::vector<uint64_t> kernel() const;

  bool operator==(const LinearMap &) const = default;

private:
  std::vector<uint64_t> columns_;
};

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_LINEARMAP_H
