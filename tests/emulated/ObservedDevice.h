//===- ObservedDevice.h - An emulated device whose launches a test sees ----===//
//
// Passes everything on to an emulated device, and before each launch hands an observer the code, the kernel
// and its arguments, with all that is in the device's memory. The observer may run the launch, or changed
// code in its place, as often as it likes, and puts memory back with `restore`.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_EMULATED_OBSERVEDDEVICE_H
#define QUERN_TESTS_EMULATED_OBSERVEDDEVICE_H

#include "runtime/emulated/EmulatedDevice.h"

#include <functional>
#include <set>

namespace quern::test {

class ObservedBuffer;

/// The bytes of every buffer of a device at one moment.
using MemoryImage = std::vector<std::pair<std::byte *, std::vector<std::byte>>>;

class ObservedDevice : public runtime::Device {
public:
  struct Launch {
    std::string symbol;
    std::span<const std::byte> code;
    runtime::LaunchShape shape;
    std::vector<runtime::Argument> arguments;
  };
  /// Called before the launch itself.
  using Observer = std::function<void(ObservedDevice &, const Launch &)>;

  ObservedDevice(std::unique_ptr<runtime::emulated::EmulatedDevice> inner, Observer observer)
      : inner(std::move(inner)), observer(std::move(observer)) {}

  runtime::emulated::EmulatedDevice &emulated() { return *inner; }
  MemoryImage memory() const;
  static void restore(const MemoryImage &image);
  /// True if the buffers hold what they did when |image| was made.
  static bool matches(const MemoryImage &image);

  /// Runs |code| in the place of the launch's own. The error is that of loading, launch or run.
  Status run(const Launch &launch, std::span<const std::byte> code);

  const runtime::DeviceInfo &info() const override { return inner->info(); }
  Expected<std::unique_ptr<runtime::Buffer>> allocate(uint64_t bytes) override;
  Status upload(runtime::Buffer &to, uint64_t offset, std::span<const std::byte> bytes) override;
  Status download(runtime::Buffer &from, uint64_t offset, std::span<std::byte> bytes) override;
  Status fill(runtime::Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) override;
  Expected<std::unique_ptr<runtime::Module>> load(std::span<const std::byte> bytes) override;
  Expected<runtime::EncodedTensorMap> encodeTensorMap(const runtime::TensorMap &map) override {
    return inner->encodeTensorMap(map);
  }
  Status launch(runtime::Kernel &kernel, const runtime::LaunchShape &shape,
                std::span<const runtime::Argument> arguments) override;
  Status synchronize() override { return inner->synchronize(); }
  runtime::DeviceCounters counters() const override { return inner->counters(); }

private:
  friend class ObservedBuffer;
  std::unique_ptr<runtime::emulated::EmulatedDevice> inner;
  Observer observer;
  std::set<ObservedBuffer *> buffers;
};

} // namespace quern::test

#endif // QUERN_TESTS_EMULATED_OBSERVEDDEVICE_H
