//===- Raster.h - Which tile a block takes --------------------------------===//
//
// Blocks are started in order of their index, a wave of them at a time, and the tiles of one wave share the
// caches. The order is three steps of integer arithmetic, each a bijection:
//
//   1. dies      where hardware deals blocks to D dies in turn, C neighbours of the new order go to one die:
//                die = i % D, l = i / D;  i' = l / C * (D * C) + die * C + l % C
//                (indices beyond the last whole D * C stay)
//   2. clusters  blocks of a cluster are neighbours: cluster i / (M * N), in it rank i % (M * N), rows first
//   3. groups    G tiles along the raster axis are the fastest, then one step along the other axis, so that a
//                wave of W tiles is a patch of G x W/G. The last group may be narrower.
//
//     tiles 4 x 3, raster=m2:       0  2  4
//                                   1  3  5
//                                   6  8 10
//                                   7  9 11
//
// Grids that clusters do not divide are rounded up: a block beyond the edge has nothing to do.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_RASTER_H
#define QUERN_DIALECTS_TILE_RASTER_H

#include "dialects/tile/Schedule.h"

namespace quern::tile {

struct TileIndex {
  int64_t m = 0, n = 0;
  auto operator<=>(const TileIndex &) const = default;
};

class Raster {
public:
  /// Of a product with |tilesM| x |tilesN| block tiles.
  Raster(const Schedule &schedule, int64_t tilesM, int64_t tilesN);

  /// Blocks of one pass over all tiles, those beyond the edge included.
  int64_t blocks() const { return clustersM * clustersN * clusterM * clusterN; }
  /// The tile of block |index|; `inside` says whether it exists.
  TileIndex at(int64_t index) const;
  bool inside(TileIndex tile) const { return tile.m < tilesM && tile.n < tilesN; }

private:
  int64_t tilesM, tilesN, clusterM, clusterN, clustersM, clustersN, group, dies, chunk;
  bool alongM;
};

} // namespace quern::tile

#endif // QUERN_DIALECTS_TILE_RASTER_H
