//===- GpuFrame.h - What kernels of GPU targets have in common ------------===//
#ifndef QUERN_LOWERING_TARGETS_GPUFRAME_H
#define QUERN_LOWERING_TARGETS_GPUFRAME_H

#include "lowering/targets/Targets.h"

namespace quern::lowering {

/// A lowering whose lanes are threads: arguments are ordinary parameters with pointers to global memory,
/// shared memory is one array of the module.
class GpuFrame : public TargetLowering {
public:
  explicit GpuFrame(const CodeTarget &target) : target(target) {}

  KernelFrame openKernel(LaneBuilder &b, mlir::ModuleOp module, tile::KernelOp kernel,
                         int32_t threads) override;
  void closeKernel(LaneBuilder &b) override;
  void setSharedBytes(KernelFrame &frame, int32_t sharedBytes) override;
  mlir::Value sharedMemory(LaneBuilder &b) override;
  mlir::Value laneIndex(LaneBuilder &b) override;
  mlir::Value warpIndex(LaneBuilder &b) override;
  unsigned globalSpace() const override { return 1; }
  unsigned sharedSpace() const override { return 3; }

protected:
  /// Index of the thread in the block and of the block in the grid, i32.
  virtual mlir::Value threadIndex(LaneBuilder &b) = 0;
  virtual mlir::Value blockIndex(LaneBuilder &b) = 0;
  /// Calling convention and attributes that make |function| a kernel of blocks of |threads| threads.
  /// Registers are left for |occupancy| blocks on a unit; 0 leaves the choice to the assembler.
  virtual void markKernel(mlir::LLVM::LLVMFuncOp function, int32_t threads, int32_t occupancy) = 0;

  CodeTarget target;

private:
  mlir::LLVM::GlobalOp shared;
  mlir::Value thread;
};

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_GPUFRAME_H
