//===- TranslateMbarrier.cpp - Mbarriers, clusters and proxy fences -------===//
//
// PTX ISA 9.7.13.15 (mbarrier), 9.7.13.3 (barrier.cluster), 9.7.9.23 and 9.7.9.24 (mapa,
// getctarank), 9.7.13.4 (fence.proxy.async, fence.mbarrier_init, fence.proxy.tensormap).
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/Translate.h"

namespace quern::runtime::emulated::nvidia {

/// mbarrier.init, .inval, .expect_tx, .complete_tx, .arrive, .arrive_drop, .test_wait, .try_wait,
/// .pending_count; all on .b64 objects in shared memory.
bool FunctionTranslator::mbarrier() {
  if (!has("b64") || operands().empty())
    return false;
  Value *isGeneric = builder.getInt1(spaceOfAccess() == Space::Generic), *one = builder.getInt32(1);
  auto *i32 = builder.getInt32Ty(), *i64 = builder.getInt64Ty();
  uint32_t flags = (has("relaxed") ? 0 : MbarrierOrders) | (has("shared::cluster") ? MbarrierCluster : 0);
  if (has("pending_count")) {
    Value *state = operands().size() == 2 ? load(operand(1), 64) : nullptr;
    if (!state)
      return false;
    store(operand(0), builder.CreateLShr(state, 32));
    return true;
  }
  if (has("init") || has("inval")) {
    Value *where = address(operand(0));
    if (!where || has("shared::cluster") || operands().size() != (has("init") ? 2u : 1u))
      return false;
    Value *own =
        spaceOfAccess() == Space::Generic ? builder.CreateSub(where, builder.getInt64(sharedWindow)) : where;
    // For the race check both are plain writes.
    callOut("quernSharedAccess", builder.getPtrTy(),
            {thread, site(), own, builder.getInt32(8), builder.getInt32(AccessWrite),
             llvm::ConstantPointerNull::get(builder.getPtrTy())});
    if (has("inval")) {
      callOut("quernMbarrierInvalidate", builder.getVoidTy(), {thread, site(), where, isGeneric});
      return true;
    }
    Value *count = load(operand(1), 32);
    if (!count)
      return false;
    callOut("quernMbarrierInit", builder.getVoidTy(), {thread, site(), where, isGeneric, count});
    return true;
  }
  if (has("test_wait") || has("try_wait")) {
    // try_wait may name a time limit, which is not needed here.
    size_t most = has("try_wait") ? 4 : 3;
    Value *where = operands().size() >= 3 && operands().size() <= most ? address(operand(1)) : nullptr;
    bool isParity = has("parity");
    Value *what = where ? load(operand(2), isParity ? 32 : 64) : nullptr;
    if (!what || has("shared::cluster"))
      return false;
    Value *done = callOut("quernMbarrierWait", builder.getInt1Ty(),
                          {thread, site(), where, isGeneric, builder.CreateZExt(what, i64),
                           builder.getInt32(flags | (isParity ? MbarrierParity : 0))});
    store(operand(0), done);
    return true;
  }
  bool isArrival = has("arrive") || has("arrive_drop");
  if (!isArrival && !has("expect_tx") && !has("complete_tx"))
    return false;
  size_t first = isArrival && operand(0).kind != Operand::Address ? 1 : 0, rest = operands().size() - first;
  Value *where = rest >= 1 && rest <= 2 ? address(operand(first)) : nullptr;
  Value *number = rest == 2 ? load(operand(first + 1), 32) : nullptr;
  if (!where || (rest == 2 && !number))
    return false;
  Value *count = one, *bytes = builder.getInt32(0);
  if (has("expect_tx") || has("complete_tx")) {
    if (!number)
      return false;
    bytes = number;
    flags |= has("expect_tx") ? MbarrierExpects : MbarrierCompletes;
    // Without an arrival they order nothing.
    if (!isArrival)
      flags &= ~MbarrierOrders;
  } else if (number) {
    count = number;
  }
  flags |= (isArrival ? MbarrierArrives : 0) | (has("arrive_drop") ? MbarrierDrops : 0) |
           (has("noComplete") ? MbarrierNoComplete : 0);
  Value *state = callOut("quernMbarrierArrive", i64,
                         {thread, site(), where, isGeneric, builder.CreateZExtOrTrunc(count, i32),
                          builder.CreateZExtOrTrunc(bytes, i32), builder.getInt32(flags)});
  if (first == 1) {
    // A remote arrival has no state.
    if (has("shared::cluster") && operand(0).kind != Operand::Sink)
      return false;
    store(operand(0), state);
  }
  return true;
}

/// mapa{.shared::cluster}.type d, a, b; getctarank{.shared::cluster}.type d, a.
bool FunctionTranslator::mapAddress() {
  bool isGeneric = spaceOfAccess() == Space::Generic;
  bool isMap = current->opcode == "mapa";
  if (operands().size() != (isMap ? 3u : 2u))
    return false;
  Value *where = load(operand(1), 64);
  if (!where)
    return false;
  if (!isMap) {
    Value *offset = isGeneric ? builder.CreateSub(where, builder.getInt64(sharedWindow)) : where;
    store(operand(0),
          builder.CreateTrunc(builder.CreateLShr(offset, clusterRankShift), builder.getInt32Ty()));
    return true;
  }
  Value *rank = load(operand(2), 32);
  if (!rank)
    return false;
  store(operand(0), callOut("quernMapAddress", builder.getInt64Ty(),
                            {thread, site(), where, builder.getInt1(isGeneric), rank}));
  return true;
}

/// barrier.cluster.arrive{.release|.relaxed}{.aligned}; barrier.cluster.wait{.acquire}{.aligned}.
bool FunctionTranslator::clusterBarrier() {
  if (!operands().empty() || has("arrive") == has("wait"))
    return false;
  callOut("quernClusterBarrier", builder.getVoidTy(),
          {thread, site(), builder.getInt1(has("wait")), builder.getInt1(!has("relaxed"))});
  return true;
}

/// What a fence of proxies does to what other threads and operations see; its host fence is `fence`.
void FunctionTranslator::proxyFence() {
  if (sanitize && (has("mbarrier_init") || (has("proxy") && has("async"))))
    callOut("quernProxyFence", builder.getVoidTy(), {thread});
}

} // namespace quern::runtime::emulated::nvidia
