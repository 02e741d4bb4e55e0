//===- MmaAtoms.cpp - Warp, warp-group and tensor-memory products ---------===//
//
// Fragments: PTX ISA, "Matrix Fragments for mma.m16n8k16" and its siblings, "Register Fragments" of wgmma,
// "Data Path Layouts" of tcgen05. One rule generates them: with w elements in a 32-bit register, the inner
// dimension (k, or n of the accumulator) takes w register elements and then four lanes, the outer dimension
// eight lanes; then come register steps of eight rows, then the rest of the inner dimension.
//
// Rates: multiply-adds a clock of one multiprocessor, dense, with f32 accumulators; data sheet peak over
// units and boost clock, rounded to the power of two.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/atoms/AtomTables.h"

namespace quern::tile::atoms {

namespace {

/// A fragment of a warp, or of four where |warps|: 16 rows a warp at most.
Layout rowFragment(int32_t rows, int32_t inner, int32_t perWord, bool warps = false) {
  std::vector<Coordinate> registers, lanes, warpBits;
  appendBits(registers, 1, 1, perWord);
  appendBits(lanes, 1, perWord, 4 * perWord);
  appendBits(lanes, 0, 1, 8);
  int32_t warpRows = warps ? rows / 4 : rows;
  appendBits(registers, 0, 8, warpRows);
  if (warps)
    appendBits(warpBits, 0, warpRows, rows);
  // What is left of the inner dimension: a power of two, and repeats of it.
  int32_t core = inner & -inner;
  appendBits(registers, 1, 4 * perWord, core);
  return Layout({rows, inner}, {registers, lanes, warpBits}, {1, inner / core});
}

MmaAtom warpAtom(ElementType type, int32_t k, int32_t rate) {
  int32_t perWord = 32 / int32_t(elementBits(type));
  MmaAtom atom;
  atom.name = "mma" + shapeName(16, 8, k, type);
  atom.m = 16, atom.n = 8, atom.k = k;
  atom.a = {type, Where::Register, rowFragment(16, k, perWord)};
  atom.b = {type, Where::Register, rowFragment(8, k, perWord)};
  atom.c = {ElementType::F32, Where::Register, rowFragment(16, 8, 2)};
  atom.multiplyAddsPerClock = rate;
  return atom;
}

/// One scale for 32 of k. PTX ISA, "Block Scaling for mma.sync": with thread id 0, lanes 0 and 1 of a quad
/// hold the scales of rows r and r + 8 of A, lane 0 that of column n of B; the byte of the word is selected
/// by the instruction, so that a word serves four of them. The other lanes of the quad are not read; they
/// hold the same here.
MmaAtom scaledWarpAtom(ElementType type, int32_t k, int32_t rate) {
  MmaAtom atom = warpAtom(type, k, rate);
  atom.name += ".b32";
  atom.scales = {ElementType::F8E8M0, 32, Where::Register,
                 fragment({16, 4}, {{0, 1}, {0, 2}}, {{8, 0}, {0, 0}, {1, 0}, {2, 0}, {4, 0}}),
                 fragment({8, 4}, {{0, 1}, {0, 2}}, {{0, 0}, {0, 0}, {1, 0}, {2, 0}, {4, 0}})};
  return atom;
}

/// Four warps, B from shared memory, A from there or from registers. Only 16-bit operands may run along m or
/// n. The fp8 forms keep about 14 bits of the sum.
MmaAtom warpGroupAtom(ElementType type, int32_t n, int32_t k, int32_t rate) {
  bool wide = elementBits(type) == 16;
  MmaAtom atom;
  atom.name = "wgmma" + shapeName(64, n, k, type);
  atom.m = 64, atom.n = n, atom.k = k;
  atom.issuer = Issuer::WarpGroup;
  atom.a = {type, Where::Register | Where::Shared, rowFragment(64, k, 32 / int32_t(elementBits(type)), true),
            wide};
  atom.b = {type, Where::Shared, Layout(), wide};
  atom.c = {ElementType::F32, Where::Register, rowFragment(64, n, 2, true)};
  atom.multiplyAddsPerClock = rate;
  atom.shortAccumulator = !wide;
  return atom;
}

/// 128 rows a block, accumulator in tensor memory: row = lane, column = n.
MmaAtom blockAtom(ElementType type, int32_t m, int32_t n, int32_t k, bool scaled, int32_t rate) {
  MmaAtom atom;
  atom.name = "tcgen05" + shapeName(m, n, k, type);
  atom.m = m, atom.n = n, atom.k = k;
  atom.issuer = m == 256 ? Issuer::BlockPair : Issuer::Lane;
  atom.a = {type, Where::Shared, Layout(), true};
  atom.b = {type, Where::Shared, Layout(), true};
  std::vector<Coordinate> columns, lanes, warps;
  int32_t core = n & -n;
  appendBits(columns, 1, 1, core);
  appendBits(lanes, 0, 1, 32);
  appendBits(warps, 0, 32, 128);
  atom.c = {ElementType::F32, Where::Accumulator, Layout({128, n}, {columns, lanes, warps}, {1, n / core})};
  atom.multiplyAddsPerClock = rate;
  if (scaled) {
    atom.name += ".b32";
    // A column of 32-bit words holds four scales of 32 rows; the lanes of the other warps repeat them.
    auto scales = [](int32_t rows) {
      std::vector<Coordinate> bytes = {{0, 1}, {0, 2}}, lanes;
      int32_t core = rows & -rows;
      appendBits(bytes, 0, 32, core);
      appendBits(lanes, 0, 1, 32);
      return Layout({rows, 4}, {bytes, lanes, {{0, 0}, {0, 0}}}, {rows / core, 1});
    };
    atom.scales = {ElementType::F8E8M0, 32, Where::Accumulator, scales(128), scales((n + 31) / 32 * 32)};
  }
  return atom;
}

void appendWarpAtoms(std::vector<MmaAtom> &atoms, int32_t rate16, int32_t rate8) {
  atoms.push_back(warpAtom(ElementType::BF16, 16, rate16));
  atoms.push_back(warpAtom(ElementType::F16, 16, rate16));
  if (rate8)
    atoms.push_back(warpAtom(ElementType::F8E4M3, 32, rate8));
}

} // namespace

std::vector<MmaAtom> nvidiaMmaAtoms(const TargetInfo &target) {
  std::vector<MmaAtom> atoms;
  if (target.architecture == "sm_80") {
    appendWarpAtoms(atoms, 1024, 0);
  } else if (target.architecture == "sm_89") {
    // Of the card that stands for the target; consumer cards have half of it with f32 accumulators.
    appendWarpAtoms(atoms, 512, 1024);
  } else if (target.architecture == "sm_90a") {
    for (int32_t n = 8; n <= 256; n += 8) {
      atoms.push_back(warpGroupAtom(ElementType::BF16, n, 16, 2048));
      atoms.push_back(warpGroupAtom(ElementType::F16, n, 16, 2048));
      atoms.push_back(warpGroupAtom(ElementType::F8E4M3, n, 32, 4096));
    }
    // About 60 % of the unit, by measurements of others.
    appendWarpAtoms(atoms, 1228, 2457);
  } else if (target.architecture == "sm_100a") {
    for (ElementType type : {ElementType::BF16, ElementType::F16, ElementType::F8E4M3}) {
      bool wide = elementBits(type) == 16;
      int32_t k = wide ? 16 : 32, rate = wide ? 4096 : 8192;
      for (int32_t n = 16; n <= 256; n += 16) {
        atoms.push_back(blockAtom(type, 128, n, k, false, rate));
        if (n % 32 == 0)
          atoms.push_back(blockAtom(type, 256, n, k, false, rate));
        if (!wide) {
          atoms.push_back(blockAtom(type, 128, n, k, true, rate));
          atoms.push_back(blockAtom(type, 256, n, k, true, rate));
        }
      }
    }
    appendWarpAtoms(atoms, 1024, 2048); // not measured
  } else if (target.architecture == "sm_120a") {
    appendWarpAtoms(atoms, 256, 512);
    atoms.push_back(scaledWarpAtom(ElementType::F8E4M3, 32, 512)); // at least that of the plain one
  }
  return atoms;
}

} // namespace quern::tile::atoms
