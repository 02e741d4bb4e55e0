//===- MemoryAccount.h - How much device memory is in use -----------------===//
//
// Every device keeps one account: allocations are booked before the vendor is asked and taken back when the
// buffer goes away, so that the peak is exact and a limit (a slice of a card, a test) is kept without the
// vendor's help.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_MEMORYACCOUNT_H
#define QUERN_RUNTIME_MEMORYACCOUNT_H

#include "support/Status.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>

namespace quern::runtime {

class MemoryAccount {
public:
  /// |limit| in bytes; 0 for none.
  MemoryAccount(std::string device, uint64_t limit) : device(std::move(device)), limit(limit) {}

  /// Books |bytes|, or Exit::Resource "E-DEVICE-OUT-OF-MEMORY" where that would pass the limit.
  Status book(uint64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    if (limit != 0 && (bytes > limit || used > limit - bytes))
      return outOfMemory(bytes, "the limit is " + std::to_string(limit) + " bytes and " +
                                    std::to_string(used) + " bytes are in use");
    used += bytes;
    peak = std::max(peak, used);
    return Status::success();
  }

  void release(uint64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex);
    used -= bytes;
  }

  /// Takes back a booking that the vendor refused: it must not count for the peak.
  void undo(uint64_t bytes, uint64_t peakBefore) {
    std::lock_guard<std::mutex> lock(mutex);
    used -= bytes;
    peak = std::max(peakBefore, used);
  }

  uint64_t bytesAllocated() const {
    std::lock_guard<std::mutex> lock(mutex);
    return used;
  }
  uint64_t peakBytesAllocated() const {
    std::lock_guard<std::mutex> lock(mutex);
    return peak;
  }

  /// The error of an allocation of |bytes| that failed for |cause|.
  Status outOfMemory(uint64_t bytes, std::string cause) const {
    return Status::error(Exit::Resource, "E-DEVICE-OUT-OF-MEMORY",
                         "cannot allocate " + std::to_string(bytes) + " bytes on `" + device + "`")
        .cause(std::move(cause))
        .remedy("choose a smaller batch or context, or another device");
  }

private:
  const std::string device;
  const uint64_t limit;
  mutable std::mutex mutex;
  uint64_t used = 0, peak = 0;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_MEMORYACCOUNT_H
