//===- ExpandContraction.cpp - mma as products and sums over lanes --------===//
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILEEXPANDCONTRACTIONPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// The layout of [M, N, K] partial sums: lanes (and, on GPUs, a short vector) along K, warps along N and then
/// M, so that each warp reads its own rows of B and all of A.
tile::Layout partialSums(const BlockShape &block, const std::vector<int32_t> &shape, unsigned elementBits) {
  int32_t vector = block.simd ? 1 : std::max<int32_t>(1, block.vectorBytes * 8 / elementBits);
  while (vector > 1 && vector * block.lanes > shape[2])
    vector /= 2;
  // Order [M, K', N] for the warps: build over (M, K, N) sizes by hand.
  tile::Layout k = tile::Layout::blocked({shape[2]}, block.lanes, 1, vector);
  tile::Layout mn = tile::Layout::blocked({shape[0], shape[1]}, 1, block.warps(), 1);
  std::array<std::vector<tile::Coordinate>, tile::numHardware> bases;
  for (const tile::Coordinate &b : k.bases(tile::Hardware::Register))
    bases[0].push_back({0, 0, b[0]});
  for (const tile::Coordinate &b : mn.bases(tile::Hardware::Register))
    bases[0].push_back({b[0], b[1], 0});
  for (const tile::Coordinate &b : k.bases(tile::Hardware::Lane))
    bases[1].push_back({0, 0, b[0]});
  for (const tile::Coordinate &b : mn.bases(tile::Hardware::Warp))
    bases[2].push_back({b[0], b[1], 0});
  return tile::Layout(shape, bases, {mn.repeats()[0], mn.repeats()[1], k.repeats()[0]});
}

/// The layout of operands whose pairs along k are summed into |sums|: both of a pair are in one lane.
tile::Layout pairsOf(const tile::Layout &sums) {
  std::array<std::vector<tile::Coordinate>, tile::numHardware> bases;
  bases[0].push_back({0, 0, 1});
  for (unsigned h = 0; h < tile::numHardware; ++h)
    for (tile::Coordinate basis : sums.bases(tile::Hardware(h))) {
      basis[2] *= 2;
      bases[h].push_back(basis);
    }
  return tile::Layout({sums.shape()[0], sums.shape()[1], 2 * sums.shape()[2]}, bases, sums.repeats());
}

/// True where an instruction adds the products of pairs of the operands' elements.
bool multipliesPairs(tile::MmaOp op, const BlockShape &block) {
  auto a = llvm::cast<RankedTensorType>(op.getA().getType()),
       b = llvm::cast<RankedTensorType>(op.getB().getType());
  return block.target && block.target->cpu.bf16Dot && a.getElementType().isBF16() &&
         b.getElementType().isBF16() && !op.getScaleA() && a.getDimSize(1) % (2 * block.lanes) == 0;
}

struct TileExpandContractionPass : impl::TileExpandContractionPassBase<TileExpandContractionPass> {
  void runOnOperation() override {
    FailureOr<BlockShape> block = BlockShape::of(getOperation());
    if (failed(block))
      return signalPassFailure();
    if (block->schedule.contraction != tile::Contraction::Dot)
      return;
    SmallVector<tile::MmaOp> steps;
    getOperation().walk([&](tile::MmaOp op) {
      if (!op.getBRowsAreK() && !op.getAtom())
        steps.push_back(op);
    });
    for (tile::MmaOp op : steps) {
      expand(op, *block);
      ++numExpanded;
    }
  }

  /// |tile| in f32, times |scale| along its rows where there is one.
  static Value operandInF32(OpBuilder &builder, Location loc, Value tile, Value scale) {
    auto type = llvm::cast<RankedTensorType>(tile.getType());
    auto f32 = RankedTensorType::get(type.getShape(), builder.getF32Type());
    Value value = tile;
    if (type != f32)
      value = tile::ConvertOp::create(builder, loc, f32, value);
    if (!scale)
      return value;
    Value rows = tile::BroadcastOp::create(builder, loc, f32, scale, ArrayRef<int64_t>{0});
    return arith::MulFOp::create(builder, loc, value, rows);
  }

  static void expand(tile::MmaOp op, const BlockShape &block) {
    auto a = llvm::cast<RankedTensorType>(op.getA().getType());
    auto b = llvm::cast<RankedTensorType>(op.getB().getType());
    auto acc = llvm::cast<RankedTensorType>(op.getType());
    const bool pairs = multipliesPairs(op, block) && carryingLoop(op);
    std::vector<int32_t> shape = {int32_t(a.getDimSize(0)), int32_t(b.getDimSize(0)),
                                  int32_t(a.getDimSize(1)) / (pairs ? 2 : 1)};
    unsigned bits = std::max(a.getElementTypeBitWidth(), b.getElementTypeBitWidth());
    OpBuilder builder(op);
    Location loc = op.getLoc();
    auto sums = tile::withLayout(RankedTensorType::get({shape[0], shape[1], shape[2]}, builder.getF32Type()),
                                 partialSums(block, shape, bits));

    RankedTensorType products = sums;
    Value a2 = op.getA(), b2 = op.getB();
    if (pairs) {
      auto shaped = RankedTensorType::get({shape[0], shape[1], 2 * shape[2]}, a.getElementType());
      products = tile::withLayout(shaped, pairsOf(*tile::getLayout(sums)));
    } else {
      a2 = operandInF32(builder, loc, a2, op.getScaleA());
      b2 = operandInF32(builder, loc, b2, op.getScaleB());
    }
    Value a3 = tile::BroadcastOp::create(builder, loc, products, a2, ArrayRef<int64_t>{0, 2});
    Value b3 = tile::BroadcastOp::create(builder, loc, products, b2, ArrayRef<int64_t>{1, 2});

    scf::ForOp loop = carryingLoop(op);
    if (!loop) {
      Value product = arith::MulFOp::create(builder, loc, a3, b3);
      Value sum = tile::ReduceOp::create(builder, loc, acc, tile::ReduceKind::Add, product, 2);
      op.replaceAllUsesWith(arith::AddFOp::create(builder, loc, sum, op.getAccumulator()).getResult());
      op.erase();
      return;
    }
    unsigned index =
        llvm::cast<BlockArgument>(op.getAccumulator()).getArgNumber() - loop.getNumInductionVars();
    builder.setInsertionPoint(loop);
    Value init = loop.getInitArgs()[index];
    Value zero = arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
    loop.getInitArgsMutable()[index].set(tile::SplatOp::create(builder, loc, sums, zero));
    BlockArgument carried = loop.getRegionIterArg(index);
    carried.setType(sums);
    builder.setInsertionPoint(op);
    Value next = pairs ? tile::DotPairsOp::create(builder, loc, sums, a3, b3, carried).getResult()
                       : math::FmaOp::create(builder, loc, a3, b3, carried).getResult();
    op.replaceAllUsesWith(next);
    op.erase();
    Value result = loop.getResult(index);
    result.setType(sums);
    builder.setInsertionPointAfter(loop);
    auto sum = tile::ReduceOp::create(builder, loc, acc, tile::ReduceKind::Add, result, 2);
    auto total = arith::AddFOp::create(builder, loc, sum, init);
    result.replaceUsesWithIf(total, [&](OpOperand &use) { return use.getOwner() != sum.getOperation(); });
  }

  /// The loop that carries the accumulator of |op| and nothing but it; null where there is none.
  static scf::ForOp carryingLoop(tile::MmaOp op) {
    auto argument = llvm::dyn_cast<BlockArgument>(op.getAccumulator());
    auto loop = argument ? llvm::dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp()) : scf::ForOp();
    if (!loop || op->getParentOp() != loop || !argument.hasOneUse() || !op->hasOneUse() ||
        argument.getArgNumber() < loop.getNumInductionVars())
      return {};
    OpOperand &use = *op->use_begin();
    bool yieldsItself = use.getOwner() == loop.getBody()->getTerminator() &&
                        use.getOperandNumber() == argument.getArgNumber() - loop.getNumInductionVars();
    return yieldsItself ? loop : scf::ForOp();
  }
};

} // namespace
} // namespace quern::lowering
