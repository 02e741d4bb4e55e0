//===- MatrixUnit.cpp - Multiply-adds of a CPU's vector registers ---------===//
//
// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2: VFMADD231PS, VDPBF16PS. Each lane
// of the latter adds the products of one pair of bf16 to an f32, with denormal inputs and results taken as
// zero.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/cpu/MatrixUnit.h"

using namespace mlir;

namespace quern::lowering::cpu {

Value dotPairs(LaneBuilder &builder, Value a, Value b, Value c) {
  auto pairs = [&](Value words) -> Value {
    auto type = VectorType::get({2 * int64_t(builder.lanes())}, builder.getBF16Type());
    return LLVM::BitcastOp::create(builder, builder.loc, type, words);
  };
  return builder.intrinsic("llvm.x86.avx512bf16.dpbf16ps.512", c.getType(), {c, pairs(a), pairs(b)});
}

SmallVector<Value> matrixMultiply(LaneBuilder &builder, const tile::MmaAtom &atom, ArrayRef<Value> a,
                                  ArrayRef<Value> b, ArrayRef<Value> c) {
  if (atom.a.type == ElementType::F32 && atom.k == 1)
    return {builder.fma(builder.bitcast(a[0], builder.getF32Type()),
                        builder.bitcast(b[0], builder.getF32Type()), c[0])};
  if (atom.a.type != ElementType::BF16 || atom.k != 2)
    return {};
  return {dotPairs(builder, a[0], b[0], c[0])};
}

} // namespace quern::lowering::cpu
