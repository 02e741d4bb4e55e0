//===- Stream.h - The context and the one in-order queue of a device ------===//
#ifndef QUERN_RUNTIME_CUDA_STREAM_H
#define QUERN_RUNTIME_CUDA_STREAM_H

#include "runtime/DriverQueue.h"
#include "runtime/cuda/Symbols.h"

#include <memory>

namespace quern::runtime::cuda {

/// Owns the primary context and a stream in it.
class Stream final : public DriverQueue {
public:
  static Expected<std::shared_ptr<Stream>> create(std::shared_ptr<const Symbols> symbols,
                                                  DeviceHandle device);
  ~Stream() override;

  const Symbols &symbols() const { return *driver; }
  StreamHandle handle() const { return stream; }

  Status enter() const override;

protected:
  Status queueUpload(uint64_t to, const std::byte *from, size_t bytes) override;
  Status queueDownload(std::byte *to, uint64_t from, size_t bytes) override;
  Status queueFill(uint64_t to, size_t bytes, uint8_t value) override;
  Status wait() override;
  Expected<uint64_t> reserve(size_t bytes, const MemoryAccount &account) override;
  void release(uint64_t address) override;
  Expected<Event> makeEvent() override;
  void dropEvent(Event event) override;
  Status recordEvent(Event event) override;
  Expected<double> secondsBetween(Event begin, Event end) override;
  Status beginRecording() override;
  Expected<Graph> endRecording() override;
  void dropGraph(Graph graph) override;
  Status queueGraph(Graph graph) override;

private:
  explicit Stream(std::shared_ptr<const Symbols> driver) : driver(std::move(driver)) {}

  std::shared_ptr<const Symbols> driver;
  DeviceHandle device = 0;
  ContextHandle context = nullptr;
  StreamHandle stream = nullptr;
};

} // namespace quern::runtime::cuda

#endif // QUERN_RUNTIME_CUDA_STREAM_H
