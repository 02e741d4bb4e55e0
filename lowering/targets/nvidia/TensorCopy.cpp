//===- TensorCopy.cpp - Tensor maps, bulk copies and barriers in shared memory ---===//
//
// PTX ISA, "Parallel Synchronization and Communication Instructions: mbarrier", "Data Movement and Conversion
// Instructions: cp.async.bulk.tensor", "setmaxnreg". The instructions are written as inline assembly: several
// of LLVM's intrinsics for them changed their operands between releases.
//
//===----------------------------------------------------------------------===//
#include "lowering/targets/nvidia/TensorCopy.h"

using namespace mlir;

namespace quern::lowering::nvidia {

void emitPtx(LaneBuilder &b, StringRef text, StringRef constraints, ValueRange operands) {
  std::string list;
  for (char letter : constraints)
    list += std::string(1, letter) + ",";
  list += "~{memory}";
  LLVM::InlineAsmOp::create(b, b.loc, TypeRange(), operands, text, list, /*has_side_effects=*/true,
                            /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
                            LLVM::AsmDialectAttr::get(b.getContext(), LLVM::AsmDialect::AD_ATT), ArrayAttr());
}

void NvidiaTensorUnit::initBarrier(LaneBuilder &b, Value barrier, int32_t arrivals) {
  emitPtx(b, "mbarrier.init.shared::cta.b64 [$0], " + std::to_string(arrivals) + ";", "r", barrier);
}

void NvidiaTensorUnit::publishBarriers(LaneBuilder &b) {
  emitPtx(b, "fence.mbarrier_init.release.cluster;", "", {});
}

void NvidiaTensorUnit::arrive(LaneBuilder &b, Value barrier, Value condition) {
  if (!condition)
    return emitPtx(b, "mbarrier.arrive.shared::cta.b64 _, [$0];", "r", barrier);
  emitPtx(b,
          "{\n\t.reg .pred arrives;\n\tsetp.ne.b32 arrives, $1, 0;\n\t"
          "@arrives mbarrier.arrive.shared::cta.b64 _, [$0];\n\t}",
          "rr", {barrier, b.zext(condition, b.getI32Type())});
}

void NvidiaTensorUnit::arriveExpecting(LaneBuilder &b, Value barrier, int32_t bytes) {
  emitPtx(b, "mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], " + std::to_string(bytes) + ";", "r",
          barrier);
}

void NvidiaTensorUnit::waitPhase(LaneBuilder &b, Value barrier, Value parity) {
  emitPtx(b,
          "{\n\t.reg .pred ended;\n\tagain:\n\t"
          "mbarrier.try_wait.parity.shared::cta.b64 ended, [$0], $1;\n\t@!ended bra again;\n\t}",
          "rr", {barrier, parity});
}

void NvidiaTensorUnit::prefetchMap(LaneBuilder &b, Value map) {
  emitPtx(b, "prefetch.tensormap [$0];", "l", map);
}

void NvidiaTensorUnit::copyBox(LaneBuilder &b, Value to, Value map, ArrayRef<Value> coordinates,
                               Value barrier) {
  std::string list, letters = "rlr";
  SmallVector<Value> operands = {to, map, barrier};
  for (Value coordinate : coordinates) {
    list += (list.empty() ? "$" : ", $") + std::to_string(operands.size());
    operands.push_back(coordinate);
    letters += "r";
  }
  emitPtx(b,
          "cp.async.bulk.tensor." + std::to_string(coordinates.size()) +
              "d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {" + list + "}], [$2];",
          letters, operands);
}

void NvidiaTensorUnit::releaseRegisters(LaneBuilder &b, int32_t count) {
  emitPtx(b, "setmaxnreg.dec.sync.aligned.u32 " + std::to_string(count) + ";", "", {});
}

void NvidiaTensorUnit::acquireRegisters(LaneBuilder &b, int32_t count) {
  emitPtx(b, "setmaxnreg.inc.sync.aligned.u32 " + std::to_string(count) + ";", "", {});
}

void NvidiaTensorUnit::barrierOf(LaneBuilder &b, int32_t threads) {
  emitPtx(b, "barrier.sync.aligned 1, " + std::to_string(threads) + ";", "", {});
}

Value NvidiaTensorUnit::uniform(LaneBuilder &b, Value value) {
  return b.intrinsic("llvm.nvvm.shfl.sync.idx.i32", value.getType(), {b.i32(-1), value, b.i32(0), b.i32(31)});
}

} // namespace quern::lowering::nvidia
