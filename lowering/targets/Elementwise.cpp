//===- Elementwise.cpp - Arithmetic on scalars and registers --------------===//
#include "lowering/targets/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern::lowering {

/// arith and the LLVM dialect number the predicates alike.
static LLVM::ICmpPredicate predicateOf(arith::CmpIPredicate p) {
  return static_cast<LLVM::ICmpPredicate>(static_cast<int64_t>(p));
}
static LLVM::FCmpPredicate predicateOf(arith::CmpFPredicate p) {
  return static_cast<LLVM::FCmpPredicate>(static_cast<int64_t>(p));
}

Value KernelLowering::emit(Operation *op, ArrayRef<Value> v) {
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](arith::AddFOp) { return b.fadd(v[0], v[1]); })
      .Case([&](arith::SubFOp) { return b.fsub(v[0], v[1]); })
      .Case([&](arith::MulFOp) { return b.fmul(v[0], v[1]); })
      .Case([&](arith::DivFOp) { return b.fdiv(v[0], v[1]); })
      .Case([&](arith::NegFOp) { return LLVM::FNegOp::create(b, b.loc, v[0]); })
      // A select rather than an intrinsic: the same result on every target, with NaN in the first operand
      // dropped.
      .Case([&](arith::MaxNumFOp) {
        return b.select(b.fcmp(LLVM::FCmpPredicate::ogt, v[0], v[1]), v[0], v[1]);
      })
      .Case([&](arith::MinNumFOp) {
        return b.select(b.fcmp(LLVM::FCmpPredicate::olt, v[0], v[1]), v[0], v[1]);
      })
      .Case([&](arith::AddIOp) { return b.add(v[0], v[1]); })
      .Case([&](arith::SubIOp) { return b.sub(v[0], v[1]); })
      .Case([&](arith::MulIOp) { return b.mul(v[0], v[1]); })
      .Case([&](arith::DivUIOp) { return b.udiv(v[0], v[1]); })
      .Case([&](arith::RemUIOp) { return b.urem(v[0], v[1]); })
      .Case([&](arith::DivSIOp) { return LLVM::SDivOp::create(b, b.loc, v[0], v[1]); })
      .Case([&](arith::RemSIOp) { return LLVM::SRemOp::create(b, b.loc, v[0], v[1]); })
      .Case([&](arith::AndIOp) { return b.andI(v[0], v[1]); })
      .Case([&](arith::OrIOp) { return b.orI(v[0], v[1]); })
      .Case([&](arith::XOrIOp) { return b.xorI(v[0], v[1]); })
      .Case([&](arith::ShLIOp) { return LLVM::ShlOp::create(b, b.loc, v[0], v[1]); })
      .Case([&](arith::ShRUIOp) { return LLVM::LShrOp::create(b, b.loc, v[0], v[1]); })
      .Case([&](arith::ShRSIOp) { return LLVM::AShrOp::create(b, b.loc, v[0], v[1]); })
      .Case(
          [&](arith::MinSIOp) { return b.select(b.icmp(LLVM::ICmpPredicate::slt, v[0], v[1]), v[0], v[1]); })
      .Case(
          [&](arith::MaxSIOp) { return b.select(b.icmp(LLVM::ICmpPredicate::sgt, v[0], v[1]), v[0], v[1]); })
      .Case([&](arith::CmpIOp cmp) { return b.icmp(predicateOf(cmp.getPredicate()), v[0], v[1]); })
      .Case([&](arith::CmpFOp cmp) { return b.fcmp(predicateOf(cmp.getPredicate()), v[0], v[1]); })
      .Case([&](arith::SelectOp) { return b.select(v[0], v[1], v[2]); })
      .Case<arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp, arith::SIToFPOp, arith::FPToSIOp>([&](auto) {
        auto element = [](Type t) { return getElementTypeOrSelf(t); };
        Type from = element(op->getOperand(0).getType()), to = element(op->getResult(0).getType());
        if (llvm::isa<arith::ExtUIOp>(op))
          return b.zext(v[0], to);
        return convert(v[0], from, to);
      })
      .Case([&](math::FmaOp) { return b.fma(v[0], v[1], v[2]); })
      .Case([&](math::AbsFOp) {
        Value bits = b.bitcast(v[0], b.getI32Type());
        return b.bitcast(b.andI(bits, b.constantLike(bits, int64_t(0x7fffffff))), b.getF32Type());
      })
      .Case([&](math::Exp2Op) { return target.exp2(b, v[0]); })
      .Case([&](math::Log2Op) { return target.log2(b, v[0]); })
      .Case([&](math::RsqrtOp) { return target.rsqrt(b, v[0]); })
      .Case([&](math::SqrtOp) { return target.sqrt(b, v[0]); })
      .Case([&](math::FloorOp) { return b.intrinsic("llvm.floor", v[0].getType(), v[0]); })
      .Default([](Operation *) { return Value(); });
}

/// A constant as registers hold it: the bits of elements that have no type of their own there.
Value KernelLowering::storedConstant(TypedAttr value) {
  Type stored = storageType(value.getType());
  if (auto real = llvm::dyn_cast<FloatAttr>(value); real && stored != value.getType())
    value = b.getIntegerAttr(stored, real.getValue().bitcastToAPInt());
  return LLVM::ConstantOp::create(b, b.loc, value);
}

LogicalResult KernelLowering::lowerElementwise(Operation *op) {
  if (op->getNumResults() != 1)
    return op->emitOpError("has no lowering to LLVM operations");
  Value result = op->getResult(0);
  auto tensor = llvm::dyn_cast<RankedTensorType>(result.getType());

  if (auto constant = llvm::dyn_cast<arith::ConstantOp>(op)) {
    TypedAttr value = constant.getValue();
    if (!tensor) {
      scalars[result] = storedConstant(value);
      return success();
    }
    auto splat = llvm::dyn_cast<SplatElementsAttr>(value);
    if (!splat)
      return op->emitOpError("is a tile constant with more than one value");
    Value scalar = storedConstant(llvm::cast<TypedAttr>(splat.getSplatValue<Attribute>()));
    tiles[result] = Registers(layoutOf(result).numRegisters(), b.spread(scalar));
    return success();
  }

  if (!tensor) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(scalars.lookup(operand));
    Value value = emit(op, operands);
    if (!value)
      return op->emitOpError("has no lowering to LLVM operations");
    scalars[result] = value;
    return success();
  }

  Registers out;
  for (int32_t r = 0, n = layoutOf(result).numRegisters(); r < n; ++r) {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      auto it = tiles.find(operand);
      operands.push_back(it != tiles.end() ? it->second[r] : b.spread(scalars.lookup(operand)));
    }
    Value value;
    if (llvm::isa<tile::ConvertOp>(op))
      value = convert(operands[0], elementOf(op->getOperand(0)), tensor.getElementType());
    else if (llvm::isa<tile::BitcastOp>(op))
      value = storageType(tensor.getElementType()) == LaneBuilder::elementType(operands[0])
                  ? operands[0]
                  : b.bitcast(operands[0], storageType(tensor.getElementType()));
    else
      value = emit(op, operands);
    if (!value)
      return op->emitOpError("has no lowering to LLVM operations");
    out.push_back(value);
  }
  tiles[result] = std::move(out);
  return success();
}

} // namespace quern::lowering
