//===- LayoutAlgebra.cpp --------------------------------------------------===//
#include "dialects/tile/LayoutAlgebra.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace quern::tile {

static bool isZero(const Coordinate &basis) {
  return std::all_of(basis.begin(), basis.end(), [](int32_t x) { return x == 0; });
}

/// The largest power of two that divides |n|.
static int32_t powerOfTwoPart(int32_t n) { return n & -n; }

CoordinateBits::CoordinateBits(const std::vector<int32_t> &sides)
    : shifts_(sides.size()), widths_(sides.size()) {
  for (size_t d = sides.size(); d-- > 0;) {
    assert(std::has_single_bit(uint32_t(sides[d])));
    shifts_[d] = bits_;
    widths_[d] = unsigned(std::countr_zero(uint32_t(sides[d])));
    bits_ += widths_[d];
  }
}

uint64_t CoordinateBits::pack(const Coordinate &at) const {
  uint64_t packed = 0;
  for (size_t d = 0; d < at.size(); ++d)
    packed |= uint64_t(at[d]) << shifts_[d];
  return packed;
}

Coordinate CoordinateBits::unpack(uint64_t packed) const {
  Coordinate at(shifts_.size());
  for (size_t d = 0; d < at.size(); ++d)
    at[d] = int32_t(packed >> shifts_[d] & ((uint64_t(1) << widths_[d]) - 1));
  return at;
}

Layout::Layout(std::vector<int32_t> shape, std::array<std::vector<Coordinate>, numHardware> bases,
               std::vector<int32_t> repeats)
    : shape_(std::move(shape)), repeats_(std::move(repeats)), bases_(std::move(bases)) {
  assert(shape_.size() == repeats_.size());
}

Layout Layout::blocked(const std::vector<int32_t> &shape, int32_t lanes, int32_t warps, int32_t vector) {
  unsigned rank = shape.size();
  std::vector<int32_t> core(rank), repeats(rank), used(rank, 1);
  for (unsigned d = 0; d < rank; ++d) {
    core[d] = powerOfTwoPart(shape[d]);
    repeats[d] = shape[d] / core[d];
  }
  std::array<std::vector<Coordinate>, numHardware> bases;
  // Adds one bit to |list| from the last dimension that has elements left, down to |first|.
  auto take = [&](std::vector<Coordinate> &list) {
    for (unsigned d = rank; d-- > 0;) {
      if (used[d] < core[d]) {
        Coordinate basis(rank, 0);
        basis[d] = used[d];
        used[d] *= 2;
        list.push_back(basis);
        return true;
      }
    }
    return false;
  };
  if (rank)
    for (int32_t v = 1; v < vector && used[rank - 1] < core[rank - 1]; v *= 2)
      take(bases[0]);
  for (int32_t l = 1; l < lanes; l *= 2)
    if (!take(bases[1]))
      bases[1].push_back(Coordinate(rank, 0));
  for (int32_t w = 1; w < warps; w *= 2)
    if (!take(bases[2]))
      bases[2].push_back(Coordinate(rank, 0));
  while (take(bases[0])) {
  }
  return Layout(shape, std::move(bases), std::move(repeats));
}

Layout Layout::replicated(const std::vector<int32_t> &shape, int32_t lanes, int32_t warps) {
  Layout layout = blocked(shape, 1, 1, 1);
  layout.bases_[1].assign(std::bit_width(uint32_t(lanes)) - 1, Coordinate(shape.size(), 0));
  layout.bases_[2].assign(std::bit_width(uint32_t(warps)) - 1, Coordinate(shape.size(), 0));
  return layout;
}

/// Appends bases along |dim| for the powers of two in [|from|, |to|).
static void appendBases(std::vector<Coordinate> &bases, unsigned rank, unsigned dim, int32_t from,
                        int32_t to) {
  for (int32_t bit = from; bit < to; bit *= 2) {
    Coordinate basis(rank, 0);
    basis[dim] = bit;
    bases.push_back(std::move(basis));
  }
}

std::optional<Layout> Layout::tiled(const Layout &fragment, const std::vector<int32_t> &shape,
                                    const std::vector<WarpSplit> &grid) {
  unsigned rank = fragment.rank();
  if (shape.size() != rank)
    return std::nullopt;
  std::array<std::vector<Coordinate>, numHardware> bases = fragment.bases_;
  std::vector<int32_t> covered = fragment.shape_; // by the fragment and the warps so far
  for (const WarpSplit &split : grid) {
    if (split.count < 1 || !std::has_single_bit(uint32_t(split.count)) || split.dim >= int32_t(rank))
      return std::nullopt;
    if (split.dim < 0) {
      for (int32_t w = 1; w < split.count; w *= 2)
        bases[2].push_back(Coordinate(rank, 0));
      continue;
    }
    unsigned dim = unsigned(split.dim);
    if (split.count > 1 && fragment.repeats_[dim] != 1)
      return std::nullopt;
    appendBases(bases[2], rank, dim, covered[dim], covered[dim] * split.count);
    covered[dim] *= split.count;
  }
  std::vector<int32_t> repeats(rank);
  for (unsigned d = rank; d-- > 0;) {
    if (shape[d] <= 0 || shape[d] % covered[d])
      return std::nullopt;
    int32_t core = covered[d] / fragment.repeats_[d];
    int32_t cells = powerOfTwoPart(shape[d] / covered[d]);
    appendBases(bases[0], rank, d, core, core * cells);
    repeats[d] = shape[d] / (core * cells);
  }
  return Layout(shape, std::move(bases), std::move(repeats));
}

std::optional<Layout> Layout::dividedBy(const Layout &fragment) const {
  if (fragment.rank() != rank())
    return std::nullopt;
  std::vector<int32_t> cells(rank()), repeats(rank());
  for (unsigned d = 0; d < rank(); ++d) {
    if (shape_[d] % fragment.shape_[d] || repeats_[d] % fragment.repeats_[d])
      return std::nullopt;
    if (fragment.repeats_[d] != 1 && fragment.shape_[d] != shape_[d])
      return std::nullopt;
    cells[d] = shape_[d] / fragment.shape_[d];
    repeats[d] = repeats_[d] / fragment.repeats_[d];
    if (cells[d] % repeats[d])
      return std::nullopt;
  }
  // What a basis adds in units of fragments; nullopt if it moves inside of one.
  auto inCells = [&](const Coordinate &basis) -> std::optional<Coordinate> {
    Coordinate cell(rank());
    for (unsigned d = 0; d < rank(); ++d) {
      if (basis[d] % fragment.shape_[d])
        return std::nullopt;
      cell[d] = basis[d] / fragment.shape_[d];
    }
    return cell;
  };
  std::array<std::vector<Coordinate>, numHardware> bases;
  for (unsigned h = 0; h < numHardware; ++h) {
    // Lanes and warps of the fragment come first; its registers in their order, between others.
    const std::vector<Coordinate> &whole = bases_[h], &part = fragment.bases_[h];
    size_t matched = 0;
    for (const Coordinate &basis : whole) {
      if (matched < part.size() && basis == part[matched]) {
        ++matched;
        continue;
      }
      std::optional<Coordinate> cell = inCells(basis);
      if (!cell || (h != 0 && matched < part.size()))
        return std::nullopt;
      bases[h].push_back(std::move(*cell));
    }
    if (matched < part.size() || (h == 1 && !bases[h].empty()))
      return std::nullopt;
  }
  return Layout(std::move(cells), std::move(bases), std::move(repeats));
}

std::vector<int32_t> Layout::core() const {
  std::vector<int32_t> sides(rank());
  for (unsigned d = 0; d < rank(); ++d)
    sides[d] = core(d);
  return sides;
}

LinearMap Layout::map() const {
  CoordinateBits bits(core());
  std::vector<uint64_t> columns;
  for (const std::vector<Coordinate> &list : bases_)
    for (const Coordinate &basis : list)
      columns.push_back(bits.pack(basis));
  return LinearMap(std::move(columns));
}

std::optional<std::pair<uint64_t, int32_t>> Layout::solve(const Coordinate &at,
                                                          const std::vector<uint64_t> &columns) const {
  int32_t repeat = 0;
  Coordinate inCore(rank());
  for (unsigned d = 0; d < rank(); ++d) {
    if (at[d] < 0 || at[d] >= shape_[d])
      return std::nullopt;
    inCore[d] = at[d] % core(d);
    repeat = repeat * repeats_[d] + at[d] / core(d);
  }
  std::optional<uint64_t> bits = Span(columns).solve(CoordinateBits(core()).pack(inCore));
  if (!bits)
    return std::nullopt;
  return std::pair(*bits, repeat);
}

std::optional<Position> Layout::find(const Coordinate &at) const {
  auto solved = solve(at, map().columns());
  if (!solved)
    return std::nullopt;
  auto [bits, repeat] = *solved;
  auto take = [&, rest = bits](Hardware h) mutable {
    uint64_t count = uint64_t(1) << bases(h).size();
    int32_t index = int32_t(rest & (count - 1));
    rest /= count;
    return index;
  };
  Position position;
  position.reg = take(Hardware::Register) | repeat << bases(Hardware::Register).size();
  position.lane = take(Hardware::Lane);
  position.warp = take(Hardware::Warp);
  return position;
}

int32_t Layout::numRegisters() const {
  int32_t n = 1 << bases(Hardware::Register).size();
  for (int32_t r : repeats_)
    n *= r;
  return n;
}

static void addBits(Coordinate &to, const std::vector<Coordinate> &bases, int32_t index) {
  for (size_t bit = 0; bit < bases.size(); ++bit)
    if (index >> bit & 1)
      for (size_t d = 0; d < to.size(); ++d)
        to[d] ^= bases[bit][d];
}

Coordinate Layout::registerPart(int32_t r) const {
  Coordinate at(rank(), 0);
  unsigned bits = bases(Hardware::Register).size();
  addBits(at, bases(Hardware::Register), r & ((1 << bits) - 1));
  int32_t repeat = r >> bits;
  for (unsigned d = rank(); d-- > 0;) {
    at[d] += repeat % repeats_[d] * core(d);
    repeat /= repeats_[d];
  }
  return at;
}

Coordinate Layout::apply(int32_t r, int32_t lane, int32_t warp) const {
  Coordinate at = registerPart(r);
  addBits(at, bases(Hardware::Lane), lane);
  addBits(at, bases(Hardware::Warp), warp);
  return at;
}

std::optional<int32_t> Layout::findRegister(const Coordinate &part) const {
  CoordinateBits bits(core());
  std::vector<uint64_t> columns;
  for (const Coordinate &basis : bases(Hardware::Register))
    columns.push_back(bits.pack(basis));
  auto solved = solve(part, columns);
  if (!solved)
    return std::nullopt;
  return int32_t(solved->first) | solved->second << columns.size();
}

Layout Layout::project(const std::vector<unsigned> &dims) const {
  std::vector<int32_t> shape, repeats;
  for (unsigned d : dims) {
    shape.push_back(shape_[d]);
    repeats.push_back(repeats_[d]);
  }
  std::array<std::vector<Coordinate>, numHardware> bases;
  for (unsigned h = 0; h < numHardware; ++h)
    for (const Coordinate &basis : bases_[h]) {
      Coordinate kept;
      for (unsigned d : dims)
        kept.push_back(basis[d]);
      if (h != unsigned(Hardware::Register) || !isZero(kept))
        bases[h].push_back(kept);
    }
  return Layout(std::move(shape), std::move(bases), std::move(repeats));
}

Layout Layout::insertRegisterDim(unsigned dim, int32_t size) const {
  Layout result = *this;
  int32_t core = powerOfTwoPart(size);
  result.shape_.insert(result.shape_.begin() + dim, size);
  result.repeats_.insert(result.repeats_.begin() + dim, size / core);
  for (auto &list : result.bases_)
    for (Coordinate &basis : list)
      basis.insert(basis.begin() + dim, 0);
  std::vector<Coordinate> added;
  for (int32_t bit = 1; bit < core; bit *= 2) {
    Coordinate basis(result.rank(), 0);
    basis[dim] = bit;
    added.push_back(basis);
  }
  // A new last dimension is the fastest in memory, so its registers come first.
  auto &registers = result.bases_[0];
  registers.insert(dim + 1 == result.rank() ? registers.begin() : registers.end(), added.begin(),
                   added.end());
  return result;
}

int32_t Layout::vectorWidth() const {
  if (!rank())
    return 1;
  int32_t width = 1;
  for (const Coordinate &basis : bases(Hardware::Register)) {
    Coordinate next(rank(), 0);
    next.back() = width;
    if (basis != next)
      break;
    width *= 2;
  }
  return width;
}

/// True if lane i holds the element at i * |step| of the last dimension.
static bool lanesStride(const Layout &layout, int32_t step) {
  for (const Coordinate &basis : layout.bases(Hardware::Lane)) {
    Coordinate next(layout.rank(), 0);
    next.back() = step;
    if (basis != next)
      return false;
    step *= 2;
  }
  return true;
}

bool Layout::lanesAreContiguous() const { return rank() && lanesStride(*this, 1); }

bool Layout::lanesHoldWords(int32_t size) const {
  return rank() && vectorWidth() >= size && (lanesAreReplicated() || lanesStride(*this, size));
}

bool Layout::lanesAreReplicated() const {
  const auto &lanes = bases(Hardware::Lane);
  return std::all_of(lanes.begin(), lanes.end(), isZero);
}

bool Layout::isDisjoint() const {
  Coordinate seen(rank(), 0);
  for (const auto &list : bases_)
    for (const Coordinate &basis : list)
      for (unsigned d = 0; d < rank(); ++d) {
        if (seen[d] & basis[d])
          return false;
        seen[d] |= basis[d];
      }
  return true;
}

bool Layout::isSurjective() const { return map().isOnto(CoordinateBits(core()).bits()); }

std::string Layout::str() const {
  auto list = [](const std::vector<Coordinate> &bases) {
    std::string text = "[";
    for (size_t i = 0; i < bases.size(); ++i) {
      text += i ? ", [" : "[";
      for (size_t d = 0; d < bases[i].size(); ++d)
        text += (d ? ", " : "") + std::to_string(bases[i][d]);
      text += "]";
    }
    return text + "]";
  };
  std::string text =
      "register = " + list(bases_[0]) + ", lane = " + list(bases_[1]) + ", warp = " + list(bases_[2]);
  text += ", repeat = [";
  for (size_t d = 0; d < repeats_.size(); ++d)
    text += (d ? ", " : "") + std::to_string(repeats_[d]);
  return text + "]";
}

} // namespace quern::tile
