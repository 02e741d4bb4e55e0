//===- DriverQueue.cpp ----------------------------------------------------===//
#include "runtime/DriverQueue.h"

#include <cstring>

namespace quern::runtime {

class DriverBuffer final : public Buffer {
public:
  DriverBuffer(std::shared_ptr<DriverQueue> queue, std::shared_ptr<MemoryAccount> account, uint64_t memory,
               uint64_t bytes)
      : queue(std::move(queue)), account(std::move(account)), memory(memory), bytes(bytes) {}

  ~DriverBuffer() override {
    // Results are of no use here: what failed was or will be reported by `synchronize`.
    if (queue->synchronize().ok())
      queue->release(memory);
    account->release(bytes);
  }

  uint64_t address() const override { return memory; }
  uint64_t size() const override { return bytes; }

private:
  std::shared_ptr<DriverQueue> queue;
  std::shared_ptr<MemoryAccount> account;
  uint64_t memory;
  uint64_t bytes;
};

namespace {

constexpr size_t stageAlignment = 64;

} // namespace

Status DriverQueue::upload(uint64_t to, std::span<const std::byte> bytes) {
  constexpr size_t stagedAtMost = stageBytes / 4; // a longer copy costs more than the wait that it saves
  if (bytes.empty())
    return Status::success();
  QUERN_RETURN_IF_ERROR(enter());
  if (bytes.size() > stagedAtMost) {
    QUERN_RETURN_IF_ERROR(queueUpload(to, bytes.data(), bytes.size()));
    return wait();
  }
  std::lock_guard<std::mutex> lock(staging);
  if (bytes.size() > stageBytes - stageUsed) {
    QUERN_RETURN_IF_ERROR(wait());
    stageUsed = 0;
  }
  std::byte *from = stage + stageUsed;
  memcpy(from, bytes.data(), bytes.size());
  stageUsed += (bytes.size() + stageAlignment - 1) / stageAlignment * stageAlignment;
  return queueUpload(to, from, bytes.size());
}

Status DriverQueue::download(uint64_t from, std::span<std::byte> bytes) {
  QUERN_RETURN_IF_ERROR(enter());
  if (!bytes.empty())
    QUERN_RETURN_IF_ERROR(queueDownload(bytes.data(), from, bytes.size()));
  return wait();
}

Status DriverQueue::fill(uint64_t to, uint64_t bytes, uint8_t value) {
  if (bytes == 0)
    return Status::success();
  QUERN_RETURN_IF_ERROR(enter());
  return queueFill(to, bytes, value);
}

Status DriverQueue::synchronize() {
  QUERN_RETURN_IF_ERROR(enter());
  return wait();
}

Expected<std::unique_ptr<Buffer>> DriverQueue::allocate(std::shared_ptr<DriverQueue> queue,
                                                        std::shared_ptr<MemoryAccount> account,
                                                        uint64_t bytes) {
  QUERN_RETURN_IF_ERROR(queue->enter());
  const uint64_t peakBefore = account->peakBytesAllocated();
  QUERN_RETURN_IF_ERROR(account->book(bytes));
  // No driver gives an address for 0 bytes.
  Expected<uint64_t> memory = queue->reserve(bytes ? bytes : 1, *account);
  if (!memory.ok()) {
    account->undo(bytes, peakBefore);
    return memory.takeError();
  }
  return std::unique_ptr<Buffer>(new DriverBuffer(std::move(queue), std::move(account), *memory, bytes));
}

class DriverTimer final : public Timer {
public:
  explicit DriverTimer(std::shared_ptr<DriverQueue> queue) : queue(std::move(queue)) {}
  ~DriverTimer() override {
    if (!queue->enter().ok())
      return;
    for (DriverQueue::Event event : {begin, end})
      if (event)
        queue->dropEvent(event);
  }

  Status prepare() {
    QUERN_RETURN_IF_ERROR(queue->enter());
    QUERN_ASSIGN_OR_RETURN(begin, queue->makeEvent());
    QUERN_ASSIGN_OR_RETURN(end, queue->makeEvent());
    return Status::success();
  }

  Status start() override { return record(begin); }
  Status stop() override { return record(end); }
  Expected<double> seconds() override {
    QUERN_RETURN_IF_ERROR(queue->enter());
    return queue->secondsBetween(begin, end);
  }

private:
  Status record(DriverQueue::Event event) {
    QUERN_RETURN_IF_ERROR(queue->enter());
    return queue->recordEvent(event);
  }

  std::shared_ptr<DriverQueue> queue;
  DriverQueue::Event begin = nullptr, end = nullptr;
};

Expected<std::unique_ptr<Timer>> DriverQueue::timer(std::shared_ptr<DriverQueue> queue) {
  auto timer = std::make_unique<DriverTimer>(std::move(queue));
  QUERN_RETURN_IF_ERROR(timer->prepare());
  return std::move(timer);
}

class DriverRecording final : public Recording {
public:
  DriverRecording(std::shared_ptr<DriverQueue> queue, DriverQueue::Graph graph)
      : queue(std::move(queue)), graph(graph) {}
  ~DriverRecording() override {
    // The device may still be at it.
    if (queue->synchronize().ok())
      queue->dropGraph(graph);
  }

  Status replay() override {
    QUERN_RETURN_IF_ERROR(queue->enter());
    return queue->queueGraph(graph);
  }

private:
  std::shared_ptr<DriverQueue> queue;
  DriverQueue::Graph graph;
};

Expected<std::unique_ptr<Recording>> DriverQueue::record(std::shared_ptr<DriverQueue> queue,
                                                         const std::function<Status()> &work) {
  QUERN_RETURN_IF_ERROR(queue->enter());
  QUERN_RETURN_IF_ERROR(queue->beginRecording());
  Status done = work();
  Expected<Graph> graph = queue->endRecording();
  if (!done.ok()) {
    if (graph.ok())
      queue->dropGraph(*graph);
    return done;
  }
  if (!graph.ok())
    return graph.takeError();
  return std::unique_ptr<Recording>(new DriverRecording(std::move(queue), *graph));
}

} // namespace quern::runtime
