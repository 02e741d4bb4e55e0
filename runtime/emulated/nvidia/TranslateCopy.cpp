//===- TranslateCopy.cpp - Asynchronous copies of a thread ----------------===//
//
// PTX ISA 9.7.9.25.3: cp.async, cp.async.commit_group, cp.async.wait_group, cp.async.wait_all, and
// cp.async.mbarrier.arrive (9.7.13.15.17).
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

namespace quern::runtime::emulated::nvidia {

bool FunctionTranslator::copyAsync() {
  if (!has("async"))
    return false;
  if (has("bulk"))
    return bulkCopy();
  llvm::Type *none = builder.getVoidTy();
  if (has("commit_group") || has("wait_all")) {
    if (!operands().empty())
      return false;
    callOut(has("wait_all") ? "quernWaitForAllCopies" : "quernCommitCopies", none, {thread});
    return true;
  }
  if (has("wait_group")) {
    if (operands().size() != 1 || operand(0).kind != Operand::Integer)
      return false;
    callOut("quernWaitForCopies", none, {thread, load(operand(0), 32)});
    return true;
  }
  if (has("mbarrier")) {
    Value *where =
        operands().size() == 1 && has("arrive") && has("b64") ? matrixAddress(operand(0)) : nullptr;
    if (!where)
      return false;
    callOut("quernArriveAfterCopies", none, {thread, site(), where, builder.getInt1(!has("noinc"))});
    return true;
  }
  // cp.async.{ca,cg}.shared.global{.cache hints} [to], [from], bytes{, source bytes | ignore}{, policy}
  if (has("ca") == has("cg") || !has("global") || !(has("shared") || has("shared::cta")) ||
      operands().size() < 3 || operands().size() > 5 || operand(2).kind != Operand::Integer)
    return false;
  uint64_t bytes = operand(2).value;
  if (bytes != 16 && (has("cg") || (bytes != 4 && bytes != 8)))
    return false;
  Value *to = address(operand(0)), *from = address(operand(1));
  Value *sourceBytes = builder.getInt32(static_cast<uint32_t>(bytes));
  bool hasPolicy = has("L2::cache_hint");
  size_t plain = operands().size() - (hasPolicy ? 1 : 0);
  if (plain > 4)
    return false;
  if (plain == 4) {
    const Operand &limit = operand(3);
    bool isPredicate = limit.kind == Operand::Register && source.registers[limit.index].type.bits == 1;
    Value *value = isPredicate ? loadPredicate(limit) : load(limit, 32);
    if (!value)
      return false;
    sourceBytes = isPredicate ? builder.CreateSelect(value, builder.getInt32(0), sourceBytes) : value;
  }
  if (!to || !from)
    return false;
  count(sharedStores, bytes);
  count(globalLoads, bytes);
  callOut("quernCopyAsync", none,
          {thread, site(), to, from, builder.getInt32(static_cast<uint32_t>(bytes)), sourceBytes});
  return true;
}

} // namespace quern::runtime::emulated::nvidia
