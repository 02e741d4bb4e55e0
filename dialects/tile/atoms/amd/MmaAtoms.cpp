//===- MmaAtoms.cpp - Products of one wave --------------------------------===//
//
// Fragments: AMD matrix instruction calculator; "CDNA4 Instruction Set Architecture", chapter 7. Rule of the
// 64-lane instructions: each lane holds K_L = K*M/64 neighbours of k; element k % K_L of lane m + M*(k /
// K_L). The accumulator: element (m % 4) + 4*(m / (4*M_I)) of lane n + N*((m / 4) % M_I), M_I = 64 / N. B is
// A with n in place of m.
//
// Rates: multiply-adds a clock of one compute unit: four matrix units, clocks of the instruction.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/atoms/AtomTables.h"

namespace quern::tile::atoms {

namespace {

MmaAtom waveAtom(std::string family, int32_t size, int32_t k, ElementType type, int32_t rate) {
  MmaAtom atom;
  atom.name = std::move(family) + shapeName(size, size, k, type);
  atom.m = atom.n = size;
  atom.k = k;
  atom.a.type = atom.b.type = type;
  atom.multiplyAddsPerClock = rate;
  return atom;
}

/// |run| neighbours of k in a lane before the lanes take their bits of k; the elements of a lane beyond the
/// run continue behind all lanes.
Layout operand64(int32_t size, int32_t k, int32_t run) {
  std::vector<Coordinate> registers, lanes;
  int32_t lanesOfK = 64 / size;
  appendBits(registers, 1, 1, run);
  appendBits(lanes, 0, 1, size);
  appendBits(lanes, 1, run, run * lanesOfK);
  appendBits(registers, 1, run * lanesOfK, k);
  return fragment({size, k}, registers, lanes);
}

MmaAtom mfma(int32_t size, int32_t k, ElementType type, int32_t rate, int32_t run = 0) {
  MmaAtom atom = waveAtom("mfma", size, k, type, rate);
  atom.a.layout = atom.b.layout = operand64(size, k, run ? run : k * size / 64);
  std::vector<Coordinate> registers, lanes;
  appendBits(registers, 0, 1, 4);
  appendBits(lanes, 1, 1, size);
  int32_t above = 4 * (64 / size); // rows below which lanes take what registers leave
  appendBits(lanes, 0, 4, above);
  appendBits(registers, 0, above, size);
  atom.c.layout = fragment({size, size}, registers, lanes);
  return atom;
}

/// One scale byte a lane for 32 of k; the instruction selects the byte of a word.
MmaAtom scaledMfma(int32_t size, int32_t k, ElementType type, int32_t rate) {
  MmaAtom atom = mfma(size, k, type, rate, 16);
  atom.name += ".b32";
  std::vector<Coordinate> lanes;
  appendBits(lanes, 0, 1, size);
  appendBits(lanes, 1, 1, k / 32);
  Layout scales = fragment({size, k / 32}, {}, lanes);
  atom.scales = {ElementType::F8E8M0, 32, Where::Register, scales, scales};
  return atom;
}

/// The first generation of 32-lane products: lanes 16 to 31 hold the operands of lanes 0 to 15 again, rows of
/// the accumulator alternate between the halves.
MmaAtom repeatedWmma(ElementType type, int32_t rate) {
  MmaAtom atom = waveAtom("wmma", 16, 16, type, rate);
  std::vector<Coordinate> registers, lanes;
  appendBits(registers, 1, 1, 16);
  appendBits(lanes, 0, 1, 16);
  lanes.push_back({0, 0});
  atom.a.layout = atom.b.layout = fragment({16, 16}, registers, lanes);
  atom.c.layout = fragment({16, 16}, {{2, 0}, {4, 0}, {8, 0}}, {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {1, 0}});
  return atom;
}

/// The second: no repetition. 16-bit operands architecturally take k in runs of four (0-3 and 8-11 in the
/// lower lanes); here each lane has eight neighbours, the permuted order.
MmaAtom wmma(ElementType type, int32_t rate) {
  MmaAtom atom = waveAtom("wmma", 16, 16, type, rate);
  std::vector<Coordinate> registers, lanes;
  appendBits(registers, 1, 1, 8);
  appendBits(lanes, 0, 1, 16);
  lanes.push_back({0, 8});
  atom.a.layout = atom.b.layout = fragment({16, 16}, registers, lanes);
  atom.c.layout = fragment({16, 16}, {{1, 0}, {2, 0}, {4, 0}}, {{0, 1}, {0, 2}, {0, 4}, {0, 8}, {8, 0}});
  return atom;
}

} // namespace

std::vector<MmaAtom> amdMmaAtoms(const TargetInfo &target) {
  std::vector<MmaAtom> atoms;
  constexpr ElementType halves[] = {ElementType::BF16, ElementType::F16};
  if (target.architecture == "gfx1100") {
    for (ElementType type : halves)
      atoms.push_back(repeatedWmma(type, 256));
    return atoms;
  }
  if (target.architecture == "gfx1201") {
    for (ElementType type : halves)
      atoms.push_back(wmma(type, 512));
    atoms.push_back(wmma(ElementType::F8E4M3, 1024));
    return atoms;
  }
  int32_t rate16 = target.architecture == "gfx90a" ? 512 : 1024;
  for (ElementType type : halves) {
    atoms.push_back(mfma(32, 8, type, rate16));
    atoms.push_back(mfma(16, 16, type, rate16));
  }
  if (target.architecture == "gfx942") {
    atoms.push_back(mfma(32, 16, ElementType::F8E4M3FNUZ, 2048));
    atoms.push_back(mfma(16, 32, ElementType::F8E4M3FNUZ, 2048));
  }
  if (target.architecture == "gfx950") {
    for (ElementType type : halves) {
      atoms.push_back(mfma(32, 16, type, 2048));
      atoms.push_back(mfma(16, 32, type, 2048));
    }
    atoms.push_back(mfma(32, 16, ElementType::F8E4M3, 2048));
    atoms.push_back(mfma(16, 32, ElementType::F8E4M3, 2048));
    // Two runs of 16 along k, in the architected order.
    atoms.push_back(mfma(32, 64, ElementType::F8E4M3, 4096, 16));
    atoms.push_back(mfma(16, 128, ElementType::F8E4M3, 4096, 16));
    atoms.push_back(scaledMfma(32, 64, ElementType::F8E4M3, 4096));
    atoms.push_back(scaledMfma(16, 128, ElementType::F8E4M3, 4096));
  }
  return atoms;
}

} // namespace quern::tile::atoms
