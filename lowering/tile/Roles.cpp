//===- Roles.cpp - Warps that copy and warps that compute -----------------===//
//
// The loop over k of a product becomes two: one thread fills slots of shared memory by copies of boxes, the
// other warps wait for a slot, multiply out of it and free it. All that follows from the number of the step
// (slot, phase) is carried by both loops; nothing else passes between them.
//
//     for k:  a = load A; b = load B; acc = mma a, b, acc
//
//     copy:     for k: fill_slot[slot, phase] from A, B
//     compute:  for k: a, b = wait_slot[slot, phase]; acc = mma a, b, acc; free_slot[slot]
//
// What the rest of the loop's body does (loads of scales) stays with the warps that compute, as does all that
// works on tiles before and behind the loop. Scalars in front of the loop are computed by all warps.
//
//===----------------------------------------------------------------------===//
#include "dialects/tile/MemoryLayout.h"
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILEASSIGNROLESPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// Slots and their barriers are counted with 16 bytes each.
constexpr int64_t barrierBytes = 16, maxSlots = 16, maxBox = 256;

bool isTile(Type type) { return llvm::isa<RankedTensorType>(type); }

/// One operand of the product: how it is loaded, and what takes its place.
struct Operand {
  tile::LoadOp load;
  tile::ViewOp view;
  RankedTensorType shared; ///< the type of the tile in a slot
  int64_t bytes = 0;
};

struct TileAssignRolesPass : impl::TileAssignRolesPassBase<TileAssignRolesPass> {
  void runOnOperation() override {
    FailureOr<BlockShape> shape = BlockShape::of(getOperation());
    if (failed(shape))
      return signalPassFailure();
    block = *shape;
    if (block.schedule.strategy != tile::Strategy::Roles)
      return;
    if (failed(findLoop()) || failed(describe(step.getA(), 0)) || failed(describe(step.getB(), 1)) ||
        failed(chooseDepth()))
      return signalPassFailure();
    divide();
  }

  LogicalResult refuse(Operation *op, const Twine &why) {
    return op->emitOpError("cannot be divided into roles: ") << why;
  }

  LogicalResult findLoop() {
    SmallVector<tile::MmaOp> steps;
    getOperation().walk([&](tile::MmaOp op) {
      if (op.getAtom())
        steps.push_back(op);
    });
    if (steps.size() != 1 || !block.atom || block.atom->issuer != tile::Issuer::WarpGroup)
      return refuse(getOperation(), "it needs one product of an atom that reads shared memory");
    step = steps.front();
    loop = llvm::dyn_cast<scf::ForOp>(step->getParentOp());
    if (step->getParentOp() == getOperation())
      makeLoop();
    if (!loop || loop->getParentOp() != getOperation())
      return refuse(step, "it is not in a loop of the kernel");
    return success();
  }

  /// A single step, which is in no loop, becomes a loop that runs once.
  void makeLoop() {
    OpBuilder b(step);
    Location loc = step.getLoc();
    Value one = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(1));
    loop = scf::ForOp::create(b, loc, zero(b, loc), one, one, step.getAccumulator());
    step.getTile().replaceAllUsesWith(loop.getResult(0));
    b.setInsertionPointToStart(loop.getBody());
    for (Value operand : {step.getA(), step.getB()})
      if (auto load = operand.getDefiningOp<tile::LoadOp>(); load && load->getBlock() == loop->getBlock())
        load->moveBefore(loop.getBody(), loop.getBody()->end());
    step->moveBefore(loop.getBody(), loop.getBody()->end());
    step.getAccumulatorMutable().assign(loop.getRegionIterArg(0));
    b.setInsertionPointToEnd(loop.getBody());
    scf::YieldOp::create(b, loc, step.getTile());
  }

  /// Operand |value| of the step must be a plain load of a tensor that a map can describe.
  LogicalResult describe(Value value, unsigned index) {
    Operand &operand = operands[index];
    operand.load = value.getDefiningOp<tile::LoadOp>();
    if (!operand.load || operand.load->getParentOp() != loop || !value.hasOneUse() || step.getBRowsAreK())
      return refuse(step, "an operand is no load of this step along k");
    operand.view = operand.load.getView().getDefiningOp<tile::ViewOp>();
    auto base = operand.view ? llvm::dyn_cast<BlockArgument>(operand.view.getBase()) : BlockArgument();
    if (!base || !operand.view->hasOneUse() || !base.hasOneUse())
      return refuse(operand.load, "the tensor is no argument, or something else reads it");
    for (Value size : operand.view.getSizes())
      if (!llvm::isa<BlockArgument>(size) && !size.getDefiningOp<arith::ConstantOp>())
        return refuse(operand.view, "a size is neither an argument nor a constant");
    for (Value stride : operand.view.getStrides())
      if (!stride.getDefiningOp<arith::ConstantOp>())
        return refuse(operand.view, "a stride is no constant");
    auto type = llvm::cast<RankedTensorType>(value.getType());
    int64_t elementBytes = type.getElementTypeBitWidth() / 8, rowBytes = type.getDimSize(1) * elementBytes;
    int64_t span = std::min<int64_t>(rowBytes, 128);
    bool whole = (span == 32 || span == 64 || span == 128) && rowBytes % span == 0;
    if (!whole || type.getDimSize(0) > maxBox || type.getDimSize(0) % 8 != 0)
      return refuse(step, "a tile of " + Twine(type.getDimSize(0)) + " rows of " + Twine(rowBytes) +
                              " bytes is no box of a tensor");
    if (failed(checkStrides(operand, elementBytes)))
      return failure();
    operand.shared = RankedTensorType::get(type.getShape(), type.getElementType(),
                                           tile::SharedAttr::get(&getContext(), span));
    operand.bytes = type.getNumElements() * elementBytes;
    return success();
  }

  /// Maps take strides of whole 16 bytes.
  LogicalResult checkStrides(Operand &operand, int64_t elementBytes) {
    auto constantOf = [](Value v) -> std::optional<int64_t> {
      llvm::APInt value;
      if (matchPattern(v, m_ConstantInt(&value)))
        return value.getSExtValue();
      return std::nullopt;
    };
    unsigned rank = operand.view.getSizes().size();
    bool dense = operand.view.getStrides().empty();
    if (!dense && constantOf(operand.view.getStrides()[rank - 1]) != 1)
      return refuse(operand.view, "rows are not contiguous");
    for (unsigned d = 0; d + 1 < rank; ++d) {
      std::optional<int64_t> stride =
          constantOf(dense ? operand.view.getSizes()[d + 1] : operand.view.getStrides()[d]);
      // Of a dense tensor the stride of the last but one dimension divides all others.
      const bool decides = !dense || d + 2 == rank;
      if (!stride || (decides && *stride * elementBytes % 16 != 0))
        return refuse(operand.view, "rows do not begin at multiples of 16 bytes");
    }
    return success();
  }

  LogicalResult chooseDepth() {
    int64_t stage = 0;
    for (Operand &operand : operands)
      stage += (operand.bytes + 1023) / 1024 * 1024;
    const CardInfo *card = findCard(block.target->card);
    // What relayouts of small tiles need behind the slots.
    constexpr int64_t reserve = 4096;
    int64_t fits = (int64_t(card ? card->sharedPerBlockBytes : 0) - reserve) / (stage + barrierBytes);
    depth = block.schedule.stages ? block.schedule.stages : std::min(fits, maxSlots);
    if (depth < 2 || depth > fits)
      return refuse(step, Twine(depth) + " slots of " + Twine(stage) + " bytes do not fit a block, " +
                              Twine(fits) + " do");
    return success();
  }

  void divide() {
    IRRewriter rewriter(&getContext());
    Location loc = loop.getLoc();
    rewriter.setInsertionPoint(loop);
    SmallVector<Value> maps;
    SmallVector<Type> types;
    for (Operand &operand : operands) {
      maps.push_back(makeMap(rewriter, operand));
      types.push_back(operand.shared);
    }
    Value slots = tile::SlotsOp::create(rewriter, loc, tile::SlotsType::get(&getContext(), depth, types));
    auto roles = tile::RolesOp::create(rewriter, loc, rewriter.getI32IntegerAttr(block.copyRegisters()),
                                       rewriter.getI32IntegerAttr(block.computeRegisters()));
    rewriter.createBlock(&roles.getCopy());
    fill(rewriter, slots, maps);
    Block *compute = rewriter.createBlock(&roles.getCompute());
    moveTiles(roles, compute);
    consume(rewriter, slots);
  }

  Value makeMap(OpBuilder &b, Operand &operand) {
    auto type = operand.shared;
    SmallVector<int64_t> box(operand.view.getSizes().size(), 1);
    box[box.size() - 2] = type.getDimSize(0);
    box.back() = tile::sharedSpan(type) * 8 / type.getElementTypeBitWidth();
    return tile::TensorMapOp::create(b, operand.view.getLoc(), operand.view.getBase(),
                                     operand.view.getSizes(), operand.view.getStrides(), box,
                                     tile::sharedSpan(type));
  }

  /// The next slot and phase behind |slot| and |phase|.
  std::pair<Value, Value> advance(OpBuilder &b, Location loc, Value slot, Value phase) {
    auto constant = [&](int32_t value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value));
    };
    Value next = arith::AddIOp::create(b, loc, slot, constant(1));
    Value wraps = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, next, constant(int32_t(depth)));
    Value turn = arith::ExtUIOp::create(b, loc, b.getI32Type(), wraps);
    return {arith::SelectOp::create(b, loc, wraps, constant(0), next),
            arith::XOrIOp::create(b, loc, phase, turn)};
  }

  Value zero(OpBuilder &b, Location loc) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(0)); }

  /// The loop that copies: what the offsets of the loads depend on, and no more.
  void fill(OpBuilder &b, Value slots, ValueRange maps) {
    Location loc = loop.getLoc();
    Value first = zero(b, loc);
    auto copies = scf::ForOp::create(b, loc, loop.getLowerBound(), loop.getUpperBound(), loop.getStep(),
                                     ValueRange{first, first});
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(copies.getBody());
    IRMapping mapping;
    mapping.map(loop.getInductionVar(), copies.getInductionVar());
    llvm::SetVector<Operation *> needed;
    BackwardSliceOptions options;
    options.filter = [&](Operation *op) { return op->getParentOp() == loop; };
    SmallVector<Value> coordinates;
    for (Operand &operand : operands)
      for (Value offset : operand.load.getOffsets())
        if (Operation *op = offset.getDefiningOp(); op && op->getParentOp() == loop) {
          (void)getBackwardSlice(op, &needed, options);
          needed.insert(op);
        }
    for (Operation &op : loop.getBody()->without_terminator())
      if (needed.contains(&op))
        b.clone(op, mapping);
    for (Operand &operand : operands)
      for (Value offset : operand.load.getOffsets())
        coordinates.push_back(mapping.lookupOrDefault(offset));
    Value slot = copies.getRegionIterArg(0), phase = copies.getRegionIterArg(1);
    tile::FillSlotOp::create(b, loc, slots, slot, phase, maps, coordinates);
    auto [nextSlot, nextPhase] = advance(b, loc, slot, phase);
    scf::YieldOp::create(b, loc, ValueRange{nextSlot, nextPhase});
  }

  /// All that works on tiles goes to the warps that compute, the loop and what follows it included.
  void moveTiles(tile::RolesOp roles, Block *compute) {
    SmallVector<Operation *> moved;
    bool behind = false;
    for (Operation &op : getOperation().getBody().front().without_terminator()) {
      if (&op == roles)
        continue;
      behind |= &op == loop;
      bool works = llvm::any_of(op.getResultTypes(), isTile) || llvm::any_of(op.getOperandTypes(), isTile);
      if (behind || works)
        moved.push_back(&op);
    }
    for (Operation *op : moved)
      op->moveBefore(compute, compute->end());
  }

  /// The loop that computes: its operands come from slots.
  void consume(IRRewriter &b, Value slots) {
    Location loc = loop.getLoc();
    b.setInsertionPoint(loop);
    Value first = zero(b, loc);
    auto yields = [&](OpBuilder &inner, Location at, ArrayRef<BlockArgument> added) {
      auto [slot, phase] = advance(inner, at, added[0], added[1]);
      return SmallVector<Value>{slot, phase};
    };
    FailureOr<LoopLikeOpInterface> longer = loop.replaceWithAdditionalYields(
        b, ValueRange{first, first}, /*replaceInitOperandUsesInLoop=*/false, yields);
    loop = llvm::cast<scf::ForOp>(longer->getOperation());
    ArrayRef<BlockArgument> carried = loop.getRegionIterArgs().take_back(2);
    b.setInsertionPoint(step);
    auto wait = tile::WaitSlotOp::create(b, step.getLoc(), TypeRange{operands[0].shared, operands[1].shared},
                                         slots, carried[0], carried[1]);
    for (auto [operand, tile] : llvm::zip(operands, wait.getTiles())) {
      operand.load.getTile().replaceAllUsesWith(tile);
      operand.load.erase();
      operand.view.erase();
    }
    b.setInsertionPointAfter(step);
    tile::FreeSlotOp::create(b, step.getLoc(), slots, carried[0]);
  }

  BlockShape block;
  tile::MmaOp step;
  scf::ForOp loop;
  std::array<Operand, 2> operands;
  int64_t depth = 0;
};

} // namespace
} // namespace quern::lowering
