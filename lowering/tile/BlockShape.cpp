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
  if (auto bytes = machine.getAs<IntegerAttr>("shared_bytes"))
    shape.sharedBytes = bytes.getInt();
  shape.simd = machine.contains("simd");
  if (auto name = machine.getAs<StringAttr>("target")) {
    auto [vendor, architecture] = name.getValue().split(':');
    shape.target = findTarget(vendor, architecture);
    if (!shape.target)
      return kernel.emitOpError("is for the target `") << name.getValue() << "`, which is not known";
  }
  return shape;
}

std::optional<AtomTiling> BlockShape::tilingOf(tile::MmaOp step) const {
  if (!step.getAtom())
    return std::nullopt;
  const tile::MmaAtom *atom = tile::findMmaAtom(*target, *step.getAtom());
  auto rows = llvm::cast<RankedTensorType>(step.getTile().getType());
  auto a = llvm::cast<RankedTensorType>(step.getA().getType());
  return AtomTiling::of(*atom, rows.getDimSize(0), rows.getDimSize(1), a.getDimSize(1), schedule.warps,
                        warpRows());
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

tile::Layout BlockShape::operandLayout(const std::vector<int32_t> &shape, unsigned elementBits) const {
  if (!simd)
    return memoryLayout(shape, elementBits);
  return tile::Layout::blocked(shape, lanes, schedule.warps, int32_t(32 / std::max(8u, elementBits)));
}

} // namespace quern::lowering
