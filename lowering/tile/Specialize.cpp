//===- Specialize.cpp - Replaces the parameters of a kernel text ----------===//
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILESPECIALIZEPASS
#include "lowering/tile/Passes.h.inc"

namespace {

struct TileSpecializePass : impl::TileSpecializePassBase<TileSpecializePass> {
  void runOnOperation() override {
    tile::KernelOp kernel = getOperation();
    params = kernel->getAttrOfType<DictionaryAttr>("params");
    if (!params)
      params = DictionaryAttr::get(&getContext());
    if (failed(chooseRegions(kernel)) || failed(replaceConstants(kernel)))
      return signalPassFailure();
    replaceTypes(kernel);
    if (failed(checkTypes(kernel)) || failed(checkRequirements(kernel)))
      return signalPassFailure();
    kernel->removeAttr("params");
  }

  /// Inlines the chosen region of every `tile.static_if`, outer ones first.
  LogicalResult chooseRegions(tile::KernelOp kernel) {
    while (true) {
      tile::StaticIfOp choice;
      kernel.walk<WalkOrder::PreOrder>([&](tile::StaticIfOp op) {
        choice = op;
        return WalkResult::interrupt();
      });
      if (!choice)
        return success();
      auto flag = params.getAs<IntegerAttr>(choice.getFlag());
      if (!flag)
        return choice.emitOpError("names the parameter `")
               << choice.getFlag() << "`, which has no integer value";
      Region &chosen = flag.getValue().isZero() ? choice.getElseRegion() : choice.getThenRegion();
      if (!chosen.empty()) {
        Operation *terminator = chosen.front().getTerminator();
        SmallVector<Value> results(terminator->getOperands());
        terminator->erase();
        choice->getBlock()->getOperations().splice(choice->getIterator(), chosen.front().getOperations());
        choice.replaceAllUsesWith(results);
      }
      choice.erase();
    }
  }

  LogicalResult replaceConstants(tile::KernelOp kernel) {
    WalkResult result = kernel.walk([&](tile::ParamOp op) {
      Attribute value = params.get(op.getName());
      Type type = op.getType();
      TypedAttr constant;
      if (auto integer = llvm::dyn_cast_if_present<IntegerAttr>(value); integer && type.isIntOrIndex())
        constant = IntegerAttr::get(type, integer.getInt());
      else if (auto real = llvm::dyn_cast_if_present<FloatAttr>(value); real && type.isF32())
        constant = FloatAttr::get(type, real.getValueAsDouble());
      if (!constant) {
        op.emitOpError("names the parameter `") << op.getName() << "`, which has no value of type " << type;
        return WalkResult::interrupt();
      }
      OpBuilder builder(op);
      op.replaceAllUsesWith(arith::ConstantOp::create(builder, op.getLoc(), constant).getResult());
      op.erase();
      return WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }

  /// Makes shapes static and element types real, in types and attributes of all operations.
  void replaceTypes(tile::KernelOp kernel) {
    AttrTypeReplacer replacer;
    replacer.addReplacement([&](tile::ElemType type) -> std::optional<Type> {
      if (auto real = params.getAs<TypeAttr>(type.getName()))
        return real.getValue();
      return std::nullopt;
    });
    replacer.addReplacement([&](RankedTensorType type) -> std::optional<std::pair<Type, WalkResult>> {
      auto dims = llvm::dyn_cast_if_present<tile::DimsAttr>(type.getEncoding());
      if (!dims)
        return std::nullopt;
      SmallVector<int64_t> shape;
      for (Attribute dim : dims.getDims()) {
        auto number = llvm::dyn_cast<IntegerAttr>(dim);
        if (!number)
          number = params.getAs<IntegerAttr>(llvm::cast<StringAttr>(dim).getValue());
        if (!number)
          return std::nullopt;
        shape.push_back(number.getInt());
      }
      Type element = replacer.replace(type.getElementType());
      return std::make_pair(Type(RankedTensorType::get(shape, element)), WalkResult::skip());
    });
    replacer.recursivelyReplaceElementsIn(kernel, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                          /*replaceTypes=*/true);
  }

  /// Every tile is static and every element real, or the parameters lacked a name.
  LogicalResult checkTypes(tile::KernelOp kernel) {
    auto isOpen = [](Type type) {
      auto tensor = llvm::dyn_cast<RankedTensorType>(type);
      return tensor && (!tensor.hasStaticShape() || llvm::isa<tile::ElemType>(tensor.getElementType()));
    };
    WalkResult result = kernel.walk([&](Operation *op) {
      for (Type type : op->getResultTypes())
        if (isOpen(type) || llvm::isa<tile::ElemType>(type)) {
          op->emitOpError("still has the type ") << type << ": a size or element has no parameter";
          return WalkResult::interrupt();
        }
      return WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }

  LogicalResult checkRequirements(tile::KernelOp kernel) {
    SmallVector<tile::RequireOp> requirements;
    kernel.walk([&](tile::RequireOp op) { requirements.push_back(op); });
    for (tile::RequireOp op : requirements) {
      llvm::APInt divisor, multiple;
      if (!matchPattern(op.getDivisor(), m_ConstantInt(&divisor)) ||
          !matchPattern(op.getMultiple(), m_ConstantInt(&multiple)))
        return op.emitOpError("compares sizes that are not parameters or constants");
      // C1
      if (divisor.isZero() || !multiple.srem(divisor).isZero())
        return op.emitOpError("needs a size that divides ")
               << multiple.getSExtValue() << ", got " << divisor.getSExtValue();
      op.erase();
    }
    return success();
  }

  DictionaryAttr params;
};

} // namespace
} // namespace quern::lowering
