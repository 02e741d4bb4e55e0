//===- Atoms.cpp ----------------------------------------------------------===//
#include "dialects/tile/Atoms.h"

#include "dialects/tile/atoms/AtomTables.h"

#include <algorithm>
#include <map>

namespace quern::tile {

namespace atoms {

static std::string_view typeWord(ElementType type) {
  switch (type) {
  case ElementType::BF16:
    return "bf16";
  case ElementType::F16:
    return "f16";
  case ElementType::F8E4M3:
    return "e4m3";
  case ElementType::F8E4M3FNUZ:
    return "e4m3fnuz";
  default:
    return "f32";
  }
}

void addLaneCopies(AtomTable &table, std::string_view family, CopyPath path, int32_t lanes,
                   std::initializer_list<int32_t> widths, bool laneLinear) {
  for (int32_t bytes : widths) {
    CopyAtom atom;
    atom.name = std::string(family) + "." + std::to_string(bytes);
    atom.path = path;
    std::vector<Coordinate> registers, laneBits;
    appendBits(registers, 1, 1, bytes);
    appendBits(laneBits, 0, 1, lanes);
    atom.result = fragment({lanes, bytes}, registers, laneBits);
    atom.laneLinear = laneLinear;
    table.copies.push_back(std::move(atom));
  }
}

std::string shapeName(int32_t m, int32_t n, int32_t k, ElementType type) {
  return ".m" + std::to_string(m) + "n" + std::to_string(n) + "k" + std::to_string(k) + "." +
         std::string(typeWord(type));
}

} // namespace atoms

static AtomTable buildTable(const TargetInfo &target) {
  AtomTable table;
  if (target.isCpu()) {
    table.mma = atoms::cpuMmaAtoms(target);
    atoms::addCpuMemoryAtoms(target, table);
  } else if (target.vendor == "nvidia") {
    table.mma = atoms::nvidiaMmaAtoms(target);
    atoms::addNvidiaMemoryAtoms(target, table);
  } else if (target.vendor == "amd") {
    table.mma = atoms::amdMmaAtoms(target);
    atoms::addAmdMemoryAtoms(target, table);
  }
  std::sort(table.mma.begin(), table.mma.end(), [](const MmaAtom &x, const MmaAtom &y) {
    if (x.multiplyAddsPerClock != y.multiplyAddsPerClock)
      return x.multiplyAddsPerClock > y.multiplyAddsPerClock;
    int64_t sizes[] = {int64_t(x.m) * x.n * x.k, int64_t(y.m) * y.n * y.k};
    return sizes[0] != sizes[1] ? sizes[0] > sizes[1] : x.name < y.name;
  });
  return table;
}

const AtomTable &atomTable(const TargetInfo &target) {
  // Built once, never changed; by architecture, so that a copy of a row of the table of targets works too.
  static const std::map<std::string_view, AtomTable> tables = [] {
    std::map<std::string_view, AtomTable> result;
    for (const TargetInfo &known : knownTargets())
      result.emplace(known.architecture, buildTable(known));
    return result;
  }();
  static const AtomTable none;
  auto found = tables.find(target.architecture);
  return found == tables.end() ? none : found->second;
}

std::vector<const MmaAtom *> findMmaAtoms(const TargetInfo &target, ElementType a, ElementType b,
                                          bool scales) {
  std::vector<const MmaAtom *> found;
  for (const MmaAtom &atom : atomTable(target).mma)
    if (atom.a.type == a && atom.b.type == b && atom.hasScales() == scales)
      found.push_back(&atom);
  return found;
}

std::vector<const MmaAtom *> findMmaAtoms(std::string_view target, ElementType a, ElementType b,
                                          bool scales) {
  size_t colon = target.find(':');
  if (colon == std::string_view::npos)
    return {};
  const TargetInfo *info = findTarget(target.substr(0, colon), target.substr(colon + 1));
  return info ? findMmaAtoms(*info, a, b, scales) : std::vector<const MmaAtom *>();
}

const MmaAtom *findMmaAtom(const TargetInfo &target, std::string_view name) {
  for (const MmaAtom &atom : atomTable(target).mma)
    if (atom.name == name)
      return &atom;
  return nullptr;
}

const CopyAtom *findCopyAtom(const TargetInfo &target, std::string_view name) {
  for (const CopyAtom &atom : atomTable(target).copies)
    if (atom.name == name)
      return &atom;
  return nullptr;
}

std::vector<const CopyAtom *> findCopyAtoms(const TargetInfo &target, CopyPath path) {
  std::vector<const CopyAtom *> found;
  for (const CopyAtom &atom : atomTable(target).copies)
    if (atom.path == path)
      found.push_back(&atom);
  return found;
}

std::optional<CopyPlan> chooseCopy(const TargetInfo &target, CopyPath path, const Layout &layout,
                                   const MemoryLayout &memory, unsigned elementBits) {
  for (const CopyAtom *atom : findCopyAtoms(target, path))
    if (std::optional<CopyPlan> plan = planCopy(*atom, layout, memory, elementBits))
      return plan;
  return std::nullopt;
}

} // namespace quern::tile
