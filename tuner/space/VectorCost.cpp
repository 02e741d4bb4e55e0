//===- VectorCost.cpp -----------------------------------------------------===//
#include "tuner/space/VectorCost.h"

#include <algorithm>
#include <cmath>

namespace quern::tuner {

static double divideUp(int64_t a, int64_t b) { return double((a + b - 1) / b); }

double vectorSeconds(const VectorProduct &p, const VectorTile &t, const VectorFacts &f) {
  const double rowTiles = divideUp(p.rows, t.bm), columnTiles = divideUp(p.columns, t.bn);
  const double steps = divideUp(p.k, t.bk);
  const bool pairs = f.pairs && !p.widen;
  const int32_t vector = pairs ? 2 * f.lanes : f.lanes; // elements of k in one register
  double sums, reads, products;                         // of one step of a block
  if (t.outer) {
    // Columns over lanes: each element of x is spread over a register, and w is gathered along its rows.
    const double vectors = divideUp(t.bn, f.lanes);
    sums = t.bm * vectors;
    products = sums * t.bk;
    reads = (t.bm + t.bn) * double(t.bk) / f.lanes * 4 + t.bm * t.bk / 2.0;
  } else {
    const double depth = divideUp(t.bk, vector);
    sums = t.bm * t.bn * depth;
    products = sums;
    reads = (t.bm + t.bn) * depth;
  }
  const double widened = p.widen && !t.outer ? reads * f.widening * (p.scales ? 2 : 1) : 0;
  // A step keeps one operand's vectors and one of the other's beside the sums.
  const double live = sums + (t.outer ? 4 : std::min(t.bm, t.bn) + 1);
  const double spilled = std::max(0.0, live - f.registers);
  const double compute = products / f.products, load = (reads + 2 * spilled) / f.loads + widened / 2;
  // Weights of one column of blocks are read again for every tile of rows, from where they still are.
  const double weightStep = t.bn * double(t.bk) * p.wBytes, rowStep = t.bm * double(t.bk) * p.xBytes;
  const double group = std::max(1, t.rasterGroup) * t.bn * double(p.k) * p.wBytes,
               allX = double(p.rows) * p.k * p.xBytes;
  auto clocks = [&](double bytes, double held) {
    return held <= f.nearBytes ? bytes / 64 : bytes / (held <= f.farBytes ? f.farRate : f.memoryRate);
  };
  const double heldByRows = t.rasterGroup > 1 ? group : p.columns * double(p.k) * p.wBytes;
  const double memory = clocks(weightStep, rowTiles > 1 ? heldByRows : 1e12) + clocks(rowStep, allX);
  const double step = std::max({compute, load, f.latency, memory}) + 0.35 * std::min(compute, load) + 1;
  const double tail = t.bm * double(t.bn) / (t.outer ? f.lanes : 1) * f.sumClocks + sums * 0.5;
  const double block = steps * step + tail + f.blockClocks;
  return rowTiles * columnTiles * block / f.clockHz;
}

} // namespace quern::tuner
