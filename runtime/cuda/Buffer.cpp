//===- Buffer.cpp ---------------------------------------------------------===//
#include "runtime/cuda/Buffer.h"

#include "runtime/cuda/Error.h"

namespace quern::runtime::cuda {

Expected<std::unique_ptr<Buffer>> CudaBuffer::create(std::shared_ptr<Stream> stream,
                                                     std::shared_ptr<MemoryAccount> account, uint64_t bytes) {
  QUERN_RETURN_IF_ERROR(stream->enter());
  const uint64_t peakBefore = account->peakBytesAllocated();
  QUERN_RETURN_IF_ERROR(account->book(bytes));
  const Symbols &driver = stream->symbols();
  DeviceAddress memory = 0;
  // The driver refuses 0 bytes and aligns to 256 (CUDA C++ Programming Guide, device memory accesses).
  if (Result result = driver.cuMemAlloc(&memory, bytes ? bytes : 1); result != success) {
    account->undo(bytes, peakBefore);
    if (result == errorOutOfMemory)
      return account->outOfMemory(bytes, "cuMemAlloc: " + errorText(driver, result));
    return callFailed(driver, result, "cuMemAlloc", "cannot allocate " + std::to_string(bytes) + " bytes");
  }
  return std::unique_ptr<Buffer>(new CudaBuffer(std::move(stream), std::move(account), memory, bytes));
}

CudaBuffer::~CudaBuffer() {
  // Results are of no use here: what failed was or will be reported by `synchronize`.
  if (stream->synchronize().ok())
    stream->symbols().cuMemFree(memory);
  account->release(bytes);
}

} // namespace quern::runtime::cuda
