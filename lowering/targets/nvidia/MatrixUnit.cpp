//===- MatrixUnit.cpp - NVIDIA's matrix instructions ----------------------===//
//
// mma.sync: PTX ISA, "Multiply-and-Accumulate Instruction: mma". LLVM's intrinsics of the same name take the
// words of the fragments; those of f16 take them as pairs.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/nvidia/MatrixUnit.h"

using namespace mlir;

namespace quern::lowering::nvidia {

namespace {
struct Instruction {
  StringRef atom, intrinsic;
  bool halves; ///< A and B are <2 x half>
};
} // namespace

static constexpr Instruction instructions[] = {
    {"mma.m16n8k16.bf16", "llvm.nvvm.mma.m16n8k16.row.col.bf16", false},
    {"mma.m16n8k16.f16", "llvm.nvvm.mma.m16n8k16.row.col.f32.f32", true},
    {"mma.m16n8k32.e4m3", "llvm.nvvm.mma.m16n8k32.row.col.f32.e4m3.e4m3.f32", false},
};

SmallVector<Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom, ArrayRef<Value> a,
                                  ArrayRef<Value> b, ArrayRef<Value> c) {
  const Instruction *found =
      llvm::find_if(instructions, [&](const Instruction &i) { return i.atom == atom.name; });
  if (found == std::end(instructions))
    return {};
  auto halves = VectorType::get({2}, builder.getF16Type());
  SmallVector<Value> operands;
  for (ArrayRef<Value> words : {a, b})
    for (Value word : words)
      operands.push_back(found->halves ? Value(LLVM::BitcastOp::create(builder, builder.loc, halves, word))
                                       : word);
  llvm::append_range(operands, c);
  auto result = LLVM::LLVMStructType::getLiteral(builder.getContext(),
                                                 SmallVector<Type>(c.size(), builder.getF32Type()));
  Value sums = builder.intrinsic(found->intrinsic, result, operands);
  SmallVector<Value> out;
  for (int64_t i = 0; i < int64_t(c.size()); ++i)
    out.push_back(LLVM::ExtractValueOp::create(builder, builder.loc, sums, i));
  return out;
}

} // namespace quern::lowering::nvidia
