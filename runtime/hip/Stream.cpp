//===- Stream.cpp ---------------------------------------------------------===//
#include "runtime/hip/Stream.h"

#include "runtime/hip/Error.h"

#include <cstring>

namespace quern::runtime::hip {

namespace {

constexpr size_t stageBytes = size_t(1) << 20;
constexpr size_t stagedAtMost = stageBytes / 4; // a longer copy costs more than the wait that it saves
constexpr size_t stageAlignment = 64;
constexpr unsigned streamNonBlocking = 1; // hipStreamNonBlocking: not ordered with the default stream

void *pointer(uint64_t address) { return reinterpret_cast<void *>(address); }

} // namespace

Expected<std::shared_ptr<Stream>> Stream::create(std::shared_ptr<const Symbols> symbols, int device) {
  std::shared_ptr<Stream> stream(new Stream(symbols));
  stream->device = device;
  QUERN_RETURN_IF_ERROR(stream->enter());
  QUERN_HIP_RETURN_IF_ERROR(*symbols, hipStreamCreateWithFlags(&stream->stream, streamNonBlocking),
                            "cannot make a queue on the device");
  void *stage = nullptr;
  QUERN_HIP_RETURN_IF_ERROR(*symbols, hipHostMalloc(&stage, stageBytes, 0),
                            "cannot allocate page-locked memory");
  stream->stage = static_cast<std::byte *>(stage);
  return stream;
}

Stream::~Stream() {
  // Results are of no use here: after a fault every call fails, and the process goes on without the device.
  driver->hipSetDevice(device);
  if (stream) {
    driver->hipStreamSynchronize(stream);
    driver->hipStreamDestroy(stream);
  }
  if (stage)
    driver->hipHostFree(stage);
}

Status Stream::enter() const {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipSetDevice(device), "cannot use the device");
  return Status::success();
}

Status Stream::upload(uint64_t to, std::span<const std::byte> bytes) {
  if (bytes.empty())
    return Status::success();
  QUERN_RETURN_IF_ERROR(enter());
  if (bytes.size() > stagedAtMost) {
    QUERN_HIP_RETURN_IF_ERROR(*driver, hipMemcpyHtoDAsync(pointer(to), bytes.data(), bytes.size(), stream),
                              "cannot copy to the device");
    return synchronize();
  }
  std::lock_guard<std::mutex> lock(staging);
  if (bytes.size() > stageBytes - stageUsed) {
    QUERN_RETURN_IF_ERROR(synchronize());
    stageUsed = 0;
  }
  std::byte *from = stage + stageUsed;
  memcpy(from, bytes.data(), bytes.size());
  stageUsed += (bytes.size() + stageAlignment - 1) / stageAlignment * stageAlignment;
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipMemcpyHtoDAsync(pointer(to), from, bytes.size(), stream),
                            "cannot copy to the device");
  return Status::success();
}

Status Stream::download(uint64_t from, std::span<std::byte> bytes) {
  if (!bytes.empty()) {
    QUERN_RETURN_IF_ERROR(enter());
    QUERN_HIP_RETURN_IF_ERROR(*driver, hipMemcpyDtoHAsync(bytes.data(), pointer(from), bytes.size(), stream),
                              "cannot copy from the device");
  }
  return synchronize();
}

Status Stream::fill(uint64_t to, uint64_t bytes, uint8_t value) {
  if (bytes == 0)
    return Status::success();
  QUERN_RETURN_IF_ERROR(enter());
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipMemsetD8Async(pointer(to), value, bytes, stream),
                            "cannot fill device memory");
  return Status::success();
}

Status Stream::synchronize() {
  QUERN_RETURN_IF_ERROR(enter());
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipStreamSynchronize(stream), "waiting for the device failed");
  return Status::success();
}

} // namespace quern::runtime::hip
