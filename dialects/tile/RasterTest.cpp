//===- RasterTest.cpp -----------------------------------------------------===//
#include "dialects/tile/Raster.h"
#include "dialects/tile/CostModel.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace quern;
using namespace quern::tile;

namespace {

/// Every tile exactly once; the blocks beyond the edge are those that clusters round up to.
void checkBijection(const Schedule &schedule, int64_t tilesM, int64_t tilesN) {
  Raster raster(schedule, tilesM, tilesN);
  std::set<TileIndex> seen;
  int64_t inside = 0;
  for (int64_t index = 0; index < raster.blocks(); ++index) {
    TileIndex tile = raster.at(index);
    ASSERT_GE(tile.m, 0);
    ASSERT_GE(tile.n, 0);
    ASSERT_TRUE(seen.insert(tile).second)
        << schedule.str() << " " << tilesM << "x" << tilesN << " index " << index;
    inside += raster.inside(tile);
  }
  EXPECT_EQ(inside, tilesM * tilesN) << schedule.str() << " " << tilesM << "x" << tilesN;
}

TEST(RasterTest, EveryTileOnce) {
  Schedule schedule{"gemm", {}, 1};
  for (int64_t tilesM = 1; tilesM <= 9; ++tilesM)
    for (int64_t tilesN = 1; tilesN <= 9; ++tilesN)
      for (RasterAxis axis : {RasterAxis::M, RasterAxis::N})
        for (int32_t group : {1, 2, 3, 8})
          for (auto [clusterM, clusterN] : {std::pair{1, 1}, {2, 1}, {1, 2}, {2, 2}})
            for (auto [dies, chunk] : {std::pair{1, 1}, {2, 1}, {8, 4}, {3, 2}}) {
              schedule.rasterAxis = axis;
              schedule.rasterGroup = group;
              schedule.clusterM = clusterM, schedule.clusterN = clusterN;
              schedule.dies = dies, schedule.dieChunk = chunk;
              checkBijection(schedule, tilesM, tilesN);
            }
  std::mt19937 generator(3);
  for (int i = 0; i < 200; ++i) {
    schedule.rasterAxis = generator() % 2 ? RasterAxis::M : RasterAxis::N;
    schedule.rasterGroup = 1 + int32_t(generator() % 20);
    schedule.clusterM = 1 << generator() % 3, schedule.clusterN = 1 << generator() % 2;
    schedule.dies = 1 + int32_t(generator() % 8), schedule.dieChunk = 1 + int32_t(generator() % 64);
    checkBijection(schedule, 1 + generator() % 64, 1 + generator() % 64);
  }
}

TEST(RasterTest, TheExampleOfTheHeader) {
  Expected<Schedule> schedule = Schedule::parse("gemm{raster=m2}");
  Raster raster(*schedule, 4, 3);
  const int64_t expected[4][3] = {{0, 2, 4}, {1, 3, 5}, {6, 8, 10}, {7, 9, 11}};
  for (int64_t m = 0; m < 4; ++m)
    for (int64_t n = 0; n < 3; ++n)
      EXPECT_EQ(raster.at(expected[m][n]), (TileIndex{m, n}));
}

/// Blocks w, w + D, ... land on one die; a chunk of them is a run of the order without dies.
TEST(RasterTest, ChunksOfOneDieAreNeighbours) {
  Schedule plain{"gemm", {}, 1}, dealt{"gemm", {}, 1};
  plain.rasterGroup = dealt.rasterGroup = 8;
  dealt.dies = 8, dealt.dieChunk = 32;
  Raster order(plain, 32, 32), onDies(dealt, 32, 32);
  for (int64_t die = 0; die < 8; ++die)
    for (int64_t i = 0; i < 128; ++i)
      EXPECT_EQ(onDies.at(i * 8 + die), order.at(i / 32 * 256 + die * 32 + i % 32));
}

TEST(RasterTest, ClustersAreNeighbours) {
  Expected<Schedule> schedule = Schedule::parse("gemm{cluster=2x1 raster=m8}");
  Raster raster(*schedule, 15, 7);
  EXPECT_EQ(raster.blocks(), 16 * 7);
  for (int64_t index = 0; index < raster.blocks(); index += 2) {
    TileIndex first = raster.at(index), second = raster.at(index + 1);
    EXPECT_EQ(second.m, first.m + 1);
    EXPECT_EQ(second.n, first.n);
    EXPECT_EQ(first.m % 2, 0);
  }
}

/// The patch that the cost model assumes: group rows and ceil(wave / group) columns of the first wave.
TEST(RasterTest, AWaveTouchesWhatTheModelCounts) {
  for (int32_t group : {8, 16})
    for (int64_t wave : {108, 132, 148, 304}) {
      Schedule schedule{"gemm", {}, 1};
      schedule.rasterGroup = group;
      Raster raster(schedule, 64, 64);
      std::set<int64_t> rows, columns;
      for (int64_t index = 0; index < wave; ++index) {
        rows.insert(raster.at(index).m);
        columns.insert(raster.at(index).n);
      }
      EXPECT_EQ(int64_t(rows.size()), group);
      EXPECT_EQ(int64_t(columns.size()), (wave + group - 1) / group);
      // And the group that is chosen touches no more than the other one.
      auto touched = [&](int32_t g) { return g * 128 + (wave + g - 1) / g * 128; };
      EXPECT_LE(touched(rasterGroup(128, 128, 64, wave)), touched(24 - rasterGroup(128, 128, 64, wave)));
    }
}

} // namespace
