//===- HipShim.cpp - A test-only libamdhip64.so.6 -------------------------===//
//
// The entry points of runtime/hip/Symbols.def with HIP's documented meaning; see ShimDevice.h.
//
//===----------------------------------------------------------------------===//
#include "tests/conformance/shims/ShimDevice.h"

#include <cstdio>
#include <cstring>
#include <elf.h>

using namespace quern;
using namespace quern::shim;

namespace {

ShimDevice &device() { return ShimDevice::get(); }

bool initialised = false;
thread_local int current = -1; // HIP begins with 0; here every thread must say

bool onDevice(const char *call) {
  if (initialised && current == 0)
    return true;
  device().violation(call, "no device is current");
  return false;
}

runtime::emulated::Machine *machine(std::string &log) {
#ifdef QUERN_SHIM_AMD
  static std::map<std::string, std::unique_ptr<runtime::emulated::Machine>> machines;
  std::string target = textSetting("TARGET", "gfx942");
  std::unique_ptr<runtime::emulated::Machine> &made = machines[target];
  if (!made) {
    auto result = runtime::emulated::makeAmdMachine(target);
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

} // namespace

#define EXPORT extern "C" __attribute__((visibility("default"))) Result
#define ON_DEVICE                                                                                            \
  if (!onDevice(__func__))                                                                                   \
  return invalidDevice

EXPORT hipInit(unsigned) {
  if (long result = setting("INIT", 0))
    return static_cast<Result>(result);
  initialised = true;
  return success;
}
EXPORT hipRuntimeGetVersion(int *version) {
  return *version = static_cast<int>(setting("VERSION", 60241133)), success;
}
extern "C" __attribute__((visibility("default"))) const char *hipGetErrorName(Result result) {
  return result == illegalAddress ? "hipErrorIllegalAddress"
         : result == outOfMemory  ? "hipErrorOutOfMemory"
                                  : "hipErrorOfTheShim";
}
extern "C" __attribute__((visibility("default"))) const char *hipGetErrorString(Result result) {
  static thread_local std::string memory;
  memory = "the shim says " + std::to_string(result);
  return memory.c_str();
}
EXPORT hipGetDeviceCount(int *count) {
  *count = static_cast<int>(setting("DEVICES", 1));
  return *count == 0 ? noDevice : success; // as HIP does
}
EXPORT hipSetDevice(int index) {
  if (index < 0 || index >= setting("DEVICES", 1))
    return invalidDevice;
  return current = index, success;
}
EXPORT hipDeviceGetName(char *name, int length, int index) {
  return snprintf(name, static_cast<size_t>(length), "Shim %d", index), success;
}
EXPORT hipDeviceGetPCIBusId(char *text, int length, int index) {
  return snprintf(text, static_cast<size_t>(length), "0000:%02x:00.0", index == 0 ? 0xC1 : 0x03), success;
}
EXPORT hipDeviceTotalMem(size_t *bytes, int) {
  return *bytes = static_cast<size_t>(setting("MEMORY", 4l << 30)), success;
}

EXPORT hipMalloc(void **memory, size_t bytes) {
  ON_DEVICE;
  if (bytes == 0)
    return *memory = nullptr, success; // as HIP does
  return device().allocate(memory, bytes);
}
EXPORT hipFree(void *memory) {
  ON_DEVICE;
  return memory ? device().release(__func__, memory) : success;
}
EXPORT hipHostMalloc(void **memory, size_t bytes, unsigned) {
  ON_DEVICE;
  return device().allocatePageLocked(memory, bytes);
}
EXPORT hipHostFree(void *memory) {
  ON_DEVICE;
  return device().releasePageLocked(__func__, memory);
}
EXPORT hipMemcpyHtoDAsync(void *to, const void *from, size_t bytes, void *) {
  ON_DEVICE;
  return device().queueCopyIn(__func__, to, from, bytes);
}
EXPORT hipMemcpyDtoHAsync(void *to, void *from, size_t bytes, void *) {
  ON_DEVICE;
  return device().queueCopyOut(__func__, to, from, bytes);
}
EXPORT hipMemsetD8Async(void *to, unsigned char value, size_t bytes, void *) {
  ON_DEVICE;
  return device().queueFill(__func__, to, value, bytes);
}

EXPORT hipStreamCreateWithFlags(void **stream, unsigned) {
  ON_DEVICE;
  return *stream = device().createStream(), success;
}
EXPORT hipStreamDestroy(void *stream) {
  ON_DEVICE;
  return device().destroyStream(__func__, stream);
}
EXPORT hipStreamSynchronize(void *) {
  ON_DEVICE;
  return device().synchronize();
}

EXPORT hipEventCreate(void **event) {
  ON_DEVICE;
  return *event = device().createEvent(), success;
}
EXPORT hipEventDestroy(void *event) {
  ON_DEVICE;
  return device().destroyEvent(__func__, event);
}
EXPORT hipEventRecord(void *event, void *) {
  ON_DEVICE;
  return device().queueEvent(__func__, event);
}
EXPORT hipEventSynchronize(void *) {
  ON_DEVICE;
  return device().synchronize();
}
EXPORT hipEventElapsedTime(float *milliseconds, void *begin, void *end) {
  ON_DEVICE;
  return device().elapsed(__func__, milliseconds, begin, end);
}

EXPORT hipModuleLoadData(Module **module, const void *image) {
  ON_DEVICE;
  // HIP takes the size out of the headers as well.
  Elf64_Ehdr header;
  memcpy(&header, image, sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return invalidImage;
  const size_t bytes = header.e_shoff + size_t(header.e_shnum) * header.e_shentsize;
  std::string log;
  runtime::emulated::Machine *emulated = machine(log);
  if (!log.empty())
    return fprintf(stderr, "shim: %s\n", log.c_str()), notSupported;
  Result result = device().load(emulated, {static_cast<const std::byte *>(image), bytes}, module, log);
  if (result != success)
    fprintf(stderr, "shim: %s\n", log.c_str());
  return result;
}
EXPORT hipModuleUnload(Module *module) {
  ON_DEVICE;
  return device().unload(__func__, module);
}
EXPORT hipModuleGetFunction(Function **function, Module *module, const char *name) {
  ON_DEVICE;
  Result result = device().find(module, name, function);
  if (result == success)
    (*function)->dynamicAllowed = 64 << 10; // all of it without asking
  return result;
}
EXPORT hipModuleLaunchKernel(Function *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                             unsigned by, unsigned bz, unsigned shared, void *, void **parameters,
                             void **extra) {
  ON_DEVICE;
  if (extra)
    return invalidValue;
  const uint32_t grid[3] = {gx, gy, gz}, block[3] = {bx, by, bz};
  return device().queueLaunch(__func__, function, grid, block, shared, parameters);
}

EXPORT hipStreamBeginCapture(void *, int) {
  ON_DEVICE;
  return device().beginCapture(__func__);
}
EXPORT hipStreamEndCapture(void *, void **graph) {
  ON_DEVICE;
  return device().endCapture(__func__, graph);
}
EXPORT hipGraphInstantiate(void **ready, void *graph, void **, char *, size_t) {
  ON_DEVICE;
  return device().instantiate(__func__, ready, graph);
}
EXPORT hipGraphLaunch(void *ready, void *) {
  ON_DEVICE;
  return device().queueGraph(__func__, ready);
}
EXPORT hipGraphExecDestroy(void *ready) {
  ON_DEVICE;
  return device().destroyGraph(__func__, ready);
}
EXPORT hipGraphDestroy(void *graph) {
  ON_DEVICE;
  return device().destroyGraph(__func__, graph);
}
