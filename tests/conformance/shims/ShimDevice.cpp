//===- ShimDevice.cpp -----------------------------------------------------===//
#include "tests/conformance/shims/ShimDevice.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace quern::shim {

using runtime::Argument;
using runtime::ArgumentKind;

std::string textSetting(const char *name, const std::string &otherwise) {
  const char *value = getenv((std::string("QUERN_SHIM_") + name).c_str());
  return value && *value ? value : otherwise;
}

long setting(const char *name, long otherwise) {
  return strtol(textSetting(name, std::to_string(otherwise)).c_str(), nullptr, 10);
}

ShimDevice &ShimDevice::get() {
  static ShimDevice instance;
  return instance;
}

void ShimDevice::violation(const std::string &call, const std::string &text) {
  std::lock_guard lock(mutex);
  violations += call + ": " + text + "\n";
}

Result ShimDevice::allocate(void **out, size_t bytes) {
  std::lock_guard lock(mutex);
  *out = nullptr;
  if (bytes == 0)
    return invalidValue;
  const auto limit = static_cast<uint64_t>(setting("MEMORY", 4l << 30));
  if (bytes > limit || used > limit - bytes)
    return outOfMemory;
  void *address = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  if (!address)
    return outOfMemory;
  memset(address, 0xA5, bytes);
  allocations[address] = bytes;
  memory.add(reinterpret_cast<uint64_t>(address), bytes);
  used += bytes;
  *out = address;
  return success;
}

Result ShimDevice::release(const char *call, void *address) {
  std::lock_guard lock(mutex);
  auto found = allocations.find(address);
  if (found == allocations.end()) {
    violation(call, "releases what is not allocated");
    return invalidValue;
  }
  endQueue(call, "releases memory while work is queued");
  used -= found->second;
  memory.remove(reinterpret_cast<uint64_t>(address));
  memset(address, 0xDD, found->second);
  std::free(address);
  allocations.erase(found);
  return success;
}

Result ShimDevice::allocatePageLocked(void **out, size_t bytes) {
  std::lock_guard lock(mutex);
  *out = std::malloc(bytes);
  if (*out)
    pageLocked[*out] = bytes;
  return *out ? success : outOfMemory;
}

Result ShimDevice::releasePageLocked(const char *call, void *address) {
  std::lock_guard lock(mutex);
  if (pageLocked.erase(address) == 0) {
    violation(call, "releases what is not allocated");
    return invalidValue;
  }
  endQueue(call, "releases page-locked memory while work is queued");
  std::free(address);
  return success;
}

void ShimDevice::endQueue(const char *call, const char *text) {
  if (operations.empty())
    return;
  violation(call, text);
  synchronize(); // the test goes on without a crash
}

bool ShimDevice::isDeviceMemory(const char *call, const void *address, size_t bytes) {
  if (memory.contains(reinterpret_cast<uint64_t>(address), bytes))
    return true;
  violation(call, std::to_string(bytes) + " bytes are not inside one allocation");
  return false;
}

Result ShimDevice::queue(std::function<Result()> operation) {
  (capturing ? captured : operations).push_back(std::move(operation));
  return success;
}

Result ShimDevice::queueCopyIn(const char *call, void *to, const void *from, size_t bytes) {
  std::lock_guard lock(mutex);
  if (fault)
    return fault;
  if (!isDeviceMemory(call, to, bytes))
    return invalidValue;
  return queue([=] { return memcpy(to, from, bytes), success; });
}

Result ShimDevice::queueCopyOut(const char *call, void *to, const void *from, size_t bytes) {
  std::lock_guard lock(mutex);
  if (fault)
    return fault;
  if (!isDeviceMemory(call, from, bytes))
    return invalidValue;
  return queue([=] { return memcpy(to, from, bytes), success; });
}

Result ShimDevice::queueFill(const char *call, void *to, uint8_t value, size_t bytes) {
  std::lock_guard lock(mutex);
  if (fault)
    return fault;
  if (!isDeviceMemory(call, to, bytes))
    return invalidValue;
  return queue([=] { return memset(to, value, bytes), success; });
}

Result ShimDevice::queueLaunch(const char *call, Function *function, const uint32_t grid[3],
                               const uint32_t block[3], uint32_t sharedBytes, void **parameters) {
  std::lock_guard lock(mutex);
  if (fault)
    return fault;
  if (const long most = setting("LOST_AFTER", 0); most && ++launched > most)
    return fault = illegalAddress;
  if (!function || modules.find(function->module) == modules.end()) {
    violation(call, "the kernel's module is not loaded");
    return invalidHandle;
  }
  if (grid[0] == 0 || block[0] == 0 || grid[1] != 1 || grid[2] != 1 || block[1] != 1 || block[2] != 1)
    return invalidValue;
  if (sharedBytes > function->dynamicAllowed)
    return invalidValue; // more than was asked for
  if (!function->program)
    return notSupported;
  std::vector<Argument> arguments;
  std::vector<std::shared_ptr<runtime::EncodedTensorMap>> maps;
  for (ArgumentKind kind : function->program->parameters()) {
    const void *parameter = parameters[arguments.size()];
    uint64_t bits = 0;
    if (kind == ArgumentKind::TensorMap) { // its bytes are taken now
      auto map = std::make_shared<runtime::EncodedTensorMap>();
      memcpy(map->bytes.data(), parameter, sizeof map->bytes);
      arguments.push_back({kind, reinterpret_cast<uint64_t>(map.get())});
      maps.push_back(std::move(map));
      continue;
    }
    const bool isWide = kind == ArgumentKind::Pointer || kind == ArgumentKind::I64;
    memcpy(&bits, parameter, isWide ? 8 : 4);
    if (kind == ArgumentKind::Pointer && !memory.contains(bits, 1))
      violation(call, "argument " + std::to_string(arguments.size()) + " of `" + function->name +
                          "` points into no allocation");
    arguments.push_back({kind, bits});
  }
  runtime::LaunchShape shape;
  shape.blocks = grid[0];
  shape.threads = block[0];
  shape.sharedBytes = sharedBytes;
  return queue([this, function, shape, arguments = std::move(arguments), maps = std::move(maps)] {
    runtime::emulated::RunCounters counters;
    std::vector<runtime::emulated::Finding> findings;
    Status status = function->program->run(shape, arguments, memory, {}, counters, findings);
    if (status.ok())
      return success;
    fprintf(stderr, "shim: %s\n", status.message().c_str());
    return illegalAddress;
  });
}

Result ShimDevice::beginCapture(const char *call) {
  std::lock_guard lock(mutex);
  if (capturing) {
    violation(call, "records while it records");
    return invalidValue;
  }
  capturing = true;
  return success;
}

Result ShimDevice::endCapture(const char *call, void **graph) {
  std::lock_guard lock(mutex);
  if (!capturing) {
    violation(call, "ends what has not begun");
    return invalidValue;
  }
  capturing = false;
  auto made = std::make_unique<Operations>(std::move(captured));
  captured.clear();
  if (setting("NO_CAPTURE", 0))
    return notSupported;
  *graph = made.get();
  graphs[*graph] = std::move(made);
  return success;
}

Result ShimDevice::instantiate(const char *call, void **ready, void *graph) {
  std::lock_guard lock(mutex);
  auto found = graphs.find(graph);
  if (found == graphs.end()) {
    violation(call, "makes ready what is no graph");
    return invalidHandle;
  }
  auto made = std::make_unique<Operations>(*found->second);
  *ready = made.get();
  graphs[*ready] = std::move(made);
  return success;
}

Result ShimDevice::destroyGraph(const char *call, void *graph) {
  std::lock_guard lock(mutex);
  if (queuedGraphs.count(graph))
    endQueue(call, "destroys a graph that is queued");
  if (graphs.erase(graph) != 0)
    return success;
  violation(call, "destroys what is no graph");
  return invalidHandle;
}

Result ShimDevice::queueGraph(const char *call, void *ready) {
  std::lock_guard lock(mutex);
  auto found = graphs.find(ready);
  if (found == graphs.end()) {
    violation(call, "launches what is no graph");
    return invalidHandle;
  }
  queuedGraphs.insert(ready);
  for (const auto &operation : *found->second)
    queue(operation);
  return success;
}

Result ShimDevice::synchronize() {
  std::lock_guard lock(mutex);
  if (capturing) {
    violation("synchronize", "waits while it records");
    return invalidValue;
  }
  for (size_t i = 0; i < operations.size() && !fault; ++i)
    fault = operations[i]();
  operations.clear();
  queuedGraphs.clear();
  return fault;
}

Result ShimDevice::load(runtime::emulated::Machine *machine, std::span<const std::byte> code, Module **out,
                        std::string &log) {
  std::lock_guard lock(mutex);
  auto module = std::make_unique<Module>();
  module->text.assign(reinterpret_cast<const char *>(code.data()), code.size());
  if (machine) {
    auto programs = machine->load(code);
    if (!programs.ok()) {
      log = programs.error().message();
      return invalidImage;
    }
    module->programs = std::move(*programs);
  }
  *out = module.get();
  modules[module.get()] = std::move(module);
  return success;
}

Result ShimDevice::unload(const char *call, Module *module) {
  std::lock_guard lock(mutex);
  endQueue(call, "unloads code while work is queued");
  if (modules.erase(module) == 0) {
    violation(call, "unloads what is not loaded");
    return invalidHandle;
  }
  return success;
}

Result ShimDevice::find(Module *module, const char *name, Function **out) {
  std::lock_guard lock(mutex);
  if (modules.find(module) == modules.end())
    return invalidHandle;
  auto program = module->programs.find(name);
  const bool known = module->programs.empty() ? *name != 0 && module->text.find(name) != std::string::npos
                                              : program != module->programs.end();
  if (!known)
    return notFound;
  std::unique_ptr<Function> &function = module->functions[name];
  if (!function) {
    function = std::make_unique<Function>();
    function->module = module;
    function->name = name;
    function->program = module->programs.empty() ? nullptr : program->second.get();
  }
  *out = function.get();
  return success;
}

void *ShimDevice::createStream() {
  std::lock_guard lock(mutex);
  auto stream = std::make_unique<char>();
  void *handle = stream.get();
  streams[handle] = std::move(stream);
  return handle;
}

Result ShimDevice::destroyStream(const char *call, void *stream) {
  std::lock_guard lock(mutex);
  endQueue(call, "destroys a queue that is not empty");
  if (streams.erase(stream) == 0) {
    violation(call, "destroys what is no queue");
    return invalidHandle;
  }
  return success;
}

void *ShimDevice::createEvent() {
  std::lock_guard lock(mutex);
  auto event = std::make_unique<Clock::time_point>();
  void *handle = event.get();
  events[handle] = std::move(event);
  return handle;
}

Result ShimDevice::destroyEvent(const char *call, void *event) {
  std::lock_guard lock(mutex);
  endQueue(call, "destroys an event while the queue is not empty");
  if (events.erase(event) != 0)
    return success;
  violation(call, "destroys what is no event");
  return invalidHandle;
}

Result ShimDevice::queueEvent(const char *call, void *event) {
  std::lock_guard lock(mutex);
  auto found = events.find(event);
  if (found == events.end()) {
    violation(call, "records what is no event");
    return invalidHandle;
  }
  *found->second = {};
  return queue([time = found->second.get()] { return *time = Clock::now(), success; });
}

Result ShimDevice::elapsed(const char *call, float *milliseconds, void *begin, void *end) {
  std::lock_guard lock(mutex);
  auto first = events.find(begin), last = events.find(end);
  if (first == events.end() || last == events.end() || *first->second == Clock::time_point() ||
      *last->second == Clock::time_point()) {
    violation(call, "reads the time of events that the queue has not passed");
    return invalidHandle;
  }
  *milliseconds = std::chrono::duration<float, std::milli>(*last->second - *first->second).count();
  return success;
}

std::string ShimDevice::report() {
  std::lock_guard lock(mutex);
  std::string text = std::move(violations);
  violations.clear();
  if (fault) // after a fault nothing can be released, as on the device
    return text;
  auto left = [&](size_t count, const char *what) {
    if (count != 0)
      text += std::to_string(count) + " " + what + " left\n";
  };
  left(allocations.size(), "allocations");
  left(pageLocked.size(), "page-locked allocations");
  left(modules.size(), "modules");
  left(streams.size(), "queues");
  left(static_cast<size_t>(contexts), "contexts");
  left(operations.size(), "queued operations");
  left(graphs.size(), "graphs");
  return text;
}

} // namespace quern::shim

const char *quernShimReport() {
  static std::string text;
  text = quern::shim::ShimDevice::get().report();
  return text.c_str();
}
