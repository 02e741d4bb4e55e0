//===- GpuFrame.cpp -------------------------------------------------------===//
#include "lowering/targets/GpuFrame.h"
#include "lowering/tile/BlockShape.h"

using namespace mlir;

namespace quern::lowering {

KernelFrame GpuFrame::openKernel(LaneBuilder &b, ModuleOp module, tile::KernelOp kernel, int32_t threads) {
  MLIRContext *context = b.getContext();
  SmallVector<Type> types;
  for (Type argument : kernel.getArgumentTypes())
    types.push_back(llvm::isa<tile::PtrType>(argument)
                        ? Type(LLVM::LLVMPointerType::get(context, globalSpace()))
                        : argument);
  b.setInsertionPointToEnd(module.getBody());
  auto bytes = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
  shared = LLVM::GlobalOp::create(b, b.loc, bytes, /*isConstant=*/false, LLVM::Linkage::Internal,
                                  (kernel.getSymName() + "_shared").str(), Attribute(), /*alignment=*/128,
                                  sharedSpace());
  KernelFrame frame;
  frame.function = LLVM::LLVMFuncOp::create(
      b, b.loc, kernel.getSymName(), LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types));
  FailureOr<BlockShape> block = BlockShape::of(kernel);
  markKernel(frame.function, threads, succeeded(block) ? block->schedule.occupancy : 0);
  Block *entry = frame.function.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  for (Value argument : entry->getArguments())
    frame.arguments.push_back(argument);
  // The promise of the ABI that runtime/Device.h states.
  for (auto [i, type] : llvm::enumerate(types))
    if (llvm::isa<LLVM::LLVMPointerType>(type))
      frame.function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(16));
  frame.block = blockIndex(b);
  thread = threadIndex(b);
  return frame;
}

void GpuFrame::closeKernel(LaneBuilder &b) { LLVM::ReturnOp::create(b, b.loc, ValueRange{}); }

void GpuFrame::setSharedBytes(KernelFrame &, int32_t sharedBytes) {
  if (!sharedBytes) {
    shared.erase();
    return;
  }
  auto i8 = IntegerType::get(shared.getContext(), 8);
  shared.setGlobalTypeAttr(TypeAttr::get(LLVM::LLVMArrayType::get(i8, sharedBytes)));
}

Value GpuFrame::sharedMemory(LaneBuilder &b) { return LLVM::AddressOfOp::create(b, b.loc, shared); }

Value GpuFrame::laneIndex(LaneBuilder &b) { return b.andI(thread, b.i32(target.lanes - 1)); }
Value GpuFrame::warpIndex(LaneBuilder &b) { return b.lshr(thread, llvm::Log2_32(target.lanes)); }

} // namespace quern::lowering
