//===- MemoryAtoms.cpp - Copies, banks and barriers -----------------------===//
//
// PTX ISA: "ldmatrix", "stmatrix", "cp.async", "cp.async.bulk.tensor", "mbarrier", "setmaxnreg". Phases of
// shared memory: a warp of 4-byte accesses, half a warp of 8, a quarter of 16; one matrix of eight 16-byte
// rows is a quarter as well.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/atoms/AtomTables.h"

namespace quern::tile::atoms {

namespace {

/// Lane 8 * matrix + row gives the address of a row of 16 bytes.
CopyAtom matrixCopy(CopyPath path, int32_t matrices, bool transposed) {
  CopyAtom atom;
  atom.name = std::string(path == CopyPath::SharedToRegister ? "ldmatrix" : "stmatrix") + ".x" +
              std::to_string(matrices) + (transposed ? ".trans" : "");
  atom.path = path;
  atom.elementBits = 16;
  std::vector<Coordinate> registers, lanes;
  if (transposed) {
    registers = {{1, 0}};
    lanes = {{2, 0}, {4, 0}, {0, 1}, {0, 2}, {0, 4}};
  } else {
    registers = {{0, 1}};
    lanes = {{0, 2}, {0, 4}, {1, 0}, {2, 0}, {4, 0}};
  }
  appendBits(registers, 0, 8, 8 * matrices);
  atom.result = fragment({8 * matrices, 8}, registers, lanes);
  return atom;
}

/// Bytes, transposed. Loads: 16 rows a matrix, two registers for columns 0-7 and 8-15. Stores: eight rows.
CopyAtom byteMatrixCopy(CopyPath path, int32_t matrices) {
  CopyAtom atom;
  atom.path = path;
  atom.elementBits = 8;
  std::vector<Coordinate> registers, lanes;
  int32_t rows = path == CopyPath::SharedToRegister ? 16 : 8;
  atom.name = (rows == 16 ? "ldmatrix.m16n16.x" : "stmatrix.m16n8.x") + std::to_string(matrices) + ".trans";
  appendBits(registers, 0, 1, rows / 4);
  registers.push_back({0, 8});
  appendBits(registers, 0, rows, rows * matrices);
  appendBits(lanes, 0, rows / 4, rows);
  appendBits(lanes, 1, 1, 8);
  atom.result = fragment({rows * matrices, 16}, registers, lanes);
  return atom;
}

CopyAtom tensorCopy(CopyPath path) {
  CopyAtom atom;
  atom.name = path == CopyPath::GlobalToShared ? "tensor.load" : "tensor.store";
  atom.path = path;
  return atom;
}

} // namespace

void addNvidiaMemoryAtoms(const TargetInfo &target, AtomTable &table) {
  bool ninety = target.gpu.tensorCopy,
       bytes = target.architecture == "sm_100a" || target.architecture == "sm_120a";
  auto add = [&](CopyAtom atom) { table.copies.push_back(std::move(atom)); };
  if (ninety)
    add(tensorCopy(CopyPath::GlobalToShared));
  addLaneCopies(table, "cp.async", CopyPath::GlobalToShared, 32, {16, 8, 4});
  if (ninety)
    add(tensorCopy(CopyPath::SharedToGlobal));
  for (int32_t matrices : {4, 2, 1})
    for (bool transposed : {false, true})
      add(matrixCopy(CopyPath::SharedToRegister, matrices, transposed));
  if (bytes)
    for (int32_t matrices : {2, 1})
      add(byteMatrixCopy(CopyPath::SharedToRegister, matrices));
  addLaneCopies(table, "shared.load", CopyPath::SharedToRegister, 32, {16, 8, 4, 2, 1});
  if (ninety)
    for (int32_t matrices : {4, 2, 1})
      for (bool transposed : {false, true})
        add(matrixCopy(CopyPath::RegisterToShared, matrices, transposed));
  if (bytes)
    for (int32_t matrices : {4, 2, 1})
      add(byteMatrixCopy(CopyPath::RegisterToShared, matrices));
  addLaneCopies(table, "shared.store", CopyPath::RegisterToShared, 32, {16, 8, 4, 2, 1});
  addLaneCopies(table, "global.load", CopyPath::GlobalToRegister, 32, {16, 8, 4, 2, 1});
  addLaneCopies(table, "global.store", CopyPath::RegisterToGlobal, 32, {16, 8, 4, 2, 1});

  for (Direction direction : {Direction::Read, Direction::Write}) {
    table.banks.push_back({direction, 4, 32, {1, 2, 4, 8, 16}});
    table.banks.push_back({direction, 8, 32, {1, 2, 4, 8}});
    table.banks.push_back({direction, 16, 32, {1, 2, 4}});
  }
  table.segmentBytes = 32;
  // 5120 bytes a clock on 108 units of sm_80; of sm_90a 4000 on 132, between the published 3000 and 6150. The
  // others are not published and taken as sm_80.
  table.cacheBytesPerClock = target.architecture == "sm_90a" ? 30 : 47;
  table.sync.namedBarriers = 16;
  table.sync.copyGroups = true;
  table.sync.transactionBarriers = ninety;
  table.sync.registerReallocation = ninety;
  table.sync.dependentLaunch = ninety;
  table.sync.peerSignals = target.gpu.maxCluster > 1;
}

} // namespace quern::tile::atoms
