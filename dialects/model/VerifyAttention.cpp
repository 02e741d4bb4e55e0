//===- VerifyAttention.cpp - Verifiers of ModelAttentionOps.td ------------===//
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

LogicalResult RopeOp::verify() {
  // C1
  DenseFPElementsAttr frequencies = getFrequencies();
  if (frequencies.empty())
    return emitOpError() << "has no frequencies";
  for (float frequency : frequencies.getValues<float>())
    if (!std::isfinite(frequency))
      return emitOpError() << "has a frequency that is not finite";
  // C2
  int64_t offset = getOffset(), size = 2 * static_cast<int64_t>(frequencies.size()),
          extent = shapeOf(getX().getType()).back();
  if (offset < 0 || offset + size > extent)
    return emitOpError() << "rotates elements " << offset << " to " << offset + size << " of " << extent;
  // C3
  if (!isPositive(getMagnitude()))
    return emitOpError() << "has the magnitude " << getMagnitude().convertToDouble()
                         << ", expected a positive finite number";
  return success();
}

LogicalResult CacheAppendOp::verify() {
  auto keys = cast<RankedTensorType>(getKeys().getType()),
       values = cast<RankedTensorType>(getValues().getType());
  // C1
  int64_t rows = keys.getDimSize(0);
  SmallVector<int64_t> keyShape, valueShape;
  Type element;
  if (auto latent = dyn_cast<LatentCacheType>(getCache().getType())) {
    keyShape = {rows, latent.getLatent()};
    valueShape = {rows, latent.getRope()};
    element = latent.getElement();
  } else {
    auto heads = cast<HeadCacheType>(getCache().getType());
    keyShape = {rows, heads.getHeads(), heads.getKey()};
    valueShape = {rows, heads.getHeads(), heads.getValue()};
    element = heads.getElement();
  }
  if (keys.getShape() != ArrayRef(keyShape) || values.getShape() != ArrayRef(valueShape))
    return emitOpError() << "appends " << keys << " and " << values << " to " << getCache().getType();
  // C2
  if (keys.getElementType() != element || values.getElementType() != element)
    return emitOpError() << "appends elements " << keys.getElementType() << " and " << values.getElementType()
                         << " to a cache of " << element;
  return success();
}

//===-- Attention over heads ----------------------------------------------===//

LogicalResult AttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                            DictionaryAttr, OpaqueProperties, RegionRange,
                                            SmallVectorImpl<Type> &results) {
  auto q = cast<RankedTensorType>(operands[0].getType());
  SmallVector<int64_t> shape(q.getShape());
  if (auto cache = dyn_cast<HeadCacheType>(operands[1].getType()); cache && !shape.empty())
    shape.back() = cache.getValue();
  results.push_back(RankedTensorType::get(shape, q.getElementType()));
  return success();
}

LogicalResult AttentionOp::verify() {
  HeadCacheType cache = getCache().getType();
  auto q = cast<RankedTensorType>(getQ().getType());
  // C1
  if (q.getDimSize(1) % cache.getHeads())
    return emitOpError() << "shares " << cache.getHeads() << " key-value heads among " << q.getDimSize(1)
                         << " query heads";
  // C2
  if (q.getDimSize(2) != cache.getKey() || q.getElementType() != cache.getElement())
    return emitOpError() << "has queries " << q << " for " << cache;
  // C3
  if (!std::isfinite(getScale().convertToDouble()))
    return emitOpError() << "has a scale that is not finite";
  if (getWindow() && static_cast<int64_t>(*getWindow()) < 1)
    return emitOpError() << "has a window of " << static_cast<int64_t>(*getWindow()) << " positions";
  if (getSoftcap() && !isPositive(*getSoftcap()))
    return emitOpError() << "has the softcap " << getSoftcap()->convertToDouble()
                         << ", expected a positive finite number";
  return success();
}

//===-- Latent attention --------------------------------------------------===//

LogicalResult LatentAttentionOp::inferReturnTypes(MLIRContext *, std::optional<Location>, ValueRange operands,
                                                  DictionaryAttr, OpaqueProperties, RegionRange,
                                                  SmallVectorImpl<Type> &results) {
  auto nope = cast<RankedTensorType>(operands[0].getType());
  SmallVector<int64_t> shape(nope.getShape());
  int64_t heads = shape.size() == 3 && shape[1] > 0 ? shape[1] : 1;
  if (!shape.empty())
    shape.back() = std::max<int64_t>(0, shapeOf(operands[2].getType())[0] / heads - shape.back());
  results.push_back(RankedTensorType::get(shape, nope.getElementType()));
  return success();
}

LogicalResult LatentAttentionOp::verify() {
  LatentCacheType cache = getCache().getType();
  auto nope = cast<RankedTensorType>(getQNope().getType()),
       rope = cast<RankedTensorType>(getQRope().getType());
  ArrayRef<int64_t> weight = shapeOf(getKvB().getType());
  // C4
  if (weight.size() != 2)
    return emitOpError() << "has a kv_b of rank " << weight.size() << ", expected 2";
  // C1
  if (nope.getShape().drop_back() != rope.getShape().drop_back() ||
      nope.getElementType() != rope.getElementType())
    return emitOpError() << "has queries " << nope << " and " << rope;
  // C2
  int64_t heads = nope.getDimSize(1);
  if (heads < 1 || weight[0] % heads || weight[0] / heads <= nope.getDimSize(2))
    return emitOpError() << "has " << weight[0] << " kv_b rows for " << heads << " heads with keys of "
                         << nope.getDimSize(2);
  // C3
  if (weight[1] != cache.getLatent() || rope.getDimSize(2) != cache.getRope())
    return emitOpError() << "has kv_b " << getKvB().getType() << " and rotated queries " << rope << " for "
                         << cache;
  // C5
  if (!std::isfinite(getScale().convertToDouble()))
    return emitOpError() << "has a scale that is not finite";
  return success();
}
