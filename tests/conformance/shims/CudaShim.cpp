//===- CudaShim.cpp - A test-only libcuda.so.1 ----------------------------===//
//
// The entry points of runtime/cuda/Symbols.def with the CUDA Driver API's documented meaning; see
// ShimDevice.h.
//
//===----------------------------------------------------------------------===//
#include "tests/conformance/shims/ShimDevice.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstring>

using namespace quern;
using namespace quern::shim;

namespace {

ShimDevice &device() { return ShimDevice::get(); }

bool initialised = false;
thread_local void *current = nullptr;
char primaryContext; // its address is the handle

/// Whether |call| may go on: after cuInit, with the context current.
bool inContext(const char *call) {
  if (initialised && current == &primaryContext)
    return true;
  device().violation(call, "no context is current");
  return false;
}

runtime::emulated::Machine *machine(std::string &log) {
#ifdef QUERN_SHIM_NVIDIA
  static std::map<std::string, std::unique_ptr<runtime::emulated::Machine>> machines;
  std::string target = textSetting("TARGET", "sm_90a");
  std::unique_ptr<runtime::emulated::Machine> &made = machines[target];
  if (!made) {
    auto result = runtime::emulated::makeNvidiaMachine(target);
    if (result.ok())
      made = std::move(*result);
    else
      log = result.error().message();
  }
  return made.get();
#else
  return nullptr;
#endif
}

/// 84 for ".version 8.4"; 0 where |text| is no PTX.
int ptxVersion(const std::string &text) {
  size_t place = text.find(".version");
  int major = 0, minor = 0;
  if (place == std::string::npos || sscanf(text.c_str() + place, ".version %d.%d", &major, &minor) != 2)
    return 0;
  return major * 10 + minor;
}

} // namespace

#define EXPORT extern "C" __attribute__((visibility("default"))) Result
#define IN_CONTEXT                                                                                           \
  if (!inContext(__func__))                                                                                  \
  return invalidContext

EXPORT cuInit(unsigned) {
  if (long result = setting("INIT", 0))
    return static_cast<Result>(result);
  initialised = true;
  return success;
}
EXPORT cuDriverGetVersion(int *version) {
  return *version = static_cast<int>(setting("VERSION", 12040)), success;
}
EXPORT cuGetErrorName(Result result, const char **text) {
  *text = result == illegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS"
          : result == outOfMemory  ? "CUDA_ERROR_OUT_OF_MEMORY"
                                   : "CUDA_ERROR_OF_THE_SHIM";
  return success;
}
EXPORT cuGetErrorString(Result result, const char **text) {
  static thread_local std::string memory;
  memory = "the shim says " + std::to_string(result);
  *text = memory.c_str();
  return success;
}
EXPORT cuDeviceGetCount(int *count) { return *count = static_cast<int>(setting("DEVICES", 1)), success; }
EXPORT cuDeviceGet(int *handle, int index) {
  if (index < 0 || index >= setting("DEVICES", 1))
    return invalidDevice;
  return *handle = index + 40, success; // a handle need not be the index
}
EXPORT cuDeviceGetName(char *name, int length, int handle) {
  return snprintf(name, static_cast<size_t>(length), "Shim %d", handle - 40), success;
}
EXPORT cuDeviceGetAttribute(int *value, int attribute, int handle) {
  if (handle < 40)
    return invalidDevice;
  const std::string target = textSetting("TARGET", "sm_90a");
  const int number = atoi(target.c_str() + 3);
  switch (attribute) {
  case 16:
    return *value = 132, success;
  case 36:
    return *value = 2619000, success; // kHz
  case 75:
    return *value = number / 10, success;
  case 76:
    return *value = number % 10, success;
  case 97:
    return *value = 227 << 10, success;
  default:
    return invalidValue;
  }
}
EXPORT cuDeviceTotalMem_v2(size_t *bytes, int) {
  return *bytes = static_cast<size_t>(setting("MEMORY", 4l << 30)), success;
}
EXPORT cuDevicePrimaryCtxRetain(void **context, int handle) {
  if (handle < 40)
    return invalidDevice;
  ++device().contexts;
  return *context = &primaryContext, success;
}
EXPORT cuDevicePrimaryCtxRelease_v2(int) { return --device().contexts, success; }
EXPORT cuCtxSetCurrent(void *context) { return current = context, success; }

EXPORT cuMemAlloc_v2(uint64_t *memory, size_t bytes) {
  IN_CONTEXT;
  void *address = nullptr;
  Result result = device().allocate(&address, bytes);
  return *memory = reinterpret_cast<uint64_t>(address), result;
}
EXPORT cuMemFree_v2(uint64_t memory) {
  IN_CONTEXT;
  return device().release(__func__, reinterpret_cast<void *>(memory));
}
EXPORT cuMemHostAlloc(void **memory, size_t bytes, unsigned) {
  IN_CONTEXT;
  return device().allocatePageLocked(memory, bytes);
}
EXPORT cuMemFreeHost(void *memory) {
  IN_CONTEXT;
  return device().releasePageLocked(__func__, memory);
}
EXPORT cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *) {
  IN_CONTEXT;
  return device().queueCopyIn(__func__, reinterpret_cast<void *>(to), from, bytes);
}
EXPORT cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *) {
  IN_CONTEXT;
  return device().queueCopyOut(__func__, to, reinterpret_cast<void *>(from), bytes);
}
EXPORT cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *) {
  IN_CONTEXT;
  return device().queueFill(__func__, reinterpret_cast<void *>(to), value, bytes);
}

EXPORT cuStreamCreate(void **stream, unsigned) {
  IN_CONTEXT;
  return *stream = device().createStream(), success;
}
EXPORT cuStreamDestroy_v2(void *stream) {
  IN_CONTEXT;
  return device().destroyStream(__func__, stream);
}
EXPORT cuStreamSynchronize(void *) {
  IN_CONTEXT;
  return device().synchronize();
}

EXPORT cuEventCreate(void **event, unsigned) {
  IN_CONTEXT;
  return *event = device().createEvent(), success;
}
EXPORT cuEventDestroy_v2(void *event) {
  IN_CONTEXT;
  return device().destroyEvent(__func__, event);
}
EXPORT cuEventRecord(void *event, void *) {
  IN_CONTEXT;
  return device().queueEvent(__func__, event);
}
EXPORT cuEventSynchronize(void *) {
  IN_CONTEXT;
  return device().synchronize();
}
EXPORT cuEventElapsedTime(float *milliseconds, void *begin, void *end) {
  IN_CONTEXT;
  return device().elapsed(__func__, milliseconds, begin, end);
}

EXPORT cuModuleLoadDataEx(Module **module, const void *image, unsigned count, int *options, void **values) {
  IN_CONTEXT;
  char *logBuffer = nullptr;
  size_t logBytes = 0;
  for (unsigned i = 0; i < count; ++i) {
    if (options[i] == 5)
      logBuffer = static_cast<char *>(values[i]);
    else if (options[i] == 6)
      logBytes = reinterpret_cast<size_t>(values[i]);
    else
      device().violation(__func__, "option " + std::to_string(options[i]) + " is not known here");
  }
  auto fail = [&](Result result, const std::string &log) {
    if (logBuffer && logBytes != 0)
      snprintf(logBuffer, logBytes, "%s\n", log.c_str());
    return result;
  };
  if (memcmp(image, "\177ELF", 4) == 0)
    return fail(noBinaryForDevice, "");
  if (setting("NO_JIT", 0))
    return fail(jitCompilerNotFound, "");
  const std::string text = static_cast<const char *>(image);
  const long newest = setting("PTX", 84);
  if (const int version = ptxVersion(text); version > newest)
    return fail(setting("PTX_AS_FAULT", 0) ? invalidPtx : unsupportedPtxVersion,
                "ptxas application ptx input, line 5; fatal   : Unsupported .version " +
                    std::to_string(version / 10) + "." + std::to_string(version % 10));
  std::string log;
  runtime::emulated::Machine *emulated = machine(log);
  if (!log.empty())
    return fail(notSupported, log);
  // Without a machine, at least the end of the text is looked at.
  if (!emulated && (ptxVersion(text) == 0 || text.find_last_not_of(" \n\t") != text.rfind('}')))
    return fail(invalidPtx, "ptxas fatal   : Ptx assembly aborted due to errors");
  Result result = device().load(emulated, std::as_bytes(std::span(text)), module, log);
  return result == success ? success : fail(invalidPtx, log);
}
EXPORT cuModuleUnload(Module *module) {
  IN_CONTEXT;
  return device().unload(__func__, module);
}
EXPORT cuModuleGetFunction(Function **function, Module *module, const char *name) {
  IN_CONTEXT;
  return device().find(module, name, function);
}
EXPORT cuFuncGetAttribute(int *value, int attribute, Function *) {
  IN_CONTEXT;
  return attribute == 0 ? (*value = 1024, success) : attribute == 1 ? (*value = 0, success) : invalidValue;
}
EXPORT cuFuncSetAttribute(Function *function, int attribute, int value) {
  IN_CONTEXT;
  if (attribute != 8 || value < 0 || value > 227 << 10)
    return invalidValue;
  function->dynamicAllowed = std::max<uint32_t>(48 << 10, static_cast<uint32_t>(value));
  return success;
}
EXPORT cuTensorMapEncodeTiled(void *out, int element, unsigned rank, void *address, const uint64_t *extents,
                              const uint64_t *strides, const uint32_t *box, const uint32_t *steps,
                              int interleave, int swizzle, int promotion, int fill) {
  IN_CONTEXT;
  if (reinterpret_cast<uintptr_t>(out) % 64 != 0 || rank < 1 || rank > 5)
    return invalidValue;
  std::string log;
  runtime::emulated::Machine *emulated = machine(log);
  if (!emulated)
    return notSupported;
  runtime::TensorMap map;
  map.element = static_cast<runtime::TensorMap::Element>(element);
  map.rank = rank;
  map.address = reinterpret_cast<uint64_t>(address);
  std::copy_n(extents, rank, map.extents.begin());
  std::copy_n(strides, rank - 1, map.strides.begin());
  std::copy_n(box, rank, map.box.begin());
  std::copy_n(steps, rank, map.elementSteps.begin());
  map.interleave = static_cast<runtime::TensorMap::Interleave>(interleave);
  map.swizzle = static_cast<runtime::TensorMap::Swizzle>(swizzle);
  map.promotion = static_cast<runtime::TensorMap::Promotion>(promotion);
  map.fill = static_cast<runtime::TensorMap::Fill>(fill);
  Expected<runtime::EncodedTensorMap> encoded = emulated->encodeTensorMap(map);
  if (!encoded.ok())
    return invalidValue;
  memcpy(out, encoded->bytes.data(), sizeof encoded->bytes);
  return success;
}
EXPORT cuLaunchKernel(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                      unsigned bz, unsigned shared, void *, void **parameters, void **extra) {
  IN_CONTEXT;
  if (extra)
    return invalidValue;
  const uint32_t grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
  return device().queueLaunch(__func__, function, grid, block, shared, parameters);
}

EXPORT cuStreamBeginCapture_v2(void *, int) {
  IN_CONTEXT;
  return device().beginCapture(__func__);
}
EXPORT cuStreamEndCapture(void *, void **graph) {
  IN_CONTEXT;
  return device().endCapture(__func__, graph);
}
EXPORT cuGraphInstantiateWithFlags(void **ready, void *graph, unsigned long long flags) {
  IN_CONTEXT;
  return flags ? invalidValue : device().instantiate(__func__, ready, graph);
}
EXPORT cuGraphLaunch(void *ready, void *) {
  IN_CONTEXT;
  return device().queueGraph(__func__, ready);
}
EXPORT cuGraphExecDestroy(void *ready) {
  IN_CONTEXT;
  return device().destroyGraph(__func__, ready);
}
EXPORT cuGraphDestroy(void *graph) {
  IN_CONTEXT;
  return device().destroyGraph(__func__, graph);
}
EXPORT cuDeviceGetPCIBusId(char *text, int length, int handle) {
  return snprintf(text, static_cast<size_t>(length), "0000:C%d:00.0", handle - 40), success;
}
