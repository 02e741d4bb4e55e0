//===- StageOperands.cpp - Operands of matrix atoms arrive by rings -------===//
//
// An operand that is loaded in each step of a loop and multiplied by an atom gets a ring: the load becomes a
// copy into it, and the atom's fragment is read from it. What is computed on the way (weights that are
// dequantised) passes registers and is written to the ring: each element once, where computing on fragments
// would repeat it in every warp that shares them.
//
// This stands before layouts are inferred: what is read from a ring takes the layout of its reader, whatever
// the layout of the copy.
//
//===----------------------------------------------------------------------===//
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/CopyChoice.h"
#include "lowering/tile/IndexFacts.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILESTAGEOPERANDSPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// A load that a copy can make: whole rows of a view.
struct RowSource {
  tile::ViewOp view;
  SmallVector<Value> offsets;
  Value rows; ///< null: neighbours from the offset on
};

struct TileStageOperandsPass : impl::TileStageOperandsPassBase<TileStageOperandsPass> {
  void runOnOperation() override {
    FailureOr<BlockShape> shape = BlockShape::of(getOperation());
    if (failed(shape))
      return signalPassFailure();
    block = *shape;
    if (block.schedule.mma.empty() || block.schedule.strategy != tile::Strategy::Inline || block.simd ||
        !block.target)
      return;
    SmallVector<tile::MmaOp> steps;
    getOperation().walk([&](tile::MmaOp step) {
      if (step.getAtom() && llvm::isa<scf::ForOp>(step->getParentOp()))
        steps.push_back(step);
    });
    for (tile::MmaOp step : steps)
      for (auto [operand, name] : {std::pair{0u, "a"}, {1u, "b"}})
        if (failed(stage(step->getOpOperand(operand), name)))
          return signalPassFailure();
  }

  LogicalResult stage(OpOperand &use, StringRef name) {
    auto step = llvm::cast<tile::MmaOp>(use.getOwner());
    auto asked = block.schedule.copies.find(name.str());
    std::optional<tile::CopyMode> mode;
    if (asked != block.schedule.copies.end())
      mode = asked->second;
    if (mode == tile::CopyMode::Register || (use.getOperandNumber() == 1 && step.getBRowsAreK()))
      return success();
    auto loop = llvm::cast<scf::ForOp>(step->getParentOp());
    if (!isMadeIn(loop, use.get()))
      return success();
    std::optional<RowSource> source = rowSource(use.get(), loop);
    std::optional<tile::RingPath> path = choosePath(use.get(), source, mode);
    if (!path)
      return step.emitOpError("has a schedule that copies `")
             << name << "` in a way that the target or the operand does not allow";

    auto type = llvm::cast<RankedTensorType>(use.get().getType());
    OpBuilder builder(loop);
    Location loc = use.get().getLoc();
    auto ringType =
        tile::RingType::get(&getContext(), /*depth=*/1, type.getShape(), type.getElementType(), {});
    Value ring = tile::RingOp::create(builder, loc, ringType, builder.getStringAttr(name), *path);
    builder.setInsertionPointAfterValue(use.get());
    if (*path == tile::RingPath::Staged)
      tile::RingWriteOp::create(builder, loc, use.get(), ring, Value());
    else
      tile::RingCopyOp::create(builder, loc, source->view, source->offsets, source->rows, ring, Value(),
                               tile::LayoutAttr());
    Operation *before = use.get().getDefiningOp();
    use.set(tile::RingReadOp::create(builder, loc, type, ring, Value()));
    eraseUnused(before);
    ++numStaged;
    return success();
  }

  /// Erases |op| and what it alone needed, if nothing needs it any more.
  static void eraseUnused(Operation *op) {
    SmallVector<Operation *> unused = {op};
    while (!unused.empty()) {
      Operation *next = unused.pop_back_val();
      if (!isOpTriviallyDead(next))
        continue;
      llvm::SetVector<Operation *> operands;
      for (Value operand : next->getOperands())
        if (Operation *defining = operand.getDefiningOp())
          operands.insert(defining);
      next->erase();
      unused.append(operands.begin(), operands.end());
    }
  }

  /// True if |value| comes from loads of each step of |loop|, through operations without effects.
  static bool isMadeIn(scf::ForOp loop, Value value) {
    llvm::SetVector<Operation *> slice;
    bool loads = false;
    if (Operation *op = value.getDefiningOp(); op && op->getParentOp() == loop)
      slice.insert(op);
    for (size_t i = 0; i < slice.size(); ++i) {
      bool isLoad = llvm::isa<tile::LoadOp, tile::GatherOp>(slice[i]);
      loads |= isLoad;
      if (!isLoad && (!isPure(slice[i]) || slice[i]->getNumRegions()))
        return false;
      for (Value operand : slice[i]->getOperands()) {
        if (llvm::is_contained(loop.getRegionIterArgs(), operand))
          return false;
        if (Operation *op = operand.getDefiningOp(); op && op->getParentOp() == loop)
          slice.insert(op);
      }
    }
    return loads;
  }

  static std::optional<RowSource> rowSource(Value value, scf::ForOp loop) {
    if (!value.hasOneUse())
      return std::nullopt;
    auto viewOf = [](auto op) { return op.getView().template getDefiningOp<tile::ViewOp>(); };
    if (auto load = value.getDefiningOp<tile::LoadOp>()) {
      if (tile::ViewOp view = viewOf(load))
        return RowSource{view, SmallVector<Value>(load.getOffsets()), {}};
      return std::nullopt;
    }
    auto gather = value.getDefiningOp<tile::GatherOp>();
    auto type = llvm::cast<RankedTensorType>(value.getType());
    tile::ViewOp view = gather ? viewOf(gather) : tile::ViewOp();
    Value column = view && type.getRank() == 2 ? columnOffset(gather.getIndices(), 2) : Value();
    if (!column)
      return std::nullopt;
    // Rows along the last dimension but one, scalars before it.
    RowSource source{view, SmallVector<Value>(gather.getIndices()), {}};
    unsigned row = source.offsets.size() - 2;
    auto broadcast = source.offsets[row].getDefiningOp<tile::BroadcastOp>();
    if (!broadcast || broadcast.getDims() != ArrayRef<int64_t>{0} ||
        llvm::any_of(ArrayRef(source.offsets).take_front(row),
                     [](Value index) { return llvm::isa<RankedTensorType>(index.getType()); }))
      return std::nullopt;
    source.rows = broadcast.getOperand();
    if (loop->isAncestor(source.rows.getParentBlock()->getParentOp()))
      return std::nullopt; // rows that change from step to step
    OpBuilder builder(loop);
    source.offsets[row] = arith::ConstantIntOp::create(builder, loop.getLoc(), 0, 32);
    source.offsets.back() = column;
    return source;
  }

  std::optional<tile::RingPath> choosePath(Value value, const std::optional<RowSource> &source,
                                           std::optional<tile::CopyMode> mode) {
    auto type = llvm::cast<RankedTensorType>(value.getType());
    auto possible = [&](tile::RingPath path) {
      return source && chooseRowCopy(block, path, source->view, source->offsets.back(), type).has_value();
    };
    if (!mode) {
      // The load unit alone: only where a copy is as wide as a load, or there would be several for one.
      for (tile::RingPath path : {tile::RingPath::Async, tile::RingPath::Direct})
        if (possible(path) && (path == tile::RingPath::Async ||
                               block.target->gpu.directCopyBits == unsigned(block.vectorBytes) * 8))
          return path;
      return tile::RingPath::Staged;
    }
    if (mode == tile::CopyMode::Staged)
      return tile::RingPath::Staged;
    tile::RingPath path = mode == tile::CopyMode::Async ? tile::RingPath::Async : tile::RingPath::Direct;
    if (mode != tile::CopyMode::Tensor && possible(path))
      return path;
    return std::nullopt;
  }

  BlockShape block;
};

} // namespace
} // namespace quern::lowering
