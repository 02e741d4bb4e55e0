//===- Wgmma.cpp - Products of a group of four warps out of shared memory ---===//
//
// PTX ISA, "Asynchronous Warpgroup Level Matrix Multiply-Accumulate Instructions": wgmma.mma_async and its
// matrix descriptor. All instructions of one step, from the fence to the wait, are one piece of inline
// assembly whose results are the accumulators: nothing can come between them, and nobody can read a sum
// before the wait.
//
// A descriptor of 64 bits: start address / 16 in bits 0-13, stride from eight rows to the next / 16 in bits
// 32-45, swizzle in bits 62-63 (1: 128 bytes, 2: 64, 3: 32). With a swizzle and rows along k the leading
// stride in bits 16-29 is not read. A step along k inside of a span moves the start address: the exchange of
// pieces is a function of address bits.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/nvidia/TensorCopy.h"

using namespace mlir;

namespace quern::lowering::nvidia {

static int64_t descriptorBits(const SharedOperand &operand) {
  const int64_t swizzle = operand.span == 128 ? 1 : operand.span == 64 ? 2 : 3;
  const int64_t eightRows = 8 * int64_t(operand.span);
  return swizzle << 62 | (eightRows >> 4) << 32 | int64_t(1) << 16;
}

/// The descriptor of the first row and k of |operand|; those of other places are constants behind it.
static Value descriptor(LaneBuilder &b, const SharedOperand &operand) {
  Value start = b.andI(b.lshr(operand.address, 4), b.i32(0x3FFF));
  return b.orI(b.zext(start, b.getI64Type()), b.i64(descriptorBits(operand)));
}

/// |base| moved to |row| and |k|.
static Value moved(LaneBuilder &b, Value base, const SharedOperand &operand, int32_t k) {
  const int64_t bytes = operand.tile->offset({operand.row, k}) * operand.elementBytes;
  return bytes ? b.add(base, b.i64(bytes >> 4)) : base;
}

/// "m64n128k32.f32.e4m3.e4m3" and what follows the operands: scale-d is in front of it.
static std::pair<std::string, std::string> formOf(const tile::MmaAtom &atom) {
  const bool wide = elementBits(atom.a.type) == 16;
  const std::string type = atom.a.type == ElementType::BF16 ? "bf16" : wide ? "f16" : "e4m3";
  std::string name = "m" + std::to_string(atom.m) + "n" + std::to_string(atom.n) + "k" +
                     std::to_string(atom.k) + ".f32." + type + "." + type;
  // Only 16-bit operands can be transposed, and say that they are not.
  return {name, wide ? ", 1, 1, 0, 0;" : ", 1, 1;"};
}

SmallVector<Value> NvidiaTensorUnit::multiplyShared(LaneBuilder &b, const tile::MmaAtom &atom,
                                                    ArrayRef<SharedProduct> products, ArrayRef<Value> sums,
                                                    bool fromZero) {
  const size_t each = size_t(atom.c.layout.numRegisters()), count = each * products.size();
  auto [form, tail] = formOf(atom);
  // $0.. the results; sums to start from are operands tied to the results, as are those whose registers are
  // to be taken; then come descriptors.
  std::string constraints;
  for (size_t i = 0; i < count; ++i)
    constraints += "=f,";
  SmallVector<Value> operands;
  if (!sums.empty()) {
    operands.assign(sums.begin(), sums.end());
    for (size_t i = 0; i < count; ++i)
      constraints += std::to_string(i) + ",";
  }
  size_t next = count + operands.size();
  auto place = [](size_t number) { return "$" + std::to_string(number); };
  std::string text = "{\n\t.reg .pred fresh, more;\n\tsetp.ne.b32 fresh, 0, 0;\n\tsetp.eq.b32 more, 0, 0;\n\t"
                     "wgmma.fence.sync.aligned;\n\t";
  std::map<std::pair<void *, int32_t>, Value> bases;
  auto baseOf = [&](const SharedOperand &operand) {
    Value &base = bases[{operand.address.getAsOpaquePointer(), operand.span}];
    if (!base)
      base = descriptor(b, operand);
    return base;
  };
  for (auto [p, product] : llvm::enumerate(products)) {
    std::string registers;
    for (size_t i = 0; i < each; ++i)
      registers += (i ? ", " : "") + place(p * each + i);
    for (int32_t s = 0; s < product.steps; ++s) {
      for (const SharedOperand *operand : {&product.a, &product.b}) {
        operands.push_back(moved(b, baseOf(*operand), *operand, s * atom.k));
        constraints += "l,";
      }
      text += "wgmma.mma_async.sync.aligned." + form + " {" + registers + "}, " + place(next) + ", " +
              place(next + 1) + ", " + (fromZero && s == 0 ? "fresh" : "more") + tail + "\n\t";
      next += 2;
    }
  }
  text += "wgmma.commit_group.sync.aligned;\n\twgmma.wait_group.sync.aligned 0;\n\t}";
  constraints += "~{memory}";
  auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, b.getF32Type()));
  Value results = LLVM::InlineAsmOp::create(
                      b, b.loc, type, operands, text, constraints, /*has_side_effects=*/true,
                      /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
                      LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr())
                      .getResult(0);
  SmallVector<Value> out;
  for (size_t i = 0; i < count; ++i)
    out.push_back(LLVM::ExtractValueOp::create(b, b.loc, results, int64_t(i)));
  return out;
}

} // namespace quern::lowering::nvidia
