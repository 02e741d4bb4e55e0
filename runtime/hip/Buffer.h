//===- Buffer.h - Memory of the device ------------------------------------===//
#ifndef QUERN_RUNTIME_HIP_BUFFER_H
#define QUERN_RUNTIME_HIP_BUFFER_H

#include "runtime/Device.h"
#include "runtime/MemoryAccount.h"
#include "runtime/hip/Stream.h"

#include <memory>

namespace quern::runtime::hip {

class HipBuffer final : public Buffer {
public:
  /// Books in |account| and allocates; both are given back with the buffer, after all that is queued has
  /// ended.
  static Expected<std::unique_ptr<Buffer>> create(std::shared_ptr<Stream> stream,
                                                  std::shared_ptr<MemoryAccount> account, uint64_t bytes);
  ~HipBuffer() override;

  uint64_t address() const override { return reinterpret_cast<uint64_t>(memory); }
  uint64_t size() const override { return bytes; }

private:
  HipBuffer(std::shared_ptr<Stream> stream, std::shared_ptr<MemoryAccount> account, void *memory,
            uint64_t bytes)
      : stream(std::move(stream)), account(std::move(account)), memory(memory), bytes(bytes) {}

  std::shared_ptr<Stream> stream;
  std::shared_ptr<MemoryAccount> account;
  void *memory;
  uint64_t bytes;
};

} // namespace quern::runtime::hip

#endif // QUERN_RUNTIME_HIP_BUFFER_H
