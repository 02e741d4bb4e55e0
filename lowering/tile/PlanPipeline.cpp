//===- PlanPipeline.cpp - Loops over rings, filled ahead of their use -----===//
//
// A loop that fills rings and reads them in each step becomes one that fills them depth - 1 steps ahead:
//
//     fill step 0 .. depth-2                                (where there are so many)
//     for each step i:
//       wait for step i; acquire the slot of step i-1       one slot further on than all that are filled
//       begin to fill it with step i+depth-1                (where there is one)
//       compute step i; release its slot
//       end to fill
//
// A fill begins with copies and with the loads of what passes registers; it ends with writing those to the
// slot, behind the computation, so that the loads have a step's time. It is committed then, also where
// nothing was filled: waits count commits. With a depth of 1 a step fills its own slot first.
//
// What a fill needs is cloned with the step's number replaced. `stages=` is the depth; without it the depth
// is what fits.
//
//===----------------------------------------------------------------------===//
#include "lowering/tile/BlockShape.h"
#include "lowering/tile/IndexFacts.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILEPLANPIPELINEPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// More slots than this hide nothing that the first ones do not, and keep other blocks from a unit.
constexpr int64_t enoughStages = 4;
/// What passes registers is one step ahead whatever the depth.
constexpr int64_t enoughStagedStages = 2;

/// The operations of a loop's body by what they are for; an operation may be for several things.
struct BodyParts {
  llvm::SetVector<Operation *> copies; ///< copies and what their operands need
  llvm::SetVector<Operation *> loads;  ///< loads whose values are written to rings, and what they need
  llvm::SetVector<Operation *> writes; ///< the rest of the way to the rings
  llvm::SetVector<Operation *> math;   ///< what reads the rings and everything else
};

bool isLoad(Operation *op) { return llvm::isa<tile::LoadOp, tile::GatherOp>(op); }

/// Adds |roots| and the operations of |loop| that they need, in the order of the body; not through |stop|.
template <typename Stop>
void addSlice(llvm::SetVector<Operation *> &slice, scf::ForOp loop, ArrayRef<Operation *> roots, Stop stop) {
  llvm::SetVector<Operation *> needed(roots.begin(), roots.end());
  for (size_t i = 0; i < needed.size(); ++i)
    needed[i]->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *op = operand.getDefiningOp(); op && op->getParentOp() == loop && !stop(op))
          needed.insert(op);
    });
  for (Operation &op : *loop.getBody())
    if (needed.contains(&op))
      slice.insert(&op);
}

BodyParts divide(scf::ForOp loop) {
  BodyParts parts;
  SmallVector<Operation *> copies, writes, others, loads;
  for (Operation &op : *loop.getBody()) {
    if (llvm::isa<tile::RingCopyOp>(op))
      copies.push_back(&op);
    else if (llvm::isa<tile::RingWriteOp>(op))
      writes.push_back(&op);
    else if (llvm::isa<tile::RingReadOp>(op) || op.hasTrait<OpTrait::IsTerminator>() ||
             !(isPure(&op) || isLoad(&op)))
      others.push_back(&op);
  }
  auto never = [](Operation *) { return false; };
  addSlice(parts.copies, loop, copies, never);
  addSlice(parts.writes, loop, writes, isLoad);
  for (Operation *op : parts.writes)
    for (Value operand : op->getOperands())
      if (Operation *load = operand.getDefiningOp(); load && load->getParentOp() == loop && isLoad(load))
        loads.push_back(load);
  addSlice(parts.loads, loop, loads, never);
  addSlice(parts.math, loop, others, never);
  return parts;
}

/// Rewrites one loop.
class Pipeliner {
public:
  Pipeliner(scf::ForOp loop, ArrayRef<tile::RingOp> ringOps, int64_t depth)
      : loop(loop), ringOps(ringOps), depth(depth), parts(divide(loop)), b(loop), loc(loop.getLoc()) {}

  void run();

private:
  Value constant(int64_t value) {
    return arith::ConstantIntOp::create(b, loc, loop.getInductionVar().getType(), value);
  }
  Value add(Value a, int64_t steps) {
    if (steps == 0)
      return a;
    std::optional<int64_t> step = constantOf(loop.getStep()), from = constantOf(a);
    if (step && from)
      return constant(*from + steps * *step);
    Value distance = step ? constant(steps * *step)
                          : Value(arith::MulIOp::create(b, loc, loop.getStep(), constant(steps)));
    return arith::AddIOp::create(b, loc, a, distance);
  }
  /// Whether there is a step at |index|; null where there is, for certain.
  Value exists(Value index) {
    std::optional<int64_t> at = constantOf(index), end = constantOf(loop.getUpperBound());
    if (at && end && *at < *end)
      return {};
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, index, loop.getUpperBound());
  }
  Value next(Value slot) {
    Value following = arith::AddIOp::create(b, loc, slot, constant(1));
    Value wraps = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, following, constant(depth));
    return arith::SelectOp::create(b, loc, wraps, constant(0), following);
  }

  void clone(const llvm::SetVector<Operation *> &ops, IRMapping &map, Value slot) {
    for (Operation *op : ops) {
      if (op->hasTrait<OpTrait::IsTerminator>())
        continue;
      Operation *copy = b.clone(*op, map);
      llvm::TypeSwitch<Operation *, void>(copy).Case<tile::RingCopyOp, tile::RingWriteOp, tile::RingReadOp>(
          [&](auto access) { access.getSlotMutable().assign(slot); });
    }
  }
  template <typename Body> void guarded(Value condition, Body body) {
    if (!condition)
      return body();
    OpBuilder::InsertionGuard guard(b);
    auto branch = scf::IfOp::create(b, loc, TypeRange(), condition, /*withElse=*/false);
    b.setInsertionPointToStart(branch.thenBlock());
    body();
  }

  /// The copies of step |index| into |slot|, and the loads of what will be written: bound in |map|.
  void beginFill(Value index, Value slot, Value condition, IRMapping &map);
  void endFill(Value slot, IRMapping &map) {
    clone(parts.writes, map, slot);
    tile::RingCommitOp::create(b, loc, rings, slot);
  }

  scf::ForOp loop;
  ArrayRef<tile::RingOp> ringOps;
  int64_t depth;
  BodyParts parts;
  OpBuilder b;
  Location loc;
  SmallVector<Value> rings;
};

void Pipeliner::beginFill(Value index, Value slot, Value condition, IRMapping &map) {
  map.map(loop.getInductionVar(), index);
  if (!parts.copies.empty())
    guarded(condition, [&] {
      IRMapping copies = map;
      clone(parts.copies, copies, slot);
    });
  SmallVector<Operation *> crossing;
  for (Operation *op : parts.loads)
    if (isLoad(op) &&
        llvm::any_of(op->getUsers(), [&](Operation *user) { return parts.writes.contains(user); }))
      crossing.push_back(op);
  if (crossing.empty())
    return;
  if (!condition)
    return clone(parts.loads, map, slot);
  SmallVector<Type> types;
  for (Operation *op : crossing)
    types.push_back(op->getResult(0).getType());
  auto branch = scf::IfOp::create(b, loc, types, condition, /*withElse=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    IRMapping inside = map;
    clone(parts.loads, inside, slot);
    SmallVector<Value> loaded, none;
    for (Operation *op : crossing)
      loaded.push_back(inside.lookup(op->getResult(0)));
    scf::YieldOp::create(b, loc, loaded);
    b.setInsertionPointToStart(branch.elseBlock());
    for (Type type : types) {
      Type element = llvm::cast<RankedTensorType>(type).getElementType();
      Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(element));
      none.push_back(tile::SplatOp::create(b, loc, type, zero));
    }
    scf::YieldOp::create(b, loc, none);
  }
  for (auto [op, result] : llvm::zip(crossing, branch.getResults()))
    map.map(op->getResult(0), result);
}

void Pipeliner::run() {
  for (tile::RingOp ring : ringOps) {
    tile::RingType type = ring.getRing().getType();
    ring.getRing().setType(
        tile::RingType::get(b.getContext(), depth, type.getShape(), type.getElementType(), type.getMemory()));
    rings.push_back(ring.getRing());
  }
  const int64_t ahead = depth - 1;
  for (int64_t step = 0; step < ahead; ++step) {
    Value index = add(loop.getLowerBound(), step), slot = constant(step), condition = exists(index);
    tile::RingAcquireOp::create(b, loc, rings, slot);
    IRMapping map;
    beginFill(index, slot, condition, map);
    endFill(slot, map);
  }

  SmallVector<Value> inits(loop.getInitArgs());
  if (ahead)
    inits.append({constant(0), constant(ahead)});
  auto fresh = scf::ForOp::create(b, loc, loop.getLowerBound(), loop.getUpperBound(), loop.getStep(), inits);
  b.setInsertionPointToStart(fresh.getBody());
  const size_t carried = loop.getInitArgs().size();
  Value index = fresh.getInductionVar();
  Value reading = ahead ? fresh.getRegionIterArg(unsigned(carried)) : constant(0);
  Value filling = ahead ? fresh.getRegionIterArg(unsigned(carried) + 1) : reading;
  Value filled = add(index, ahead), condition = ahead ? exists(filled) : Value();
  auto wait = [&](int64_t pending) {
    // Of the commits behind the one of this step, the last is of step + pending.
    Value issued = pending ? exists(add(index, pending)) : Value();
    tile::RingWaitOp::create(b, loc, rings, reading, b.getI32IntegerAttr(int32_t(pending)), issued);
  };
  IRMapping fill, math;
  if (ahead)
    wait(ahead - 1);
  tile::RingAcquireOp::create(b, loc, rings, filling);
  beginFill(filled, filling, condition, fill);
  if (!ahead) {
    endFill(filling, fill);
    wait(0);
  }
  math.map(loop.getInductionVar(), index);
  for (auto [old, now] : llvm::zip(loop.getRegionIterArgs(), fresh.getRegionIterArgs()))
    math.map(old, now);
  clone(parts.math, math, reading);
  tile::RingReleaseOp::create(b, loc, rings, reading);
  if (ahead)
    endFill(filling, fill);
  SmallVector<Value> yielded;
  for (Value value : loop.getYieldedValues())
    yielded.push_back(math.lookupOrDefault(value));
  if (ahead)
    yielded.append({next(reading), next(filling)});
  scf::YieldOp::create(b, loc, yielded);
  loop.replaceAllUsesWith(fresh.getResults().take_front(carried));
  loop.erase();
}

struct TilePlanPipelinePass : impl::TilePlanPipelinePassBase<TilePlanPipelinePass> {
  void runOnOperation() override {
    FailureOr<BlockShape> block = BlockShape::of(getOperation());
    if (failed(block))
      return signalPassFailure();
    llvm::MapVector<Operation *, SmallVector<tile::RingOp>> loops;
    getOperation().walk([&](tile::RingOp ring) {
      for (Operation *user : ring->getUsers())
        if (auto read = llvm::dyn_cast<tile::RingReadOp>(user); read && !read.getSlot()) {
          loops[read->getParentOp()].push_back(ring);
          break;
        }
    });
    for (auto &[op, rings] : loops) {
      auto loop = llvm::dyn_cast<scf::ForOp>(op);
      if (!loop) {
        op->emitOpError("reads rings, but is no loop");
        return signalPassFailure();
      }
      Pipeliner(loop, rings, depthOf(*block, loop, rings)).run();
      ++numPipelined;
    }
  }

  static int64_t depthOf(const BlockShape &block, scf::ForOp loop, ArrayRef<tile::RingOp> rings) {
    if (block.schedule.stages)
      return block.schedule.stages;
    int64_t bytes = 0, most = enoughStagedStages;
    for (tile::RingOp ring : rings) {
      tile::RingOp op = ring;
      bytes += tile::slotBytes(op.getRing().getType());
      if (op.getPath() != tile::RingPath::Staged)
        most = enoughStages;
    }
    if (block.sharedBytes)
      most = std::min(most, block.sharedBytes / bytes);
    std::optional<int64_t> from = constantOf(loop.getLowerBound()), to = constantOf(loop.getUpperBound()),
                           step = constantOf(loop.getStep());
    if (from && to && step)
      most = std::min(most, (*to - *from + *step - 1) / *step);
    return std::max<int64_t>(most, 1);
  }
};

} // namespace
} // namespace quern::lowering
