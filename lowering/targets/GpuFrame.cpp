//===- GpuFrame.cpp -------------------------------------------------------===//
#include "lowering/targets/GpuFrame.h"
#include "lowering/tile/BlockShape.h"

using namespace mlir;

namespace quern::lowering {

/// Copies by descriptor exchange pieces by address bits below this.
static constexpr unsigned swizzleAlignment = 1024;

KernelFrame GpuFrame::openKernel(LaneBuilder &b, ModuleOp module, tile::KernelOp kernel, int32_t threads) {
  MLIRContext *context = b.getContext();
  SmallVector<Type> types;
  llvm::SmallDenseSet<unsigned> maps;
  kernel.walk(
      [&](tile::TensorMapOp map) { maps.insert(llvm::cast<BlockArgument>(map.getBase()).getArgNumber()); });
  for (auto [i, argument] : llvm::enumerate(kernel.getArgumentTypes()))
    types.push_back(llvm::isa<tile::PtrType>(argument)
                        ? Type(LLVM::LLVMPointerType::get(context, maps.contains(i) ? 0 : globalSpace()))
                        : argument);
  b.setInsertionPointToEnd(module.getBody());
  auto bytes = LLVM::LLVMArrayType::get(b.getI8Type(), 0);
  shared = LLVM::GlobalOp::create(b, b.loc, bytes, /*isConstant=*/false, LLVM::Linkage::Internal,
                                  (kernel.getSymName() + "_shared").str(), Attribute(),
                                  maps.empty() ? 128 : swizzleAlignment, sharedSpace());
  KernelFrame frame;
  frame.function = LLVM::LLVMFuncOp::create(
      b, b.loc, kernel.getSymName(), LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), types));
  FailureOr<BlockShape> block = BlockShape::of(kernel);
  // Registers that are handed over are counted for a known number of blocks.
  int32_t occupancy = succeeded(block) ? block->schedule.occupancy : 0;
  markKernel(frame.function, threads,
             succeeded(block) && block->copyRegisters() ? std::max(1, occupancy) : occupancy);
  Block *entry = frame.function.addEntryBlock(b);
  b.setInsertionPointToStart(entry);
  for (Value argument : entry->getArguments())
    frame.arguments.push_back(argument);
  // The promise of the ABI that runtime/Device.h states.
  for (auto [i, type] : llvm::enumerate(types))
    if (maps.contains(i)) { // the 128 bytes themselves, see runtime/TensorMap.h
      frame.function.setArgAttr(i, LLVM::LLVMDialect::getByValAttrName(),
                                TypeAttr::get(LLVM::LLVMArrayType::get(b.getI8Type(), 128)));
      frame.function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(64));
    } else if (llvm::isa<LLVM::LLVMPointerType>(type)) {
      frame.function.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(), b.getI64IntegerAttr(16));
    }
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
  if (target.asksForShared(sharedBytes)) {
    // The launch says how much it is.
    shared.setLinkage(LLVM::Linkage::External);
    return;
  }
  shared.setGlobalTypeAttr(TypeAttr::get(LLVM::LLVMArrayType::get(i8, sharedBytes)));
}

Value GpuFrame::sharedMemory(LaneBuilder &b) { return LLVM::AddressOfOp::create(b, b.loc, shared); }

Value GpuFrame::laneIndex(LaneBuilder &b) { return b.andI(thread, b.i32(target.lanes - 1)); }
Value GpuFrame::warpIndex(LaneBuilder &b) { return b.lshr(thread, llvm::Log2_32(target.lanes)); }

} // namespace quern::lowering
