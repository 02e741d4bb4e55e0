//===- MatrixFragments.h - Where matrix elements lie in registers ---------===//
//
// The fragment layouts of the matrix instructions as formulas: for an element of A, B, C or D, the lane and
// the item (element number, counted in the lane's registers from the lowest bit up) that hold it. B has the
// layout of A with the column in place of the row.
//
// Sources: "AMD Instinct MI300 Instruction Set Architecture", 7.1.4 (dense layouts) and the AMD matrix
// instruction calculator (element-to-register equations of CDNA1 to CDNA3, RDNA3 and RDNA4); "AMD Instinct
// CDNA4 Instruction Set Architecture", 7.1.5 and 7.2.1 (8-, 6- and 4-bit layouts, scales).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_MATRIXFRAGMENTS_H
#define QUERN_RUNTIME_EMULATED_AMD_MATRIXFRAGMENTS_H

namespace quern::runtime::emulated::amd {

struct Place {
  unsigned lane, item;
};

/// MFMA, A of |m| rows, |k| columns and |blocks| blocks: each lane holds k * m * blocks / 64 consecutive k.
constexpr Place mfmaInput(unsigned m, unsigned k, unsigned blocks, unsigned row, unsigned column,
                          unsigned block) {
  unsigned perLane = k * m * blocks / 64;
  return {row + m * (block + blocks * (column / perLane)), column % perLane};
}

/// MFMA f8f6f4 with 8-bit elements: runs of 16 k go round the lane groups, twice. The 6- and 4-bit types
/// follow mfmaInput (32 consecutive k).
constexpr Place mfmaInputByRuns(unsigned m, unsigned row, unsigned column) {
  unsigned groups = 64 / m;
  return {row + m * (column / 16 % groups), column % 16 + 16 * (column / (16 * groups))};
}

/// MFMA, C and D: |height| rows stand in consecutive registers (4; 1 for f64), then the rows go to the next
/// columns of lanes, and then to the next registers.
constexpr Place mfmaOutput(unsigned m, unsigned n, unsigned height, unsigned row, unsigned column,
                           unsigned block) {
  unsigned groups = 64 / n;                                                  // lane groups of n lanes
  unsigned blocksAbreast = m * n / height >= 64 ? 1 : 64 / (m * n / height); // blocks that share a register
  unsigned rowGroups = groups / blocksAbreast;
  unsigned item = row % height + height * (row / (height * rowGroups)) + m * n / 64 * (block / blocksAbreast);
  unsigned group = block % blocksAbreast + blocksAbreast * (row / height % rowGroups);
  return {column + n * group, item};
}

/// MFMA scales: the lane whose scale byte serves |row| and the 32 k of block |scaleBlock|.
constexpr unsigned mfmaScaleLane(unsigned m, unsigned row, unsigned scaleBlock) {
  return row + m * scaleBlock;
}

/// WMMA of gfx11, A: a lane holds a whole row; lanes 16 to 31 repeat lanes 0 to 15.
constexpr Place wmma11Input(unsigned row, unsigned column) { return {row, column}; }
/// WMMA of gfx11, C and D: even rows in lanes 0 to 15, odd ones in 16 to 31; one register per row pair.
constexpr Place wmma11Output(unsigned row, unsigned column) { return {column + 16 * (row % 2), row / 2}; }

/// WMMA of gfx12, A with |bits| per element and |k| columns: runs of 4 k (16-bit) or half of all k.
constexpr Place wmma12Input(unsigned k, unsigned bits, unsigned row, unsigned column) {
  unsigned run = bits == 16 ? 4 : k / 2;
  return {row + 16 * (column / run % 2), column % run + run * (column / (2 * run))};
}
/// WMMA of gfx12, C and D: rows 0 to 7 in lanes 0 to 15, rows 8 to 15 in lanes 16 to 31.
constexpr Place wmma12Output(unsigned row, unsigned column) { return {column + 16 * (row / 8), row % 8}; }

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_MATRIXFRAGMENTS_H
