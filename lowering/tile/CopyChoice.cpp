//===- CopyChoice.cpp -----------------------------------------------------===//
#include "lowering/tile/CopyChoice.h"
#include "lowering/tile/IndexFacts.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace quern::lowering {

using tile::Coordinate;
using tile::Hardware;
using tile::Layout;

/// True if two lanes or warps hold the same element.
static bool hasReplicas(const Layout &layout) {
  for (Hardware h : {Hardware::Lane, Hardware::Warp})
    for (const Coordinate &basis : layout.bases(h))
      if (llvm::all_of(basis, [](int32_t x) { return x == 0; }))
        return true;
  return false;
}

std::optional<RowCopy> chooseRowCopy(const BlockShape &block, tile::RingPath path, tile::ViewOp view,
                                     Value column, ShapedType type) {
  const int32_t bits = int32_t(type.getElementTypeBitWidth());
  std::vector<int32_t> shape(type.getShape().begin(), type.getShape().end());
  for (const tile::CopyAtom *atom : tile::findCopyAtoms(*block.target, tile::CopyPath::GlobalToShared)) {
    if (atom->byDescriptor() || atom->laneLinear != (path == tile::RingPath::Direct))
      continue;
    int32_t vector = atom->runBytes() * 8 / bits;
    if (vector < 1 || shape.back() % vector || alignedRun(view, column, /*checked=*/true, vector) < vector)
      continue;
    if (!hasReplicas(Layout::blocked(shape, block.lanes, block.schedule.warps, vector)))
      return RowCopy{atom, vector};
  }
  return std::nullopt;
}

std::optional<Layout> copyLayout(const BlockShape &block, const tile::MemoryLayout &memory, int32_t vector,
                                 bool laneLinear) {
  const int32_t warps = block.schedule.warps;
  if (!laneLinear) {
    Layout layout = Layout::blocked(memory.shape(), block.lanes, warps, vector);
    if (hasReplicas(layout) || memory.vectorWidth(layout) < vector)
      return std::nullopt;
    return layout;
  }
  // The coordinates that bits of the offset add: those of the core, then whole cores, in order of their
  // distance.
  std::vector<Coordinate> bits = memory.bases();
  std::vector<std::pair<int64_t, Coordinate>> cores;
  std::vector<int32_t> repeats;
  for (unsigned d = 0; d < memory.rank(); ++d) {
    int32_t count = memory.shape()[d] / memory.core()[d], power = count & -count;
    for (int32_t bit = 1; bit < power; bit *= 2) {
      Coordinate basis(memory.rank(), 0);
      basis[d] = memory.core()[d] * bit;
      cores.push_back({memory.strides()[d] * bit, basis});
    }
    repeats.push_back(count / power);
  }
  llvm::sort(cores);
  for (auto &[distance, basis] : cores)
    bits.push_back(basis);
  size_t inVector = llvm::Log2_32(uint32_t(vector)), ofLanes = llvm::Log2_32(uint32_t(block.lanes)),
         ofWarps = llvm::Log2_32(uint32_t(warps));
  if (bits.size() < inVector + ofLanes + ofWarps)
    return std::nullopt;
  for (size_t i = 0; i < inVector + ofLanes; ++i)
    if (memory.offset(bits[i]) != int64_t(1) << i)
      return std::nullopt;
  auto take = [&, at = size_t(0)](size_t count) mutable {
    std::vector<Coordinate> taken(bits.begin() + ptrdiff_t(at), bits.begin() + ptrdiff_t(at + count));
    at += count;
    return taken;
  };
  std::vector<Coordinate> registers = take(inVector), lanes = take(ofLanes), ofWarp = take(ofWarps);
  llvm::append_range(registers, take(bits.size() - inVector - ofLanes - ofWarps));
  return Layout(memory.shape(), {registers, lanes, ofWarp}, repeats);
}

std::optional<tile::CopyPlan> chooseSharedStore(const BlockShape &block, const Layout &layout,
                                                const tile::MemoryLayout &memory, unsigned elementBits) {
  for (const tile::CopyAtom *atom : tile::findCopyAtoms(*block.target, tile::CopyPath::RegisterToShared))
    if (tile::isLaneCopy(*atom))
      if (std::optional<tile::CopyPlan> plan = tile::planCopy(*atom, layout, memory, elementBits))
        return plan;
  return std::nullopt;
}

} // namespace quern::lowering
