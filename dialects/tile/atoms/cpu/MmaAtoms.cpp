//===- MmaAtoms.cpp - Multiply-adds of a vector register ------------------===//
//
// One row of A, broadcast to the SIMD lanes, times one vector of B. Intel Intrinsics Guide: `vfmadd231ps`,
// `vdpbf16ps` (pairs along k). Rates: two vector pipes multiply and add; one of them takes bf16 pairs.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/atoms/AtomTables.h"

namespace quern::tile::atoms {

static MmaAtom vectorAtom(std::string family, int32_t lanes, int32_t k, ElementType type, int32_t rate) {
  MmaAtom atom;
  atom.name = std::move(family) + shapeName(1, lanes, k, type);
  atom.m = 1, atom.n = lanes, atom.k = k;
  std::vector<Coordinate> pair, columns, outputs;
  appendBits(pair, 1, 1, k);
  appendBits(columns, 0, 1, lanes);
  appendBits(outputs, 1, 1, lanes);
  std::vector<Coordinate> same(columns.size(), Coordinate{0, 0});
  atom.a = {type, Where::Register, fragment({1, k}, pair, same)};
  atom.b = {type, Where::Register, fragment({lanes, k}, pair, columns)};
  atom.c = {ElementType::F32, Where::Register, fragment({1, lanes}, {}, outputs)};
  atom.multiplyAddsPerClock = rate;
  return atom;
}

std::vector<MmaAtom> cpuMmaAtoms(const TargetInfo &target) {
  int32_t lanes = int32_t(target.cpu.vectorBits) / 32;
  std::vector<MmaAtom> atoms = {vectorAtom("fma", lanes, 1, ElementType::F32, 2 * lanes)};
  if (target.cpu.bf16Dot)
    atoms.push_back(vectorAtom("dot", lanes, 2, ElementType::BF16, 2 * lanes));
  return atoms;
}

} // namespace quern::tile::atoms
