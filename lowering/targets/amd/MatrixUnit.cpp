//===- MatrixUnit.cpp - AMD's matrix instructions -------------------------===//
//
// MFMA: "AMD Instinct MI300 Instruction Set Architecture", chapter 7, and its neighbours; WMMA: "RDNA3" and
// "RDNA4 Instruction Set Architecture". LLVM's intrinsics take each operand as one vector; what its element
// is differs by generation.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/amd/MatrixUnit.h"

using namespace mlir;

namespace quern::lowering::amd {

namespace {

/// How an intrinsic takes A and B: vectors of these elements, or one 64-bit word.
enum class Operand : uint8_t { I16, BF16, F16, I32, I64 };

/// What follows the operands.
enum class Tail : uint8_t {
  None,
  Broadcast, ///< three i32 that are 0: no broadcast of blocks
  Scaled,    ///< formats of A and B (0: e4m3) and two scales with their byte; all 0: not scaled
};

struct Instruction {
  StringRef atom;
  int32_t words; ///< 32-bit words of an operand: it tells generations apart
  StringRef intrinsic;
  Operand operand;
  Tail tail;
};

} // namespace

static constexpr Instruction instructions[] = {
    {"mfma.m32n32k8.bf16", 2, "llvm.amdgcn.mfma.f32.32x32x8bf16.1k", Operand::I16, Tail::Broadcast},
    {"mfma.m16n16k16.bf16", 2, "llvm.amdgcn.mfma.f32.16x16x16bf16.1k", Operand::I16, Tail::Broadcast},
    {"mfma.m32n32k8.f16", 2, "llvm.amdgcn.mfma.f32.32x32x8f16", Operand::F16, Tail::Broadcast},
    {"mfma.m16n16k16.f16", 2, "llvm.amdgcn.mfma.f32.16x16x16f16", Operand::F16, Tail::Broadcast},
    {"mfma.m32n32k16.e4m3fnuz", 2, "llvm.amdgcn.mfma.f32.32x32x16.fp8.fp8", Operand::I64, Tail::Broadcast},
    {"mfma.m16n16k32.e4m3fnuz", 2, "llvm.amdgcn.mfma.f32.16x16x32.fp8.fp8", Operand::I64, Tail::Broadcast},
    {"mfma.m32n32k16.e4m3", 2, "llvm.amdgcn.mfma.f32.32x32x16.fp8.fp8", Operand::I64, Tail::Broadcast},
    {"mfma.m16n16k32.e4m3", 2, "llvm.amdgcn.mfma.f32.16x16x32.fp8.fp8", Operand::I64, Tail::Broadcast},
    {"mfma.m32n32k16.bf16", 4, "llvm.amdgcn.mfma.f32.32x32x16.bf16", Operand::BF16, Tail::Broadcast},
    {"mfma.m16n16k32.bf16", 4, "llvm.amdgcn.mfma.f32.16x16x32.bf16", Operand::BF16, Tail::Broadcast},
    {"mfma.m32n32k16.f16", 4, "llvm.amdgcn.mfma.f32.32x32x16.f16", Operand::F16, Tail::Broadcast},
    {"mfma.m16n16k32.f16", 4, "llvm.amdgcn.mfma.f32.16x16x32.f16", Operand::F16, Tail::Broadcast},
    {"mfma.m32n32k64.e4m3", 8, "llvm.amdgcn.mfma.scale.f32.32x32x64.f8f6f4", Operand::I32, Tail::Scaled},
    {"mfma.m16n16k128.e4m3", 8, "llvm.amdgcn.mfma.scale.f32.16x16x128.f8f6f4", Operand::I32, Tail::Scaled},
    {"wmma.m16n16k16.bf16", 8, "llvm.amdgcn.wmma.f32.16x16x16.bf16", Operand::I16, Tail::None},
    {"wmma.m16n16k16.f16", 8, "llvm.amdgcn.wmma.f32.16x16x16.f16", Operand::F16, Tail::None},
    {"wmma.m16n16k16.bf16", 4, "llvm.amdgcn.wmma.f32.16x16x16.bf16", Operand::I16, Tail::None},
    {"wmma.m16n16k16.f16", 4, "llvm.amdgcn.wmma.f32.16x16x16.f16", Operand::F16, Tail::None},
    {"wmma.m16n16k16.e4m3", 2, "llvm.amdgcn.wmma.f32.16x16x16.fp8.fp8", Operand::I32, Tail::None},
};

static Type operandType(LaneBuilder &builder, Operand operand, int64_t words) {
  switch (operand) {
  case Operand::I16:
    return VectorType::get({2 * words}, builder.getI16Type());
  case Operand::BF16:
    return VectorType::get({2 * words}, builder.getBF16Type());
  case Operand::F16:
    return VectorType::get({2 * words}, builder.getF16Type());
  case Operand::I32:
    return VectorType::get({words}, builder.getI32Type());
  case Operand::I64:
    return builder.getI64Type();
  }
  llvm_unreachable("all operands are handled");
}

SmallVector<Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom, ArrayRef<Value> a,
                                  ArrayRef<Value> b, ArrayRef<Value> c) {
  const Instruction *found = llvm::find_if(instructions, [&](const Instruction &i) {
    return i.atom == atom.name && i.words == int32_t(a.size());
  });
  if (found == std::end(instructions))
    return {};
  Type type = operandType(builder, found->operand, int64_t(a.size()));
  auto operand = [&](ArrayRef<Value> words) -> Value {
    Value whole = builder.join(words);
    return whole.getType() == type ? whole : LLVM::BitcastOp::create(builder, builder.loc, type, whole);
  };
  SmallVector<Value> operands = {operand(a), operand(b), builder.join(c)};
  if (found->tail != Tail::None)
    operands.append(found->tail == Tail::Broadcast ? 3 : 6, builder.i32(0));
  Value sums = builder.intrinsic(found->intrinsic, operands[2].getType(), operands);
  SmallVector<Value> out;
  builder.split(sums, out);
  return out;
}

} // namespace quern::lowering::amd
