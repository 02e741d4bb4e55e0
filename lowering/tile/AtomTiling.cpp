//===- AtomTiling.cpp -----------------------------------------------------===//
#include "lowering/tile/AtomTiling.h"

#include <array>

namespace quern::lowering {

using tile::Coordinate;
using tile::Hardware;
using tile::Layout;

namespace {

/// One dimension of a tile: its size, the fragment's and the warps along it.
struct Extent {
  int32_t size, fragment, warps;
  int32_t fragmentRepeats = 1; ///< of a fragment whose size is no power of two

  int32_t count() const { return size / fragment; }
  /// Instructions without the repeats. Behind a fragment with repeats there are only more of them.
  int32_t core() const { return fragmentRepeats == 1 ? count() & -count() : 1; }
  int32_t repeats() const { return count() / core() * fragmentRepeats; }
  bool fits() const { return size % fragment == 0 && size > 0 && core() >= warps; }
};

Layout grid(const Layout &fragment, std::array<Extent, 2> extents, const std::vector<Coordinate> &warps) {
  std::array<std::vector<Coordinate>, tile::numHardware> bases = {
      fragment.bases(Hardware::Register), fragment.bases(Hardware::Lane), fragment.bases(Hardware::Warp)};
  bases[2].insert(bases[2].end(), warps.begin(), warps.end());
  // A step along the last dimension is the next register.
  for (unsigned d : {1u, 0u})
    for (int32_t bit = 1; bit < extents[d].core() / extents[d].warps; bit *= 2) {
      Coordinate basis(2, 0);
      basis[d] = extents[d].fragment * bit;
      bases[0].push_back(basis);
    }
  return Layout({extents[0].size, extents[1].size}, std::move(bases),
                {extents[0].repeats(), extents[1].repeats()});
}

/// The bases of the warp bits along n, then along m; |m| and |n| are the dimensions that they move, -1 for
/// none.
std::vector<Coordinate> warpBases(const Extent &rows, const Extent &columns, int m, int n) {
  std::vector<Coordinate> bases;
  for (auto [extent, d] : {std::pair{columns, n}, std::pair{rows, m}})
    for (int32_t bit = 1; bit < extent.warps; bit *= 2) {
      Coordinate basis(2, 0);
      if (d >= 0)
        basis[d] = extent.fragment * (extent.core() / extent.warps) * bit;
      bases.push_back(basis);
    }
  return bases;
}

std::string describe(const Extent &extent, const char *what) {
  return std::to_string(extent.size) + " " + what + " are no multiple of " + std::to_string(extent.fragment) +
         " for each of " + std::to_string(extent.warps) + " warps";
}

} // namespace

std::optional<AtomTiling> AtomTiling::of(const tile::MmaAtom &atom, int32_t m, int32_t n, int32_t k,
                                         int32_t warps, int32_t warpRows, std::string *misfit) {
  auto refuse = [&](const Extent &extent, const char *what) {
    if (misfit)
      *misfit = describe(extent, what);
    return std::nullopt;
  };
  Extent depth{k, atom.k, 1};
  if (!depth.fits())
    return refuse(depth, "elements of k");
  auto rowsFor = [&](int32_t count) { return Extent{m, atom.m, count}; };
  auto columnsFor = [&](int32_t count) {
    return Extent{n, atom.n, warps / count, atom.c.layout.repeats()[1]};
  };
  if (!warpRows) {
    // A warp reads its rows and its columns: the squarest share reads the least.
    int64_t least = 0;
    for (int32_t count = 1; count <= warps; count *= 2) {
      int64_t reads = int64_t(m) / count + int64_t(n) * count / warps;
      if (rowsFor(count).fits() && columnsFor(count).fits() && (!warpRows || reads < least))
        warpRows = count, least = reads;
    }
    if (!warpRows)
      warpRows = 1;
  }
  Extent rows = rowsFor(warpRows), columns = columnsFor(warpRows);
  if (!rows.fits())
    return refuse(rows, "rows");
  if (!columns.fits())
    return refuse(columns, "columns");
  AtomTiling tiling;
  tiling.atom = &atom;
  if (atom.a.hasFragment())
    tiling.a = grid(atom.a.layout, {rows, depth}, warpBases(rows, columns, 0, -1));
  if (atom.b.hasFragment())
    tiling.b = grid(atom.b.layout, {columns, depth}, warpBases(rows, columns, -1, 0));
  tiling.accumulator = grid(atom.c.layout, {rows, columns}, warpBases(rows, columns, 0, 1));
  return tiling;
}

} // namespace quern::lowering
