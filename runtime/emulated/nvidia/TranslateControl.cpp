//===- TranslateControl.cpp - Branches, calls and ends --------------------===//
//
// PTX ISA 9.7.12 (bra, brx.idx, call, ret, exit) and 9.7.19 (trap, brkpt). A branch backwards looks now and
// then at the step limit and lets the other threads run.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/Translate.h"

#include "llvm/IR/MDBuilder.h"

namespace quern::runtime::emulated::nvidia {

namespace {

/// Backward branches between two looks at the others; a power of two.
constexpr uint64_t tickInterval = 4096;

} // namespace

void FunctionTranslator::tick() {
  count(instructionCount, 0);
  auto *i64 = builder.getInt64Ty();
  Value *ticks = builder.CreateAdd(builder.CreateLoad(i64, branchCount), builder.getInt64(1));
  builder.CreateStore(ticks, branchCount);
  Value *due = builder.CreateICmpEQ(builder.CreateAnd(ticks, tickInterval - 1), builder.getInt64(0));
  llvm::BasicBlock *look = newBlock("tick"), *go = newBlock("go");
  builder.CreateCondBr(due, look, go, llvm::MDBuilder(context).createUnlikelyBranchWeights());
  builder.SetInsertPoint(look);
  callOut("quernTick", builder.getVoidTy(), {thread, site(), builder.CreateLoad(i64, instructionCount)});
  builder.CreateBr(go);
  builder.SetInsertPoint(go);
}

bool FunctionTranslator::branch() {
  if (operands().size() != 1 || operand(0).kind != Operand::Label)
    return false;
  count(instructionCount, 0);
  if (operand(0).index <= instructionIndex)
    tick();
  builder.CreateBr(blockOf(operand(0).index));
  startBlock(newBlock("next"));
  return true;
}

/// brx.idx index, table: an index past the table is an error.
bool FunctionTranslator::branchIndexed() {
  if (operands().size() != 2 || operand(1).kind != Operand::Name || !has("idx"))
    return false;
  const BranchTable *table = nullptr;
  for (const BranchTable &candidate : source.branchTables)
    if (candidate.name == operand(1).name)
      table = &candidate;
  Value *index = load(operand(0), 32);
  if (!table || !index)
    return false;
  tick();
  llvm::BasicBlock *outside = newBlock("outside");
  llvm::SwitchInst *choice =
      builder.CreateSwitch(index, outside, static_cast<unsigned>(table->targets.size()));
  for (size_t i = 0; i < table->targets.size(); ++i)
    choice->addCase(builder.getInt32(static_cast<uint32_t>(i)), blockOf(table->targets[i]));
  builder.SetInsertPoint(outside);
  badOperand("the branch index is past the end of its table");
  return true;
}

/// call{.uni} {(results),} name{, (arguments)}: functions of the module, parameters through parameter space.
bool FunctionTranslator::call() {
  size_t next = 0;
  const Operand *results = nullptr, *arguments = nullptr;
  if (next < operands().size() && operand(next).kind == Operand::List)
    results = &operand(next++);
  if (next >= operands().size() || operand(next).kind != Operand::Name)
    return false;
  const Function *callee = image.module->find(operand(next++).name);
  if (next < operands().size() && operand(next).kind == Operand::List)
    arguments = &operand(next++);
  if (next != operands().size() || !callee || !callee->isDefined || callee->isEntry ||
      !image.firstSite.count(callee))
    return false;
  if ((arguments ? arguments->parts.size() : 0) != callee->parameters.size() ||
      (results ? results->parts.size() : 0) != callee->results.size())
    return false;
  std::vector<Value *> pointers = {thread};
  std::vector<std::pair<const Operand *, Value *>> back;
  auto pass = [&](const Operand &given, const Variable &wanted, bool isResult) {
    if (given.kind == Operand::Variable) {
      const Variable &variable = source.variables[given.index];
      if (variable.space != Space::Param || variable.bytes < wanted.bytes || given.value != 0)
        return false;
      pointers.push_back(parameterMemory[given.index]);
      return true;
    }
    if (wanted.bytes > 16)
      return false;
    // A register or constant in place of a parameter variable.
    unsigned bits = static_cast<unsigned>(wanted.bytes * 8);
    Value *place = makeAlloca(llvm::ArrayType::get(builder.getInt8Ty(), 16), 16);
    if (isResult) {
      back.push_back({&given, place});
    } else {
      Value *value = load(given, bits);
      if (!value)
        return false;
      builder.CreateStore(value, place);
    }
    pointers.push_back(place);
    return true;
  };
  for (size_t i = 0; i < callee->parameters.size(); ++i)
    if (!pass(arguments->parts[i], callee->variables[callee->parameters[i]], false))
      return false;
  for (size_t i = 0; i < callee->results.size(); ++i)
    if (!pass(results->parts[i], callee->variables[callee->results[i]], true))
      return false;
  flushCounts();
  Value *depth = at(thread, offsetof(ThreadContext, callDepth));
  Value *before = builder.CreateLoad(builder.getInt32Ty(), depth);
  faultIf(builder.CreateICmpUGE(before, builder.getInt32(maxCallDepth)), "quernStackDepth", {thread, site()});
  builder.CreateStore(builder.CreateAdd(before, builder.getInt32(1)), depth);
  std::string name = "function" + std::to_string(image.firstSite.at(callee));
  builder.CreateCall(module.getFunction(name), pointers);
  builder.CreateStore(before, depth);
  for (auto [to, place] : back)
    store(*to, builder.CreateLoad(registers[to->index]->getAllocatedType(), place));
  return true;
}

bool FunctionTranslator::leave() {
  if (current->opcode == "exit" && !source.isEntry) {
    flushCounts();
    callOut("quernExit", builder.getVoidTy(), {thread});
    builder.CreateUnreachable();
  } else {
    returnFromFunction();
  }
  startBlock(newBlock("next"));
  return true;
}

bool FunctionTranslator::trap() {
  callOut("quernTrap", builder.getVoidTy(), {thread, site()});
  builder.CreateUnreachable();
  startBlock(newBlock("next"));
  return true;
}

} // namespace quern::runtime::emulated::nvidia
