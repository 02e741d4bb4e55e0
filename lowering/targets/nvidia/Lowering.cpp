//===- Lowering.cpp - NVIDIA's operations ---------------------------------===//
#include "lowering/targets/GpuFrame.h"
#include "lowering/targets/nvidia/AsyncCopy.h"
#include "lowering/targets/nvidia/MatrixUnit.h"
#include "lowering/targets/nvidia/TensorCopy.h"

using namespace mlir;

namespace quern::lowering {
namespace {

class NvidiaLowering : public GpuFrame {
public:
  using GpuFrame::GpuFrame;

  Value threadIndex(LaneBuilder &b) override {
    return b.intrinsic("llvm.nvvm.read.ptx.sreg.tid.x", b.getI32Type(), {});
  }
  Value blockIndex(LaneBuilder &b) override {
    return b.intrinsic("llvm.nvvm.read.ptx.sreg.ctaid.x", b.getI32Type(), {});
  }
  void markKernel(LLVM::LLVMFuncOp function, int32_t threads, int32_t occupancy) override {
    OpBuilder b(function.getContext());
    function.setCConv(LLVM::CConv::PTX_Kernel);
    SmallVector<Attribute> attributes = {b.getStringAttr("nounwind"),
                                         b.getStrArrayAttr({"nvvm.reqntid", std::to_string(threads)})};
    if (occupancy)
      attributes.push_back(b.getStrArrayAttr({"nvvm.minctasm", std::to_string(occupancy)}));
    function.setPassthroughAttr(b.getArrayAttr(attributes));
  }

  Value shuffleXor(LaneBuilder &b, Value value, int32_t mask) override {
    return b.intrinsic("llvm.nvvm.shfl.sync.bfly.i32", value.getType(),
                       {b.i32(-1), value, b.i32(mask), b.i32(31)});
  }
  void barrier(LaneBuilder &b) override {
    b.intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", Type(), b.i32(0));
  }

  SmallVector<Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom, ArrayRef<Value> a,
                                    ArrayRef<Value> b, ArrayRef<Value> c) override {
    return nvidia::matrixMultiply(builder, atom, a, b, c);
  }

  void copyToShared(LaneBuilder &b, const tile::CopyAtom &atom, Value to, Value from, Value offset,
                    Value inside) override {
    nvidia::copyToShared(b, atom.runBytes(), to, b.gep(from, b.getI8Type(), offset), inside);
  }
  void commitCopies(LaneBuilder &b) override { b.intrinsic("llvm.nvvm.cp.async.commit.group", Type(), {}); }
  void waitForCopies(LaneBuilder &b, int32_t groups, int32_t) override {
    b.intrinsic("llvm.nvvm.cp.async.wait.group", Type(), b.i32(groups));
  }
  SmallVector<Value> loadMatrix(LaneBuilder &b, const tile::CopyAtom &atom, Value pointer) override {
    return nvidia::loadMatrix(b, atom, pointer);
  }
  TensorUnit *tensorUnit() override { return &unit; }

  Value exp2(LaneBuilder &b, Value x) override { return b.intrinsic("llvm.exp2", x.getType(), x); }
  Value log2(LaneBuilder &b, Value x) override {
    return b.intrinsic("llvm.nvvm.lg2.approx.f", x.getType(), x);
  }
  Value rsqrt(LaneBuilder &b, Value x) override {
    return b.intrinsic("llvm.nvvm.rsqrt.approx.f", x.getType(), x);
  }
  Value sqrt(LaneBuilder &b, Value x) override { return b.intrinsic("llvm.sqrt", x.getType(), x); }

  Value roundToBf16(LaneBuilder &b, Value x) override {
    Value rounded = LLVM::FPTruncOp::create(b, b.loc, b.getBF16Type(), x);
    return b.bitcast(rounded, b.getI16Type());
  }

private:
  nvidia::NvidiaTensorUnit unit;
};

} // namespace

std::unique_ptr<TargetLowering> makeNvidiaLowering(const CodeTarget &target) {
  return std::make_unique<NvidiaLowering>(target);
}

} // namespace quern::lowering
