//===- ShimDevice.h - A driver made of host memory and an emulated machine ----===//
//
// What the test-only libraries libcuda.so.1 and libamdhip64.so.6 have in common. They show that the backends
// call their driver rightly: whatever a driver may do late is done as late as possible, and whatever a caller
// must not do is written down as a violation, which the suite asks for after each test.
//
//   - Copies and launches wait in the queue until it is synchronised; the host bytes are read then, never
//   before.
//     Parameters of a launch are read within the call, each in its own width.
//   - A buffer, a module or page-locked memory that goes away while the queue is not empty is a violation, as
//   is a
//     call without a current device, a copy to or from what is not allocated, and a pointer argument into
//     nothing.
//   - Variables of the environment, read at each call, make it fail: see `setting`.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TESTS_CONFORMANCE_SHIMS_SHIMDEVICE_H
#define QUERN_TESTS_CONFORMANCE_SHIMS_SHIMDEVICE_H

#include "runtime/emulated/Machine.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace quern::shim {

using Result = int;

/// Numbers that CUresult and hipError_t have in common.
enum : Result {
  success = 0,
  invalidValue = 1,
  outOfMemory = 2,
  noDevice = 100,
  invalidDevice = 101,
  invalidImage = 200,
  invalidContext = 201,
  noBinaryForDevice = 209,
  invalidPtx = 218,
  jitCompilerNotFound = 221,
  unsupportedPtxVersion = 222,
  invalidHandle = 400,
  notFound = 500,
  illegalAddress = 700,
  notSupported = 801,
};

/// The number in the variable QUERN_SHIM_|name|, else |otherwise|. DEVICES, INIT (result of the
/// initialisation), VERSION, MEMORY (bytes of the device), PTX (newest version, 84 for 8.4), NO_JIT,
/// LOST_AFTER (launches after which the device is gone).
long setting(const char *name, long otherwise);
/// The same as text.
std::string textSetting(const char *name, const std::string &otherwise);

struct Function {
  struct Module *module = nullptr;
  std::string name;
  runtime::emulated::Program *program = nullptr; ///< null where no machine is built in
  uint32_t dynamicAllowed = 48 << 10;
};

struct Module {
  std::map<std::string, std::unique_ptr<runtime::emulated::Program>> programs;
  std::map<std::string, std::unique_ptr<Function>> functions;
  std::string text; ///< the code, for looking up names where no machine is built in
};

class ShimDevice {
public:
  static ShimDevice &get();

  /// Writes down that |call| was used wrongly.
  void violation(const std::string &call, const std::string &text);

  Result allocate(void **memory, size_t bytes);
  Result release(const char *call, void *memory);
  Result allocatePageLocked(void **memory, size_t bytes);
  Result releasePageLocked(const char *call, void *memory);

  Result queueCopyIn(const char *call, void *to, const void *from, size_t bytes);
  Result queueCopyOut(const char *call, void *to, const void *from, size_t bytes);
  Result queueFill(const char *call, void *to, uint8_t value, size_t bytes);
  Result queueLaunch(const char *call, Function *function, const uint32_t grid[3], const uint32_t block[3],
                     uint32_t sharedBytes, void **parameters);
  Result synchronize();

  /// |machine| may be null. The error's message goes to |log|.
  Result load(runtime::emulated::Machine *machine, std::span<const std::byte> code, Module **module,
              std::string &log);
  Result unload(const char *call, Module *module);
  Result find(Module *module, const char *name, Function **function);

  void *createStream();
  Result destroyStream(const char *call, void *stream);

  /// An event holds the host's clock at the moment when the queue passes it.
  void *createEvent();
  Result destroyEvent(const char *call, void *event);
  Result queueEvent(const char *call, void *event);
  Result elapsed(const char *call, float *milliseconds, void *begin, void *end);

  /// Between the two, what is queued goes into a graph. A copy, or waiting, is a violation there.
  Result beginCapture(const char *call);
  Result endCapture(const char *call, void **graph);
  /// A graph and what was made ready from one share what they hold.
  Result instantiate(const char *call, void **ready, void *graph);
  Result destroyGraph(const char *call, void *graph);
  Result queueGraph(const char *call, void *ready);

  /// What was done wrong, and what is still allocated; empty where all is in order. Forgets the violations.
  std::string report();

  /// Number of handles of contexts that are retained.
  int contexts = 0;

private:
  /// Whether [memory, memory + bytes) lies in one allocation; a violation otherwise.
  bool isDeviceMemory(const char *call, const void *memory, size_t bytes);
  /// A violation where the queue is not empty.
  void endQueue(const char *call, const char *text);
  Result queue(std::function<Result()> operation);

  std::recursive_mutex mutex;
  using Operations = std::vector<std::function<Result()>>;
  Operations operations;
  bool capturing = false;
  Operations captured;
  std::map<void *, std::unique_ptr<Operations>> graphs;
  std::set<void *> queuedGraphs; ///< that the queue may still read
  long launched = 0;
  Result fault = success; ///< of a kernel; stays
  std::map<void *, size_t> allocations, pageLocked;
  runtime::emulated::GlobalMemory memory;
  uint64_t used = 0;
  std::map<Module *, std::unique_ptr<Module>> modules;
  std::map<void *, std::unique_ptr<char>> streams;
  using Clock = std::chrono::steady_clock;
  std::map<void *, std::unique_ptr<Clock::time_point>> events; ///< zero until the queue has passed it
  std::string violations;
};

} // namespace quern::shim

/// Exported by every shim: ShimDevice::report, valid until the next call.
extern "C" __attribute__((visibility("default"))) const char *quernShimReport();

#endif // QUERN_TESTS_CONFORMANCE_SHIMS_SHIMDEVICE_H
