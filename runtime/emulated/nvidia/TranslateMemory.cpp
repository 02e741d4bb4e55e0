//===- TranslateMemory.cpp - Loads, stores, moves and addresses -----------===//
//
// PTX ISA 9.7.9 (ld, ld.global.nc, ldu, st, mov, cvta, isspacep, prefetch), 9.7.13.4 (membar, fence). Every
// access is checked before the host memory is touched: a global one against the live allocations, with the
// last one cached per instruction, a shared or local one against the size of its buffer.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/IR/MDBuilder.h"

#include <bit>

namespace quern::runtime::emulated::nvidia {

Space FunctionTranslator::spaceOfAccess() const {
  for (const std::string &modifier : current->modifiers) {
    std::string_view word(modifier);
    if (word == "global")
      return Space::Global;
    if (word.starts_with("shared"))
      return Space::Shared;
    if (word == "local")
      return Space::Local;
    if (word.starts_with("param"))
      return Space::Param;
    if (word == "const")
      return Space::Const;
  }
  return Space::Generic;
}

unsigned FunctionTranslator::vectorOfAccess() const {
  return has("v2") ? 2 : has("v4") ? 4 : has("v8") ? 8 : 1;
}

/// The address as 64 bits; 32-bit registers hold shared and local addresses.
FunctionTranslator::Value *FunctionTranslator::address(const Operand &operand) {
  if (operand.kind != Operand::Address || operand.parts.size() != 1)
    return nullptr;
  const Operand &base = operand.parts[0];
  Value *value = nullptr;
  if (base.kind == Operand::Register) {
    needRegister(base.index);
    value = builder.CreateLoad(registers[base.index]->getAllocatedType(), registers[base.index]);
    unsigned bits = value->getType()->getIntegerBitWidth();
    if (bits < 32)
      return nullptr;
    // A 32-bit address wraps in 32 bits.
    if (bits == 32 && operand.value != 0)
      value = builder.CreateAdd(value, constant(32, operand.value & 0xFFFFFFFF));
    value = builder.CreateZExtOrTrunc(value, builder.getInt64Ty());
    if (bits == 32)
      return value;
  } else if (base.kind == Operand::Integer || base.kind == Operand::Variable ||
             base.kind == Operand::Global) {
    value = load(base, 64);
  }
  if (!value)
    return nullptr;
  return operand.value == 0 ? value : builder.CreateAdd(value, builder.getInt64(operand.value));
}

/// Global and generic addresses. The fast way is the allocation that this instruction used last; the slow way
/// is a call that finds another one, or the buffer of another space, or does not come back.
FunctionTranslator::Value *FunctionTranslator::globalPointer(Value *address, unsigned bytes, uint32_t flags) {
  Value *cache = at(caches, uint64_t(siteIndex) * sizeof(SiteCache));
  Value *base = builder.CreateLoad(builder.getInt64Ty(), at(cache, offsetof(SiteCache, base)));
  Value *limit = builder.CreateLoad(builder.getInt64Ty(), at(cache, offsetof(SiteCache, limit)));
  Value *inside = builder.CreateICmpULT(builder.CreateSub(address, base), limit);
  if (bytes > 1 && (sanitize || (flags & AccessAtomic))) {
    Value *low = builder.CreateAnd(address, bytes - 1);
    inside = builder.CreateAnd(inside, builder.CreateICmpEQ(low, builder.getInt64(0)));
  }
  llvm::BasicBlock *slow = newBlock("slow"), *go = newBlock("go"), *before = builder.GetInsertBlock();
  builder.CreateCondBr(inside, go, slow, llvm::MDBuilder(context).createLikelyBranchWeights());
  Value *fastPointer = nullptr;
  builder.SetInsertPoint(before->getTerminator());
  fastPointer = builder.CreateIntToPtr(address, builder.getPtrTy());
  builder.SetInsertPoint(slow);
  Value *slowPointer = callOut("quernResolve", builder.getPtrTy(),
                               {thread, site(), address, builder.getInt32(bytes), builder.getInt32(flags),
                                builder.getInt1(spaceOfAccess() == Space::Generic)});
  builder.CreateBr(go);
  builder.SetInsertPoint(go);
  llvm::PHINode *pointer = builder.CreatePHI(builder.getPtrTy(), 2);
  pointer->addIncoming(fastPointer, before);
  pointer->addIncoming(slowPointer, slow);
  return pointer;
}

FunctionTranslator::Value *FunctionTranslator::sharedPointer(Value *address, unsigned bytes, uint32_t flags,
                                                             Value *stored) {
  // The memory of another block of the cluster, or of this one by its place in the cluster.
  if (image.knowsClusters && has("shared::cluster"))
    flags |= AccessCluster;
  if (sanitize || (flags & AccessCluster)) {
    if (!stored)
      stored = llvm::ConstantPointerNull::get(builder.getPtrTy());
    return callOut("quernSharedAccess", builder.getPtrTy(),
                   {thread, site(), address, builder.getInt32(bytes), builder.getInt32(flags), stored});
  }
  Value *wanted = address;
  if (image.knowsClusters)
    address = builder.CreateSub(address, sharedOrigin);
  Value *tooFar = builder.CreateICmpUGT(address, builder.CreateSub(sharedBytes, builder.getInt64(bytes)));
  tooFar = builder.CreateOr(tooFar, builder.CreateICmpULT(sharedBytes, builder.getInt64(bytes)));
  if (flags & AccessAtomic) {
    Value *low = builder.CreateAnd(address, bytes - 1);
    tooFar = builder.CreateOr(tooFar, builder.CreateICmpNE(low, builder.getInt64(0)));
  }
  faultIf(tooFar, "quernSharedFault", {thread, site(), wanted, builder.getInt32(bytes)});
  return builder.CreateGEP(builder.getInt8Ty(), sharedBase, address);
}

FunctionTranslator::Value *FunctionTranslator::localPointer(Value *address, unsigned bytes, uint32_t flags) {
  Value *top = threadField(offsetof(ThreadContext, localTop), builder.getInt64Ty());
  Value *end = builder.CreateAdd(address, builder.getInt64(bytes));
  Value *bad = builder.CreateOr(builder.CreateICmpUGT(end, top), builder.CreateICmpULT(end, address));
  if (sanitize && bytes > 1) {
    Value *low = builder.CreateAnd(address, bytes - 1);
    bad = builder.CreateOr(bad, builder.CreateICmpNE(low, builder.getInt64(0)));
  }
  faultIf(bad, "quernLocalFault", {thread, site(), address, builder.getInt32(bytes)});
  return builder.CreateGEP(builder.getInt8Ty(), localBase, address);
}

FunctionTranslator::Value *FunctionTranslator::hostPointer(Space space, Value *address, unsigned bytes,
                                                           uint32_t flags, Value *stored) {
  bool write = flags & AccessWrite;
  countAccess(space, address, bytes, flags);
  switch (space) {
  case Space::Shared:
    if (!(flags & AccessAtomic) || !write)
      count(write ? sharedStores : sharedLoads, bytes);
    return sharedPointer(address, bytes, flags, stored);
  case Space::Local:
    return localPointer(address, bytes, flags);
  default: {
    count(write ? globalStores : globalLoads, bytes);
    Value *pointer = globalPointer(address, bytes, flags);
    if (checks.globalRaces) {
      if (has("release") || has("acq_rel"))
        flags |= AccessRelease;
      callOut("quernNoteGlobal", builder.getVoidTy(),
              {thread, site(), address, builder.getInt32(bytes), builder.getInt32(flags),
               stored ? stored : llvm::ConstantPointerNull::get(builder.getPtrTy())});
    }
    return pointer;
  }
  }
}

/// Parameter space by name: in range when translated, nothing to check when run.
FunctionTranslator::Value *FunctionTranslator::parameterPointer(const Operand &operand, unsigned bytes) {
  if (operand.kind != Operand::Address || operand.parts.size() != 1 ||
      operand.parts[0].kind != Operand::Variable)
    return nullptr;
  const Variable &variable = source.variables[operand.parts[0].index];
  if (variable.space != Space::Param || operand.value > variable.bytes ||
      bytes > variable.bytes - operand.value)
    return nullptr;
  return at(parameterMemory[operand.parts[0].index], operand.value);
}

bool FunctionTranslator::loadMemory() {
  auto found = types();
  if (found.size() != 1 || operands().size() < 2 || operands().size() > 3)
    return false;
  NumberType type = found[0];
  unsigned lanes = vectorOfAccess(), element = std::max(1u, type.width() / 8), bytes = element * lanes;
  if (bytes > 32 || !std::has_single_bit(bytes))
    return false;
  const Operand &to = operand(0);
  if (lanes > 1 && (to.kind != Operand::Vector || to.parts.size() != lanes))
    return false;
  Space space = spaceOfAccess();
  bool strong = has("volatile") || has("relaxed") || has("acquire") || has("mmio");
  Value *pointer = nullptr;
  if (space == Space::Param) {
    pointer = parameterPointer(operand(1), bytes);
    if (!pointer) {
      // Through a register: the address of a kernel parameter, which is a generic address.
      if (!source.isEntry || operand(1).kind != Operand::Address ||
          operand(1).parts[0].kind != Operand::Register)
        return false;
      Value *where = address(operand(1));
      if (!where)
        return false;
      pointer = callOut(
          "quernResolve", builder.getPtrTy(),
          {thread, site(), where, builder.getInt32(bytes), builder.getInt32(0), builder.getInt1(true)});
    }
  } else {
    Value *where = address(operand(1));
    if (!where)
      return false;
    pointer = hostPointer(space, where, bytes, strong ? AccessStrong | AccessAtomic : 0);
  }
  std::vector<Value *> values;
  for (unsigned i = 0; i < lanes; ++i) {
    llvm::LoadInst *value =
        builder.CreateAlignedLoad(intType(element * 8), at(pointer, uint64_t(i) * element),
                                  llvm::Align(strong && element <= 8 ? element : 1));
    if (strong && element <= 8)
      value->setAtomic(has("acquire") ? llvm::AtomicOrdering::Acquire : llvm::AtomicOrdering::Monotonic);
    values.push_back(value);
  }
  for (unsigned i = 0; i < lanes; ++i)
    store(lanes == 1 ? to : to.parts[i], values[i], type.isSigned());
  return true;
}

bool FunctionTranslator::storeMemory() {
  if (has("async"))
    return storeAsync();
  auto found = types();
  if (found.size() != 1 || operands().size() < 2 || operands().size() > 3)
    return false;
  NumberType type = found[0];
  unsigned lanes = vectorOfAccess(), element = std::max(1u, type.width() / 8), bytes = element * lanes;
  if (bytes > 32 || !std::has_single_bit(bytes))
    return false;
  const Operand &from = operand(1);
  if (lanes > 1 && (from.kind != Operand::Vector || from.parts.size() != lanes))
    return false;
  std::vector<Value *> values;
  for (unsigned i = 0; i < lanes; ++i) {
    Value *value = load(lanes == 1 ? from : from.parts[i], element * 8);
    if (!value)
      return false;
    values.push_back(value);
  }
  Space space = spaceOfAccess();
  bool strong = has("volatile") || has("relaxed") || has("release") || has("mmio");
  uint32_t flags = AccessWrite | (strong ? AccessStrong | AccessAtomic : 0);
  Value *pointer = nullptr;
  if (space == Space::Param) {
    pointer = parameterPointer(operand(0), bytes);
    if (!pointer)
      return false;
    // A kernel's parameters are read-only.
    if (source.isEntry)
      for (uint32_t index : source.parameters)
        if (index == operand(0).parts[0].index)
          return false;
  } else {
    if (space == Space::Const)
      return false;
    Value *where = address(operand(0));
    if (!where)
      return false;
    Value *stored = nullptr;
    if (space != Space::Local)
      needDefined(from);
    if (space == Space::Shared ? sanitize : space != Space::Local && checks.globalRaces) {
      // The check compares what is written with what is there.
      stored = makeAlloca(llvm::ArrayType::get(builder.getInt8Ty(), bytes), 16);
      for (unsigned i = 0; i < lanes; ++i)
        builder.CreateAlignedStore(values[i], at(stored, uint64_t(i) * element), llvm::Align(1));
    }
    pointer = hostPointer(space, where, bytes, flags, stored);
  }
  for (unsigned i = 0; i < lanes; ++i) {
    llvm::StoreInst *made = builder.CreateAlignedStore(values[i], at(pointer, uint64_t(i) * element),
                                                       llvm::Align(strong && element <= 8 ? element : 1));
    if (strong && element <= 8)
      made->setAtomic(has("release") ? llvm::AtomicOrdering::Release : llvm::AtomicOrdering::Monotonic);
  }
  return true;
}

/// cvta{.to}.space.u64: only shared and local addresses differ from their generic form.
bool FunctionTranslator::convertAddress() {
  if (operands().size() != 2 || !has("u64"))
    return false;
  Value *value = load(operand(1), 64);
  if (!value)
    return false;
  Space space = spaceOfAccess();
  if (space == Space::Generic)
    return false;
  uint64_t window = space == Space::Shared ? sharedWindow : space == Space::Local ? localWindow : 0;
  if (window)
    value = has("to") ? builder.CreateSub(value, builder.getInt64(window))
                      : builder.CreateAdd(value, builder.getInt64(window));
  store(operand(0), value);
  return true;
}

bool FunctionTranslator::isInSpace() {
  if (operands().size() != 2)
    return false;
  Value *value = load(operand(1), 64);
  if (!value)
    return false;
  auto inWindow = [&](uint64_t window) {
    return builder.CreateICmpULT(builder.CreateSub(value, builder.getInt64(window)),
                                 builder.getInt64(windowBytes));
  };
  switch (spaceOfAccess()) {
  case Space::Shared:
    store(operand(0), inWindow(sharedWindow));
    return true;
  case Space::Local:
    store(operand(0), inWindow(localWindow));
    return true;
  case Space::Global:
    store(operand(0), builder.CreateNot(builder.CreateOr(inWindow(sharedWindow), inWindow(localWindow))));
    return true;
  default:
    return false;
  }
}

/// mov, with packing and unpacking of vectors.
bool FunctionTranslator::move() {
  auto found = types();
  if (found.size() != 1 || operands().size() != 2)
    return false;
  Value *value = load(operand(1), found[0].width());
  if (!value)
    return false;
  const Operand &to = operand(0);
  if (to.kind == Operand::Vector && (to.parts.empty() || found[0].width() % to.parts.size() != 0))
    return false;
  store(to, value, found[0].isSigned());
  return true;
}

bool FunctionTranslator::fence() {
  // fence.proxy.tensormap names the 128 bytes that it is about.
  if (!operands().empty() && !has("tensormap::generic"))
    return false;
  proxyFence();
  if (has("tensormap::generic") && has("acquire")) {
    Value *where = operands().size() == 2 ? address(operand(0)) : nullptr;
    if (!where)
      return false;
    callOut("quernMapFence", builder.getVoidTy(), {thread, where});
  }
  // Wider than the block: PTX ISA 8.5, scopes.
  if (checks.globalRaces && !has("proxy") && !has("cta"))
    callOut("quernFenceGlobal", builder.getVoidTy(), {thread});
  builder.CreateFence(llvm::AtomicOrdering::SequentiallyConsistent);
  return true;
}

/// discard.global.L2 [a], 128: the bytes have no value any more (PTX ISA 9.7.9.17); here they become poison.
bool FunctionTranslator::discard() {
  if (operands().size() != 2 || operand(1).kind != Operand::Integer || operand(1).value != 128)
    return false;
  Value *where = address(operand(0));
  if (!where)
    return false;
  Value *pointer = globalPointer(where, 128, AccessWrite | AccessAtomic);
  builder.CreateMemSet(pointer, builder.getInt8(0xCB), builder.getInt64(128), llvm::Align(1));
  return true;
}

/// Hints, and what a machine without asynchronous parts need not do: prefetch, cache policies, dependent
/// launches.
bool FunctionTranslator::noOperation() {
  if (current->opcode == "createpolicy" && !operands().empty())
    store(operand(0), builder.getInt64(0));
  return true;
}

} // namespace quern::runtime::emulated::nvidia
