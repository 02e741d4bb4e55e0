//===- DroppedElements.cpp ------------------------------------------------===//
#include "lowering/tile/DroppedElements.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern::lowering {

namespace {

/// Follows the elements of tiles along one dimension each, to all stores that they reach.
class Follower {
public:
  Follower(Value offset, Value size) : offset(offset), size(size) {}

  bool endsInStores(Value tile, unsigned dim) {
    push(tile, dim);
    while (!open.empty()) {
      auto [value, at] = open.pop_back_val();
      for (OpOperand &use : value.getUses())
        if (!follow(use, at))
          return false;
    }
    return true;
  }

private:
  bool push(Value value, unsigned dim) {
    if (seen.insert({value, dim}).second)
      open.push_back({value, dim});
    return true;
  }

  bool follow(OpOperand &use, unsigned dim) {
    Operation *op = use.getOwner();
    const unsigned operand = use.getOperandNumber();
    return llvm::TypeSwitch<Operation *, bool>(op)
        .Case([&](tile::StoreOp store) { return operand == 0 && drops(store, dim); })
        .Case<tile::ConvertOp, tile::RelayoutOp>([&](auto same) { return push(same->getResult(0), dim); })
        .Case(
            [&](tile::BroadcastOp broadcast) { return push(broadcast, unsigned(broadcast.getDims()[dim])); })
        .Case([&](tile::ReduceOp reduce) {
          unsigned reduced = reduce.getDim();
          return dim != reduced && push(reduce.getResult(), dim - (reduced < dim));
        })
        .Case([&](tile::DotPairsOp pairs) {
          auto rank = llvm::cast<RankedTensorType>(pairs.getType()).getRank();
          return (operand == 2 || dim + 1 != rank) && push(pairs, dim);
        })
        .Case([&](tile::MmaOp mma) { return followProduct(mma, operand, dim); })
        .Case([&](scf::ForOp loop) {
          if (operand < loop.getNumControlOperands())
            return false;
          unsigned index = operand - loop.getNumControlOperands();
          return push(loop.getRegionIterArg(index), dim) && push(loop.getResult(index), dim);
        })
        .Case([&](scf::YieldOp yield) {
          if (auto loop = llvm::dyn_cast<scf::ForOp>(yield->getParentOp()))
            push(loop.getRegionIterArg(operand), dim);
          return push(yield->getParentOp()->getResult(operand), dim);
        })
        .Default([&](Operation *other) {
          // Elementwise: every tile of the operation has one shape.
          return other->hasTrait<OpTrait::Elementwise>() && other->getNumResults() == 1 &&
                 push(other->getResult(0), dim);
        });
  }

  bool followProduct(tile::MmaOp mma, unsigned operand, unsigned dim) {
    // a [M, K], b [N, K] or [K, N], accumulator [M, N], scales [M] and [N].
    switch (operand) {
    case 0:
      return dim == 0 && push(mma.getTile(), 0);
    case 1:
      return dim == (mma.getBRowsAreK() ? 1u : 0u) && push(mma.getTile(), 1);
    case 2:
      return push(mma.getTile(), dim);
    default:
      return push(mma.getTile(), operand - 3);
    }
  }

  bool drops(tile::StoreOp store, unsigned dim) const {
    auto view = store.getView().getDefiningOp<tile::ViewOp>();
    if (!view)
      return false;
    auto rank = llvm::cast<RankedTensorType>(store.getTile().getType()).getRank();
    size_t at = store.getOffsets().size() - size_t(rank) + dim;
    return store.getOffsets()[at] == offset && view.getSizes()[at] == size;
  }

  Value offset, size;
  SmallVector<std::pair<Value, unsigned>> open;
  llvm::DenseSet<std::pair<Value, unsigned>> seen;
};

} // namespace

bool outsideIsDropped(Value tile, unsigned dim, Value offset, Value size) {
  return Follower(offset, size).endsInStores(tile, dim);
}

} // namespace quern::lowering
