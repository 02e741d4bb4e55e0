//===- DriverDevice.h - A GPU behind its driver ---------------------------===//
//
// What every vendor's device does in the same way, over its `DriverQueue`. A vendor's folder adds how code is
// loaded and how one kernel is launched.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DRIVERDEVICE_H
#define QUERN_RUNTIME_DRIVERDEVICE_H

#include "runtime/Device.h"
#include "runtime/DriverQueue.h"
#include "runtime/KernelSignature.h"

#include <atomic>
#include <optional>

namespace quern::runtime {

class DriverKernel : public Kernel {
public:
  std::string name;
  std::optional<KernelSignature> signature; ///< nothing where neither code nor driver tells it
  uint32_t maxThreads = 0;                  ///< of a block; 0 where it is not known

  /// Queues one launch of |blocks| > 0 blocks; the arguments are already checked.
  virtual Status launch(const LaunchShape &shape, std::span<const Argument> arguments) = 0;

protected:
  /// "cannot launch kernel `f` with 3 blocks of 128 threads and 0 bytes of shared memory".
  std::string launchFailure(const LaunchShape &shape) const;
};

/// Arguments as drivers take them: the address of each slot. They read each parameter's own width from the
/// low end of its slot, within the launching call.
class ArgumentSlots {
public:
  explicit ArgumentSlots(std::span<const Argument> arguments);
  void **data() { return pointers.data(); }

private:
  std::vector<uint64_t> slots;
  std::vector<void *> pointers;
};

class DriverDevice : public Device {
public:
  /// |limit| as in DeviceOptions::memoryLimit. Kernels of its modules are `DriverKernel`s.
  DriverDevice(DeviceInfo info, std::shared_ptr<DriverQueue> queue, uint64_t limit);

  const DeviceInfo &info() const override { return deviceInfo; }
  Expected<std::unique_ptr<Buffer>> allocate(uint64_t bytes) override;
  Status upload(Buffer &to, uint64_t offset, std::span<const std::byte> bytes) override;
  Status download(Buffer &from, uint64_t offset, std::span<std::byte> bytes) override;
  Status fill(Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) override;
  Status launch(Kernel &kernel, const LaunchShape &shape, std::span<const Argument> arguments) override;
  Status synchronize() override { return queue->synchronize(); }
  Expected<std::unique_ptr<Timer>> timer() override { return DriverQueue::timer(queue); }
  Expected<std::unique_ptr<Recording>> record(const std::function<Status()> &work) override {
    return DriverQueue::record(queue, work);
  }
  DeviceCounters counters() const override;

private:
  DeviceInfo deviceInfo;
  std::shared_ptr<DriverQueue> queue;
  std::shared_ptr<MemoryAccount> account;
  std::atomic<uint64_t> launches{0};
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_DRIVERDEVICE_H
