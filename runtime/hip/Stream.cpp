//===- Stream.cpp ---------------------------------------------------------===//
#include "runtime/hip/Stream.h"

#include "runtime/hip/Error.h"

namespace quern::runtime::hip {

namespace {

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

Status Stream::queueUpload(uint64_t to, const std::byte *from, size_t bytes) {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipMemcpyHtoDAsync(pointer(to), from, bytes, stream),
                            "cannot copy to the device");
  return Status::success();
}

Status Stream::queueDownload(std::byte *to, uint64_t from, size_t bytes) {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipMemcpyDtoHAsync(to, pointer(from), bytes, stream),
                            "cannot copy from the device");
  return Status::success();
}

Status Stream::queueFill(uint64_t to, size_t bytes, uint8_t value) {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipMemsetD8Async(pointer(to), value, bytes, stream),
                            "cannot fill device memory");
  return Status::success();
}

Status Stream::wait() {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipStreamSynchronize(stream), "waiting for the device failed");
  return Status::success();
}

Expected<uint64_t> Stream::reserve(size_t bytes, const MemoryAccount &account) {
  void *memory = nullptr; // of whole pages
  Result result = driver->hipMalloc(&memory, bytes);
  if (result == errorOutOfMemory)
    return account.outOfMemory(bytes, "hipMalloc: " + errorText(*driver, result));
  if (result != success)
    return callFailed(*driver, result, "hipMalloc", "cannot allocate " + std::to_string(bytes) + " bytes");
  return reinterpret_cast<uint64_t>(memory);
}

void Stream::release(uint64_t address) { driver->hipFree(pointer(address)); }

Expected<DriverQueue::Event> Stream::makeEvent() {
  EventHandle event = nullptr;
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipEventCreate(&event), "cannot make an event");
  return Event(event);
}

void Stream::dropEvent(Event event) { driver->hipEventDestroy(static_cast<EventHandle>(event)); }

Status Stream::recordEvent(Event event) {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipEventRecord(static_cast<EventHandle>(event), stream),
                            "cannot record an event");
  return Status::success();
}

Expected<double> Stream::secondsBetween(Event begin, Event end) {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipEventSynchronize(static_cast<EventHandle>(end)),
                            "waiting for the device failed");
  float milliseconds = 0;
  QUERN_HIP_RETURN_IF_ERROR(
      *driver,
      hipEventElapsedTime(&milliseconds, static_cast<EventHandle>(begin), static_cast<EventHandle>(end)),
      "cannot read the time between two events");
  return double(milliseconds) * 1e-3;
}

Status Stream::beginRecording() {
  if (!driver->hipStreamBeginCapture || !driver->hipStreamEndCapture || !driver->hipGraphInstantiate ||
      !driver->hipGraphLaunch || !driver->hipGraphExecDestroy || !driver->hipGraphDestroy)
    return Status::error(Exit::Unsupported, "E-DEVICE-NO-RECORDING", "the driver cannot record launches")
        .cause(driver->libraryName + " has no graphs");
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipStreamBeginCapture(stream, captureThreadLocal),
                            "cannot record launches");
  return Status::success();
}

Expected<DriverQueue::Graph> Stream::endRecording() {
  GraphHandle graph = nullptr;
  GraphExecHandle ready = nullptr;
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipStreamEndCapture(stream, &graph), "cannot record launches");
  Result result = driver->hipGraphInstantiate(&ready, graph, nullptr, nullptr, 0);
  driver->hipGraphDestroy(graph);
  if (result != success)
    return callFailed(*driver, result, "hipGraphInstantiate", "cannot make a graph of launches");
  return Graph(ready);
}

void Stream::dropGraph(Graph graph) { driver->hipGraphExecDestroy(static_cast<GraphExecHandle>(graph)); }

Status Stream::queueGraph(Graph graph) {
  QUERN_HIP_RETURN_IF_ERROR(*driver, hipGraphLaunch(static_cast<GraphExecHandle>(graph), stream),
                            "cannot launch a graph");
  return Status::success();
}

} // namespace quern::runtime::hip
