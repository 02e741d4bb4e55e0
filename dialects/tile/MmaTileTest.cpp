//===- MmaTileTest.cpp ----------------------------------------------------===//
#include "dialects/tile/MmaTile.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

using namespace quern;
using namespace quern::tile;

namespace {

const MmaAtom &atom(std::string_view vendor, std::string_view architecture, std::string_view name) {
  const MmaAtom *found = findMmaAtom(*findTarget(vendor, architecture), name);
  EXPECT_TRUE(found) << name;
  return *found;
}

/// Every instruction of every issuer reads registers of the tile's layouts that hold exactly its fragments,
/// and the instructions cover the product once.
void checkTile(const MmaTile &tile, int32_t m, int32_t n, int32_t k) {
  const MmaAtom &atom = *tile.atom;
  std::string what = atom.name + " " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  auto checkOperand = [&](const MmaOperand &operand, const Layout &layout, int32_t countI, int32_t countJ,
                          auto origin, bool alongM, bool alongN) {
    if (!operand.hasFragment())
      return;
    EXPECT_TRUE(layout.isSurjective()) << what;
    EXPECT_EQ(layout.numRegisters(), countI * countJ * operand.layout.numRegisters()) << what;
    EXPECT_EQ(layout.numWarps(), atom.warps() * tile.issuersM * tile.issuersN) << what;
    std::set<int32_t> used;
    for (int32_t i = 0; i < countI; ++i)
      for (int32_t j = 0; j < countJ; ++j)
        for (int32_t r = 0; r < operand.layout.numRegisters(); ++r) {
          Coordinate part = origin(i, j), inFragment = operand.layout.registerPart(r);
          for (unsigned d = 0; d < 2; ++d)
            part[d] += inFragment[d];
          std::optional<int32_t> found = layout.findRegister(part);
          ASSERT_TRUE(found) << what;
          EXPECT_TRUE(used.insert(*found).second) << what;
          for (int32_t warp = 0; warp < layout.numWarps(); ++warp)
            for (int32_t lane : {0, 1, layout.numLanes() / 2, layout.numLanes() - 1}) {
              int32_t inIssuer = warp % atom.warps(), issuer = warp / atom.warps();
              Coordinate expected = operand.layout.apply(r, lane, inIssuer);
              Coordinate moved = origin(i, j);
              for (unsigned d = 0; d < 2; ++d)
                expected[d] += moved[d];
              if (alongM)
                expected[0] += issuer % tile.issuersM * operand.layout.shape()[0];
              if (alongN)
                expected[alongM ? 1 : 0] += issuer / tile.issuersM * atom.n;
              ASSERT_EQ(layout.apply(*found, lane, warp), expected) << what << " warp " << warp;
            }
        }
  };
  checkOperand(
      atom.a, tile.a, tile.repeatM, tile.repeatK, [&](int32_t i, int32_t j) { return tile.originA(i, j); },
      true, false);
  checkOperand(
      atom.b, tile.b, tile.repeatN, tile.repeatK, [&](int32_t i, int32_t j) { return tile.originB(i, j); },
      false, true);
  checkOperand(
      atom.c, tile.c, tile.repeatM, tile.repeatN, [&](int32_t i, int32_t j) { return tile.originC(i, j); },
      true, true);
  EXPECT_EQ(tile.instructions() * tile.issuersM * tile.issuersN * atom.m * atom.n * atom.k,
            int64_t(m) * n * k)
      << what;
}

TEST(MmaTileTest, EveryAtomOnSeveralGrids) {
  int tiles = 0;
  for (const TargetInfo &target : knownTargets())
    for (const MmaAtom &atom : atomTable(target).mma) {
      if (atom.issuer == Issuer::WarpGroup && atom.n % 48 && atom.n != 8)
        continue; // a sample of the long family
      for (auto [warpsM, warpsN] : {std::pair{1, 1}, {2, 1}, {1, 2}, {2, 4}})
        for (auto [i, j, kk] : {std::array{1, 1, 1}, {2, 3, 2}, {3, 4, 1}}) {
          int32_t m = atom.m * warpsM * i, n = atom.n * warpsN * j, k = atom.k * kk;
          bool odd = (atom.n & (atom.n - 1)) != 0;
          std::optional<MmaTile> tile = tileByAtom(atom, m, n, k, warpsM, warpsN);
          bool ofBlock = atom.issuer == Issuer::Lane || atom.issuer == Issuer::BlockPair;
          if ((warpsN > 1 && odd) || (warpsM * warpsN > 1 && ofBlock)) {
            EXPECT_FALSE(tile) << atom.name;
            continue;
          }
          ASSERT_TRUE(tile) << atom.name;
          EXPECT_EQ(tile->repeatM, i);
          EXPECT_EQ(tile->repeatN, j);
          EXPECT_EQ(tile->repeatK, kk);
          checkTile(*tile, m, n, k);
          ++tiles;
        }
    }
  EXPECT_GT(tiles, 800);
}

TEST(MmaTileTest, TilesThatAreNoWholeNumberOfAtoms) {
  const MmaAtom &mma = atom("nvidia", "sm_80", "mma.m16n8k16.bf16");
  EXPECT_FALSE(tileByAtom(mma, 24, 8, 16, 1, 1));
  EXPECT_FALSE(tileByAtom(mma, 16, 8, 16, 2, 1));
  EXPECT_FALSE(tileByAtom(mma, 16, 12, 16, 1, 1));
  EXPECT_FALSE(tileByAtom(mma, 16, 8, 24, 1, 1));
  EXPECT_FALSE(tileByAtom(mma, 0, 8, 16, 1, 1));
  EXPECT_FALSE(tileByAtom(mma, 48, 8, 16, 3, 1)); // no power of two
  EXPECT_FALSE(tileByAtom(mma, 16, 8, 16, 0, 1));
}

TEST(MmaTileTest, Registers) {
  // The table of recipes: 64x64 warp tiles hold 128 accumulators and 32 operand registers a step.
  std::optional<MmaTile> warp = tileByAtom(atom("nvidia", "sm_80", "mma.m16n8k16.bf16"), 128, 128, 64, 2, 2);
  ASSERT_TRUE(warp);
  EXPECT_EQ(warp->accumulatorRegisters(), 128);
  EXPECT_EQ(warp->operandRegistersPerStep(), 32);
  // A warp group of 64x160: 80 accumulators a lane.
  std::optional<MmaTile> group =
      tileByAtom(atom("nvidia", "sm_90a", "wgmma.m64n160k32.e4m3"), 128, 160, 128, 2, 1);
  ASSERT_TRUE(group);
  EXPECT_EQ(group->accumulatorRegisters(), 80);
  EXPECT_EQ(group->repeatK, 4);
  EXPECT_EQ(group->c.numWarps(), 8);
  // Accumulators outside of the registers.
  std::optional<MmaTile> block =
      tileByAtom(atom("nvidia", "sm_100a", "tcgen05.m256n256k16.bf16"), 256, 256, 64, 1, 1);
  ASSERT_TRUE(block);
  EXPECT_EQ(block->accumulatorRegisters(), 0);
  EXPECT_EQ(block->c.shape(), (std::vector<int32_t>{128, 256}));
}

} // namespace
