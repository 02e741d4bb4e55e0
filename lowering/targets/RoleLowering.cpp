//===- RoleLowering.cpp - Slots of shared memory, and warps that copy or compute ---===//
//
// Shared memory begins with the slots, each tile at a multiple of 1024 bytes so that the exchange of pieces
// starts where its pattern does; behind them are two barriers for each slot (filled, empty) and then what
// other operations of the warps that compute share.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/KernelLowering.h"

using namespace mlir;

namespace quern::lowering {

static constexpr int64_t tileAlignment = 1024, barrierBytes = 8;

Value KernelLowering::sharedAddress(int64_t bytes) {
  Value base = LLVM::PtrToIntOp::create(b, b.loc, b.getI32Type(), target.sharedMemory(b));
  return bytes ? b.add(base, b.i32(int32_t(bytes))) : base;
}

Value KernelLowering::slotAddress(const SlotRing &ring, Value slot, int64_t offset) {
  return b.add(sharedAddress(offset), b.mul(slot, b.i32(int32_t(ring.slotBytes))));
}

Value KernelLowering::barrierAddress(const SlotRing &ring, Value slot, bool empty) {
  const int64_t first = ring.barriers + (empty ? ring.depth * barrierBytes : 0);
  return b.add(sharedAddress(first), b.shl(slot, 3));
}

LogicalResult KernelLowering::lowerSlots(tile::SlotsOp op) {
  if (!target.tensorUnit() || ringBytes)
    return op.emitOpError("are slots that the target cannot fill, or the second of a kernel");
  SlotRing ring;
  tile::SlotsType type = op.getSlots().getType();
  ring.depth = type.getDepth();
  for (Type tileType : type.getTiles()) {
    auto tensor = llvm::cast<RankedTensorType>(tileType);
    const unsigned bits = tensor.getElementTypeBitWidth();
    const int32_t span = int32_t(tile::sharedSpan(tensor));
    auto memory = tile::MemoryLayout::swizzled(tile::shapeOf(tensor), bits, span, 1);
    if (!memory)
      return op.emitOpError("has a tile that is not a whole number of panels of ") << span << " bytes";
    const int64_t bytes = memory->elements() * bits / 8;
    ring.tiles.push_back({ring.slotBytes, bytes, span, int32_t(bits / 8), *memory});
    ring.slotBytes += llvm::alignTo(bytes, tileAlignment);
    ring.copiedBytes += bytes;
  }
  ring.barriers = ring.depth * ring.slotBytes;
  ringBytes = llvm::alignTo(ring.barriers + 2 * ring.depth * barrierBytes, 16);
  sharedUsed = std::max<int64_t>(sharedUsed, ringBytes);
  // One thread copies, each warp that computes frees.
  Value isFirst = b.icmp(LLVM::ICmpPredicate::eq, b.orI(warp, lane), b.i32(0));
  TensorUnit &unit = *target.tensorUnit();
  b.ifThen(isFirst, [&] {
    for (int32_t s = 0; s < ring.depth; ++s) {
      unit.initBarrier(b, barrierAddress(ring, b.i32(s), false), 1);
      unit.initBarrier(b, barrierAddress(ring, b.i32(s), true), block.warps());
    }
    unit.publishBarriers(b);
  });
  rings[op.getSlots()] = std::make_unique<SlotRing>(std::move(ring));
  return success();
}

void KernelLowering::lowerFillSlot(tile::FillSlotOp op) {
  const SlotRing &ring = *rings.at(op.getSlots());
  TensorUnit &unit = *target.tensorUnit();
  Value slot = scalars.lookup(op.getSlot()), phase = scalars.lookup(op.getPhase());
  // A slot was empty before its first turn: the phase before the first one has ended.
  unit.waitPhase(b, barrierAddress(ring, slot, true), b.xorI(phase, b.i32(1)));
  Value filled = barrierAddress(ring, slot, false);
  unit.arriveExpecting(b, filled, int32_t(ring.copiedBytes));
  OperandRange coordinates = op.getCoordinates();
  for (auto [map, memory] : llvm::zip(op.getMaps(), ring.tiles)) {
    auto form = map.getDefiningOp<tile::TensorMapOp>();
    const size_t rank = form.getSizes().size();
    SmallVector<Value> at;
    for (Value coordinate : llvm::reverse(coordinates.take_front(rank)))
      at.push_back(scalars.lookup(coordinate));
    coordinates = coordinates.drop_front(rank);
    const int64_t panel = memory.layout.shape()[0] * int64_t(memory.span);
    for (int64_t done = 0; done < memory.bytes; done += panel) {
      SmallVector<Value> place = at;
      if (done)
        place[0] = b.add(at[0], b.i32(int32_t(done / panel * memory.span / memory.elementBytes)));
      unit.copyBox(b, slotAddress(ring, slot, memory.offset + done), scalars.lookup(map), place, filled);
    }
  }
}

void KernelLowering::lowerWaitSlot(tile::WaitSlotOp op) {
  const SlotRing &ring = *rings.at(op.getSlots());
  Value slot = scalars.lookup(op.getSlot());
  target.tensorUnit()->waitPhase(b, barrierAddress(ring, slot, false), scalars.lookup(op.getPhase()));
  for (auto [tile, memory] : llvm::zip(op.getTiles(), ring.tiles)) {
    scalars[tile] = slotAddress(ring, slot, memory.offset);
    sharedTiles[tile] = &memory;
  }
}

void KernelLowering::lowerFreeSlot(tile::FreeSlotOp op) {
  const SlotRing &ring = *rings.at(op.getSlots());
  Value first = b.icmp(LLVM::ICmpPredicate::eq, lane, b.i32(0));
  target.tensorUnit()->arrive(b, barrierAddress(ring, scalars.lookup(op.getSlot()), true), first);
}

LogicalResult KernelLowering::lowerRoles(tile::RolesOp op) {
  TensorUnit *unit = target.tensorUnit();
  if (!unit)
    return op.emitOpError("divides warps into roles, which the target cannot");
  target.barrier(b); // the barriers in shared memory are there
  const int32_t warps = block.warps();
  Block *before = b.getInsertionBlock();
  Block *after = before->splitBlock(b.getInsertionPoint());
  Block *copy = b.createBlock(after), *compute = b.createBlock(after);
  b.setInsertionPointToEnd(before);
  Value copies = b.icmp(LLVM::ICmpPredicate::sge, warp, b.i32(warps));
  LLVM::CondBrOp::create(b, op.getLoc(), copies, copy, compute);

  b.setInsertionPointToEnd(copy);
  if (op.getCopyRegisters())
    unit->releaseRegisters(b, int32_t(op.getCopyRegisters()));
  Value isFirst = b.icmp(LLVM::ICmpPredicate::eq, b.orI(b.xorI(warp, b.i32(warps)), lane), b.i32(0));
  LogicalResult lowered = success();
  b.ifThen(isFirst, [&] { lowered = lowerBlock(op.getCopy().front()); });
  LLVM::BrOp::create(b, op.getLoc(), ValueRange{}, after);

  b.setInsertionPointToEnd(compute);
  if (op.getComputeRegisters())
    unit->acquireRegisters(b, int32_t(op.getComputeRegisters()));
  inRoles = true;
  if (failed(lowered) || failed(lowerBlock(op.getCompute().front())))
    return failure();
  inRoles = false;
  LLVM::BrOp::create(b, op.getLoc(), ValueRange{}, after);
  b.setInsertionPointToStart(after);
  return success();
}

void KernelLowering::barrier() {
  if (inRoles)
    target.tensorUnit()->barrierOf(b, block.lanes * block.warps());
  else
    target.barrier(b);
}

/// Rows of A and of B that this issuer begins at: what the warp bits beyond those of an issuer add.
Value KernelLowering::issuerPart(const tile::Layout &accumulator, unsigned dim) {
  const auto &bases = accumulator.bases(tile::Hardware::Warp);
  Value sum;
  for (size_t bit = llvm::Log2_32(unsigned(block.warpsOfIssuer())); bit < bases.size(); ++bit)
    if (int32_t basis = bases[bit][dim]) {
      Value term =
          b.mul(b.andI(b.lshr(target.tensorUnit()->uniform(b, warp), int64_t(bit)), b.i32(1)), b.i32(basis));
      sum = sum ? b.add(sum, term) : term;
    }
  return sum;
}

/// With scales the sums of this step start at zero, for one instruction's place in the accumulator at a time,
/// and are promoted when k is done.
LogicalResult KernelLowering::multiplyShared(tile::MmaOp op) {
  AtomTiling tiling = *block.tilingOf(op);
  const tile::MmaAtom &atom = *tiling.atom;
  std::map<tile::Coordinate, int32_t> registers = registersByPart(tiling.accumulator);
  auto operand = [&](Value tile, unsigned dim) {
    const SharedTile &memory = *sharedTiles.at(tile);
    Value address = scalars.lookup(tile);
    // Eight rows and more move an address without touching the exchange.
    if (Value rows = issuerPart(tiling.accumulator, dim))
      address = b.add(address, b.mul(rows, b.i32(memory.span)));
    return SharedOperand{address, &memory.layout, memory.elementBytes, memory.span, 0};
  };
  const SharedOperand a = operand(op.getA(), 0), w = operand(op.getB(), 1);
  SmallVector<SharedProduct> products;
  SmallVector<int32_t> places;
  for (int32_t m : instructionStarts(tiling.accumulator, 0, atom.m))
    for (int32_t n : instructionStarts(tiling.accumulator, 1, atom.n)) {
      SharedProduct product{a, w, a.tile->shape()[1] / atom.k};
      product.a.row = m;
      product.b.row = n;
      products.push_back(product);
      for (int32_t e = 0, count = atom.c.layout.numRegisters(); e < count; ++e) {
        tile::Coordinate part = atom.c.layout.registerPart(e);
        places.push_back(registers.at({part[0] + m, part[1] + n}));
      }
    }
  Registers out = tiles[op.getAccumulator()];
  const size_t each = places.size() / products.size();
  const Promotion promote = promotionOf(op, tiling.accumulator);
  const size_t together = promote ? 1 : products.size();
  SmallVector<Value> sums;
  for (size_t p = 0; p < products.size(); p += together) {
    ArrayRef<int32_t> own = ArrayRef(places).slice(p * each, together * each);
    if (!promote)
      for (int32_t place : own)
        sums.push_back(out[place]);
    // With promotion the sums of the last place are done with: their registers are taken again.
    sums = target.tensorUnit()->multiplyShared(b, atom, ArrayRef(products).slice(p, together), sums,
                                               /*fromZero=*/bool(promote));
    for (auto [place, sum] : llvm::zip(own, sums))
      out[place] = promote ? promote(place, sum, out[place]) : sum;
  }
  tiles[op.getTile()] = std::move(out);
  return success();
}

} // namespace quern::lowering
