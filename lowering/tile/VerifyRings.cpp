//===- VerifyRings.cpp - Runs the waits of a kernel and looks for races ---===//
//
// Executes what concerns rings for one lane that stands for all: loops, conditions and the arithmetic of
// slots on numbers, and of memory only which fill a slot holds and how far it got. Two lanes are ordered by
// barriers alone, so that time is the number of barriers passed:
//
//     a copy is there for its own lane behind a wait that covers its group, for all lanes behind the next
//     barrier; what is written from registers, behind the next barrier;
//     a slot may be filled when a barrier stands behind the last read of it.
//
// Reads must meet the fills in their order, each once. A bound that is not a constant is tried with every
// number of steps up to twice the depth and two more, which passes through all states of the slots.
//
//===----------------------------------------------------------------------===//
#include "lowering/tile/IndexFacts.h"
#include "lowering/tile/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

#include <map>
#include <optional>

using namespace mlir;

namespace quern::lowering {
#define GEN_PASS_DEF_TILEVERIFYRINGSPASS
#include "lowering/tile/Passes.h.inc"

namespace {

/// What a slot holds.
struct SlotState {
  int64_t fill = -1;     ///< number of the fill; -1: nothing yet
  int64_t group = -1;    ///< of the copies of this fill; -1: written from registers
  int64_t written = -1;  ///< barriers passed when it was
  int64_t lastRead = -1; ///< barriers passed at the last read; -1: none since the fill before
};

struct RingState {
  std::map<int64_t, SlotState> slots;
  int64_t fills = 0, reads = 0;
};

/// One execution with a given number of steps for loops whose end is not known.
class Execution {
public:
  explicit Execution(int64_t steps) : steps(steps) {}

  LogicalResult run(tile::KernelOp kernel);
  /// Whether the number of steps mattered.
  bool usedSteps() const { return used; }

private:
  LogicalResult run(Block &block);
  std::optional<int64_t> valueOf(Value value) {
    if (std::optional<int64_t> constant = constantOf(value))
      return constant;
    if (auto end = ends.find(value); end != ends.end())
      return end->second;
    auto it = values.find(value);
    return it == values.end() ? std::nullopt : it->second;
  }
  void evaluate(Operation *op);
  LogicalResult runFor(scf::ForOp loop);
  LogicalResult runIf(scf::IfOp branch);
  LogicalResult fill(Operation *op, Value ring, Value slot, bool copies);
  LogicalResult read(tile::RingReadOp op);
  FailureOr<SlotState *> slotOf(Operation *op, Value ring, Value slot);

  int64_t steps;
  bool used = false;
  llvm::DenseMap<Value, int64_t> ends; ///< of loops, where they are not known
  llvm::DenseMap<Value, std::optional<int64_t>> values;
  llvm::DenseMap<Value, RingState> rings;
  int64_t barriers = 0, committed = 0;
  std::vector<int64_t> landed; ///< for each finished group the barriers passed at its wait
};

bool concernsRings(Operation *op) {
  return op
      ->walk([](Operation *inner) {
        return llvm::isa<tile::RingCopyOp, tile::RingWriteOp, tile::RingReadOp, tile::AsyncCommitOp,
                         tile::AsyncWaitOp, tile::BarrierOp>(inner)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

void Execution::evaluate(Operation *op) {
  auto operand = [&](unsigned i) { return valueOf(op->getOperand(i)); };
  std::optional<int64_t> result;
  if (auto select = llvm::dyn_cast<arith::SelectOp>(op)) {
    if (std::optional<int64_t> condition = operand(0))
      result = operand(*condition ? 1 : 2);
  } else if (op->getNumOperands() == 2 && operand(0) && operand(1)) {
    int64_t a = *operand(0), b = *operand(1);
    result = llvm::TypeSwitch<Operation *, std::optional<int64_t>>(op)
                 .Case([&](arith::AddIOp) { return a + b; })
                 .Case([&](arith::SubIOp) { return a - b; })
                 .Case([&](arith::MulIOp) { return a * b; })
                 .Case([&](arith::CmpIOp compare) -> std::optional<int64_t> {
                   switch (compare.getPredicate()) {
                   case arith::CmpIPredicate::slt:
                     return a < b;
                   case arith::CmpIPredicate::eq:
                     return a == b;
                   default:
                     return std::nullopt;
                   }
                 })
                 .Default([](Operation *) { return std::nullopt; });
  }
  values[op->getResult(0)] = result;
}

LogicalResult Execution::run(tile::KernelOp kernel) {
  // Conditions in front of a loop ask for its end, too.
  kernel.walk([&](scf::ForOp loop) {
    std::optional<int64_t> step = constantOf(loop.getStep());
    if (!concernsRings(loop) || !step || constantOf(loop.getUpperBound()))
      return;
    ends[loop.getUpperBound()] = constantOf(loop.getLowerBound()).value_or(0) + steps * *step;
    used = true;
  });
  return run(kernel.getBody().front());
}

LogicalResult Execution::run(Block &block) {
  for (Operation &op : block) {
    LogicalResult ran =
        llvm::TypeSwitch<Operation *, LogicalResult>(&op)
            .Case([&](scf::ForOp loop) { return concernsRings(loop) ? runFor(loop) : success(); })
            .Case([&](scf::IfOp branch) { return concernsRings(branch) ? runIf(branch) : success(); })
            .Case([&](tile::RingCopyOp copy) { return fill(copy, copy.getRing(), copy.getSlot(), true); })
            .Case(
                [&](tile::RingWriteOp write) { return fill(write, write.getRing(), write.getSlot(), false); })
            .Case([&](tile::RingReadOp readOp) { return read(readOp); })
            .Case([&](tile::BarrierOp) {
              ++barriers;
              return success();
            })
            .Case([&](tile::AsyncCommitOp) {
              ++committed;
              return success();
            })
            .Case([&](tile::AsyncWaitOp wait) {
              while (int64_t(landed.size()) < committed - int64_t(wait.getPending()))
                landed.push_back(barriers);
              return success();
            })
            .Default([&](Operation *other) {
              if (other->getNumResults() == 1 && other->getResult(0).getType().isSignlessInteger())
                evaluate(other);
              return success();
            });
    if (failed(ran))
      return failure();
  }
  return success();
}

LogicalResult Execution::runFor(scf::ForOp loop) {
  std::optional<int64_t> step = valueOf(loop.getStep());
  if (!step || *step <= 0)
    return loop.emitOpError("fills rings with steps of a length that is not known");
  int64_t from = valueOf(loop.getLowerBound()).value_or(0);
  std::optional<int64_t> to = valueOf(loop.getUpperBound());
  if (!to)
    return loop.emitOpError("fills rings up to a step that is not known");
  for (auto [argument, init] : llvm::zip(loop.getRegionIterArgs(), loop.getInitArgs()))
    values[argument] = valueOf(init);
  for (int64_t at = from; at < *to; at += *step) {
    values[loop.getInductionVar()] = at;
    if (failed(run(*loop.getBody())))
      return failure();
    SmallVector<std::optional<int64_t>> next;
    for (Value yielded : loop.getYieldedValues())
      next.push_back(valueOf(yielded));
    for (auto [argument, value] : llvm::zip(loop.getRegionIterArgs(), next))
      values[argument] = value;
  }
  for (auto [result, argument] : llvm::zip(loop.getResults(), loop.getRegionIterArgs()))
    values[result] = valueOf(argument);
  return success();
}

LogicalResult Execution::runIf(scf::IfOp branch) {
  std::optional<int64_t> condition = valueOf(branch.getCondition());
  if (!condition)
    return branch.emitOpError("decides about slots of rings by what is not known before the launch");
  Region &chosen = *condition ? branch.getThenRegion() : branch.getElseRegion();
  return chosen.empty() ? success() : run(chosen.front());
}

FailureOr<SlotState *> Execution::slotOf(Operation *op, Value ring, Value slot) {
  std::optional<int64_t> index = slot ? valueOf(slot) : std::nullopt;
  if (!index || *index < 0 || *index >= llvm::cast<tile::RingType>(ring.getType()).getDepth())
    return op->emitOpError("names no slot of its ring");
  return &rings[ring].slots[*index];
}

LogicalResult Execution::fill(Operation *op, Value ring, Value slot, bool copies) {
  FailureOr<SlotState *> state = slotOf(op, ring, slot);
  if (failed(state))
    return failure();
  SlotState &at = **state;
  if (at.lastRead == barriers)
    return op->emitOpError("fills a slot that other warps may still read: no barrier is behind the read");
  if (at.fill >= rings[ring].reads)
    return op->emitOpError("fills a slot whose tile has not been read");
  at = {rings[ring].fills++, copies ? committed : -1, barriers, -1};
  return success();
}

LogicalResult Execution::read(tile::RingReadOp op) {
  FailureOr<SlotState *> state = slotOf(op, op.getRing(), op.getSlot());
  if (failed(state))
    return failure();
  SlotState &at = **state;
  RingState &ring = rings[op.getRing()];
  // Several reads of one fill follow each other.
  if (at.fill < 0 || (at.fill != ring.reads && at.fill + 1 != ring.reads))
    return op.emitOpError("reads a slot that does not hold the tile of its step");
  ring.reads = at.fill + 1;
  int64_t there = at.group < 0                        ? at.written
                  : at.group < int64_t(landed.size()) ? landed[size_t(at.group)]
                                                      : barriers;
  if (there >= barriers)
    return op.emitOpError("reads a slot before its wait: ")
           << (at.group >= int64_t(landed.size()) ? "its copies may be under way"
                                                  : "no barrier is behind the wait");
  at.lastRead = barriers;
  return success();
}

struct TileVerifyRingsPass : impl::TileVerifyRingsPassBase<TileVerifyRingsPass> {
  void runOnOperation() override {
    int64_t depth = 0;
    getOperation().walk([&](tile::RingOp ring) {
      if (ring.getPath() != tile::RingPath::Tensor)
        depth = std::max(depth, ring.getRing().getType().getDepth());
    });
    bool lowered =
        !getOperation().walk([](tile::RingWaitOp) { return WalkResult::interrupt(); }).wasInterrupted();
    if (!depth || !lowered)
      return;
    for (int64_t steps = 0; steps <= 2 * depth + 2; ++steps) {
      Execution execution(steps);
      if (failed(execution.run(getOperation())))
        return signalPassFailure();
      if (!execution.usedSteps())
        return;
    }
  }
};

} // namespace
} // namespace quern::lowering
