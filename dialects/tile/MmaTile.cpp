//===- MmaTile.cpp --------------------------------------------------------===//
#include "dialects/tile/MmaTile.h"

namespace quern::tile {

std::optional<MmaTile> tileByAtom(const MmaAtom &atom, int32_t m, int32_t n, int32_t k, int32_t issuersM,
                                  int32_t issuersN) {
  auto cells = [](int32_t size, int32_t step) { return size > 0 && size % step == 0 ? size / step : 0; };
  bool ofBlock = atom.issuer == Issuer::Lane || atom.issuer == Issuer::BlockPair;
  if (issuersM < 1 || issuersN < 1 || (ofBlock && issuersM * issuersN != 1))
    return std::nullopt;
  MmaTile tile;
  tile.atom = &atom;
  tile.issuersM = issuersM;
  tile.issuersN = issuersN;
  tile.repeatM = cells(m, atom.m * issuersM);
  tile.repeatN = cells(n, atom.n * issuersN);
  tile.repeatK = cells(k, atom.k);
  if (!tile.instructions())
    return std::nullopt;
  WarpSplit alongM{0, issuersM}, alongN{1, issuersN}, rowsOfB{0, issuersN};
  WarpSplit sameM{-1, issuersM}, sameN{-1, issuersN};
  int32_t rows = atom.issuer == Issuer::BlockPair ? m / 2 : m;
  auto cover = [](const MmaOperand &operand, std::vector<int32_t> shape, std::vector<WarpSplit> grid,
                  Layout &result) {
    if (!operand.hasFragment())
      return true;
    std::optional<Layout> layout = Layout::tiled(operand.layout, shape, grid);
    if (layout)
      result = *std::move(layout);
    return layout.has_value();
  };
  if (!cover(atom.a, {rows, k}, {alongM, sameN}, tile.a) ||
      !cover(atom.b, {n, k}, {sameM, rowsOfB}, tile.b) || !cover(atom.c, {rows, n}, {alongM, alongN}, tile.c))
    return std::nullopt;
  return tile;
}

int32_t MmaTile::accumulatorRegisters() const {
  return contains(atom->c.where, Where::Register) ? repeatM * repeatN * atom->c.wordsPerLane() : 0;
}

int32_t MmaTile::operandRegistersPerStep() const {
  return repeatM * atom->a.wordsPerLane() + repeatN * atom->b.wordsPerLane();
}

Coordinate MmaTile::originC(int32_t i, int32_t j) const {
  return {i * atom->c.layout.shape()[0] * issuersM, j * atom->n * issuersN};
}

Coordinate MmaTile::originA(int32_t i, int32_t kk) const {
  return {i * atom->c.layout.shape()[0] * issuersM, kk * atom->k};
}

Coordinate MmaTile::originB(int32_t j, int32_t kk) const { return {j * atom->n * issuersN, kk * atom->k}; }

} // namespace quern::tile
