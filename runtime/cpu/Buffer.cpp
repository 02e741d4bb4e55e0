//===- Buffer.cpp ---------------------------------------------------------===//
#include "runtime/cpu/Buffer.h"

#include <cstdlib>
#include <sys/mman.h>

namespace quern::runtime::cpu {

namespace {

constexpr uint64_t smallAlignment = 256;         // Device::allocate's promise
constexpr uint64_t hugePage = uint64_t(2) << 20; // weights read through huge pages cost fewer TLB misses
constexpr uint64_t hugePageThreshold = 2 * hugePage;

} // namespace

Expected<std::unique_ptr<Buffer>> CpuBuffer::create(std::shared_ptr<MemoryAccount> account, uint64_t bytes) {
  const uint64_t peakBefore = account->peakBytesAllocated();
  QUERN_RETURN_IF_ERROR(account->book(bytes));
  const uint64_t alignment = bytes >= hugePageThreshold ? hugePage : smallAlignment;
  void *memory = nullptr;
  if (bytes <= UINT64_MAX - alignment) {
    uint64_t rounded = (bytes + alignment - 1) / alignment * alignment;
    memory = std::aligned_alloc(alignment, rounded ? rounded : alignment);
    if (memory && alignment == hugePage)
      madvise(memory, rounded, MADV_HUGEPAGE); // advice only: a kernel without it changes nothing
  }
  if (!memory) {
    account->undo(bytes, peakBefore);
    return account->outOfMemory(bytes, "the system gives no more memory");
  }
  return std::unique_ptr<Buffer>(new CpuBuffer(std::move(account), static_cast<std::byte *>(memory), bytes));
}

std::unique_ptr<Buffer> CpuBuffer::over(std::span<const std::byte> memory) {
  return std::unique_ptr<Buffer>(
      new CpuBuffer(nullptr, const_cast<std::byte *>(memory.data()), memory.size()));
}

CpuBuffer::~CpuBuffer() {
  if (!account)
    return;
  std::free(memory);
  account->release(bytes);
}

} // namespace quern::runtime::cpu
