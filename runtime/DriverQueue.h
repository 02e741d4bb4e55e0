//===- DriverQueue.h - The one in-order queue of a GPU behind its driver --===//
//
// What every vendor's queue does in the same way: short uploads pass through page-locked memory and do not
// wait, an allocation is booked before the driver is asked. A vendor's `Stream` provides the calls.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DRIVERQUEUE_H
#define QUERN_RUNTIME_DRIVERQUEUE_H

#include "runtime/Device.h"
#include "runtime/MemoryAccount.h"

#include <memory>
#include <mutex>
#include <span>

namespace quern::runtime {

/// Buffers and modules share the queue, so it ends after the last of them. Every public member makes the
/// device current first: the caller may be any thread, one at a time per call.
class DriverQueue {
public:
  virtual ~DriverQueue() = default;

  /// Makes the device current for the calling thread.
  virtual Status enter() const = 0;

  /// Queues a copy; |bytes| may be reused when it returns. Short copies go through page-locked memory and do
  /// not wait; long ones wait, because the driver may read pageable memory after its call has returned.
  Status upload(uint64_t to, std::span<const std::byte> bytes);
  /// Waits for everything queued before it.
  Status download(uint64_t from, std::span<std::byte> bytes);
  Status fill(uint64_t to, uint64_t bytes, uint8_t value);
  Status synchronize();

  /// Two events in |queue|.
  static Expected<std::unique_ptr<Timer>> timer(std::shared_ptr<DriverQueue> queue);

  /// What |work| queues, as one piece; see `Device::record`.
  static Expected<std::unique_ptr<Recording>> record(std::shared_ptr<DriverQueue> queue,
                                                     const std::function<Status()> &work);

  /// A buffer on |queue|, booked in |account|; both are given back with the buffer, after all that is queued
  /// has ended.
  static Expected<std::unique_ptr<Buffer>> allocate(std::shared_ptr<DriverQueue> queue,
                                                    std::shared_ptr<MemoryAccount> account, uint64_t bytes);

protected:
  static constexpr size_t stageBytes = size_t(1) << 20;

  // The driver's calls, with the device current. Sizes are above 0.
  virtual Status queueUpload(uint64_t to, const std::byte *from, size_t bytes) = 0;
  virtual Status queueDownload(std::byte *to, uint64_t from, size_t bytes) = 0;
  virtual Status queueFill(uint64_t to, size_t bytes, uint8_t value) = 0;
  virtual Status wait() = 0;
  /// The address of |bytes| new bytes, aligned to 256; `account.outOfMemory` where there are not so many.
  virtual Expected<uint64_t> reserve(size_t bytes, const MemoryAccount &account) = 0;
  virtual void release(uint64_t address) = 0;

  /// A mark that the queue can pass, and the seconds between two that have been recorded; waits for |end|.
  using Event = void *;
  virtual Expected<Event> makeEvent() = 0;
  virtual void dropEvent(Event event) = 0;
  virtual Status recordEvent(Event event) = 0;
  virtual Expected<double> secondsBetween(Event begin, Event end) = 0;

  /// Between the two, work is kept in place of being run. `endRecording` ends it in any case.
  using Graph = void *;
  virtual Status beginRecording() = 0;
  virtual Expected<Graph> endRecording() = 0;
  virtual void dropGraph(Graph graph) = 0;
  virtual Status queueGraph(Graph graph) = 0;

  std::byte *stage = nullptr; ///< |stageBytes| of page-locked memory; the vendor's class gets and frees it

private:
  friend class DriverBuffer;
  friend class DriverRecording;
  friend class DriverTimer;

  std::mutex staging;   // guards the contents of |stage| and the number below
  size_t stageUsed = 0; // bytes that queued copies may still read
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_DRIVERQUEUE_H
