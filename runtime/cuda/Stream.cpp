//===- Stream.cpp ---------------------------------------------------------===//
#include "runtime/cuda/Stream.h"

#include "runtime/cuda/Error.h"

#include <cstring>

namespace quern::runtime::cuda {

namespace {

constexpr size_t stageBytes = size_t(1) << 20;
constexpr size_t stagedAtMost = stageBytes / 4; // a longer copy costs more than the wait that it saves
constexpr size_t stageAlignment = 64;
constexpr unsigned streamNonBlocking = 1; // CU_STREAM_NON_BLOCKING: not ordered with the default stream

} // namespace

Expected<std::shared_ptr<Stream>> Stream::create(std::shared_ptr<const Symbols> symbols,
                                                 DeviceHandle device) {
  std::shared_ptr<Stream> stream(new Stream(symbols));
  QUERN_CUDA_RETURN_IF_ERROR(*symbols, cuDevicePrimaryCtxRetain(&stream->context, device),
                             "cannot use the device");
  stream->device = device;
  QUERN_RETURN_IF_ERROR(stream->enter());
  QUERN_CUDA_RETURN_IF_ERROR(*symbols, cuStreamCreate(&stream->stream, streamNonBlocking),
                             "cannot make a queue on the device");
  void *stage = nullptr;
  QUERN_CUDA_RETURN_IF_ERROR(*symbols, cuMemHostAlloc(&stage, stageBytes, 0),
                             "cannot allocate page-locked memory");
  stream->stage = static_cast<std::byte *>(stage);
  return stream;
}

Stream::~Stream() {
  if (!context)
    return;
  // Results are of no use here: after a fault every call fails, and the process goes on without the device.
  driver->cuCtxSetCurrent(context);
  if (stream) {
    driver->cuStreamSynchronize(stream);
    driver->cuStreamDestroy(stream);
  }
  if (stage)
    driver->cuMemFreeHost(stage);
  driver->cuCtxSetCurrent(nullptr);
  driver->cuDevicePrimaryCtxRelease(device);
}

Status Stream::enter() const {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuCtxSetCurrent(context), "cannot use the device");
  return Status::success();
}

Status Stream::upload(DeviceAddress to, std::span<const std::byte> bytes) {
  if (bytes.empty())
    return Status::success();
  QUERN_RETURN_IF_ERROR(enter());
  if (bytes.size() > stagedAtMost) {
    QUERN_CUDA_RETURN_IF_ERROR(*driver, cuMemcpyHtoDAsync(to, bytes.data(), bytes.size(), stream),
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
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuMemcpyHtoDAsync(to, from, bytes.size(), stream),
                             "cannot copy to the device");
  return Status::success();
}

Status Stream::download(DeviceAddress from, std::span<std::byte> bytes) {
  if (!bytes.empty()) {
    QUERN_RETURN_IF_ERROR(enter());
    QUERN_CUDA_RETURN_IF_ERROR(*driver, cuMemcpyDtoHAsync(bytes.data(), from, bytes.size(), stream),
                               "cannot copy from the device");
  }
  return synchronize();
}

Status Stream::fill(DeviceAddress to, uint64_t bytes, uint8_t value) {
  if (bytes == 0)
    return Status::success();
  QUERN_RETURN_IF_ERROR(enter());
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuMemsetD8Async(to, value, bytes, stream), "cannot fill device memory");
  return Status::success();
}

Status Stream::synchronize() {
  QUERN_RETURN_IF_ERROR(enter());
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuStreamSynchronize(stream), "waiting for the device failed");
  return Status::success();
}

} // namespace quern::runtime::cuda
