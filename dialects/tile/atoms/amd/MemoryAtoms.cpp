//===- MemoryAtoms.cpp - Copies, banks and barriers -----------------------===//
//
// ISA manuals: DS_READ_*_TR, GLOBAL_LOAD_TR, buffer loads to LDS, S_WAITCNT and its gfx12 successors. Phases:
// measurements published with HipKittens (128-bit reads of gfx942 and gfx950, 64-bit accesses of gfx950) and
// with Composable Kernel (128-bit writes of gfx942); the other widths are by analogy.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/atoms/AtomTables.h"

namespace quern::tile::atoms {

namespace {

/// Groups of 16 lanes transpose what they read; result (register, lane) -> (source lane, element).
CopyAtom transposingCopy(std::string name, CopyPath path, unsigned elementBits, std::vector<int32_t> shape,
                         std::vector<Coordinate> registers, std::vector<Coordinate> lanes) {
  CopyAtom atom;
  atom.name = std::move(name);
  atom.path = path;
  atom.elementBits = elementBits;
  atom.result = fragment(std::move(shape), std::move(registers), std::move(lanes));
  return atom;
}

void addBanks(std::string_view architecture, std::vector<BankRule> &banks) {
  constexpr Direction read = Direction::Read, write = Direction::Write;
  if (architecture == "gfx1100" || architecture == "gfx1201") {
    for (Direction direction : {read, write}) {
      banks.push_back({direction, 4, 32, {1, 2, 4, 8, 16}, false});
      banks.push_back({direction, 8, 32, {1, 2, 4, 8}, false});
      banks.push_back({direction, 16, 32, {1, 2, 4}, false});
    }
    return;
  }
  bool wide = architecture == "gfx950";
  banks.push_back({read, 4, 32, {1, 2, 4, 8, 16}, false});
  if (wide) {
    banks.push_back({read, 8, 64, {1, 2, 4, 8, 16}});
    banks.push_back({read, 16, 64, {1, 2, 12, 20}}); // {0-3, 12-15, 20-27} and {4-11, 16-19, 28-31}
  } else {
    banks.push_back({read, 8, 32, {1, 2, 4, 8}, false});
    banks.push_back({read, 16, 32, {1, 2, 20}}); // {0-3, 20-23} {4-7, 16-19} {8-11, 28-31} {12-15, 24-27}
  }
  banks.push_back({write, 4, 32, {1, 2, 4, 8, 16}, false});
  banks.push_back({write, 8, 32, {1, 2, 4, 8}, wide});
  banks.push_back({write, 16, 32, {1, 2, 4}, !wide});
}

} // namespace

void addAmdMemoryAtoms(const TargetInfo &target, AtomTable &table) {
  int32_t lanes = int32_t(target.gpu.subgroupSize);
  std::string_view architecture = target.architecture;
  // To shared memory without registers: base + lane * width.
  if (target.gpu.directCopyBits == 128)
    addLaneCopies(table, "direct", CopyPath::GlobalToShared, lanes, {16, 4}, true);
  else if (target.gpu.directCopyBits)
    addLaneCopies(table, "direct", CopyPath::GlobalToShared, lanes, {4}, true);
  addLaneCopies(table, "shared.load", CopyPath::SharedToRegister, lanes, {16, 8});
  if (architecture == "gfx950") {
    table.copies.push_back(transposingCopy("ds_read_tr.b64.b16", CopyPath::SharedToRegister, 16, {64, 4},
                                           {{4, 0}, {8, 0}},
                                           {{0, 1}, {0, 2}, {1, 0}, {2, 0}, {16, 0}, {32, 0}}));
    table.copies.push_back(transposingCopy("ds_read_tr.b64.b8", CopyPath::SharedToRegister, 8, {64, 8},
                                           {{2, 0}, {4, 0}, {8, 0}},
                                           {{0, 1}, {0, 2}, {0, 4}, {1, 0}, {16, 0}, {32, 0}}));
  }
  addLaneCopies(table, "shared.load", CopyPath::SharedToRegister, lanes, {4, 2, 1});
  addLaneCopies(table, "shared.store", CopyPath::RegisterToShared, lanes, {16, 8, 4, 2, 1});
  addLaneCopies(table, "global.load", CopyPath::GlobalToRegister, lanes, {16, 8});
  if (architecture == "gfx1201") {
    table.copies.push_back(transposingCopy("global_load_tr.b128.b16", CopyPath::GlobalToRegister, 16, {32, 8},
                                           {{1, 0}, {2, 0}, {4, 0}},
                                           {{0, 1}, {0, 2}, {0, 4}, {8, 0}, {16, 0}}));
    table.copies.push_back(transposingCopy("global_load_tr.b64.b8", CopyPath::GlobalToRegister, 8, {32, 8},
                                           {{1, 0}, {2, 0}, {8, 0}},
                                           {{0, 1}, {0, 2}, {0, 4}, {4, 0}, {16, 0}}));
  }
  addLaneCopies(table, "global.load", CopyPath::GlobalToRegister, lanes, {4, 2, 1});
  addLaneCopies(table, "global.store", CopyPath::RegisterToGlobal, lanes, {16, 8, 4, 2, 1});

  addBanks(architecture, table.banks);
  table.segmentBytes = 128;
  // 16 channels of 128 bytes for the 38 or 32 units of a die; elsewhere not published.
  table.cacheBytesPerClock = architecture == "gfx942" ? 54 : architecture == "gfx950" ? 64 : 50;
  table.sync.copiesInFlight = 63;
  table.sync.sharedInFlight = architecture == "gfx1201" || architecture == "gfx1100" ? 63 : 15;
  table.sync.priorities = true;
}

} // namespace quern::tile::atoms
