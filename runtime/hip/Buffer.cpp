//===- Buffer.cpp ---------------------------------------------------------===//
#include "runtime/hip/Buffer.h"

#include "runtime/hip/Error.h"

namespace quern::runtime::hip {

Expected<std::unique_ptr<Buffer>> HipBuffer::create(std::shared_ptr<Stream> stream,
                                                    std::shared_ptr<MemoryAccount> account, uint64_t bytes) {
  QUERN_RETURN_IF_ERROR(stream->enter());
  const uint64_t peakBefore = account->peakBytesAllocated();
  QUERN_RETURN_IF_ERROR(account->book(bytes));
  const Symbols &driver = stream->symbols();
  void *memory = nullptr;
  // HIP gives null for 0 bytes; it allocates whole pages.
  if (Result result = driver.hipMalloc(&memory, bytes ? bytes : 1); result != success) {
    account->undo(bytes, peakBefore);
    if (result == errorOutOfMemory)
      return account->outOfMemory(bytes, "hipMalloc: " + errorText(driver, result));
    return callFailed(driver, result, "hipMalloc", "cannot allocate " + std::to_string(bytes) + " bytes");
  }
  return std::unique_ptr<Buffer>(new HipBuffer(std::move(stream), std::move(account), memory, bytes));
}

HipBuffer::~HipBuffer() {
  // Results are of no use here: what failed was or will be reported by `synchronize`.
  if (stream->synchronize().ok())
    stream->symbols().hipFree(memory);
  account->release(bytes);
}

} // namespace quern::runtime::hip
