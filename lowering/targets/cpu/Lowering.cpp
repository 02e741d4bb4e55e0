//===- Lowering.cpp - The CPU's operations --------------------------------===//
//
// A block is one warp whose lanes are SIMD lanes; a kernel runs a range of blocks (runtime/Device.h has the
// ABI). Nothing may become a library call: exp2 is a polynomial and bf16 is rounded by integer operations.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/Targets.h"
#include "lowering/targets/cpu/MatrixUnit.h"

using namespace mlir;

namespace quern::lowering {
namespace {

class CpuLowering : public TargetLowering {
public:
  explicit CpuLowering(const CodeTarget &target) : lanes(target.lanes) {}

  KernelFrame openKernel(LaneBuilder &b, ModuleOp module, tile::KernelOp kernel, int32_t) override {
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    Type i32 = b.getI32Type();
    auto type =
        LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()), {pointer, i32, i32, pointer});
    b.setInsertionPointToEnd(module.getBody());
    KernelFrame frame;
    frame.function = LLVM::LLVMFuncOp::create(b, b.loc, kernel.getSymName(), type);
    frame.function.setPassthroughAttr(b.getArrayAttr({b.getStringAttr("nounwind")}));
    exportSignature(b, kernel);
    Block *entry = frame.function.addEntryBlock(b);
    b.setInsertionPointToStart(entry);
    Value slots = entry->getArgument(0);
    for (auto [i, argument] : llvm::enumerate(kernel.getArgumentTypes())) {
      Type argumentType = llvm::isa<tile::PtrType>(argument) ? Type(pointer) : argument;
      Value slot = b.gep(slots, b.getI64Type(), b.i64(i));
      frame.arguments.push_back(b.load(slot, argumentType, 8));
    }
    scratch = entry->getArgument(3);
    exit = b.createBlock(&frame.function.getBody());
    header = b.createBlock(exit, TypeRange{i32}, SmallVector<Location>{b.loc});
    Block *body = b.createBlock(exit);
    b.setInsertionPointToEnd(entry);
    LLVM::BrOp::create(b, b.loc, ValueRange{entry->getArgument(1)}, header);
    b.setInsertionPointToEnd(header);
    frame.block = header->getArgument(0);
    Value more = b.icmp(LLVM::ICmpPredicate::ult, frame.block, entry->getArgument(2));
    LLVM::CondBrOp::create(b, b.loc, more, body, exit);
    b.setInsertionPointToEnd(exit);
    LLVM::ReturnOp::create(b, b.loc, ValueRange{});
    b.setInsertionPointToEnd(body);
    return frame;
  }

  void closeKernel(LaneBuilder &b) override {
    Value next = b.add(header->getArgument(0), b.i32(1));
    LLVM::BrOp::create(b, b.loc, ValueRange{next}, header);
  }

  void setSharedBytes(KernelFrame &, int32_t) override {}

  Value laneIndex(LaneBuilder &b) override {
    SmallVector<int32_t> indices;
    for (int32_t l = 0; l < lanes; ++l)
      indices.push_back(l);
    return b.laneConstants(indices);
  }
  Value warpIndex(LaneBuilder &b) override { return b.i32(0); }

  Value shuffleXor(LaneBuilder &, Value, int32_t) override {
    llvm_unreachable("SIMD lanes are shuffled by the lowering itself");
  }
  Value sharedMemory(LaneBuilder &) override { return scratch; }
  void barrier(LaneBuilder &) override {}

  SmallVector<Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom, ArrayRef<Value> a,
                                    ArrayRef<Value> b, ArrayRef<Value> c) override {
    return cpu::matrixMultiply(builder, atom, a, b, c);
  }

  Value dotPairs(LaneBuilder &builder, Value a, Value b, Value c) override {
    return cpu::dotPairs(builder, a, b, c);
  }

  /// 2^x = 2^n * 2^f with n the nearest integer and |f| <= 1/2; 2^f by its Taylor polynomial of degree 7,
  /// whose error is below 1e-8. Results below 2^-126 become zero.
  Value exp2(LaneBuilder &b, Value x) override {
    Value low = b.constantLike(x, -127.0), high = b.constantLike(x, 129.0);
    Value clamped = b.select(b.fcmp(LLVM::FCmpPredicate::olt, x, high), x, high);
    clamped = b.select(b.fcmp(LLVM::FCmpPredicate::ogt, clamped, low), clamped, low);
    Value n = b.intrinsic("llvm.roundeven", x.getType(), clamped);
    Value f = b.fsub(clamped, n);
    static constexpr double coefficients[] = {
        1.52527338040598e-05, 1.54035303933816e-04, 1.33335581464284e-03, 9.61812910762848e-03,
        5.55041086648216e-02, 2.40226506959101e-01, 6.93147180559945e-01, 1.0};
    Value p = b.constantLike(f, coefficients[0]);
    for (double c : ArrayRef(coefficients).drop_front())
      p = b.fma(p, f, b.constantLike(f, c));
    // 2^n in two factors, so that n = 128 overflows to infinity instead of wrapping.
    Value integer = LLVM::FPToSIOp::create(b, b.loc, LaneBuilder::like(n, b.getI32Type()), n);
    Value half = LLVM::AShrOp::create(b, b.loc, integer, b.constantLike(integer, int64_t(1)));
    auto power = [&](Value exponent) {
      Value biased = b.add(exponent, b.constantLike(exponent, int64_t(127)));
      return b.bitcast(b.shl(biased, 23), b.getF32Type());
    };
    Value result = b.fmul(b.fmul(p, power(half)), power(b.sub(integer, half)));
    result = b.select(b.fcmp(LLVM::FCmpPredicate::olt, x, b.constantLike(x, -126.0)), b.constantLike(x, 0.0),
                      result);
    return b.select(b.fcmp(LLVM::FCmpPredicate::uno, x, x), x, result);
  }

  /// log2(m * 2^e) = e + log2(m) with m in [sqrt(1/2), sqrt(2)); log2(m) = 2/ln 2 * atanh((m-1)/(m+1)) by its
  /// series to the term of degree 9, whose error is below 1e-8.
  Value log2(LaneBuilder &b, Value x) override {
    Value bits = b.bitcast(x, b.getI32Type());
    auto constant = [&](int64_t value) { return b.constantLike(bits, value); };
    Value shifted = b.sub(bits, constant(0x3f3504f3));
    Value exponent = LLVM::AShrOp::create(b, b.loc, shifted, constant(23));
    Value mantissa = b.bitcast(b.sub(bits, b.shl(exponent, 23)), b.getF32Type());
    Value one = b.constantLike(mantissa, 1.0);
    Value t = b.fdiv(b.fsub(mantissa, one), b.fadd(mantissa, one));
    Value t2 = b.fmul(t, t);
    Value p = b.constantLike(t, 2.88539008177793 / 9);
    for (int k = 7; k >= 1; k -= 2)
      p = b.fma(p, t2, b.constantLike(t, 2.88539008177793 / k));
    Value e = LLVM::SIToFPOp::create(b, b.loc, mantissa.getType(), exponent);
    return b.fma(p, t, e);
  }

  Value rsqrt(LaneBuilder &b, Value x) override { return b.fdiv(b.constantLike(x, 1.0), sqrt(b, x)); }
  Value sqrt(LaneBuilder &b, Value x) override { return b.intrinsic("llvm.sqrt", x.getType(), x); }

private:
  /// `K_parameters`: a letter for each argument (p pointer, i i32, l i64, f f32), so that launches are
  /// checked.
  static void exportSignature(LaneBuilder &b, tile::KernelOp kernel) {
    std::string letters;
    for (Type type : kernel.getArgumentTypes())
      letters += llvm::isa<tile::PtrType>(type) ? 'p' : type.isF32() ? 'f' : type.isInteger(64) ? 'l' : 'i';
    letters += '\0';
    auto type = LLVM::LLVMArrayType::get(b.getI8Type(), letters.size());
    LLVM::GlobalOp::create(b, b.loc, type, /*isConstant=*/true, LLVM::Linkage::External,
                           (kernel.getSymName() + "_parameters").str(), b.getStringAttr(letters));
  }

  int32_t lanes;
  Value scratch;
  Block *header = nullptr, *exit = nullptr;
};

} // namespace

std::unique_ptr<TargetLowering> makeCpuLowering(const CodeTarget &target) {
  return std::make_unique<CpuLowering>(target);
}

} // namespace quern::lowering
