//===- Translate.cpp - From PTX to LLVM IR: functions and operands --------===//

#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/IR/MDBuilder.h"

#include <bit>
#include <optional>

namespace quern::runtime::emulated::nvidia {

using llvm::BasicBlock;
using llvm::Type;

namespace {

std::string functionName(const KernelImage &image, const Function &function) {
  if (&function == image.kernel)
    return "kernel";
  return "function" + std::to_string(image.firstSite.at(&function));
}

llvm::FunctionType *functionType(const Function &function, llvm::LLVMContext &context) {
  size_t pointers = 1 + (function.isEntry ? 0 : function.parameters.size() + function.results.size());
  std::vector<Type *> types(pointers, llvm::PointerType::getUnqual(context));
  return llvm::FunctionType::get(Type::getVoidTy(context), types, false);
}

} // namespace

void translate(const KernelImage &image, Checks checks, bool hostHasF16C, llvm::Module &module) {
  for (const Function *function : image.functions) {
    auto linkage =
        function == image.kernel ? llvm::Function::ExternalLinkage : llvm::Function::InternalLinkage;
    llvm::Function *made = llvm::Function::Create(functionType(*function, module.getContext()), linkage,
                                                  functionName(image, *function), module);
    made->addFnAttr(llvm::Attribute::NoUnwind);
    if (function != image.kernel)
      made->addFnAttr(llvm::Attribute::NoInline);
  }
  std::optional<CountPlan> plan;
  if (checks.counters)
    plan.emplace(image);
  for (const Function *function : image.functions)
    FunctionTranslator(image, *function, checks, hostHasF16C, module, plan ? &*plan : nullptr).run();
}

FunctionTranslator::FunctionTranslator(const KernelImage &image, const Function &source, Checks checks,
                                       bool hostHasF16C, llvm::Module &module, const CountPlan *plan)
    : image(image), source(source), checks(checks), sanitize(checks.memory), hostHasF16C(hostHasF16C),
      module(module), plan(plan), context(module.getContext()), builder(context) {}

void FunctionTranslator::run() {
  function = module.getFunction(functionName(image, source));
  entry = BasicBlock::Create(context, "entry", function);
  builder.SetInsertPoint(entry);
  thread = function->getArg(0);
  block = threadField(offsetof(ThreadContext, block), builder.getPtrTy());
  sharedBase = blockField(offsetof(BlockContext, shared), builder.getPtrTy());
  sharedBytes = blockField(offsetof(BlockContext, sharedBytes), builder.getInt64Ty());
  sharedOrigin = blockField(offsetof(BlockContext, sharedOrigin), builder.getInt64Ty());
  parameters = blockField(offsetof(BlockContext, parameters), builder.getPtrTy());
  caches = blockField(offsetof(BlockContext, caches), builder.getPtrTy());
  localBase = threadField(offsetof(ThreadContext, local), builder.getPtrTy());
  if (plan)
    segmentCounts = threadField(offsetof(ThreadContext, segments), builder.getPtrTy());
  declareRegisters();
  openLocalFrame();
  blocks.assign(source.instructions.size() + 1, nullptr);
  for (uint32_t i = 0; i <= source.instructions.size(); ++i)
    if (source.isTarget[i])
      blocks[i] = BasicBlock::Create(context, "label", function);
  for (uint32_t i = 0; i < source.instructions.size(); ++i)
    translate(i);
  // A body that runs out of its end returns (PTX ISA 9.7.12, "ret").
  instructionIndex = static_cast<uint32_t>(source.instructions.size());
  if (blocks[instructionIndex])
    startBlock(blocks[instructionIndex]);
  returnFromFunction();
}

void FunctionTranslator::declareRegisters() {
  for (const RegisterInfo &info : source.registers) {
    llvm::AllocaInst *variable = builder.CreateAlloca(intType(info.type.bits), nullptr, info.name);
    registers.push_back(variable);
    builder.CreateStore(constant(info.type.bits, 0), variable);
  }
  trackRegisters();
  for (llvm::AllocaInst **counter :
       {&instructionCount, &globalLoads, &globalStores, &sharedLoads, &sharedStores, &branchCount}) {
    *counter = builder.CreateAlloca(builder.getInt64Ty());
    builder.CreateStore(builder.getInt64(0), *counter);
  }
  carry = builder.CreateAlloca(builder.getInt1Ty());
  afterRegisters = builder.CreateStore(builder.getInt1(false), carry);
  declareAsyncRegisters();
  parameterMemory.assign(source.variables.size(), nullptr);
  for (size_t i = 0; i < source.variables.size(); ++i) {
    const Variable &variable = source.variables[i];
    if (variable.space != Space::Param)
      continue;
    auto position = [&](const std::vector<uint32_t> &list) {
      for (size_t j = 0; j < list.size(); ++j)
        if (list[j] == i)
          return static_cast<int>(j);
      return -1;
    };
    if (int j = position(source.parameters); j >= 0)
      parameterMemory[i] = source.isEntry ? at(parameters, image.parameterOffset[static_cast<size_t>(j)])
                                          : function->getArg(static_cast<unsigned>(1 + j));
    else if (int k = position(source.results); k >= 0)
      parameterMemory[i] = function->getArg(static_cast<unsigned>(1 + source.parameters.size() + k));
    else
      parameterMemory[i] = makeAlloca(llvm::ArrayType::get(builder.getInt8Ty(), variable.bytes), 16);
  }
}

/// Local variables live in the frame [frameBase, frameBase + bytes) of the thread's local memory.
void FunctionTranslator::openLocalFrame() {
  uint64_t bytes = image.frameBytes.at(&source);
  frameBase = threadField(offsetof(ThreadContext, localTop), builder.getInt64Ty());
  if (bytes == 0)
    return;
  Value *top = builder.CreateAdd(frameBase, builder.getInt64(bytes));
  siteIndex = image.firstSite.at(&source);
  Value *size = threadField(offsetof(ThreadContext, localBytes), builder.getInt64Ty());
  faultIf(builder.CreateICmpUGT(top, size), "quernStackDepth", {thread, site()});
  builder.CreateStore(top, at(thread, offsetof(ThreadContext, localTop)));
}

void FunctionTranslator::translate(uint32_t index) {
  instructionIndex = index;
  current = &source.instructions[index];
  siteIndex = image.firstSite.at(&source) + index;
  if (blocks[index])
    startBlock(blocks[index]);
  if (plan && plan->sites[siteIndex].opensOuter)
    countSegment(plan->sites[siteIndex].outer);
  ++pendingInstructions;
  allDefined = someDefined = nullptr;
  BasicBlock *after = nullptr;
  if (current->guard >= 0) {
    count(instructionCount, 0);
    needRegister(static_cast<uint32_t>(current->guard));
    Value *guard = builder.CreateLoad(intType(1), registers[static_cast<size_t>(current->guard)]);
    after = newBlock("after");
    BasicBlock *guarded = newBlock("guarded");
    if (current->guardNegated)
      builder.CreateCondBr(guard, after, guarded);
    else
      builder.CreateCondBr(guard, guarded, after);
    builder.SetInsertPoint(guarded);
    if (plan)
      countSegment(plan->sites[siteIndex].inner);
  }
  if (!current->readable || !dispatch())
    unmodelled();
  else
    noteLateWrites();
  if (after) {
    count(instructionCount, 0);
    startBlock(after);
  }
}

/// The instruction has no translation: a thread that reaches it fails. What a handler has emitted stays dead
/// or harmless, because nothing of it is observed after the fault.
void FunctionTranslator::unmodelled() {
  callOut("quernNotModelled", builder.getVoidTy(), {thread, site()});
  builder.CreateUnreachable();
  startBlock(newBlock("unreached"));
}

void FunctionTranslator::startBlock(BasicBlock *to) {
  count(instructionCount, 0);
  if (!builder.GetInsertBlock()->getTerminator())
    builder.CreateBr(to);
  if (to->getParent() == nullptr)
    to->insertInto(function);
  to->moveAfter(builder.GetInsertBlock());
  builder.SetInsertPoint(to);
}

BasicBlock *FunctionTranslator::newBlock(const char *name) {
  return BasicBlock::Create(context, name, function);
}

BasicBlock *FunctionTranslator::blockOf(uint32_t instruction) { return blocks[instruction]; }

void FunctionTranslator::flushCounts() {
  count(instructionCount, 0);
  auto flush = [&](llvm::AllocaInst *counter, size_t offset) {
    Value *place = at(thread, offsetof(ThreadContext, counts) + offset);
    Value *sum = builder.CreateAdd(builder.CreateLoad(builder.getInt64Ty(), place),
                                   builder.CreateLoad(builder.getInt64Ty(), counter));
    builder.CreateStore(sum, place);
    builder.CreateStore(builder.getInt64(0), counter);
  };
  flush(instructionCount, offsetof(ThreadCounts, instructions));
  flush(globalLoads, offsetof(ThreadCounts, globalLoadBytes));
  flush(globalStores, offsetof(ThreadCounts, globalStoreBytes));
  flush(sharedLoads, offsetof(ThreadCounts, sharedLoadBytes));
  flush(sharedStores, offsetof(ThreadCounts, sharedStoreBytes));
}

void FunctionTranslator::returnFromFunction() {
  flushCounts();
  // The places of the registers go away.
  if (asyncCount)
    callOut("quernAsyncLeave", builder.getVoidTy(),
            {thread, site(), asyncStates, builder.getInt32(asyncCount)});
  if (image.frameBytes.at(&source) != 0)
    builder.CreateStore(frameBase, at(thread, offsetof(ThreadContext, localTop)));
  builder.CreateRetVoid();
}

//===----------------------------------------------------------------------===//
// Words of the instruction
//===----------------------------------------------------------------------===//

std::vector<NumberType> FunctionTranslator::types() const {
  std::vector<NumberType> found;
  for (const std::string &modifier : current->modifiers)
    if (auto type = numberType(modifier))
      found.push_back(*type);
  return found;
}

Rounding FunctionTranslator::rounding(Rounding otherwise) const {
  for (const std::string &modifier : current->modifiers) {
    if (modifier == "rn" || modifier == "rni")
      return Rounding::Nearest;
    if (modifier == "rz" || modifier == "rzi")
      return Rounding::Zero;
    if (modifier == "rm" || modifier == "rmi")
      return Rounding::Down;
    if (modifier == "rp" || modifier == "rpi")
      return Rounding::Up;
    if (modifier == "rna")
      return Rounding::Away;
  }
  return otherwise;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

Type *FunctionTranslator::floatType(NumberType type) {
  return type.bits == 64 ? builder.getDoubleTy() : builder.getFloatTy();
}

FunctionTranslator::Value *FunctionTranslator::load(const Operand &from, unsigned bits) {
  switch (from.kind) {
  case Operand::Register: {
    touchRegister(from.index);
    llvm::AllocaInst *variable = registers[from.index];
    noteRead(from.index);
    Value *value = builder.CreateLoad(variable->getAllocatedType(), variable);
    if (from.negated)
      value = builder.CreateNot(value);
    return builder.CreateZExtOrTrunc(value, intType(bits));
  }
  case Operand::Integer:
    if (bits > 64)
      return llvm::ConstantInt::get(context, llvm::APInt(bits, from.value, true, true));
    return constant(bits, bits == 64 ? from.value : from.value & ((uint64_t(1) << bits) - 1));
  case Operand::Float: {
    double value = from.floatBits == 32 ? std::bit_cast<float>(static_cast<uint32_t>(from.value))
                                        : std::bit_cast<double>(from.value);
    if (bits == 32)
      return constant(32,
                      from.floatBits == 32 ? from.value : std::bit_cast<uint32_t>(static_cast<float>(value)));
    if (bits == 64)
      return constant(64, std::bit_cast<uint64_t>(value));
    return nullptr;
  }
  case Operand::Special: {
    Value *value = special(from.name, bits);
    return value ? builder.CreateZExtOrTrunc(value, intType(bits)) : nullptr;
  }
  case Operand::Variable:
  case Operand::Global: {
    Value *value = variableAddress(from);
    return value ? builder.CreateZExtOrTrunc(value, intType(bits)) : nullptr;
  }
  case Operand::Vector: {
    // mov and a few others take {a, b} as one value, low end first (PTX ISA 6.4.4).
    if (from.parts.empty() || bits % from.parts.size() != 0)
      return nullptr;
    unsigned part = static_cast<unsigned>(bits / from.parts.size());
    std::vector<Value *> values;
    for (const Operand &element : from.parts) {
      Value *value = load(element, part);
      if (!value)
        return nullptr;
      values.push_back(value);
    }
    return join(values, part);
  }
  case Operand::Name:
    // PTX ISA 4.4: the warp size as a constant.
    return from.name == "WARP_SZ" ? constant(bits, warpSize) : nullptr;
  default:
    return nullptr;
  }
}

FunctionTranslator::Value *FunctionTranslator::loadFloat(const Operand &from, unsigned bits) {
  Value *value = load(from, bits);
  return value ? builder.CreateBitCast(value, bits == 64 ? builder.getDoubleTy() : builder.getFloatTy())
               : nullptr;
}

FunctionTranslator::Value *FunctionTranslator::loadPredicate(const Operand &from) {
  if (from.kind == Operand::Integer)
    return builder.getInt1(from.value != 0);
  return from.kind == Operand::Register ? load(from, 1) : nullptr;
}

void FunctionTranslator::store(const Operand &to, Value *value, bool isSigned) {
  if (to.kind == Operand::Vector) {
    unsigned lanes = static_cast<unsigned>(to.parts.size());
    std::vector<Value *> parts = split(value, value->getType()->getIntegerBitWidth() / lanes, lanes);
    for (unsigned i = 0; i < lanes; ++i)
      store(to.parts[i], parts[i]);
    return;
  }
  if (to.kind != Operand::Register)
    return;
  touchRegister(to.index);
  noteWrite(to.index);
  llvm::AllocaInst *variable = registers[to.index];
  Type *type = variable->getAllocatedType();
  builder.CreateStore(
      isSigned ? builder.CreateSExtOrTrunc(value, type) : builder.CreateZExtOrTrunc(value, type), variable);
}

FunctionTranslator::Value *FunctionTranslator::toInteger(Value *value) {
  Type *type = value->getType();
  return type->isIntegerTy() ? value : builder.CreateBitCast(value, intType(type->getPrimitiveSizeInBits()));
}

void FunctionTranslator::storeFloat(const Operand &to, Value *value) { store(to, toInteger(value)); }

/// PTX ISA 10, special registers. Grids and clusters are one-dimensional.
FunctionTranslator::Value *FunctionTranslator::special(const std::string &name, unsigned bits) {
  static const llvm::StringMap<int> constants = {{"%smid", 0},
                                                 {"%gridid", 0},
                                                 {"%nsmid", 1},
                                                 {"%cluster_ctaid.y", 0},
                                                 {"%cluster_ctaid.z", 0},
                                                 {"%cluster_nctaid.y", 1},
                                                 {"%cluster_nctaid.z", 1},
                                                 {"%clusterid.y", 0},
                                                 {"%clusterid.z", 0},
                                                 {"%nclusterid.y", 1},
                                                 {"%nclusterid.z", 1}};
  static const llvm::StringMap<size_t> blockWords = {
      {"%cluster_ctaid.x", offsetof(BlockContext, clusterRank)},
      {"%cluster_ctarank", offsetof(BlockContext, clusterRank)},
      {"%cluster_nctaid.x", offsetof(BlockContext, clusterBlocks)},
      {"%cluster_nctarank", offsetof(BlockContext, clusterBlocks)},
      {"%clusterid.x", offsetof(BlockContext, cluster)},
      {"%nclusterid.x", offsetof(BlockContext, clusters)},
      {"%is_explicit_cluster", offsetof(BlockContext, isExplicitCluster)}};
  auto component = [&](const char *prefix) -> int {
    llvm::StringRef text(name);
    if (!text.consume_front(prefix) || text.size() != 1)
      return -1;
    return text[0] >= 'x' && text[0] <= 'z' ? text[0] - 'x' : -1;
  };
  Type *i32 = builder.getInt32Ty();
  auto word = [&](size_t base, int i) { return base + 4 * static_cast<size_t>(i); };
  if (int i = component("%tid."); i >= 0)
    return threadField(word(offsetof(ThreadContext, id), i), i32);
  if (int i = component("%ntid."); i >= 0)
    return blockField(word(offsetof(BlockContext, threads), i), i32);
  if (int i = component("%ctaid."); i >= 0)
    return blockField(word(offsetof(BlockContext, block), i), i32);
  if (int i = component("%nctaid."); i >= 0)
    return blockField(word(offsetof(BlockContext, blocks), i), i32);
  Value *lane = nullptr;
  if (name == "%laneid" || name.starts_with("%lanemask_"))
    lane = threadField(offsetof(ThreadContext, lane), i32);
  if (name == "%laneid")
    return lane;
  Value *one = builder.getInt32(1), *all = builder.getInt32(~0u);
  if (name == "%lanemask_eq")
    return builder.CreateShl(one, lane);
  if (name == "%lanemask_lt")
    return builder.CreateSub(builder.CreateShl(one, lane), one);
  if (name == "%lanemask_ge")
    return builder.CreateShl(all, lane);
  if (name == "%lanemask_le")
    return builder.CreateNot(builder.CreateShl(builder.CreateShl(all, lane), one));
  if (name == "%lanemask_gt")
    return builder.CreateShl(builder.CreateShl(all, lane), one);
  if (name == "%warpid")
    return threadField(offsetof(ThreadContext, warp), i32);
  if (name == "%nwarpid")
    return builder.getInt32(maxThreads / warpSize);
  if (name == "%dynamic_smem_size")
    return blockField(offsetof(BlockContext, dynamicSharedBytes), i32);
  if (name == "%total_smem_size" || name == "%aggr_smem_size")
    return builder.CreateTrunc(sharedBytes, i32);
  if (name == "%clock" || name == "%clock64" || name == "%clock_hi" || name == "%globaltimer" ||
      name == "%globaltimer_lo" || name == "%globaltimer_hi") {
    // Time is the thread's own instruction count, so that runs repeat; it never goes backwards.
    count(instructionCount, 0);
    Value *before = threadField(offsetof(ThreadContext, counts), builder.getInt64Ty());
    Value *now = builder.CreateAdd(before, builder.CreateLoad(builder.getInt64Ty(), instructionCount));
    return name.ends_with("_hi") ? builder.CreateLShr(now, 32) : now;
  }
  if (auto it = blockWords.find(name); it != blockWords.end())
    return blockField(it->second, i32);
  if (auto it = constants.find(name); it != constants.end())
    return constant(std::max(bits, 32u), static_cast<uint64_t>(it->second));
  return nullptr;
}

FunctionTranslator::Value *FunctionTranslator::variableAddress(const Operand &from) {
  const Variable &variable =
      from.kind == Operand::Variable ? source.variables[from.index] : image.module->variables[from.index];
  switch (variable.space) {
  case Space::Shared: {
    auto it = image.sharedOffset.find(&variable);
    if (it == image.sharedOffset.end())
      return nullptr;
    Value *offset = builder.getInt64(it->second + from.value);
    return image.knowsClusters ? builder.CreateAdd(sharedOrigin, offset) : offset;
  }
  case Space::Global:
  case Space::Const: {
    auto it = image.globalAddress->find(&variable);
    return it == image.globalAddress->end() ? nullptr : builder.getInt64(it->second + from.value);
  }
  case Space::Local:
    return builder.CreateAdd(frameBase,
                             builder.getInt64(image.localOffset.at(&source)[from.index] + from.value));
  case Space::Param:
    return builder.CreateAdd(builder.CreatePtrToInt(parameterMemory[from.index], builder.getInt64Ty()),
                             builder.getInt64(from.value));
  default:
    return nullptr;
  }
}

std::vector<FunctionTranslator::Value *> FunctionTranslator::split(Value *value, unsigned bits,
                                                                   unsigned lanes) {
  std::vector<Value *> parts;
  for (unsigned i = 0; i < lanes; ++i)
    parts.push_back(lanes == 1
                        ? value
                        : builder.CreateTrunc(builder.CreateLShr(value, uint64_t(i) * bits), intType(bits)));
  return parts;
}

FunctionTranslator::Value *FunctionTranslator::join(const std::vector<Value *> &lanes, unsigned bits) {
  if (lanes.size() == 1)
    return lanes[0];
  Type *wide = intType(bits * static_cast<unsigned>(lanes.size()));
  Value *result = builder.CreateZExt(lanes[0], wide);
  for (size_t i = 1; i < lanes.size(); ++i)
    result = builder.CreateOr(result, builder.CreateShl(builder.CreateZExt(lanes[i], wide), i * bits));
  return result;
}

//===----------------------------------------------------------------------===//
// Calls out and places
//===----------------------------------------------------------------------===//

FunctionTranslator::Value *FunctionTranslator::callOut(const char *name, Type *result,
                                                       llvm::ArrayRef<Value *> arguments) {
  std::vector<Type *> types;
  for (Value *argument : arguments)
    types.push_back(argument->getType());
  auto callee = module.getOrInsertFunction(name, llvm::FunctionType::get(result, types, false));
  llvm::CallInst *made = builder.CreateCall(callee, arguments);
  made->setDoesNotThrow();
  // The C ABI wants small integers extended by the caller.
  for (unsigned i = 0; i < types.size(); ++i)
    if (types[i]->isIntegerTy() && types[i]->getIntegerBitWidth() < 32)
      made->addParamAttr(i, llvm::Attribute::ZExt);
  if (result->isIntegerTy() && result->getIntegerBitWidth() < 32)
    made->addRetAttr(llvm::Attribute::ZExt);
  return made;
}

FunctionTranslator::Value *FunctionTranslator::at(Value *base, uint64_t offset) {
  return offset == 0 ? base : builder.CreateConstInBoundsGEP1_64(builder.getInt8Ty(), base, offset);
}

FunctionTranslator::Value *FunctionTranslator::threadField(size_t offset, Type *type) {
  return builder.CreateLoad(type, at(thread, offset));
}

FunctionTranslator::Value *FunctionTranslator::blockField(size_t offset, Type *type) {
  return builder.CreateLoad(type, at(block, offset));
}

/// Adds |amount|, and for the instruction counter what has been counted since the last time.
void FunctionTranslator::count(llvm::AllocaInst *counter, uint64_t amount) {
  if (counter == instructionCount) {
    amount += pendingInstructions;
    pendingInstructions = 0;
  }
  if (amount == 0 || builder.GetInsertBlock()->getTerminator())
    return;
  Value *sum = builder.CreateAdd(builder.CreateLoad(builder.getInt64Ty(), counter), builder.getInt64(amount));
  builder.CreateStore(sum, counter);
}

llvm::AllocaInst *FunctionTranslator::makeAlloca(Type *type, uint64_t align) {
  llvm::IRBuilder<> inEntry(entry, entry->begin());
  llvm::AllocaInst *made = inEntry.CreateAlloca(type);
  if (align)
    made->setAlignment(llvm::Align(align));
  return made;
}

void FunctionTranslator::faultIf(Value *condition, const char *name, llvm::ArrayRef<Value *> arguments) {
  BasicBlock *bad = newBlock("fault"), *good = newBlock("good");
  builder.CreateCondBr(condition, bad, good, llvm::MDBuilder(context).createUnlikelyBranchWeights());
  builder.SetInsertPoint(bad);
  callOut(name, builder.getVoidTy(), arguments);
  builder.CreateUnreachable();
  builder.SetInsertPoint(good);
}

void FunctionTranslator::badOperand(const char *text) {
  Value *string = builder.CreateGlobalString(text);
  callOut("quernBadOperand", builder.getVoidTy(), {thread, site(), string});
  builder.CreateUnreachable();
  startBlock(newBlock("unreached"));
}

} // namespace quern::runtime::emulated::nvidia
