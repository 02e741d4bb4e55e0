//===- UniformIndices.cpp - One scalar for an index that is equal everywhere ---===//
#include "lowering/tile/IndexFacts.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILEUNIFORMINDICESPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// The scalar that all elements of |tile| equal; null where it is no splat.
Value splatOf(Value tile) {
  auto splat = tile.getDefiningOp<tile::SplatOp>();
  return splat ? splat.getValue() : Value();
}

struct TileUniformIndicesPass : impl::TileUniformIndicesPassBase<TileUniformIndicesPass> {
  void runOnOperation() override {
    SmallVector<arith::DivUIOp> quotients;
    getOperation().walk([&](arith::DivUIOp op) { quotients.push_back(op); });
    for (arith::DivUIOp op : quotients) {
      auto type = llvm::dyn_cast<RankedTensorType>(op.getType());
      Value divisor = type ? splatOf(op.getRhs()) : Value(), start = startOf(op.getLhs());
      std::optional<int64_t> by = divisor ? constantOf(divisor) : std::nullopt;
      if (!start || !by || *by <= 0)
        continue;
      tile::IotaOp iota;
      (void)otherThanIota(op.getLhs(), iota);
      const int64_t count = type.getDimSize(iota.getDim());
      const bool isUniform = *by % count == 0 && isMultiple(start, count);
      if (!isUniform && !isMultiple(start, *by))
        continue;
      OpBuilder b(op);
      Value quotient =
          tile::SplatOp::create(b, op.getLoc(), type, arith::DivUIOp::create(b, op.getLoc(), start, divisor));
      if (!isUniform)
        quotient = arith::AddIOp::create(b, op.getLoc(), quotient,
                                         arith::DivUIOp::create(b, op.getLoc(), iota, op.getRhs()));
      op.replaceAllUsesWith(quotient);
      op.erase();
      ++numUniform;
    }
  }

  /// The other summand of an iota in |index|; |iota| receives it.
  static Value otherThanIota(Value index, tile::IotaOp &iota) {
    auto sum = index.getDefiningOp<arith::AddIOp>();
    if (!sum)
      return {};
    for (auto [first, second] : {std::pair{sum.getLhs(), sum.getRhs()}, {sum.getRhs(), sum.getLhs()}})
      if ((iota = first.getDefiningOp<tile::IotaOp>()))
        return second;
    return {};
  }

  /// s of i + s.
  static Value startOf(Value index) {
    tile::IotaOp iota;
    Value other = otherThanIota(index, iota);
    return other ? splatOf(other) : Value();
  }
};

} // namespace
} // namespace quern::lowering
