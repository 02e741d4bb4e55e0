//===- LowerRings.cpp - Slots as groups of copies and barriers ------------===//
//
// For blocks in which every warp copies and computes. Each lane counts its own groups of copies, a commit
// ends one; `wait` leaves the later ones open and then meets the other warps at a barrier, which makes all
// their copies visible. That same barrier is behind the last read of every slot but the one that is read
// next, so an `acquire` behind it needs nothing more: one barrier a step. Commits need no copies to be
// counted where groups are counted; where copies are counted, a step without copies makes the count wrong,
// and all are waited for.
//
//===----------------------------------------------------------------------===//
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILELOWERRINGSPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// True for operations that read shared memory, or may.
bool mayReadShared(Operation *op) {
  return llvm::isa<tile::RingReadOp, tile::RingReleaseOp, tile::RelayoutOp, tile::ReduceOp>(op);
}

/// True if between |op| and the reads before it stands a barrier, or there are no reads.
bool isBehindBarrier(Operation *op) {
  for (Operation *before = op->getPrevNode(); before; before = before->getPrevNode()) {
    if (llvm::isa<tile::BarrierOp>(before))
      return true;
    if (before
            ->walk([](Operation *inner) {
              return mayReadShared(inner) ? WalkResult::interrupt() : WalkResult::advance();
            })
            .wasInterrupted())
      return false;
  }
  // The start of a kernel has no reads before it, that of a loop's body those of the last step.
  return llvm::isa<tile::KernelOp>(op->getParentOp());
}

struct TileLowerRingsPass : impl::TileLowerRingsPassBase<TileLowerRingsPass> {
  void runOnOperation() override {
    FailureOr<BlockShape> shape = BlockShape::of(getOperation());
    if (failed(shape))
      return signalPassFailure();
    if (shape->schedule.strategy != tile::Strategy::Inline)
      return;
    const bool countsGroups = shape->target && tile::atomTable(*shape->target).sync.copyGroups;
    SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (llvm::isa<tile::RingAcquireOp, tile::RingCommitOp, tile::RingWaitOp, tile::RingReleaseOp>(op))
        ops.push_back(op);
    });
    SmallVector<Operation *> replaced;
    for (Operation *op : ops) {
      OpBuilder b(op);
      if (llvm::isa<tile::RingAcquireOp>(op) && !isBehindBarrier(op))
        tile::BarrierOp::create(b, op->getLoc());
      else if (auto commit = llvm::dyn_cast<tile::RingCommitOp>(op);
               commit && isAsynchronous(commit.getRings()))
        tile::AsyncCommitOp::create(b, op->getLoc());
      else if (auto wait = llvm::dyn_cast<tile::RingWaitOp>(op)) {
        if (isAsynchronous(wait.getRings()))
          lowerWait(b, wait, countsGroups);
        tile::BarrierOp::create(b, op->getLoc());
      }
      if (!llvm::isa<tile::RingReleaseOp>(op))
        op->erase();
      else
        replaced.push_back(op); // reads that an acquire must not pass
    }
    for (Operation *op : replaced)
      op->erase();
  }

  static tile::RingPath pathOf(Value ring) { return ring.getDefiningOp<tile::RingOp>().getPath(); }
  static bool isAsynchronous(OperandRange rings) {
    return llvm::any_of(rings, [](Value ring) { return pathOf(ring) != tile::RingPath::Staged; });
  }

  /// Copies of a lane in one commit.
  static int64_t copiesOf(OperandRange rings) {
    int64_t count = 0;
    for (Value ring : rings)
      for (Operation *user : ring.getUsers())
        if (auto copy = llvm::dyn_cast<tile::RingCopyOp>(user); copy && copy.getLayout()) {
          auto type = llvm::cast<tile::RingType>(ring.getType());
          const tile::Layout &layout = copy.getLayout()->getLayout();
          count += layout.numRegisters() / tile::getMemory(type)->vectorWidth(layout);
          break;
        }
    return count;
  }

  static void lowerWait(OpBuilder &b, tile::RingWaitOp wait, bool countsGroups) {
    int32_t copies = int32_t(copiesOf(wait.getRings()));
    auto waitFor = [&](uint32_t pending) {
      tile::AsyncWaitOp::create(b, wait.getLoc(), b.getI32IntegerAttr(int32_t(pending)),
                                b.getI32IntegerAttr(copies));
    };
    if (countsGroups || !wait.getAllIssued() || wait.getPending() == 0)
      return waitFor(wait.getPending());
    auto branch = scf::IfOp::create(b, wait.getLoc(), TypeRange(), wait.getAllIssued(), /*withElse=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    waitFor(wait.getPending());
    b.setInsertionPointToStart(branch.elseBlock());
    waitFor(0);
  }
};

} // namespace
} // namespace quern::lowering
