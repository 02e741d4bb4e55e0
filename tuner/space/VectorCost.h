//===- VectorCost.h - How long a product takes on a CPU's vectors ---------===//
//
// An estimate for products without a matrix unit: partial sums of BM x BN elements stay in vector registers
// while a block walks over K. One step costs, in clocks, the largest of
//
//     products  partial sums times unroll, over the multiply-add units
//     reads     vectors of both operands, over the load ports, with what it costs to widen them
//     chain     the latency of a multiply-add: each partial sum waits for its own last one
//     memory    bytes of both operands that the nearest cache does not hold
//
// and what does not fit the registers is stored and read again. Behind the steps, every partial sum is added
// over its lanes, and a block costs a fixed number of clocks. Tiles beyond the edge are paid for in full.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_SPACE_VECTORCOST_H
#define QUERN_TUNER_SPACE_VECTORCOST_H

#include <cstdint>

namespace quern::tuner {

struct VectorProduct {
  int64_t rows = 1, columns = 1, k = 1;
  double xBytes = 2, wBytes = 2; ///< of an element
  bool widen = true;             ///< operands become f32 before they are multiplied
  bool scales = false;           ///< and weights are scaled
};

struct VectorTile {
  int32_t bm = 1, bn = 1, bk = 16;
  bool outer = false;      ///< lanes along the columns, not along K
  int32_t rasterGroup = 1; ///< columns of blocks that go through all rows before the next ones
};

/// Clocks of a core; the figures are those of recent x86 cores (Agner Fog, "Instruction tables", 2024),
/// rounded.
struct VectorFacts {
  int32_t lanes = 16, registers = 32;
  bool pairs = false;
  double products = 2, loads = 2, latency = 4; ///< a clock, a clock, clocks
  double widening = 1;                         ///< clocks to make f32 of a vector of narrower numbers
  double clockHz = 3e9;
  double nearBytes = 40 << 10, farBytes = 768 << 10; ///< usable bytes of the first and the second cache
  double farRate = 32, memoryRate = 8;               ///< bytes a clock from the second cache, and beyond it
  double blockClocks = 60, sumClocks = 3;
};

/// Seconds on one core.
double vectorSeconds(const VectorProduct &product, const VectorTile &tile, const VectorFacts &facts);

} // namespace quern::tuner

#endif // QUERN_TUNER_SPACE_VECTORCOST_H
