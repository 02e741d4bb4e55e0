//===- LayoutAlgebra.cpp --------------------------------------------------===//
#include "dialects/tile/LayoutAlgebra.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <set>

namespace quern::tile {

static bool isZero(const Coordinate &basis) {
  return std::all_of(basis.begin(), basis.end(), [](int32_t x) { return x == 0; });
}

/// The largest power of two that divides |n|.
static int32_t powerOfTwoPart(int32_t n) { return n & -n; }

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
  for (int32_t r = 0, n = numRegisters(); r < n; ++r)
    if (registerPart(r) == part)
      return r;
  return std::nullopt;
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

bool Layout::lanesAreContiguous() const {
  if (!rank())
    return false;
  int32_t step = 1;
  for (const Coordinate &basis : bases(Hardware::Lane)) {
    Coordinate next(rank(), 0);
    next.back() = step;
    if (basis != next)
      return false;
    step *= 2;
  }
  return true;
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

bool Layout::isSurjective() const {
  std::set<Coordinate> seen;
  for (int32_t w = 0; w < numWarps(); ++w)
    for (int32_t l = 0; l < numLanes(); ++l)
      for (int32_t r = 0, n = numRegisters(); r < n; ++r)
        seen.insert(apply(r, l, w));
  size_t elements = 1;
  for (int32_t s : shape_)
    elements *= s;
  return seen.size() == elements;
}

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
