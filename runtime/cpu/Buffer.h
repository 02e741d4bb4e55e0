//===- Buffer.h - Host memory as device memory ----------------------------===//
#ifndef QUERN_RUNTIME_CPU_BUFFER_H
#define QUERN_RUNTIME_CPU_BUFFER_H

#include "runtime/Device.h"
#include "runtime/MemoryAccount.h"

#include <memory>

namespace quern::runtime::cpu {

class CpuBuffer final : public Buffer {
public:
  /// Books in |account| and allocates; both are given back with the buffer.
  static Expected<std::unique_ptr<Buffer>> create(std::shared_ptr<MemoryAccount> account, uint64_t bytes);
  /// Memory of another's, which is neither booked nor freed and only read.
  static std::unique_ptr<Buffer> over(std::span<const std::byte> memory);
  ~CpuBuffer() override;

  uint64_t address() const override { return reinterpret_cast<uint64_t>(memory); }
  uint64_t size() const override { return bytes; }
  std::byte *hostPointer() override { return memory; }

private:
  CpuBuffer(std::shared_ptr<MemoryAccount> account, std::byte *memory, uint64_t bytes)
      : account(std::move(account)), memory(memory), bytes(bytes) {}

  std::shared_ptr<MemoryAccount> account; ///< null for memory of another's
  std::byte *memory;
  uint64_t bytes;
};

} // namespace quern::runtime::cpu

#endif // QUERN_RUNTIME_CPU_BUFFER_H
