//===- AsyncMatrix.cpp - Matrix operations that go on behind the threads --===//

#include "runtime/emulated/nvidia/AsyncMatrix.h"

namespace quern::runtime::emulated::nvidia {

void AsyncMatrix::reset(BlockRun &run) {
  warps.clear();
  groups.clear();
  loadsOf.clear();
  tensor.clear();
  pipelines.clear();
  poisons = run.setup().options->poisonShared;
}

TensorMemory &AsyncMatrix::memory(const BlockContext &block) {
  TensorMemory &memory = tensor[block.clusterRank];
  if (memory.words.empty())
    memory.words.assign(size_t(TensorMemory::lanes) * TensorMemory::columns, poisons ? 0xCBCBCBCBu : 0u);
  return memory;
}

void AsyncMatrix::checkEnd(ThreadContext *thread) {
  auto it = tensor.find(thread->block->clusterRank);
  if (it == tensor.end())
    return;
  for (uint32_t owner : it->second.owner)
    if (owner != 0)
      thread->block->run->failAt(thread, it->second.allocatedAt[(owner - 1) / TensorMemory::unit],
                                 Fault::Asynchronous, "the block ends without giving back its tensor memory");
}

void accumulateRow(const double *a, const double *b, uint32_t n, uint32_t k, double *sum) {
  for (uint32_t i = 0; i < k; ++i) {
    double value = a[i];
    const double *row = b + size_t(i) * n;
    for (uint32_t j = 0; j < n; ++j)
      sum[j] += value * row[j];
  }
}

} // namespace quern::runtime::emulated::nvidia
