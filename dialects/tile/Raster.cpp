//===- Raster.cpp ---------------------------------------------------------===//
#include "dialects/tile/Raster.h"

#include <algorithm>
#include <utility>

namespace quern::tile {

Raster::Raster(const Schedule &schedule, int64_t tilesM, int64_t tilesN)
    : tilesM(tilesM), tilesN(tilesN), clusterM(schedule.clusterM), clusterN(schedule.clusterN),
      clustersM((tilesM + clusterM - 1) / clusterM), clustersN((tilesN + clusterN - 1) / clusterN),
      dies(schedule.dies), chunk(schedule.dieChunk), alongM(schedule.rasterAxis == RasterAxis::M) {
  // Groups count tiles; a cluster is not divided.
  int64_t width = alongM ? clusterM : clusterN;
  group = std::max<int64_t>(1, schedule.rasterGroup / width);
}

TileIndex Raster::at(int64_t index) const {
  if (int64_t round = dies * chunk; index < blocks() / round * round) {
    int64_t die = index % dies, local = index / dies;
    index = local / chunk * round + die * chunk + local % chunk;
  }
  int64_t size = clusterM * clusterN, cluster = index / size, rank = index % size;
  // Along the axis of the groups and across it.
  int64_t along = alongM ? clustersM : clustersN, across = alongM ? clustersN : clustersM;
  int64_t first = cluster / (group * across) * group, inGroup = cluster % (group * across);
  int64_t width = std::min(group, along - first);
  int64_t a = first + inGroup % width, b = inGroup / width;
  if (!alongM)
    std::swap(a, b);
  return {a * clusterM + rank % clusterM, b * clusterN + rank / clusterM};
}

} // namespace quern::tile
