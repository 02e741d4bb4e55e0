//===- AsyncCopy.cpp ------------------------------------------------------===//
//
// PTX ISA, "cp.async" and "ldmatrix". A copy of 16 bytes passes by the L1 cache (.cg): what one block reads
// once it does not read again. `src-size` 0 reads nothing and writes zeros.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/nvidia/AsyncCopy.h"

using namespace mlir;

namespace quern::lowering::nvidia {

void copyToShared(LaneBuilder &b, int32_t bytes, Value to, Value from, Value inside) {
  std::string name = bytes == 16 ? "llvm.nvvm.cp.async.cg.shared.global.16"
                                 : "llvm.nvvm.cp.async.ca.shared.global." + std::to_string(bytes);
  SmallVector<Value> operands = {to, from};
  if (inside) {
    name += ".s";
    operands.push_back(b.select(inside, b.i32(bytes), b.i32(0)));
  }
  b.intrinsic(name, Type(), operands);
}

SmallVector<Value> loadMatrix(LaneBuilder &b, const tile::CopyAtom &atom, Value pointer) {
  StringRef name = atom.name;
  if (!name.consume_front("ldmatrix.x"))
    return {};
  int32_t count = name.front() - '0';
  const bool transposed = name.ends_with(".trans");
  Type word = b.getI32Type(), result = word;
  if (count > 1)
    result = LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(size_t(count), word));
  Value loaded = b.intrinsic("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x" + std::to_string(count) +
                                 (transposed ? ".trans" : "") + ".b16",
                             result, pointer);
  if (count == 1)
    return {loaded};
  SmallVector<Value> words;
  for (int64_t i = 0; i < count; ++i)
    words.push_back(LLVM::ExtractValueOp::create(b, b.loc, loaded, i));
  return words;
}

} // namespace quern::lowering::nvidia
