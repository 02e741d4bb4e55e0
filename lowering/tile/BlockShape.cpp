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
    if (!shape.schedule.mma.empty())
      shape.atom = tile::findMmaAtom(*shape.target, shape.schedule.mma);
  }
  return shape;
}

int32_t BlockShape::issuerRows() const {
  const int32_t own = !schedule.warpGrid.empty() ? schedule.warpGrid.front() : schedule.warps == 1 ? 1 : 0;
  return own * (schedule.pair == tile::Pair::Cols ? 1 : schedule.groups);
}

int32_t BlockShape::copyRegisters() const {
  if (!copyWarps() || !target || !tile::atomTable(*target).sync.registerReallocation)
    return 0;
  return schedule.producerRegisters ? schedule.producerRegisters : 40;
}

int32_t BlockShape::computeRegisters() const {
  const int32_t copy = copyRegisters();
  const CardInfo *card = copy ? findCard(target->card) : nullptr;
  if (!card || schedule.mathRegisters)
    return copy ? schedule.mathRegisters : 0;
  // What is left of the unit's file, in whole granules, at most what an instruction can address.
  constexpr int32_t granule = 8, most = 240;
  const int32_t file = int32_t(card->registersPerUnitKb) * 1024 / 4;
  const int32_t rest = (file - copyWarps() * lanes * copy) / (warps() * lanes);
  return std::min(rest / granule * granule, most);
}

std::optional<AtomTiling> BlockShape::tilingOf(tile::MmaOp step) const {
  if (!step.getAtom())
    return std::nullopt;
  auto rows = llvm::cast<RankedTensorType>(step.getTile().getType());
  auto a = llvm::cast<RankedTensorType>(step.getA().getType());
  return AtomTiling::of(*atom, rows.getDimSize(0), rows.getDimSize(1), a.getDimSize(1), issuers(),
                        issuerRows());
}

tile::Layout BlockShape::memoryLayout(const std::vector<int32_t> &shape, unsigned elementBits) const {
  int64_t elements = 1;
  for (int32_t s : shape)
    elements *= s;
  int64_t vector = simd ? 1 : std::max<int64_t>(1, vectorBytes * 8 / std::max(8u, elementBits));
  // A narrower vector where the tile would otherwise leave lanes without an element.
  while (vector > 1 && elements < vector * lanes * warps())
    vector /= 2;
  return tile::Layout::blocked(shape, lanes, warps(), vector);
}

tile::Layout BlockShape::operandLayout(const std::vector<int32_t> &shape, unsigned elementBits) const {
  if (!simd)
    return memoryLayout(shape, elementBits);
  return tile::Layout::blocked(shape, lanes, warps(), int32_t(32 / std::max(8u, elementBits)));
}

} // namespace quern::lowering
