//===- TranslateCount.cpp - What translated code counts -------------------===//
//
// See CountPlan.h. Nothing here runs without Checks::counters.
//
//===----------------------------------------------------------------------===//

#include "runtime/emulated/nvidia/BlockCounts.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"
#include "runtime/emulated/nvidia/Translate.h"

namespace quern::runtime::emulated::nvidia {

void FunctionTranslator::countSegment(uint32_t segment) {
  Value *place = at(segmentCounts, uint64_t(segment) * sizeof(uint64_t));
  llvm::Type *type = builder.getInt64Ty();
  builder.CreateStore(builder.CreateAdd(builder.CreateLoad(type, place), builder.getInt64(1)), place);
}

void FunctionTranslator::countAccess(Space space, Value *address, unsigned bytes, uint32_t flags) {
  if (!plan || space == Space::Local)
    return;
  using Way = BlockCounts::Way;
  bool write = flags & AccessWrite;
  Way way = space == Space::Shared ? (write ? Way::SharedWrite : Way::SharedRead)
                                   : (write ? Way::GlobalWrite : Way::GlobalRead);
  callOut("quernCountAccess", builder.getVoidTy(),
          {thread, site(), address, builder.getInt32(bytes), builder.getInt32(uint32_t(way))});
}

void FunctionTranslator::countRows(Value *address, unsigned lanes, bool isWrite) {
  if (!plan)
    return;
  auto way = isWrite ? BlockCounts::Way::RowsWrite : BlockCounts::Way::RowsRead;
  callOut("quernCountAccess", builder.getVoidTy(),
          {thread, site(), address, builder.getInt32(lanes), builder.getInt32(uint32_t(way))});
}

} // namespace quern::runtime::emulated::nvidia
