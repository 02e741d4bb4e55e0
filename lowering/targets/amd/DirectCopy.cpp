//===- DirectCopy.cpp -----------------------------------------------------===//
//
// CDNA3 and CDNA4 manuals, "Memory buffer load to LDS": the place in shared memory is a base of the wave plus
// the lane's share, and lanes behind the end of the buffer write zeros. The buffer here begins at the tile;
// an offset of all ones lies behind any end.
//
// LLVM takes any read of shared memory for a read of what such a load writes, and would wait for all of them
// before it. Scopes tell the two apart; the wait and the barrier in front of each step order them.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/amd/DirectCopy.h"

#include "mlir/Dialect/LLVMIR/ROCDLDialect.h"

using namespace mlir;

namespace quern::lowering::amd {

/// The scope of what copies write, equal in all of a context.
static ArrayAttr copyScope(MLIRContext *context) {
  auto name = [&](const char *text) { return StringAttr::get(context, text); };
  auto domain = LLVM::AliasScopeDomainAttr::get(context, name("shared"), {});
  return ArrayAttr::get(context, {LLVM::AliasScopeAttr::get(context, name("copies"), domain, {})});
}

void copyToShared(LaneBuilder &b, int32_t bytes, Value to, Value from, Value offset, Value inside) {
  // Raw buffer, bounds in bytes: "Buffer Resource Descriptor", word 3 with the data format of 32 bits.
  constexpr int32_t rawBuffer = 0x00027000;
  auto resource = LLVM::LLVMPointerType::get(b.getContext(), 8);
  Value stride = LLVM::ConstantOp::create(b, b.loc, b.getI16Type(), 0);
  Value buffer = b.intrinsic("llvm.amdgcn.make.buffer.rsrc", resource,
                             {from, stride, b.i64(0xfffffff0), b.i32(rawBuffer)});
  Value lane = b.trunc(offset, b.getI32Type());
  if (inside)
    lane = b.select(inside, lane, b.i32(-1));
  ROCDL::RawPtrBufferLoadLdsOp::create(b, b.loc, buffer, to, b.i32(bytes), lane, b.i32(0), b.i32(0), b.i32(0),
                                       copyScope(b.getContext()), ArrayAttr(), ArrayAttr());
}

void waitForLoads(LaneBuilder &b, int32_t count) {
  // S_WAITCNT of gfx9: vmcnt in bits 3:0 and 15:14; the counts of exports (6:4) and of shared memory (11:8)
  // at their largest, which waits for none.
  count = std::min(count, 63);
  int32_t mask = (count & 15) | 7 << 4 | 15 << 8 | (count >> 4) << 14;
  b.intrinsic("llvm.amdgcn.s.waitcnt", Type(), b.i32(mask));
}

void waitForShared(LaneBuilder &b, StringRef cpu) {
  if (cpu.starts_with("gfx12")) {
    Value none = LLVM::ConstantOp::create(b, b.loc, b.getI16Type(), 0);
    b.intrinsic("llvm.amdgcn.s.wait.dscnt", Type(), none);
    return;
  }
  // RDNA3: vmcnt in bits 15:10, lgkmcnt in 9:4, expcnt in 2:0; gfx9 as above.
  const int32_t mask = cpu.starts_with("gfx11") ? 63 << 10 | 7 : 15 | 7 << 4 | 3 << 14;
  b.intrinsic("llvm.amdgcn.s.waitcnt", Type(), b.i32(mask));
}

void markLoaded(Operation *load) {
  llvm::cast<LLVM::AliasAnalysisOpInterface>(load).setNoAliasScopes(copyScope(load->getContext()));
}

} // namespace quern::lowering::amd
