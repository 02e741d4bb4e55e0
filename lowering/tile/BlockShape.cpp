//===- BlockShape.cpp -----------------------------------------------------===//
#include "lowering/tile/BlockShape.h"

using namespace mlir;

namespace quern::lowering {

FailureOr<BlockShape> BlockShape::of(tile::KernelOp kernel) {
  BlockShape shape;
  auto text = kernel->getAttrOfType<StringAttr>("schedule");
  if (!text)
    return kernel.emitOpError("has no `schedule` attribute");
  Expected<tile::Schedule> schedule = tile::Schedule::parse(text.getValue());
  if (!schedule.ok())
    return kernel.emitOpError("has a schedule that cannot be read: ") << schedule.error().causeText();
  shape.schedule = *schedule;
  auto machine = kernel->getAttrOfType<DictionaryAttr>("machine");
  auto lanes = machine ? machine.getAs<IntegerAttr>("lanes") : IntegerAttr();
  if (!lanes)
    return kernel.emitOpError("has no `machine` attribute with `lanes`");
  shape.lanes = lanes.getInt();
  if (auto bytes = machine.getAs<IntegerAttr>("vector_bytes"))
    shape.vectorBytes = bytes.getInt();
  shape.simd = machine.contains("simd");
  return shape;
}

tile::Layout BlockShape::memoryLayout(const std::vector<int32_t> &shape, unsigned elementBits) const {
  int64_t elements = 1;
  for (int32_t s : shape)
    elements *= s;
  int64_t vector = simd ? 1 : std::max<int64_t>(1, vectorBytes * 8 / std::max(8u, elementBits));
  // A narrower vector where the tile would otherwise leave lanes without an element.
  while (vector > 1 && elements < vector * lanes * schedule.warps)
    vector /= 2;
  return tile::Layout::blocked(shape, lanes, schedule.warps, vector);
}

} // namespace quern::lowering
