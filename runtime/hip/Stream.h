//===- Stream.h - The one in-order queue of a device ----------------------===//
#ifndef QUERN_RUNTIME_HIP_STREAM_H
#define QUERN_RUNTIME_HIP_STREAM_H

#include "runtime/hip/Symbols.h"

#include <memory>
#include <mutex>
#include <span>

namespace quern::runtime::hip {

/// Owns a stream of the device. Buffers and modules share it, so it ends after the last of them. Every member
/// makes the device current first: the caller may be any thread, one at a time per call.
class Stream {
public:
  static Expected<std::shared_ptr<Stream>> create(std::shared_ptr<const Symbols> symbols, int device);
  ~Stream();

  const Symbols &symbols() const { return *driver; }
  StreamHandle handle() const { return stream; }

  /// Makes the device current for the calling thread.
  Status enter() const;

  /// Queues a copy; |bytes| may be reused when it returns. Short copies go through page-locked memory and do
  /// not wait; long ones wait, because the driver may read pageable memory after its call has returned.
  Status upload(uint64_t to, std::span<const std::byte> bytes);
  Status download(uint64_t from, std::span<std::byte> bytes);
  Status fill(uint64_t to, uint64_t bytes, uint8_t value);
  Status synchronize();

private:
  explicit Stream(std::shared_ptr<const Symbols> driver) : driver(std::move(driver)) {}

  std::shared_ptr<const Symbols> driver;
  int device = 0;
  StreamHandle stream = nullptr;

  std::mutex staging; // guards the two below
  std::byte *stage = nullptr;
  size_t stageUsed = 0; // bytes that queued copies may still read
};

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_STREAM_H
