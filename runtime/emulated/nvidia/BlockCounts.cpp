//===- BlockCounts.cpp - The counters of the blocks of one host thread ----===//
#include "runtime/emulated/nvidia/BlockCounts.h"

#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/DeviceCalls.h"

#include <algorithm>
#include <bit>

namespace quern::runtime::emulated::nvidia {

BlockCounts::BlockCounts(const CountPlan &plan, uint32_t threads)
    : plan(plan), counted(memoryRules()), segments(size_t(threads) * plan.segments), issued(plan.segments),
      lanes(plan.segments), queues(size_t(threads / warpSize) * plan.accesses) {}

void BlockCounts::start(std::span<ThreadContext> threads, std::vector<uint32_t> liveLanes) {
  live = std::move(liveLanes);
  std::fill(segments.begin(), segments.end(), 0);
  for (Queue &queue : queues) {
    queue.open.clear();
    queue.first = 0;
    std::fill(std::begin(queue.next), std::end(queue.next), 0);
  }
  for (size_t i = 0; i < threads.size(); ++i)
    threads[i].segments = segments.data() + i * plan.segments;
}

void BlockCounts::finish() {
  for (size_t warp = 0; warp < live.size(); ++warp) {
    counted.total().warps += live[warp] != 0;
    for (uint32_t segment = 0; segment < plan.segments; ++segment) {
      uint64_t most = 0;
      for (size_t lane = 0; lane < warpSize; ++lane) {
        uint64_t count = segments[(warp * warpSize + lane) * plan.segments + segment];
        most = std::max(most, count);
        lanes[segment] += count;
      }
      issued[segment] += most;
    }
    for (uint32_t i = 0; i < plan.accesses; ++i) {
      const Queue &queue = queues[warp * plan.accesses + i];
      for (const Request &request : queue.open)
        count(queue, request);
    }
  }
}

void BlockCounts::count(const Queue &queue, const Request &request) {
  switch (queue.way) {
  case Way::GlobalRead:
  case Way::GlobalWrite:
    counted.global(queue.way == Way::GlobalWrite, request.address, request.lanes, queue.bytes);
    return;
  case Way::SharedRead:
  case Way::SharedWrite:
    counted.shared(queue.way == Way::SharedWrite, request.address, request.lanes, queue.bytes);
    return;
  case Way::RowsRead:
  case Way::RowsWrite: {
    // Lane 8 * i + r names row r of matrix i; |bytes| holds the number of lanes that name rows.
    uint64_t naming = (uint64_t(1) << queue.bytes) - 1;
    counted.sharedRows(queue.way == Way::RowsWrite, request.address, request.lanes & naming, 16);
    return;
  }
  }
}

void BlockCounts::access(const ThreadContext *thread, uint32_t site, Way way, uint64_t address,
                         uint32_t bytes, bool second) {
  int32_t slot = plan.sites[site].access;
  if (slot < 0)
    return;
  Queue &queue = queues[size_t(thread->runWarp) * plan.accesses + size_t(slot) + second];
  queue.way = way;
  queue.bytes = bytes;
  uint64_t number = std::max(queue.next[thread->lane], queue.first);
  queue.next[thread->lane] = number + 1;
  while (queue.first + queue.open.size() <= number)
    queue.open.emplace_back();
  Request &request = queue.open[size_t(number - queue.first)];
  request.lanes |= 1u << thread->lane;
  request.address[thread->lane] = address;
  bool full = queue.open.size() > longestQueue;
  if (full)
    ++counted.total().incomplete;
  while (!queue.open.empty() && (full || queue.open.front().lanes == live[thread->runWarp])) {
    count(queue, queue.open.front());
    queue.open.pop_front();
    ++queue.first;
    full = false;
  }
}

void BlockCounts::matrix(const std::string &name, uint64_t multiplyAdds, uint64_t operandBytes) {
  counted.total().operandBytes += operandBytes;
  MatrixCount &count = counted.total().matrix[name];
  ++count.operations;
  count.multiplyAdds += multiplyAdds;
}

void BlockCounts::close() {
  KernelCounters &total = counted.total();
  for (const SiteCount &site : plan.sites) {
    if (issued[site.outer] == 0)
      continue;
    OpcodeCount &opcode = total.opcodes[site.name];
    opcode.kind = site.kind;
    opcode.issued += issued[site.outer];
    opcode.lanes += lanes[site.inner];
    total.ordinaryMultiplyAdds += lanes[site.inner] * site.laneMultiplyAdds;
    if (!site.matrix.empty() && issued[site.inner]) {
      MatrixCount &matrix = total.matrix[site.matrix];
      matrix.operations += issued[site.inner] / site.issuers;
      matrix.multiplyAdds += issued[site.inner] / site.issuers * site.multiplyAdds;
      total.operandBytes += issued[site.inner] / site.issuers * site.operandBytes;
    }
  }
}

extern "C" {

/// |way|: a BlockCounts::Way; generic addresses of shared and local memory are told apart here.
static void quernCountAccess(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                             uint32_t way) {
  using Way = BlockCounts::Way;
  auto what = static_cast<Way>(way);
  if (what == Way::GlobalRead || what == Way::GlobalWrite) {
    if (address - localWindow < windowBytes)
      return;
    if (address - sharedWindow < windowBytes) {
      what = what == Way::GlobalWrite ? Way::SharedWrite : Way::SharedRead;
      address -= sharedWindow;
    }
  }
  thread->block->run->counts()->access(thread, site, what, address, bytes);
}

} // extern "C"

std::span<const DeviceCall> countCalls() {
  static const DeviceCall calls[] = {{"quernCountAccess", reinterpret_cast<void *>(&quernCountAccess)}};
  return calls;
}

} // namespace quern::runtime::emulated::nvidia
