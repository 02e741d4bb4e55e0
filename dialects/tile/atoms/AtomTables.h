//===- AtomTables.h - The rows of each vendor -----------------------------===//
//
// Private to the atoms table. Each vendor's folder has the same files; a new target is a case there.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_DIALECTS_TILE_ATOMS_ATOMTABLES_H
#define QUERN_DIALECTS_TILE_ATOMS_ATOMTABLES_H

#include "dialects/tile/Atoms.h"

namespace quern::tile::atoms {

std::vector<MmaAtom> nvidiaMmaAtoms(const TargetInfo &target);
std::vector<MmaAtom> amdMmaAtoms(const TargetInfo &target);
std::vector<MmaAtom> cpuMmaAtoms(const TargetInfo &target);

/// Copies, banks and synchronisation.
void addNvidiaMemoryAtoms(const TargetInfo &target, AtomTable &table);
void addAmdMemoryAtoms(const TargetInfo &target, AtomTable &table);
void addCpuMemoryAtoms(const TargetInfo &target, AtomTable &table);

/// A fragment without repeats; its size is what the bases span.
inline Layout fragment(std::vector<int32_t> shape, std::vector<Coordinate> registers,
                       std::vector<Coordinate> lanes, std::vector<Coordinate> warps = {}) {
  std::vector<int32_t> repeats(shape.size(), 1);
  return Layout(std::move(shape), {std::move(registers), std::move(lanes), std::move(warps)},
                std::move(repeats));
}

/// Appends one basis along |dim| for each power of two in [|from|, |to|).
inline void appendBits(std::vector<Coordinate> &bases, unsigned dim, int32_t from, int32_t to) {
  for (int32_t bit = from; bit < to; bit *= 2)
    bases.push_back(dim == 0 ? Coordinate{bit, 0} : Coordinate{0, bit});
}

/// Appends "FAMILY.16" and so on: every lane moves |widths| bytes of its own.
void addLaneCopies(AtomTable &table, std::string_view family, CopyPath path, int32_t lanes,
                   std::initializer_list<int32_t> widths, bool laneLinear = false);

/// ".m16n8k16.bf16": what follows the family in a name.
std::string shapeName(int32_t m, int32_t n, int32_t k, ElementType type);

} // namespace quern::tile::atoms

#endif // QUERN_DIALECTS_TILE_ATOMS_ATOMTABLES_H
