//===- Target.h - The operations that a target must provide ---------------===//
//
// The seam between the vendor-neutral lowering of a kernel (KernelLowering) and a target's folder. The
// lowering asks for operations, each with what it must guarantee; a target that lacks an instruction emits a
// sequence. Capabilities are read from the facts below and from the tables of support/target, never from a
// vendor's name.
//
// A *lane value* is what one register holds in every lane: a scalar of the LLVM dialect on GPUs, where each
// lane is a thread, and a vector of `lanes` elements on the CPU, where the lanes are SIMD lanes of one
// thread. Element types in registers: i1, i32, i64, f32, f16; bf16 is held as i16 and fp8 as i8, the bits
// that memory holds.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_TARGETS_TARGET_H
#define QUERN_LOWERING_TARGETS_TARGET_H

#include "dialects/tile/Atoms.h"
#include "dialects/tile/TileDialect.h"
#include "lowering/targets/LaneBuilder.h"

#include "mlir/IR/BuiltinOps.h"

#include <memory>
#include <string>

namespace quern::lowering {

class TensorUnit;

/// What the start of a kernel gives to its body.
struct KernelFrame {
  mlir::LLVM::LLVMFuncOp function;
  mlir::SmallVector<mlir::Value> arguments; ///< one for each kernel argument: !llvm.ptr, i32, i64 or f32
  mlir::Value block;                        ///< i32: linear index of this block
};

class TargetLowering {
public:
  virtual ~TargetLowering() = default;

  /// Creates the function and opens its body: |builder| then stands where one block's program begins.
  virtual KernelFrame openKernel(LaneBuilder &builder, mlir::ModuleOp module, tile::KernelOp kernel,
                                 int32_t threads) = 0;
  /// Ends one block's program at the position of |builder|.
  virtual void closeKernel(LaneBuilder &builder) = 0;
  /// Called last with the shared memory that the kernel needs, at most |sharedBytes|.
  virtual void setSharedBytes(KernelFrame &frame, int32_t sharedBytes) = 0;

  /// i32 lane values: index of the lane in its warp and of the warp in the block (0 on the CPU).
  virtual mlir::Value laneIndex(LaneBuilder &builder) = 0;
  virtual mlir::Value warpIndex(LaneBuilder &builder) = 0;

  /// The 32-bit lane value |value| of lane (own index XOR |mask|).
  virtual mlir::Value shuffleXor(LaneBuilder &builder, mlir::Value value, int32_t mask) = 0;

  /// Start of the block's shared memory.
  virtual mlir::Value sharedMemory(LaneBuilder &builder) = 0;
  /// Waits for all threads of the block; shared-memory writes before it are seen after it.
  virtual void barrier(LaneBuilder &builder) = 0;

  /// Copies a run of |atom| from |from| + |offset| bytes (i64) of global memory to shared memory without
  /// registers; zeros where the i1 |inside| does not hold, null: everywhere. |to| is this lane's place, or,
  /// for a lane-linear atom, that of its warp's lane 0.
  virtual void copyToShared(LaneBuilder &builder, const tile::CopyAtom &atom, mlir::Value to,
                            mlir::Value from, mlir::Value offset, mlir::Value inside);
  /// Ends a group of this lane's copies.
  virtual void commitCopies(LaneBuilder &builder);
  /// Waits until at most |groups| groups of |copies| copies each, the last ones, are not finished.
  virtual void waitForCopies(LaneBuilder &builder, int32_t groups, int32_t copies);
  /// Notes that |load| reads a slot of a ring behind its wait.
  virtual void markRingRead(mlir::Operation *load) {}
  /// One matrix load of |atom| from shared memory: the 32-bit words that this lane receives, in the order of
  /// the atom's registers. Empty where the target has no such instruction.
  virtual mlir::SmallVector<mlir::Value> loadMatrix(LaneBuilder &builder, const tile::CopyAtom &atom,
                                                    mlir::Value pointer);

  /// One instruction of |atom|: a * b + c. Operands are 32-bit words of the fragments of a and b (i32 lane
  /// values, element 0 of a word in its lowest bits) and the f32 lane values of c's fragment, each in the
  /// order of its layout. Empty where the target has no such instruction.
  virtual mlir::SmallVector<mlir::Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom,
                                                        mlir::ArrayRef<mlir::Value> a,
                                                        mlir::ArrayRef<mlir::Value> b,
                                                        mlir::ArrayRef<mlir::Value> c);

  /// c + the products of the two bf16 in each 32-bit word of a and b; c is an f32 lane value. Null where the
  /// target has no such instruction.
  virtual mlir::Value dotPairs(LaneBuilder &builder, mlir::Value a, mlir::Value b, mlir::Value c) {
    return {};
  }

  /// Copies by descriptor and products out of shared memory; null where the target has none.
  virtual TensorUnit *tensorUnit() { return nullptr; }

  /// Functions of f32 lane values, within 2 units in the last place for normal results.
  virtual mlir::Value exp2(LaneBuilder &builder, mlir::Value x) = 0;
  virtual mlir::Value log2(LaneBuilder &builder, mlir::Value x) = 0;
  virtual mlir::Value rsqrt(LaneBuilder &builder, mlir::Value x) = 0;
  virtual mlir::Value sqrt(LaneBuilder &builder, mlir::Value x) = 0;

  /// f32 -> bf16 bits (i16), to nearest even, NaN stays NaN. The default uses integer operations.
  virtual mlir::Value roundToBf16(LaneBuilder &builder, mlir::Value x);

  /// Whether this target's memory accesses need the address space of `!llvm.ptr<N>` for global memory.
  virtual unsigned globalSpace() const { return 0; }
  virtual unsigned sharedSpace() const { return 0; }
};

/// Lowers |kernel| (with layouts) to a function of the LLVM dialect in |module|. |sharedBytes| receives the
/// shared memory of a block (scratch memory of a worker on the CPU).
mlir::LogicalResult lowerKernel(tile::KernelOp kernel, TargetLowering &target, mlir::ModuleOp module,
                                int32_t &sharedBytes);

} // namespace quern::lowering

#endif // QUERN_LOWERING_TARGETS_TARGET_H
