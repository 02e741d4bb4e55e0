//===- VerifyDense.cpp - Verifiers of ModelDenseOps.td and ModelMixtureOps.td -===//
//
// "C1" and the like are the constraints numbered in the descriptions.
//
//===----------------------------------------------------------------------===//
#include "dialects/model/Model.h"

#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace quern::model;

static bool isPositive(const APFloat &value) {
  double number = value.convertToDouble();
  return std::isfinite(number) && number > 0;
}

/// Where |vector| is there, it has |count| elements.
static LogicalResult verifyLength(Operation *op, const char *name, Value vector, int64_t count) {
  if (vector && shapeOf(vector.getType())[0] != count)
    return op->emitOpError() << "has a " << name << " of " << shapeOf(vector.getType())[0]
                             << " elements, expected " << count;
  return success();
}

//===-- Norms -------------------------------------------------------------===//

template <typename NormOp> static LogicalResult verifyNorm(NormOp op) {
  // C1
  if (failed(verifyLength(op, "weight", op.getWeight(), shapeOf(op.getX().getType()).back())))
    return failure();
  // C2
  if (!isPositive(op.getEps()))
    return op.emitOpError() << "has eps " << op.getEps().convertToDouble()
                            << ", expected a positive finite number";
  return success();
}

LogicalResult RMSNormOp::verify() { return verifyNorm(*this); }
LogicalResult AddRMSNormOp::verify() { return verifyNorm(*this); }
LogicalResult LayerNormOp::verify() {
  if (failed(verifyLength(*this, "bias", getBias(), shapeOf(getX().getType()).back())))
    return failure();
  return verifyNorm(*this);
}

//===-- Linear ------------------------------------------------------------===//

LogicalResult LinearOp::verify() {
  ArrayRef<int64_t> x = shapeOf(getX().getType()), weight = shapeOf(getWeight().getType()),
                    result = shapeOf(getResult().getType());
  // C5, and the same of a quantised x
  if (weight.size() != 2 || x.size() != 2)
    return emitOpError() << "multiplies rank " << x.size() << " by rank " << weight.size()
                         << ", expected 2 by 2";
  // C1
  if (x[1] != weight[1])
    return emitOpError() << "has rows of " << x[1] << " columns and a weight of " << weight[1] << " columns";
  // C2
  if (result[0] != x[0] || result[1] != weight[0])
    return emitOpError() << "has the result " << getResult().getType() << " for " << getX().getType()
                         << " and " << getWeight().getType();
  // C3
  if (failed(verifyLength(*this, "bias", getBias(), weight[0])))
    return failure();
  // C4
  if (isa<BlockScaledType>(getX().getType()) && !isa<BlockScaledType>(getWeight().getType()))
    return emitOpError() << "multiplies quantised rows by a weight without scales";
  return success();
}

LogicalResult QuantiseOp::verify() {
  // C1
  BlockScaledType type = getResult().getType();
  if (type.getShape() != shapeOf(getX().getType()) || type.getBlock()[0] != 1 || type.getBlock()[1] != 128)
    return emitOpError() << "makes " << type << " of " << getX().getType()
                         << ", expected the same shape and 1x128 blocks";
  return success();
}

//===-- Elementwise -------------------------------------------------------===//

LogicalResult MulOp::verify() {
  // C1
  ArrayRef<int64_t> lhs = shapeOf(getLhs().getType()), rhs = shapeOf(getRhs().getType());
  if (lhs[0] != rhs[0] || (rhs[1] != lhs[1] && rhs[1] != 1))
    return emitOpError() << "multiplies " << getLhs().getType() << " by " << getRhs().getType()
                         << ", expected the same shape or one column";
  return success();
}

LogicalResult ScaleOp::verify() {
  // C1
  if (!std::isfinite(getFactor().convertToDouble()))
    return emitOpError() << "has a factor that is not finite";
  return success();
}

LogicalResult SoftcapOp::verify() {
  // C1
  if (!isPositive(getCap()))
    return emitOpError() << "has the cap " << getCap().convertToDouble()
                         << ", expected a positive finite number";
  return success();
}

LogicalResult GatedOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                        DictionaryAttr, OpaqueProperties, RegionRange,
                                        SmallVectorImpl<Type> &results) {
  auto gate = cast<RankedTensorType>(operands[0].getType());
  SmallVector<int64_t> shape(gate.getShape());
  if (operands.size() == 1 && !shape.empty())
    shape.back() /= 2;
  results.push_back(RankedTensorType::get(shape, gate.getElementType()));
  return success();
}

LogicalResult GatedOp::verify() {
  // C1
  if (!getUp() && shapeOf(getGate().getType())[1] % 2)
    return emitOpError() << "splits " << shapeOf(getGate().getType())[1] << " columns in two halves";
  // C2
  if (getUp() && getUp().getType() != getGate().getType())
    return emitOpError() << "has gate " << getGate().getType() << " and up " << getUp().getType();
  return success();
}

//===-- Views -------------------------------------------------------------===//

LogicalResult SliceOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                        DictionaryAttr, OpaqueProperties properties, RegionRange,
                                        SmallVectorImpl<Type> &results) {
  auto type = cast<RankedTensorType>(operands[0].getType());
  auto *slice = properties.as<Properties *>();
  SmallVector<int64_t> shape(type.getShape());
  if (!shape.empty())
    shape.back() = std::max<int64_t>(0, slice->end.getInt() - slice->begin.getInt());
  results.push_back(RankedTensorType::get(shape, type.getElementType()));
  return success();
}

LogicalResult SliceOp::verify() {
  // C1
  int64_t begin = getBegin(), end = getEnd(), extent = shapeOf(getX().getType()).back();
  if (begin < 0 || end <= begin || end > extent)
    return emitOpError() << "takes " << begin << " to " << end << " of " << extent << " elements";
  return success();
}

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, ValueRange operands,
                                         DictionaryAttr, OpaqueProperties, RegionRange,
                                         SmallVectorImpl<Type> &results) {
  SmallVector<int64_t> shape{ShapedType::kDynamic, 0};
  Type element = BFloat16Type::get(context);
  if (!operands.empty()) {
    auto first = cast<RankedTensorType>(operands[0].getType());
    shape.assign(first.getShape().begin(), first.getShape().end());
    element = first.getElementType();
    for (Value other : operands.drop_front())
      shape.back() += shapeOf(other.getType()).back();
  }
  results.push_back(RankedTensorType::get(shape, element));
  return success();
}

LogicalResult ConcatOp::verify() {
  // C1
  if (getInputs().empty())
    return emitOpError() << "has no operand";
  // C2
  auto first = cast<RankedTensorType>(getInputs()[0].getType());
  for (Value other : getInputs()) {
    auto type = cast<RankedTensorType>(other.getType());
    if (type.getRank() != first.getRank() || type.getElementType() != first.getElementType() ||
        type.getShape().drop_back() != first.getShape().drop_back())
      return emitOpError() << "joins " << first << " and " << type;
  }
  return success();
}

LogicalResult ReshapeOp::verify() {
  // C1
  auto from = cast<RankedTensorType>(getX().getType()), to = cast<RankedTensorType>(getResult().getType());
  auto trailing = [](RankedTensorType type) {
    int64_t product = 1;
    for (int64_t extent : type.getShape().drop_front())
      product *= extent;
    return product;
  };
  if (from.getDimSize(0) != to.getDimSize(0) || from.getElementType() != to.getElementType() ||
      trailing(from) != trailing(to))
    return emitOpError() << "makes " << to << " of " << from;
  return success();
}

//===-- Mixture of experts ------------------------------------------------===//

LogicalResult RouterOp::inferReturnTypes(MLIRContext *context, std::optional<Location>, ValueRange operands,
                                         DictionaryAttr, OpaqueProperties properties, RegionRange,
                                         SmallVectorImpl<Type> &results) {
  int64_t chosen = std::max<int64_t>(0, properties.as<Properties *>()->experts.getInt());
  SmallVector<int64_t> shape{shapeOf(operands[0].getType())[0], chosen};
  results.push_back(RankedTensorType::get(shape, IntegerType::get(context, 32)));
  results.push_back(RankedTensorType::get(shape, Float32Type::get(context)));
  return success();
}

LogicalResult RouterOp::verify() {
  int64_t experts = shapeOf(getLogits().getType())[1], chosen = getExperts(), groups = getGroups(),
          kept = getKept();
  // C1
  if (chosen < 1 || chosen > experts)
    return emitOpError() << "chooses " << chosen << " of " << experts << " experts";
  // C2
  if (failed(verifyLength(*this, "bias", getBias(), experts)))
    return failure();
  // C3
  if (groups < 1 || experts % groups || kept < 1 || kept > groups || chosen > kept * (experts / groups))
    return emitOpError() << "chooses " << chosen << " experts in " << kept << " of " << groups
                         << " groups of " << experts << " experts";
  // C4
  if (groups > 1 && getGroupScore() == GroupScore::Top2 && experts / groups < 2)
    return emitOpError() << "ranks groups of one expert by their two best";
  // C5
  if (!isPositive(getScale()))
    return emitOpError() << "has the scale " << getScale().convertToDouble()
                         << ", expected a positive finite number";
  return success();
}

LogicalResult ExpertsOp::verify() {
  Type x = getX().getType(), gateUp = getGateUp().getType(), down = getDown().getType();
  ArrayRef<int64_t> rows = shapeOf(x), first = shapeOf(gateUp), second = shapeOf(down),
                    indices = shapeOf(getIndices().getType());
  // C1
  if (indices != shapeOf(getWeights().getType()) || indices[0] != rows[0])
    return emitOpError() << "has indices " << getIndices().getType() << " and weights "
                         << getWeights().getType() << " for " << x;
  // C2
  if (rows.size() != 2 || first.size() != 3 || second.size() != 3 || first[0] != second[0] ||
      first[2] != rows[1] || second[1] != rows[1] || first[1] != 2 * second[2])
    return emitOpError() << "has gate_up " << gateUp << " and down " << down << " for " << x;
  // C3
  if (getShared() && getShared().getType() != getResult().getType())
    return emitOpError() << "adds the shared result " << getShared().getType() << " to "
                         << getResult().getType();
  // C4
  if (isa<BlockScaledType>(gateUp) != isa<BlockScaledType>(down))
    return emitOpError() << "has only one of gate_up and down block-scaled";
  // C5
  if (shapeOf(getResult().getType()) != rows)
    return emitOpError() << "has the result " << getResult().getType() << " for " << x;
  // C6
  if (isa<BlockScaledType>(x) && !isa<BlockScaledType>(gateUp))
    return emitOpError() << "multiplies quantised rows by weights without scales";
  return success();
}
