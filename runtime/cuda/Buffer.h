//===- Buffer.h - Memory of the device ------------------------------------===//
#ifndef QUERN_RUNTIME_CUDA_BUFFER_H
#define QUERN_RUNTIME_CUDA_BUFFER_H

#include "runtime/Device.h"
#include "runtime/MemoryAccount.h"
#include "runtime/cuda/Stream.h"

#include <memory>

namespace quern::runtime::cuda {

class CudaBuffer final : public Buffer {
public:
  /// Books in |account| and allocates; both are given back with the buffer, after all that is queued has
  /// ended.
  static Expected<std::unique_ptr<Buffer>> create(std::shared_ptr<Stream> stream,
                                                  std::shared_ptr<MemoryAccount> account, uint64_t bytes);
  ~CudaBuffer() override;

  uint64_t address() const override { return memory; }
  uint64_t size() const override { return bytes; }

private:
  CudaBuffer(std::shared_ptr<Stream> stream, std::shared_ptr<MemoryAccount> account, DeviceAddress memory,
             uint64_t bytes)
      : stream(std::move(stream)), account(std::move(account)), memory(memory), bytes(bytes) {}

  std::shared_ptr<Stream> stream;
  std::shared_ptr<MemoryAccount> account;
  DeviceAddress memory;
  uint64_t bytes;
};

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_BUFFER_H
