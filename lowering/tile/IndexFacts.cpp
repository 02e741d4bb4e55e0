//===- IndexFacts.cpp -----------------------------------------------------===//
#include "lowering/tile/IndexFacts.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace quern::lowering {

std::optional<int64_t> constantOf(Value v) {
  llvm::APInt value;
  if (v && matchPattern(v, m_ConstantInt(&value)))
    return value.getSExtValue();
  return std::nullopt;
}

bool isMultiple(Value v, int64_t n) {
  if (n == 1)
    return true;
  if (std::optional<int64_t> c = constantOf(v))
    return *c % n == 0;
  if (auto result = llvm::dyn_cast<OpResult>(v)) {
    if (auto domain = llvm::dyn_cast<tile::DomainOp>(result.getOwner()))
      return isMultiple(domain.getSteps()[result.getResultNumber()], n);
    if (auto add = llvm::dyn_cast<arith::AddIOp>(result.getOwner()))
      return isMultiple(add.getLhs(), n) && isMultiple(add.getRhs(), n);
    if (auto mul = llvm::dyn_cast<arith::MulIOp>(result.getOwner())) {
      if (isMultiple(mul.getLhs(), n) || isMultiple(mul.getRhs(), n))
        return true;
      for (int64_t factor = 2; factor < n; factor *= 2)
        if (n % factor == 0 && isMultiple(mul.getLhs(), factor) && isMultiple(mul.getRhs(), n / factor))
          return true;
    }
    return false;
  }
  auto loop = llvm::dyn_cast<scf::ForOp>(llvm::cast<BlockArgument>(v).getOwner()->getParentOp());
  return loop && v == loop.getInductionVar() && isMultiple(loop.getLowerBound(), n) &&
         isMultiple(loop.getStep(), n);
}

/// True if |a| and |b| are the same value or equal constants.
static bool isSame(Value a, Value b) {
  std::optional<int64_t> ca = constantOf(a), cb = constantOf(b);
  return a == b || (ca && cb && *ca == *cb);
}

/// True if |bound| is |size|, or chosen between it and zero.
static bool isAtMost(Value bound, Value size) {
  if (auto choice = bound.getDefiningOp<arith::SelectOp>())
    return isAtMost(choice.getTrueValue(), size) && isAtMost(choice.getFalseValue(), size);
  return isSame(bound, size) || constantOf(bound) == 0;
}

/// True if |at| stands where a condition has found |offset| below |size|.
static bool isGuarded(Value offset, Value size, Operation *at) {
  for (Operation *op = at; op && !llvm::isa<tile::KernelOp>(op); op = op->getParentOp()) {
    auto branch = llvm::dyn_cast<scf::IfOp>(op->getParentOp());
    auto test = branch ? branch.getCondition().getDefiningOp<arith::CmpIOp>() : arith::CmpIOp();
    if (test && test.getPredicate() == arith::CmpIPredicate::slt && test.getLhs() == offset &&
        branch.thenBlock() == op->getBlock() && isAtMost(test.getRhs(), size))
      return true;
  }
  return false;
}

/// True if |offset| is known to be below |size|.
static bool isBelow(Value offset, Value size, Operation *at) {
  std::optional<int64_t> c = constantOf(offset), s = constantOf(size);
  if (c && s)
    return *c < *s;
  if (isGuarded(offset, size, at))
    return true;
  if (auto result = llvm::dyn_cast<OpResult>(offset)) {
    auto domain = llvm::dyn_cast<tile::DomainOp>(result.getOwner());
    return domain && isSame(domain.getExtents()[result.getResultNumber()], size);
  }
  auto loop = llvm::dyn_cast<scf::ForOp>(llvm::cast<BlockArgument>(offset).getOwner()->getParentOp());
  return loop && offset == loop.getInductionVar() && isAtMost(loop.getUpperBound(), size);
}

bool isInside(Value offset, int64_t extent, Value size, Operation *at) {
  if (extent == 1)
    return isBelow(offset, size, at);
  if (std::optional<int64_t> c = constantOf(offset), s = constantOf(size); c && s)
    return *c >= 0 && *c + extent <= *s;
  return isMultiple(offset, extent) && isMultiple(size, extent) && isBelow(offset, size, at);
}

int32_t alignedRun(tile::ViewOp view, Value offset, bool checked, int32_t limit) {
  unsigned last = view.getSizes().size() - 1;
  if (!view.getStrides().empty() && constantOf(view.getStrides()[last]) != 1)
    return 1;
  auto aligned = [&](int32_t w) {
    if (!isMultiple(offset, w) || (checked && !isMultiple(view.getSizes()[last], w)))
      return false;
    if (view.getStrides().empty())
      return last == 0 || isMultiple(view.getSizes()[last], w);
    for (unsigned d = 0; d < last; ++d)
      if (!isMultiple(view.getStrides()[d], w))
        return false;
    return true;
  };
  while (limit > 1 && !aligned(limit))
    limit /= 2;
  return limit;
}

Value columnOffset(OperandRange indices, unsigned rank) {
  auto add = indices.back().getDefiningOp<arith::AddIOp>();
  if (!add || rank == 0)
    return {};
  for (auto [column, offset] : {std::pair{add.getLhs(), add.getRhs()}, {add.getRhs(), add.getLhs()}}) {
    auto iota = column.getDefiningOp<tile::IotaOp>();
    auto splat = offset.getDefiningOp<tile::SplatOp>();
    if (!iota || !splat || iota.getDim() != rank - 1)
      continue;
    // The other indices must not change along a row.
    for (Value other : indices.drop_back()) {
      auto broadcast = other.getDefiningOp<tile::BroadcastOp>();
      if (llvm::isa<RankedTensorType>(other.getType()) &&
          (!broadcast || llvm::is_contained(broadcast.getDims(), int64_t(rank) - 1)))
        return {};
    }
    return splat.getValue();
  }
  return {};
}

} // namespace quern::lowering
