//===- MemoryAtoms.cpp - Copies, banks and barriers -----------------------===//
//
// A vector load moves neighbours to the SIMD lanes: each lane its own element. There are no banks to speak
// of, no asynchronous copies, and a block waits for nobody.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/atoms/AtomTables.h"

namespace quern::tile::atoms {

void addCpuMemoryAtoms(const TargetInfo &target, AtomTable &table) {
  int32_t lanes = int32_t(target.cpu.vectorBits) / 32;
  addLaneCopies(table, "vector.load", CopyPath::GlobalToRegister, lanes, {4, 2, 1});
  addLaneCopies(table, "vector.store", CopyPath::RegisterToGlobal, lanes, {4, 2, 1});
  table.segmentBytes = 64;
}

} // namespace quern::tile::atoms
