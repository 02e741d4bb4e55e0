//===- Lowering.cpp - AMD's operations ------------------------------------===//
#include "lowering/targets/GpuFrame.h"
#include "lowering/targets/amd/DirectCopy.h"
#include "lowering/targets/amd/MatrixUnit.h"

using namespace mlir;

namespace quern::lowering {
namespace {

class AmdLowering : public GpuFrame {
public:
  using GpuFrame::GpuFrame;

  Value threadIndex(LaneBuilder &b) override {
    return b.intrinsic("llvm.amdgcn.workitem.id.x", b.getI32Type(), {});
  }
  Value blockIndex(LaneBuilder &b) override {
    return b.intrinsic("llvm.amdgcn.workgroup.id.x", b.getI32Type(), {});
  }
  void markKernel(LLVM::LLVMFuncOp function, int32_t threads, int32_t) override {
    OpBuilder b(function.getContext());
    std::string size = std::to_string(threads);
    function.setCConv(LLVM::CConv::AMDGPU_KERNEL);
    function.setPassthroughAttr(b.getArrayAttr(
        {b.getStringAttr("nounwind"), b.getStrArrayAttr({"amdgpu-flat-work-group-size", size + "," + size}),
         b.getStrArrayAttr({"uniform-work-group-size", "true"})}));
  }

  /// Within 32 lanes the swizzle's XOR mode (bits 14:10), which needs no address; across them a permute.
  Value shuffleXor(LaneBuilder &b, Value value, int32_t mask) override {
    if (mask < 32)
      return b.intrinsic("llvm.amdgcn.ds.swizzle", value.getType(), {value, b.i32(mask << 10 | 0x1f)});
    Value partner = b.shl(b.xorI(laneIndex(b), b.i32(mask)), 2);
    return b.intrinsic("llvm.amdgcn.ds.bpermute", value.getType(), {partner, value});
  }
  /// The same in all lanes: the compiler then keeps what follows from it in scalar registers.
  Value warpIndex(LaneBuilder &b) override {
    return b.intrinsic("llvm.amdgcn.readfirstlane", b.getI32Type(), GpuFrame::warpIndex(b));
  }
  /// The fences are about shared memory alone: loads from global memory stay under way. For such fences LLVM
  /// waits for nothing, since the unit of shared memory serves all waves in one order; the manuals promise
  /// that for one wave only.
  void barrier(LaneBuilder &b) override {
    Attribute local = LLVM::MMRATagAttr::get(b.getContext(), "amdgpu-synchronize-as", "local");
    auto fence = [&](LLVM::AtomicOrdering ordering) {
      LLVM::FenceOp::create(b, b.loc, ordering, "workgroup")
          ->setDiscardableAttr(LLVM::LLVMDialect::getMmraAttrName(), local);
    };
    fence(LLVM::AtomicOrdering::release);
    amd::waitForShared(b, target.cpu);
    b.intrinsic("llvm.amdgcn.s.barrier", Type(), {});
    fence(LLVM::AtomicOrdering::acquire);
  }

  void copyToShared(LaneBuilder &b, const tile::CopyAtom &atom, Value to, Value from, Value offset,
                    Value inside) override {
    amd::copyToShared(b, atom.runBytes(), to, from, offset, inside);
  }
  void waitForCopies(LaneBuilder &b, int32_t groups, int32_t copies) override {
    amd::waitForLoads(b, groups * copies);
  }
  void markRingRead(Operation *load) override { amd::markLoaded(load); }

  SmallVector<Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom, ArrayRef<Value> a,
                                    ArrayRef<Value> b, ArrayRef<Value> c) override {
    return amd::matrixMultiply(builder, atom, a, b, c);
  }

  Value exp2(LaneBuilder &b, Value x) override { return b.intrinsic("llvm.exp2", x.getType(), x); }
  Value log2(LaneBuilder &b, Value x) override { return b.intrinsic("llvm.log2", x.getType(), x); }
  Value rsqrt(LaneBuilder &b, Value x) override { return b.intrinsic("llvm.amdgcn.rsq", x.getType(), x); }
  Value sqrt(LaneBuilder &b, Value x) override { return b.intrinsic("llvm.sqrt", x.getType(), x); }
};

} // namespace

std::unique_ptr<TargetLowering> makeAmdLowering(const CodeTarget &target) {
  return std::make_unique<AmdLowering>(target);
}

} // namespace quern::lowering
