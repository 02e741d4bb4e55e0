//===- KernelLowering.cpp - Frame, scalars and control flow ---------------===//
#include "lowering/targets/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern::lowering {

KernelLowering::KernelLowering(tile::KernelOp kernel, TargetLowering &target, const BlockShape &block)
    : kernel(kernel), target(target), block(block), b(kernel.getContext(), block.simd ? block.lanes : 1) {}

Type KernelLowering::storageType(Type element) {
  if (element.isBF16())
    return b.getI16Type();
  if (llvm::isa<FloatType>(element) && element.getIntOrFloatBitWidth() == 8)
    return b.getI8Type();
  return element;
}

LogicalResult KernelLowering::run(ModuleOp module) {
  b.loc = kernel.getLoc();
  frame = target.openKernel(b, module, kernel, block.threads());
  for (auto [argument, value] : llvm::zip(kernel.getBody().getArguments(), frame.arguments))
    scalars[argument] = value;
  lane = target.laneIndex(b);
  warp = target.warpIndex(b);
  if (failed(lowerBlock(kernel.getBody().front())))
    return failure();
  target.closeKernel(b);
  target.setSharedBytes(frame, sharedUsed);
  return success();
}

LogicalResult KernelLowering::lowerBlock(Block &ops) {
  for (Operation &op : ops) {
    b.loc = op.getLoc();
    if (failed(lower(&op)))
      return failure();
  }
  return success();
}

LogicalResult KernelLowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](scf::ForOp loop) { return lowerFor(loop); })
      .Case([&](scf::IfOp branch) { return lowerIf(branch); })
      // Views are read by the accesses that use them; terminators by the operation around them.
      .Case<tile::ViewOp, tile::ReturnOp, scf::YieldOp>([&](auto) { return success(); })
      .Case([&](tile::DomainOp domain) {
        lowerDomain(domain);
        return success();
      })
      .Case([&](tile::LoadOp load) { return lowerLoad(load); })
      .Case([&](tile::StoreOp store) { return lowerStore(store); })
      .Case([&](tile::GatherOp gather) { return lowerGather(gather); })
      .Case([&](tile::ScatterOp scatter) { return lowerScatter(scatter); })
      .Case([&](tile::LoadScalarOp load) { return lowerLoadScalar(load); })
      .Case([&](tile::ReduceOp reduce) { return lowerReduce(reduce); })
      .Case([&](tile::RelayoutOp relayout) { return lowerRelayout(relayout); })
      .Case([&](tile::MmaOp mma) { return lowerMma(mma); })
      .Case([&](tile::RolesOp roles) { return lowerRoles(roles); })
      .Case([&](tile::SlotsOp slots) { return lowerSlots(slots); })
      .Case([&](tile::FillSlotOp fill) {
        lowerFillSlot(fill);
        return success();
      })
      .Case([&](tile::WaitSlotOp wait) {
        lowerWaitSlot(wait);
        return success();
      })
      .Case([&](tile::FreeSlotOp slot) {
        lowerFreeSlot(slot);
        return success();
      })
      .Case([&](tile::TensorMapOp map) {
        scalars[map.getMap()] = scalars.lookup(map.getBase());
        return success();
      })
      .Case([&](tile::DotPairsOp pairs) { return lowerDotPairs(pairs); })
      .Case([&](tile::RingCopyOp copy) { return lowerRingCopy(copy); })
      .Case([&](tile::RingWriteOp write) { return lowerRingWrite(write); })
      .Case([&](tile::RingReadOp read) { return lowerRingRead(read); })
      .Case([&](tile::RingOp ring) {
        lowerRing(ring);
        return success();
      })
      .Case([&](tile::AsyncCommitOp) {
        target.commitCopies(b);
        return success();
      })
      .Case([&](tile::AsyncWaitOp wait) {
        target.waitForCopies(b, int32_t(wait.getPending()), int32_t(wait.getCopies()));
        return success();
      })
      .Case([&](tile::BarrierOp) {
        target.barrier(b);
        return success();
      })
      .Case([&](tile::BroadcastOp broadcast) {
        lowerBroadcast(broadcast);
        return success();
      })
      .Case([&](tile::IotaOp iota) {
        lowerIota(iota);
        return success();
      })
      .Case([&](tile::SplatOp splat) {
        Value lanes = b.spread(scalars.lookup(splat.getValue()));
        tiles[splat.getTile()] = Registers(layoutOf(splat.getTile()).numRegisters(), lanes);
        return success();
      })
      .Default([&](Operation *other) { return lowerElementwise(other); });
}

/// Block index -> start coordinates: the last dimension is the fastest, unless the schedule puts tiles along
/// one of the last two into groups, in which that one is the fastest.
void KernelLowering::lowerDomain(tile::DomainOp domain) {
  const unsigned rank = domain.getExtents().size();
  SmallVector<Value> steps, counts, coordinates(rank);
  for (unsigned d = 0; d < rank; ++d) {
    steps.push_back(scalars.lookup(domain.getSteps()[d]));
    Value extent = scalars.lookup(domain.getExtents()[d]);
    counts.push_back(b.udiv(b.add(extent, b.sub(steps[d], b.i32(1))), steps[d]));
  }
  Value rest = frame.block;
  unsigned d = rank;
  if (const int32_t size = block.schedule.rasterGroup; size > 1 && rank >= 2) {
    const bool rows = block.schedule.rasterAxis == tile::RasterAxis::M;
    const unsigned along = rank - (rows ? 2 : 1), across = rank - (rows ? 1 : 2);
    Value plane = rest;
    if (rank > 2) {
      Value tiles = b.mul(counts[along], counts[across]);
      plane = b.urem(rest, tiles);
      rest = b.udiv(rest, tiles);
    }
    Value whole = b.mul(counts[across], b.i32(size));
    Value first = b.mul(b.udiv(plane, whole), b.i32(size)), within = b.urem(plane, whole);
    Value left = b.sub(counts[along], first); // the last group may be smaller
    Value height = b.select(b.icmp(LLVM::ICmpPredicate::ult, left, b.i32(size)), left, b.i32(size));
    coordinates[along] = b.add(first, b.urem(within, height));
    coordinates[across] = b.udiv(within, height);
    d = rank - 2;
  }
  while (d-- > 0) {
    coordinates[d] = d > 0 ? b.urem(rest, counts[d]) : rest;
    if (d > 0)
      rest = b.udiv(rest, counts[d]);
  }
  for (unsigned i = 0; i < rank; ++i)
    scalars[domain.getStarts()[i]] = b.mul(coordinates[i], steps[i]);
}

Registers KernelLowering::flatten(Value value) {
  if (auto it = tiles.find(value); it != tiles.end())
    return it->second;
  return {scalars.lookup(value)};
}

SmallVector<Type> KernelLowering::flatTypes(Type type) {
  if (auto tensor = llvm::dyn_cast<RankedTensorType>(type))
    return SmallVector<Type>(tile::getLayout(type)->numRegisters(),
                             b.laneType(storageType(tensor.getElementType())));
  return {type};
}

void KernelLowering::bind(Value value, ValueRange &flat) {
  if (llvm::isa<RankedTensorType>(value.getType())) {
    unsigned n = layoutOf(value).numRegisters();
    tiles[value] = Registers(flat.take_front(n));
    flat = flat.drop_front(n);
  } else {
    scalars[value] = flat.front();
    flat = flat.drop_front();
  }
}

/// A loop over matrix instructions, or one that only copies, is unrolled by its tile, not once more by LLVM.
static bool isUnrolled(scf::ForOp loop) {
  return loop.getBody()
      ->walk([](Operation *op) {
        auto step = llvm::dyn_cast<tile::MmaOp>(op);
        return (step && step.getAtom()) || llvm::isa<tile::FillSlotOp>(op) ? WalkResult::interrupt()
                                                                           : WalkResult::advance();
      })
      .wasInterrupted();
}

static LLVM::LoopAnnotationAttr neverUnrolled(MLIRContext *context) {
  auto unroll = LLVM::LoopUnrollAttr::get(context, BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  return LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},
                                       {});
}

LogicalResult KernelLowering::lowerFor(scf::ForOp loop) {
  Value lower = scalars.lookup(loop.getLowerBound()), upper = scalars.lookup(loop.getUpperBound()),
        step = scalars.lookup(loop.getStep());
  SmallVector<Value> carried = {lower};
  SmallVector<Type> types = {lower.getType()};
  for (Value init : loop.getInitArgs()) {
    llvm::append_range(carried, flatten(init));
    llvm::append_range(types, flatTypes(init.getType()));
  }
  SmallVector<Location> locs(types.size(), loop.getLoc());
  Block *before = b.getInsertionBlock();
  Block *after = before->splitBlock(b.getInsertionPoint());
  Block *header = b.createBlock(after, types, locs);
  Block *body = b.createBlock(after);
  b.setInsertionPointToEnd(before);
  LLVM::BrOp::create(b, loop.getLoc(), carried, header);
  b.setInsertionPointToEnd(header);
  Value index = header->getArgument(0);
  Value more = b.icmp(LLVM::ICmpPredicate::slt, index, upper);
  LLVM::CondBrOp::create(b, loop.getLoc(), more, body, after);

  ValueRange flat = ValueRange(header->getArguments()).drop_front();
  scalars[loop.getInductionVar()] = index;
  for (Value argument : loop.getRegionIterArgs())
    bind(argument, flat);
  b.setInsertionPointToEnd(body);
  ++loopDepth;
  if (failed(lowerBlock(*loop.getBody())))
    return failure();
  --loopDepth;
  b.loc = loop.getLoc();
  SmallVector<Value> next = {b.add(index, step)};
  for (Value yielded : loop.getYieldedValues())
    llvm::append_range(next, flatten(yielded));
  auto back = LLVM::BrOp::create(b, loop.getLoc(), next, header);
  if (isUnrolled(loop))
    back.setLoopAnnotationAttr(neverUnrolled(b.getContext()));

  b.setInsertionPointToStart(after);
  flat = ValueRange(header->getArguments()).drop_front();
  for (Value result : loop.getResults())
    bind(result, flat);
  if (!loop.getOps<tile::RingReadOp>().empty())
    ringBytes = 0; // all of it has been read
  return success();
}

LogicalResult KernelLowering::lowerIf(scf::IfOp branch) {
  SmallVector<Type> types;
  for (Value result : branch.getResults())
    llvm::append_range(types, flatTypes(result.getType()));
  SmallVector<Location> locs(types.size(), branch.getLoc());
  Block *before = b.getInsertionBlock();
  Block *rest = before->splitBlock(b.getInsertionPoint());
  Block *after = b.createBlock(rest, types, locs);
  b.setInsertionPointToEnd(after);
  LLVM::BrOp::create(b, branch.getLoc(), ValueRange{}, rest);
  Block *thenBlock = b.createBlock(after), *elseBlock = b.createBlock(after);
  b.setInsertionPointToEnd(before);
  LLVM::CondBrOp::create(b, branch.getLoc(), scalars.lookup(branch.getCondition()), thenBlock, elseBlock);
  for (auto [start, region] :
       {std::pair{thenBlock, &branch.getThenRegion()}, std::pair{elseBlock, &branch.getElseRegion()}}) {
    b.setInsertionPointToEnd(start);
    SmallVector<Value> results;
    if (!region->empty()) {
      if (failed(lowerBlock(region->front())))
        return failure();
      for (Value yielded : region->front().getTerminator()->getOperands())
        llvm::append_range(results, flatten(yielded));
    }
    b.loc = branch.getLoc();
    LLVM::BrOp::create(b, branch.getLoc(), results, after);
  }
  b.setInsertionPointToStart(rest);
  ValueRange flat = after->getArguments();
  for (Value result : branch.getResults())
    bind(result, flat);
  return success();
}

LogicalResult lowerKernel(tile::KernelOp kernel, TargetLowering &target, ModuleOp module,
                          int32_t &sharedBytes) {
  FailureOr<BlockShape> block = BlockShape::of(kernel);
  if (failed(block))
    return failure();
  KernelLowering lowering(kernel, target, *block);
  if (failed(lowering.run(module)))
    return failure();
  sharedBytes = lowering.sharedBytes();
  return success();
}

} // namespace quern::lowering
