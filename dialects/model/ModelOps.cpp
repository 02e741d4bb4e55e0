//===- ModelOps.cpp - Structure: weights, layers, rows --------------------===//
//
// Generated code of all operators, and the verifiers of those in ModelStructureOps.td. The others' are in
// VerifyDense.cpp and VerifyAttention.cpp. "C1" and the like are the constraints numbered in the
// descriptions.
//
//===----------------------------------------------------------------------===//
#include "dialects/model/Model.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace quern::model;

#define GET_OP_CLASSES
#include "dialects/model/ModelOps.cpp.inc"

void ModelDialect::registerOperations() {
  addOperations<
#define GET_OP_LIST
#include "dialects/model/ModelOps.cpp.inc"
      >();
}

//===-- Weights -----------------------------------------------------------===//

LogicalResult WeightOp::verify() {
  // C1
  Type type = getType();
  if (!isa<RankedTensorType, BlockScaledType>(type) || ShapedType::isDynamicShape(shapeOf(type)))
    return emitOpError() << "needs a tensor or block-scaled type of a static shape, got " << type;
  // C2
  if (getFirst().has_value() != getEnd().has_value() ||
      (getFirst() && (*getFirst() < 0 || *getEnd() <= *getFirst())))
    return emitOpError() << "needs `layers first to end` with 0 <= first < end";
  if (getRecipe() && !isRecipe(*getRecipe()))
    return emitOpError() << "needs a recipe after `=`, got " << *getRecipe();
  return success();
}

LogicalResult UseOp::verifySymbolUses(SymbolTableCollection &symbols) {
  // C1
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight)
    return emitOpError() << "uses " << getWeightAttr() << ", which is not a declared weight";
  // C2
  if (weight.getType() != getResult().getType())
    return emitOpError() << "has the result type " << getResult().getType() << ", but " << getWeightAttr()
                         << " is declared as " << weight.getType();
  // C3
  if (weight.isPerLayer() != static_cast<bool>(getLayer()))
    return emitOpError() << (weight.isPerLayer() ? "gives no layer for " : "gives a layer for ")
                         << getWeightAttr() << ", which is declared "
                         << (weight.isPerLayer() ? "per layer" : "once");
  return success();
}

LogicalResult LayerOp::verify() {
  // C1
  if (!getBase() && static_cast<int64_t>(getOffset()) < 0)
    return emitOpError() << "is layer " << static_cast<int64_t>(getOffset()) << "; layers count from 0";
  return success();
}

//===-- Repeat ------------------------------------------------------------===//

void RepeatOp::build(OpBuilder &builder, OperationState &state, int64_t first, int64_t end, int64_t step,
                     ValueRange inits) {
  state.addOperands(inits);
  state.addTypes(inits.getTypes());
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.first = builder.getI64IntegerAttr(first);
  properties.end = builder.getI64IntegerAttr(end);
  properties.step = builder.getI64IntegerAttr(step);
  Block &body = state.addRegion()->emplaceBlock();
  body.addArgument(builder.getIndexType(), state.location);
  for (Value init : inits)
    body.addArgument(init.getType(), init.getLoc());
}

LogicalResult RepeatOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                         DictionaryAttr, OpaqueProperties, RegionRange,
                                         SmallVectorImpl<Type> &results) {
  llvm::append_range(results, operands.getTypes());
  return success();
}

LogicalResult RepeatOp::verify() {
  // C1
  int64_t first = getFirst(), end = getEnd(), step = getStep();
  if (first < 0 || end < first || step < 1 || (end - first) % step != 0)
    return emitOpError() << "runs from " << first << " to " << end << " by " << step
                         << "; expected 0 <= first <= end and a positive step that divides their distance";
  // C2
  SmallVector<Type> expected{IndexType::get(getContext())};
  llvm::append_range(expected, getInits().getTypes());
  Block &body = getBody().front();
  if (body.getArgumentTypes() != TypeRange(expected))
    return emitOpError() << "needs a body whose arguments are " << expected << ", got "
                         << SmallVector<Type>(body.getArgumentTypes());
  // C3
  auto yield = body.empty() ? YieldOp() : dyn_cast<YieldOp>(body.back());
  if (!yield || yield.getOperandTypes() != getResultTypes())
    return emitOpError() << "needs a body that yields " << SmallVector<Type>(getResultTypes());
  return success();
}

//===-- Rows --------------------------------------------------------------===//

/// |type| with a dynamic number of rows.
static Type withSymbolicRows(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  SmallVector<int64_t> shape(tensor.getShape());
  if (!shape.empty())
    shape[0] = ShapedType::kDynamic;
  return RankedTensorType::get(shape, tensor.getElementType());
}

LogicalResult EmbeddingOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                            DictionaryAttr, OpaqueProperties, RegionRange,
                                            SmallVectorImpl<Type> &results) {
  results.push_back(withSymbolicRows(operands[1].getType()));
  return success();
}

LogicalResult GatherRowsOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                             DictionaryAttr, OpaqueProperties, RegionRange,
                                             SmallVectorImpl<Type> &results) {
  results.push_back(withSymbolicRows(operands[0].getType()));
  return success();
}

LogicalResult MaskVocabularyOp::verify() {
  // C1
  int64_t valid = getValid(), columns = shapeOf(getX().getType())[1];
  if (valid < 1 || valid > columns)
    return emitOpError() << "keeps " << valid << " of " << columns << " columns";
  return success();
}
