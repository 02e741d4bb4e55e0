//===- Rings.cpp - Slots in shared memory: copies, writes, reads ----------===//
//
// The rings of a loop lie at the start of shared memory from their `tile.ring` to the end of the loop; what a
// relayout or a reduction needs in between lies behind them.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/KernelLowering.h"
#include "lowering/targets/SharedAddresses.h"
#include "lowering/tile/CopyChoice.h"
#include "lowering/tile/IndexFacts.h"

using namespace mlir;
using quern::tile::Coordinate;
using quern::tile::Hardware;

namespace quern::lowering {

void TargetLowering::copyToShared(LaneBuilder &, const tile::CopyAtom &, Value, Value, Value, Value) {}
void TargetLowering::commitCopies(LaneBuilder &) {}
void TargetLowering::waitForCopies(LaneBuilder &, int32_t, int32_t) {}
SmallVector<Value> TargetLowering::loadMatrix(LaneBuilder &, const tile::CopyAtom &, Value) { return {}; }

void KernelLowering::lowerRing(tile::RingOp op) {
  tile::RingType type = op.getRing().getType();
  ringOffsets[op.getRing()] = ringBytes;
  ringBytes += type.getDepth() * tile::slotBytes(type);
  sharedUsed = std::max<int64_t>(sharedUsed, ringBytes);
}

Value KernelLowering::slotPointer(Value ring, Value slot) {
  auto type = llvm::cast<tile::RingType>(ring.getType());
  Value offset = b.mul(scalars.lookup(slot), b.i32(int32_t(tile::slotBytes(type))));
  if (int64_t begin = ringOffsets.lookup(ring))
    offset = b.add(offset, b.i32(int32_t(begin)));
  return b.gep(target.sharedMemory(b), b.getI8Type(), offset);
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

namespace {

/// One dimension of a copied tile in the view.
struct CopyDimension {
  Value start;  ///< i32, the same for all lanes
  Value lanes;  ///< i32 that lane and warp add, by XOR; null for none
  Value stride; ///< i64, elements
  Value size;   ///< i32
  bool check = false;
};

} // namespace

LogicalResult KernelLowering::lowerRingCopy(tile::RingCopyOp op) {
  auto view = op.getView().getDefiningOp<tile::ViewOp>();
  auto ring = op.getRing().getDefiningOp<tile::RingOp>();
  if (!view || !ring || !op.getLayout() || !op.getSlot())
    return op.emitOpError("has no view, ring, slot or layout yet");
  tile::RingType type = ring.getRing().getType();
  const tile::Layout &layout = op.getLayout()->getLayout();
  auto shape = RankedTensorType::get(type.getShape(), type.getElementType());
  std::optional<RowCopy> copy = chooseRowCopy(block, ring.getPath(), view, op.getOffsets().back(), shape);
  if (!copy)
    return op.emitOpError("has no copy that fits");
  const unsigned rank = layout.rank(), lead = unsigned(op.getOffsets().size()) - rank;
  const int64_t bytes = type.getElementType().getIntOrFloatBitWidth() / 8;

  // What all lanes share: the start of the tile, and whether it is there at all.
  Value start = b.i64(0), everywhere;
  SmallVector<CopyDimension> dimensions(rank);
  for (unsigned d = 0; d < op.getOffsets().size(); ++d) {
    Value offset = scalars.lookup(op.getOffsets()[d]), size = scalars.lookup(view.getSizes()[d]);
    Value stride = strideOf(view, d);
    const bool gathers = op.getRows() && d + 2 == op.getOffsets().size();
    if (!gathers)
      start = b.add(start, b.mul(b.toI64(offset), stride));
    bool check = gathers || !isInside(op.getOffsets()[d], d < lead ? 1 : layout.shape()[d - lead],
                                      view.getSizes()[d], op);
    if (d < lead) {
      if (check) {
        Value inside = b.icmp(LLVM::ICmpPredicate::ult, offset, size);
        everywhere = everywhere ? b.andI(everywhere, inside) : inside;
      }
      continue;
    }
    CopyDimension &dimension = dimensions[d - lead];
    dimension = {offset, {}, stride, size, check};
    for (auto [index, hardware] : {std::pair{lane, Hardware::Lane}, std::pair{warp, Hardware::Warp}}) {
      SmallVector<int64_t> parts;
      for (const Coordinate &basis : layout.bases(hardware))
        parts.push_back(basis[d - lead]);
      if (Value part = xorOfBits(b, index, parts))
        dimension.lanes = dimension.lanes ? b.xorI(dimension.lanes, part) : part;
    }
  }
  Value from = b.gep(scalars.lookup(view.getBase()), storageType(type.getElementType()), start);
  std::map<Coordinate, int32_t> rowRegisters;
  if (op.getRows())
    rowRegisters = registersByPart(layoutOf(op.getRows()));

  SharedAddresses places(b, layout, *tile::getMemory(type), unsigned(bytes), slotPointer(ring, op.getSlot()),
                         copy->atom->laneLinear ? Value() : lane, warp);
  const bool disjoint = layout.isDisjoint();
  for (int32_t r = 0, n = layout.numRegisters(); r < n; r += copy->vector) {
    Coordinate own = layout.registerPart(r);
    Value offset, fixed = b.i64(0), inside = everywhere;
    auto require = [&](Value condition) { inside = inside ? b.andI(inside, condition) : condition; };
    for (unsigned d = 0; d < rank; ++d) {
      const CopyDimension &dimension = dimensions[d];
      if (op.getRows() && d + 2 == rank) {
        Value row = tiles[op.getRows()][rowRegisters.at({own[d]})];
        require(b.icmp(LLVM::ICmpPredicate::ult, row, dimension.size));
        Value term = b.mul(b.toI64(row), dimension.stride);
        offset = offset ? b.add(offset, term) : term;
        continue;
      }
      // The register's bits cross those of the lanes, its repeats are added.
      int32_t crossing = disjoint ? 0 : own[d] % layout.core(d), adding = own[d] - crossing;
      Value lanes = dimension.lanes;
      if (crossing)
        lanes = lanes ? b.xorI(lanes, b.i32(crossing)) : b.i32(crossing);
      if (lanes) {
        Value term = b.mul(b.toI64(lanes), dimension.stride);
        offset = offset ? b.add(offset, term) : term;
      }
      fixed = b.add(fixed, b.mul(b.i64(adding), dimension.stride));
      if (dimension.check) {
        Value at = b.add(dimension.start, b.i32(adding));
        require(b.icmp(LLVM::ICmpPredicate::ult, lanes ? b.add(at, lanes) : at, dimension.size));
      }
    }
    offset = offset ? b.add(offset, fixed) : fixed;
    target.copyToShared(b, *copy->atom, places.at(r), from, b.mul(offset, b.i64(bytes)), inside);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

/// The register of the tile that holds element |element| of instruction |instruction| of |plan|.
static int32_t registerOf(const tile::CopyPlan &plan, const tile::Layout &layout, int32_t instruction,
                          int32_t element) {
  const unsigned bits = unsigned(layout.bases(Hardware::Register).size());
  int32_t reg = 0;
  for (size_t i = 0; i < plan.registerBits.size(); ++i)
    reg |= (element >> i & 1) << plan.registerBits[i];
  for (unsigned bit = 0; bit < bits; ++bit)
    if (!llvm::is_contained(plan.registerBits, bit)) {
      reg |= (instruction & 1) << bit;
      instruction >>= 1;
    }
  return reg | instruction << bits; // what is left counts repeats
}

LogicalResult KernelLowering::lowerRingWrite(tile::RingWriteOp op) {
  auto type = op.getRing().getType();
  const tile::Layout &layout = layoutOf(op.getTile());
  const unsigned bits = type.getElementType().getIntOrFloatBitWidth();
  std::optional<tile::CopyPlan> plan = chooseSharedStore(block, layout, *tile::getMemory(type), bits);
  if (!plan)
    return op.emitOpError("has no store that fits");
  SharedAddresses places(b, plan->addresses, *tile::getMemory(type), bits / 8,
                         slotPointer(op.getRing(), op.getSlot()), lane, warp);
  const Registers &in = tiles[op.getTile()];
  auto write = [&] {
    for (int32_t i = 0; i < plan->instructions; ++i) {
      SmallVector<Value> run;
      for (int32_t e = 0; e < 1 << plan->registerBits.size(); ++e)
        run.push_back(in[registerOf(*plan, layout, i, e)]);
      b.store(b.join(run), places.at(i), unsigned(plan->atom->runBytes()));
    }
  };
  if (Value replicas = oneReplica(layout))
    b.ifThen(replicas, write);
  else
    write();
  return success();
}

LogicalResult KernelLowering::lowerRingRead(tile::RingReadOp op) {
  auto type = op.getRing().getType();
  const tile::Layout &layout = layoutOf(op.getTile());
  Type element = storageType(type.getElementType());
  const unsigned bits = element.getIntOrFloatBitWidth();
  std::optional<tile::CopyPlan> plan =
      tile::chooseCopy(*block.target, tile::CopyPath::SharedToRegister, layout, *tile::getMemory(type), bits);
  if (!plan)
    return op.emitOpError("has no load that fits");
  SharedAddresses places(b, plan->addresses, *tile::getMemory(type), bits / 8,
                         slotPointer(op.getRing(), op.getSlot()), lane, warp);
  const int32_t perWord = std::max(1, 32 / int32_t(bits)), count = 1 << plan->registerBits.size();
  Registers out(layout.numRegisters());
  for (int32_t i = 0; i < plan->instructions; ++i) {
    SmallVector<Value> elements;
    if (tile::isLaneCopy(*plan->atom)) {
      Type run = count > 1 ? Type(VectorType::get({count}, element)) : element;
      Value loaded = b.load(places.at(i), run, unsigned(plan->atom->runBytes()));
      target.markRingRead(loaded.getDefiningOp());
      b.split(loaded, elements);
    } else {
      SmallVector<Value> words = target.loadMatrix(b, *plan->atom, places.at(i));
      if (words.empty())
        return op.emitOpError("is read by `") << plan->atom->name << "`, which the target cannot emit";
      for (Value word : words)
        b.split(LLVM::BitcastOp::create(b, b.loc, VectorType::get({perWord}, element), word), elements);
    }
    for (int32_t e = 0; e < count; ++e)
      out[registerOf(*plan, layout, i, e)] = elements[e];
  }
  tiles[op.getTile()] = std::move(out);
  return success();
}

} // namespace quern::lowering
