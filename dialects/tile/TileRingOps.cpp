//===- TileRingOps.cpp - Verifiers of rings -------------------------------===//
#include "dialects/tile/TileDialect.h"

#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern::tile {

LogicalResult RingOp::verify() {
  RingType type = getRing().getType();
  // C1
  if (type.getDepth() < 1)
    return emitOpError("has a depth of ") << type.getDepth();
  // C2
  if (const MemoryLayout *memory = getMemory(type); memory && memory->shape() != shapeOf(type))
    return emitOpError("has a memory layout of another shape");
  return success();
}

/// The conditions of operations that concern one slot of all rings of a loop.
static LogicalResult verifySlots(Operation *op, OperandRange rings) {
  // C1
  if (rings.empty())
    return op->emitOpError("names no ring");
  // C2
  for (Value ring : rings)
    if (llvm::cast<RingType>(ring.getType()).getDepth() !=
        llvm::cast<RingType>(rings.front().getType()).getDepth())
      return op->emitOpError("names rings of different depths");
  return success();
}

LogicalResult RingAcquireOp::verify() { return verifySlots(*this, getRings()); }
LogicalResult RingCommitOp::verify() { return verifySlots(*this, getRings()); }
LogicalResult RingReleaseOp::verify() { return verifySlots(*this, getRings()); }

LogicalResult RingWaitOp::verify() {
  if (failed(verifySlots(*this, getRings())))
    return failure();
  int64_t pending = int32_t(getPending()),
          depth = llvm::cast<RingType>(getRings().front().getType()).getDepth();
  // C3
  if (pending < 0 || pending >= depth)
    return emitOpError("leaves ") << pending << " commits pending in rings of depth " << depth;
  return success();
}

LogicalResult RingCopyOp::verify() {
  ViewType view = getView().getType();
  RingType ring = getRing().getType();
  // C1
  if (int64_t(getOffsets().size()) != view.getRank())
    return emitOpError("has ") << getOffsets().size() << " offsets for a view of rank " << view.getRank();
  // C2
  if (view.getElementType() != ring.getElementType())
    return emitOpError("copies ") << view.getElementType() << " into a ring of " << ring.getElementType();
  if (int64_t(ring.getShape().size()) > view.getRank())
    return emitOpError("copies from a view of fewer dimensions than the ring has");
  // C3
  if (getRows()) {
    auto rows = llvm::cast<RankedTensorType>(getRows().getType());
    if (ring.getShape().size() != 2 || rows.getRank() != 1 || rows.getDimSize(0) != ring.getShape()[0] ||
        !rows.getElementType().isInteger(32))
      return emitOpError("has rows that are not the i32 rows of its ring");
  }
  // C4
  if (auto made = getRing().getDefiningOp<RingOp>(); made && made.getPath() == RingPath::Staged)
    return emitOpError("copies into a ring that is written from registers");
  // C5
  if (getLayout() && getLayout()->getLayout().shape() != shapeOf(ring))
    return emitOpError("has a layout of another shape than its ring");
  return success();
}

/// |tile| is what a slot of |ring| holds.
static LogicalResult verifySlotTile(Operation *op, Type tile, RingType ring) {
  auto type = llvm::cast<RankedTensorType>(tile);
  // C1
  if (type.getShape() != ring.getShape() || type.getElementType() != ring.getElementType())
    return op->emitOpError("moves a tile that is not of the ring's shape and elements");
  return success();
}

LogicalResult RingWriteOp::verify() {
  return verifySlotTile(*this, getTile().getType(), getRing().getType());
}
LogicalResult RingReadOp::verify() { return verifySlotTile(*this, getTile().getType(), getRing().getType()); }

LogicalResult AsyncWaitOp::verify() {
  // C1
  if (int32_t(getPending()) < 0 || int32_t(getCopies()) < 0)
    return emitOpError("has negative counts");
  return success();
}

} // namespace quern::tile
