//===- Stream.cpp ---------------------------------------------------------===//
#include "runtime/cuda/Stream.h"

#include "runtime/cuda/Error.h"

namespace quern::runtime::cuda {

namespace {

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

Status Stream::queueUpload(uint64_t to, const std::byte *from, size_t bytes) {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuMemcpyHtoDAsync(to, from, bytes, stream),
                             "cannot copy to the device");
  return Status::success();
}

Status Stream::queueDownload(std::byte *to, uint64_t from, size_t bytes) {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuMemcpyDtoHAsync(to, from, bytes, stream),
                             "cannot copy from the device");
  return Status::success();
}

Status Stream::queueFill(uint64_t to, size_t bytes, uint8_t value) {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuMemsetD8Async(to, value, bytes, stream), "cannot fill device memory");
  return Status::success();
}

Status Stream::wait() {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuStreamSynchronize(stream), "waiting for the device failed");
  return Status::success();
}

Expected<uint64_t> Stream::reserve(size_t bytes, const MemoryAccount &account) {
  // The driver aligns to 256 (CUDA C++ Programming Guide, device memory accesses).
  DeviceAddress memory = 0;
  Result result = driver->cuMemAlloc(&memory, bytes);
  if (result == errorOutOfMemory)
    return account.outOfMemory(bytes, "cuMemAlloc: " + errorText(*driver, result));
  if (result != success)
    return callFailed(*driver, result, "cuMemAlloc", "cannot allocate " + std::to_string(bytes) + " bytes");
  return memory;
}

void Stream::release(uint64_t address) { driver->cuMemFree(address); }

Expected<DriverQueue::Event> Stream::makeEvent() {
  EventHandle event = nullptr;
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuEventCreate(&event, 0), "cannot make an event");
  return Event(event);
}

void Stream::dropEvent(Event event) { driver->cuEventDestroy(static_cast<EventHandle>(event)); }

Status Stream::recordEvent(Event event) {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuEventRecord(static_cast<EventHandle>(event), stream),
                             "cannot record an event");
  return Status::success();
}

Expected<double> Stream::secondsBetween(Event begin, Event end) {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuEventSynchronize(static_cast<EventHandle>(end)),
                             "waiting for the device failed");
  float milliseconds = 0;
  QUERN_CUDA_RETURN_IF_ERROR(
      *driver,
      cuEventElapsedTime(&milliseconds, static_cast<EventHandle>(begin), static_cast<EventHandle>(end)),
      "cannot read the time between two events");
  return double(milliseconds) * 1e-3;
}

Status Stream::beginRecording() {
  if (!driver->cuStreamBeginCapture || !driver->cuStreamEndCapture || !driver->cuGraphInstantiateWithFlags ||
      !driver->cuGraphLaunch || !driver->cuGraphExecDestroy || !driver->cuGraphDestroy)
    return Status::error(Exit::Unsupported, "E-DEVICE-NO-RECORDING", "the driver cannot record launches")
        .cause("it has no graphs of CUDA 11.4");
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuStreamBeginCapture(stream, captureThreadLocal),
                             "cannot record launches");
  return Status::success();
}

Expected<DriverQueue::Graph> Stream::endRecording() {
  GraphHandle graph = nullptr;
  GraphExecHandle ready = nullptr;
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuStreamEndCapture(stream, &graph), "cannot record launches");
  Result result = driver->cuGraphInstantiateWithFlags(&ready, graph, 0);
  driver->cuGraphDestroy(graph);
  if (result != success)
    return callFailed(*driver, result, "cuGraphInstantiateWithFlags", "cannot make a graph of launches");
  return Graph(ready);
}

void Stream::dropGraph(Graph graph) { driver->cuGraphExecDestroy(static_cast<GraphExecHandle>(graph)); }

Status Stream::queueGraph(Graph graph) {
  QUERN_CUDA_RETURN_IF_ERROR(*driver, cuGraphLaunch(static_cast<GraphExecHandle>(graph), stream),
                             "cannot launch a graph");
  return Status::success();
}

} // namespace quern::runtime::cuda
