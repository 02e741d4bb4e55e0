//===- TranslateWarp.cpp - Barriers and warp collectives ------------------===//
//
// PTX ISA 9.7.13.1 (bar, barrier), 9.7.13.2 (bar.warp.sync), 9.7.9.6 (shfl.sync), 9.7.13.9 to 9.7.13.13
// (vote.sync, match.sync, activemask, redux.sync, elect.sync). What waits is done by BlockRun.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/Translate.h"

namespace quern::runtime::emulated::nvidia {

bool FunctionTranslator::barrier() {
  if (has("warp")) {
    Value *mask = operands().size() == 1 && has("sync") ? load(operand(0), 32) : nullptr;
    if (!mask)
      return false;
    callOut("quernWarpBarrier", builder.getVoidTy(), {thread, site(), mask});
    return true;
  }
  if (has("cluster"))
    return clusterBarrier();
  if (has("wait") || has("release") || has("acquire") || has("relaxed"))
    return false;
  // bar is short for barrier.cta.*.aligned.
  bool aligned = current->opcode == "bar" || has("aligned");
  using Op = BlockRun::BarrierOp;
  Op op = Op::Sync;
  if (has("arrive"))
    op = Op::Arrive;
  else if (has("red"))
    op = has("popc") ? Op::Count : has("and") ? Op::And : Op::Or;
  else if (!has("sync"))
    return false;
  bool isReduction = has("red");
  size_t first = isReduction ? 1 : 0, last = operands().size() - (isReduction ? 1 : 0);
  if (operands().size() < first + 1 || last - first < 1 || last - first > 2)
    return false;
  if (isReduction && !has("popc") && !has("and") && !has("or"))
    return false;
  Value *id = load(operand(first), 32);
  Value *number = last - first == 2 ? load(operand(first + 1), 32) : builder.getInt32(0);
  Value *predicate = isReduction ? loadPredicate(operands().back()) : builder.getInt1(false);
  if (!id || !number || !predicate || (op == Op::Arrive && last - first != 2))
    return false;
  uint32_t flags = static_cast<uint32_t>(op) | (aligned ? 0x100u : 0u);
  Value *result = callOut("quernBarrier", builder.getInt32Ty(),
                          {thread, site(), id, number, builder.getInt32(flags),
                           builder.CreateZExt(predicate, builder.getInt32Ty())});
  if (isReduction)
    store(operand(0), op == Op::Count ? result : builder.CreateICmpNE(result, builder.getInt32(0)));
  return true;
}

/// shfl.sync.mode.b32 d{|p}, a, b, c, membermask.
bool FunctionTranslator::shuffle() {
  if (!has("sync") || !has("b32") || operands().size() != 5)
    return false;
  auto mode = has("up")     ? ShuffleMode::Up
              : has("down") ? ShuffleMode::Down
              : has("bfly") ? ShuffleMode::Butterfly
                            : ShuffleMode::Index;
  if (mode == ShuffleMode::Index && !has("idx"))
    return false;
  Value *a = load(operand(1), 32), *b = load(operand(2), 32), *c = load(operand(3), 32),
        *mask = load(operand(4), 32);
  if (!a || !b || !c || !mask)
    return false;
  Value *result = callOut("quernShuffle", builder.getInt64Ty(),
                          {thread, site(), builder.getInt32(static_cast<uint32_t>(mode)), a, b, c, mask});
  Value *value = builder.CreateTrunc(result, builder.getInt32Ty());
  const Operand &to = operand(0);
  if (to.kind == Operand::Pair) {
    store(to.parts[0], value);
    store(to.parts[1], builder.CreateTrunc(builder.CreateLShr(result, 32), builder.getInt1Ty()));
  } else {
    store(to, value);
  }
  return true;
}

bool FunctionTranslator::vote() {
  if (!has("sync") || operands().size() != 3)
    return false;
  Value *predicate = loadPredicate(operand(1)), *mask = load(operand(2), 32);
  if (!predicate || !mask)
    return false;
  auto mode = has("all")   ? VoteMode::All
              : has("any") ? VoteMode::Any
              : has("uni") ? VoteMode::Uniform
                           : VoteMode::Ballot;
  if (mode == VoteMode::Ballot && !has("ballot"))
    return false;
  Value *result = callOut("quernVote", builder.getInt32Ty(),
                          {thread, site(), builder.getInt32(static_cast<uint32_t>(mode)),
                           builder.CreateZExt(predicate, builder.getInt32Ty()), mask});
  store(operand(0), mode == VoteMode::Ballot ? result : builder.CreateICmpNE(result, builder.getInt32(0)));
  return true;
}

/// match.any.sync.type d, a, membermask; match.all.sync.type d{|p}, a, membermask.
bool FunctionTranslator::match() {
  auto found = types();
  if (!has("sync") || found.size() != 1 || operands().size() != 3 || (!has("any") && !has("all")))
    return false;
  Value *value = load(operand(1), found[0].bits), *mask = load(operand(2), 32);
  if (!value || !mask)
    return false;
  Value *result = callOut(
      "quernMatch", builder.getInt64Ty(),
      {thread, site(), builder.getInt32(has("all")), builder.CreateZExt(value, builder.getInt64Ty()), mask});
  Value *lanes = builder.CreateTrunc(result, builder.getInt32Ty());
  const Operand &to = operand(0);
  if (to.kind == Operand::Pair) {
    store(to.parts[0], lanes);
    store(to.parts[1], builder.CreateTrunc(builder.CreateLShr(result, 32), builder.getInt1Ty()));
  } else {
    store(to, lanes);
  }
  return true;
}

/// redux.sync.op.{u32,s32,b32,f32}
bool FunctionTranslator::reduce() {
  auto found = types();
  if (!has("sync") || found.size() != 1 || found[0].bits != 32 || operands().size() != 3)
    return false;
  NumberType type = found[0];
  Value *value = load(operand(1), 32), *mask = load(operand(2), 32);
  if (!value || !mask)
    return false;
  ReduxOp op;
  uint32_t flags = 0;
  if (type.isFloat(32)) {
    if (!has("min") && !has("max"))
      return false;
    op = has("min") ? ReduxOp::MinFloat : ReduxOp::MaxFloat;
    flags = (has("abs") ? 0x100u : 0u) | (has("NaN") ? 0x200u : 0u);
  } else if (has("add")) {
    op = ReduxOp::Add;
  } else if (has("min")) {
    op = type.isSigned() ? ReduxOp::MinSigned : ReduxOp::MinUnsigned;
  } else if (has("max")) {
    op = type.isSigned() ? ReduxOp::MaxSigned : ReduxOp::MaxUnsigned;
  } else if (has("and")) {
    op = ReduxOp::And;
  } else if (has("or")) {
    op = ReduxOp::Or;
  } else if (has("xor")) {
    op = ReduxOp::Xor;
  } else {
    return false;
  }
  store(operand(0),
        callOut("quernRedux", builder.getInt32Ty(),
                {thread, site(), builder.getInt32(static_cast<uint32_t>(op) | flags), value, mask}));
  return true;
}

bool FunctionTranslator::activeMask() {
  if (operands().size() != 1)
    return false;
  store(operand(0), callOut("quernActiveMask", builder.getInt32Ty(), {thread, site()}));
  return true;
}

/// elect.sync d|p, membermask: the lowest lane of the mask is the leader.
bool FunctionTranslator::elect() {
  if (!has("sync") || operands().size() != 2 || operand(0).kind != Operand::Pair)
    return false;
  Value *mask = load(operand(1), 32);
  if (!mask)
    return false;
  Value *result = callOut("quernElect", builder.getInt64Ty(), {thread, site(), mask});
  store(operand(0).parts[0], builder.CreateTrunc(result, builder.getInt32Ty()));
  store(operand(0).parts[1], builder.CreateTrunc(builder.CreateLShr(result, 32), builder.getInt1Ty()));
  return true;
}

/// setmaxnreg.{inc,dec}.sync.aligned.u32 count (PTX ISA 9.7.19.5): from 24 to 256 in steps of 8. Registers
/// are without end here; what is checked is that all warps of a warpgroup ask for the same.
bool FunctionTranslator::setRegisterCount() {
  if (!has("sync") || !has("aligned") || !has("u32") || has("inc") == has("dec") || operands().size() != 1 ||
      operand(0).kind != Operand::Integer)
    return false;
  uint64_t wanted = operand(0).value;
  if (wanted < 24 || wanted > 256 || wanted % 8 != 0) {
    badOperand("the register count of setmaxnreg is not a multiple of 8 from 24 to 256");
    return true;
  }
  callOut("quernSetRegisterCount", builder.getVoidTy(),
          {thread, site(), builder.getInt32(static_cast<uint32_t>(wanted))});
  return true;
}

/// nanosleep: lets the others run.
bool FunctionTranslator::sleep() {
  count(instructionCount, 0);
  callOut("quernTick", builder.getVoidTy(),
          {thread, site(), builder.CreateLoad(builder.getInt64Ty(), instructionCount)});
  return true;
}

} // namespace quern::runtime::emulated::nvidia
