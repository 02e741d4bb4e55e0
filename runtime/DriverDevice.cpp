//===- DriverDevice.cpp ---------------------------------------------------===//
#include "runtime/DriverDevice.h"

namespace quern::runtime {

std::string DriverKernel::launchFailure(const LaunchShape &shape) const {
  return "cannot launch kernel `" + name + "` with " + std::to_string(shape.blocks) + " blocks of " +
         std::to_string(shape.threads) + " threads and " + std::to_string(shape.sharedBytes) +
         " bytes of shared memory";
}

ArgumentSlots::ArgumentSlots(std::span<const Argument> arguments)
    : slots(arguments.size()), pointers(arguments.size()) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    slots[i] = arguments[i].bits;
    pointers[i] = arguments[i].kind == ArgumentKind::TensorMap ? reinterpret_cast<void *>(arguments[i].bits)
                                                               : &slots[i];
  }
}

DriverDevice::DriverDevice(DeviceInfo info, std::shared_ptr<DriverQueue> queue, uint64_t limit)
    : deviceInfo(std::move(info)), queue(std::move(queue)),
      account(std::make_shared<MemoryAccount>(deviceInfo.name, limit)) {}

Expected<std::unique_ptr<Buffer>> DriverDevice::allocate(uint64_t bytes) {
  return DriverQueue::allocate(queue, account, bytes);
}

Status DriverDevice::upload(Buffer &to, uint64_t offset, std::span<const std::byte> bytes) {
  QUERN_RETURN_IF_ERROR(checkBufferRange(to, offset, bytes.size(), "upload"));
  return queue->upload(to.address() + offset, bytes);
}

Status DriverDevice::download(Buffer &from, uint64_t offset, std::span<std::byte> bytes) {
  QUERN_RETURN_IF_ERROR(checkBufferRange(from, offset, bytes.size(), "download"));
  return queue->download(from.address() + offset, bytes);
}

Status DriverDevice::fill(Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) {
  QUERN_RETURN_IF_ERROR(checkBufferRange(to, offset, bytes, "fill"));
  return queue->fill(to.address() + offset, bytes, value);
}

Status DriverDevice::launch(Kernel &kernelGiven, const LaunchShape &shape,
                            std::span<const Argument> arguments) {
  auto &kernel = static_cast<DriverKernel &>(kernelGiven);
  if (kernel.signature)
    QUERN_RETURN_IF_ERROR(kernel.signature->check(kernel.name, arguments));
  if (shape.blocks == 0)
    return Status::success();
  ++launches;
  return kernel.launch(shape, arguments);
}

DeviceCounters DriverDevice::counters() const {
  return {launches, account->bytesAllocated(), account->peakBytesAllocated()};
}

} // namespace quern::runtime
