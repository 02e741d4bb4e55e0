//===- CopyAtom.cpp -------------------------------------------------------===//
#include "dialects/tile/CopyAtom.h"

#include <bit>

namespace quern::tile {

namespace {

/// One basis of an atom's result in elements of the tile: which bit of the address lane, or which element of
/// the run.
struct ResultBit {
  int32_t addressLane, element;
};

/// The register or lane bits of |atom|, in elements of |elementBits|; nullopt where the sizes do not divide
/// or an element would be torn.
std::optional<std::vector<ResultBit>> resultBits(const CopyAtom &atom, Hardware hardware,
                                                 unsigned elementBits) {
  // How many elements of the tile make one of the atom, or the other way round; one of them is 1.
  int32_t parts = int32_t(atom.elementBits / elementBits), joined = int32_t(elementBits / atom.elementBits);
  if (parts * int32_t(elementBits) != int32_t(atom.elementBits) &&
      joined * int32_t(atom.elementBits) != int32_t(elementBits))
    return std::nullopt;
  std::vector<ResultBit> bits;
  if (hardware == Hardware::Register)
    for (int32_t part = 1; part < parts; part *= 2)
      bits.push_back({0, part});
  int32_t whole = 1; // elements of the atom that the lowest registers join so far
  for (const Coordinate &basis : atom.result.bases(hardware)) {
    if (hardware == Hardware::Register && whole < joined) {
      if (basis != Coordinate{0, whole})
        return std::nullopt;
      whole *= 2;
      continue;
    }
    if (joined > 1 && basis[1] % joined)
      return std::nullopt;
    bits.push_back({basis[0], joined > 1 ? basis[1] / joined : basis[1] * parts});
  }
  if (hardware == Hardware::Register && whole < joined)
    return std::nullopt;
  return bits;
}

} // namespace

bool isLaneCopy(const CopyAtom &atom) {
  if (atom.byDescriptor())
    return false;
  for (const Coordinate &basis : atom.result.bases(Hardware::Register))
    if (basis[0])
      return false;
  int32_t lane = 1;
  for (const Coordinate &basis : atom.result.bases(Hardware::Lane)) {
    if (basis != Coordinate{lane, 0})
      return false;
    lane *= 2;
  }
  return true;
}

std::optional<CopyPlan> planCopy(const CopyAtom &atom, const Layout &layout, const MemoryLayout &memory,
                                 unsigned elementBits) {
  if (atom.byDescriptor() || layout.numLanes() != atom.result.numLanes())
    return std::nullopt;
  auto registerBits = resultBits(atom, Hardware::Register, elementBits);
  auto laneBits = resultBits(atom, Hardware::Lane, elementBits);
  if (!registerBits || !laneBits)
    return std::nullopt;
  const std::vector<Coordinate> &registers = layout.bases(Hardware::Register);
  const std::vector<Coordinate> &lanes = layout.bases(Hardware::Lane);
  int32_t run = atom.runBytes() * 8 / int32_t(elementBits);
  auto aligned = [&](const Coordinate &basis) {
    MemoryLayout::Split split = memory.split(basis);
    return split.crossed % run == 0 && split.added % run == 0;
  };
  auto isElement = [&](const Coordinate &basis, int32_t element) {
    MemoryLayout::Split split = memory.split(basis);
    return split.crossed + split.added == element;
  };

  CopyPlan plan;
  plan.atom = &atom;
  plan.elementBits = elementBits;
  // What each bit of the address lane adds to the tile's coordinate.
  unsigned addressBits = unsigned(atom.result.bases(Hardware::Lane).size());
  std::vector<Coordinate> addressLanes(addressBits, Coordinate(layout.rank(), 0));
  auto match = [&](const ResultBit &bit, const Coordinate &basis) {
    if (bit.element)
      return isElement(basis, bit.element);
    if (!aligned(basis))
      return false;
    addressLanes[size_t(std::countr_zero(uint32_t(bit.addressLane)))] = basis;
    return true;
  };
  for (size_t i = 0; i < lanes.size(); ++i)
    if (!match((*laneBits)[i], lanes[i]))
      return std::nullopt;
  // Bits within a 32-bit word must be the lowest ones of the tile's registers; the others may be any.
  size_t inWord = size_t(std::countr_zero(32 / elementBits));
  std::vector<bool> used(registers.size(), false);
  for (size_t i = 0; i < registerBits->size(); ++i) {
    bool found = false;
    for (size_t r = 0; r < registers.size() && !found; ++r) {
      if (used[r] || (i < inWord && r != i) || !match((*registerBits)[i], registers[r]))
        continue;
      used[r] = found = true;
      plan.registerBits.push_back(unsigned(r));
    }
    if (!found)
      return std::nullopt;
  }

  std::vector<Coordinate> others;
  for (size_t r = 0; r < registers.size(); ++r)
    if (!used[r]) {
      if (!aligned(registers[r]))
        return std::nullopt;
      others.push_back(registers[r]);
    }
  for (const Coordinate &basis : layout.bases(Hardware::Warp))
    if (!aligned(basis))
      return std::nullopt;
  for (unsigned d = 0; d < layout.rank(); ++d)
    for (int32_t at = layout.core(d); at < layout.shape()[d]; at += layout.core(d)) {
      Coordinate step(layout.rank(), 0);
      step[d] = at;
      if (!aligned(step))
        return std::nullopt;
    }
  plan.addresses =
      Layout(layout.shape(), {others, addressLanes, layout.bases(Hardware::Warp)}, layout.repeats());
  plan.instructions = plan.addresses.numRegisters();
  return plan;
}

SharedAccess copyAccess(const CopyPlan &plan, const MemoryLayout &memory, const std::vector<BankRule> &banks,
                        Direction direction) {
  const BankRule *rule = findBankRule(banks, direction, plan.atom->runBytes());
  if (!rule)
    return {};
  return runAccess(plan.addresses, memory, plan.elementBits, plan.atom->runBytes(), *rule);
}

} // namespace quern::tile
