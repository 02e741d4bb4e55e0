//===- EmulatedDevice.cpp - Devices that this host plays ------------------===//

#include "runtime/emulated/EmulatedDevice.h"

#include "runtime/KernelSignature.h"
#include "runtime/emulated/Machines.h"
#include "support/Threads.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <set>
#include <utility>

namespace quern::runtime::emulated {

namespace {

constexpr uint64_t allocationAlign = 256;
/// Bytes around every allocation that belong to none, so that neighbours never touch.
constexpr uint64_t guardBytes = 256;
/// The emulated device claims this much memory; the host's own limit may be lower.
constexpr uint64_t memoryBytes = uint64_t(64) << 30;
/// Fixed, so that grids that follow the number of units do not depend on the host.
constexpr uint32_t emulatedUnits = 8;

class EmulatedBuffer;

/// What outlives the device while buffers do: the table of allocations.
struct MemoryTable {
  GlobalMemory ranges;
  DeviceCounters counters;
  std::set<const Buffer *> buffers;
};

class EmulatedBuffer : public Buffer {
public:
  EmulatedBuffer(std::shared_ptr<MemoryTable> table, std::byte *raw, uint64_t bytes)
      : table(std::move(table)), raw(raw), base(raw + guardBytes), bytes(bytes) {
    this->table->ranges.add(address(), bytes);
    this->table->buffers.insert(this);
    this->table->counters.bytesAllocated += bytes;
    this->table->counters.peakBytesAllocated =
        std::max(this->table->counters.peakBytesAllocated, this->table->counters.bytesAllocated);
  }
  ~EmulatedBuffer() override {
    table->ranges.remove(address());
    table->buffers.erase(this);
    table->counters.bytesAllocated -= bytes;
    std::free(raw);
  }
  uint64_t address() const override { return reinterpret_cast<uint64_t>(base); }
  uint64_t size() const override { return bytes; }
  std::byte *hostPointer() override { return base; }

private:
  std::shared_ptr<MemoryTable> table;
  std::byte *raw, *base;
  uint64_t bytes;
};

class EmulatedKernel : public Kernel {
public:
  EmulatedKernel(std::string name, std::unique_ptr<Program> program)
      : name(std::move(name)), program(std::move(program)) {}
  const std::string name;
  const std::unique_ptr<Program> program;
};

class EmulatedModule : public runtime::Module {
public:
  explicit EmulatedModule(std::map<std::string, std::unique_ptr<Program>> programs) {
    for (auto &[name, program] : programs)
      kernels.emplace(name, std::make_unique<EmulatedKernel>(name, std::move(program)));
  }
  Expected<Kernel *> kernel(const std::string &symbol) override {
    auto it = kernels.find(symbol);
    if (it == kernels.end())
      return kernelMissing(symbol);
    return static_cast<Kernel *>(it->second.get());
  }

private:
  std::map<std::string, std::unique_ptr<EmulatedKernel>> kernels;
};

void addCounters(RunCounters &to, const RunCounters &from) {
  to.threadInstructions += from.threadInstructions;
  to.warpInstructions += from.warpInstructions;
  to.globalLoadBytes += from.globalLoadBytes;
  to.globalStoreBytes += from.globalStoreBytes;
  to.sharedLoadBytes += from.sharedLoadBytes;
  to.sharedStoreBytes += from.sharedStoreBytes;
  to.barriers += from.barriers;
}

class MachineDevice : public EmulatedDevice {
public:
  MachineDevice(DeviceInfo info, std::unique_ptr<Machine> machine, RunOptions options)
      : identity(std::move(info)), machine(std::move(machine)), runOptions(options),
        table(std::make_shared<MemoryTable>()) {}

  const DeviceInfo &info() const override { return identity; }
  RunOptions &options() override { return runOptions; }
  const std::vector<Finding> &findings() const override { return found; }
  const RunCounters &runCounters() const override { return total; }
  const std::map<std::string, RunCounters> &kernelCounters() const override { return byKernel; }
  DeviceCounters counters() const override { return table->counters; }
  std::vector<CountedKernel> takeKernelCounts() override {
    std::vector<CountedKernel> list;
    for (auto &[key, counted] : std::exchange(byLaunch, {}))
      list.push_back({key.first, key.second, counted});
    return list;
  }

  Expected<std::unique_ptr<Buffer>> allocate(uint64_t bytes) override {
    auto outOfMemory = [&] {
      return Status::error(Exit::Resource, "E-DEVICE-OUT-OF-MEMORY",
                           "cannot allocate " + std::to_string(bytes) + " bytes on " + identity.name)
          .cause(std::to_string(table->counters.bytesAllocated) + " of " +
                 std::to_string(identity.memoryBytes) + " bytes are in use")
          .remedy("lower the limits of the run, or raise the memory limit of the device");
    };
    if (bytes > identity.memoryBytes - table->counters.bytesAllocated)
      return outOfMemory();
    uint64_t rounded = (bytes + allocationAlign - 1) / allocationAlign * allocationAlign + 2 * guardBytes;
    auto *raw = static_cast<std::byte *>(std::aligned_alloc(allocationAlign, rounded));
    if (!raw)
      return outOfMemory();
    return std::unique_ptr<Buffer>(std::make_unique<EmulatedBuffer>(table, raw, bytes));
  }

  Status upload(Buffer &to, uint64_t offset, std::span<const std::byte> bytes) override {
    QUERN_RETURN_IF_ERROR(inside(to, offset, bytes.size(), "upload"));
    if (!bytes.empty())
      std::memcpy(to.hostPointer() + offset, bytes.data(), bytes.size());
    return Status::success();
  }

  Status download(Buffer &from, uint64_t offset, std::span<std::byte> bytes) override {
    QUERN_RETURN_IF_ERROR(inside(from, offset, bytes.size(), "download"));
    QUERN_RETURN_IF_ERROR(synchronize());
    if (!bytes.empty())
      std::memcpy(bytes.data(), from.hostPointer() + offset, bytes.size());
    return Status::success();
  }

  Status fill(Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) override {
    QUERN_RETURN_IF_ERROR(inside(to, offset, bytes, "fill"));
    if (bytes)
      std::memset(to.hostPointer() + offset, value, bytes);
    return Status::success();
  }

  Expected<std::unique_ptr<runtime::Module>> load(std::span<const std::byte> bytes) override {
    auto programs = machine->load(bytes);
    if (!programs.ok())
      return programs.takeError();
    return std::unique_ptr<runtime::Module>(std::make_unique<EmulatedModule>(*std::move(programs)));
  }

  Expected<EncodedTensorMap> encodeTensorMap(const TensorMap &map) override {
    return machine->encodeTensorMap(map);
  }

  Status launch(Kernel &kernel, const LaunchShape &shape, std::span<const Argument> arguments) override {
    auto &mine = static_cast<EmulatedKernel &>(kernel);
    QUERN_RETURN_IF_ERROR(checkArguments(mine, arguments));
    if (shape.threads == 0)
      return Status::error(Exit::Usage, "E-LAUNCH-SHAPE",
                           "kernel `" + mine.name + "` is launched without threads");
    if (shape.blocks == 0 || !pending.ok())
      return Status::success();
    RunCounters counts;
    Status status = mine.program->run(shape, arguments, table->ranges, runOptions, counts, found);
    // A launch that is refused is the caller's to know at once; what goes wrong while it runs comes later.
    if (status.exit() == Exit::Usage)
      return status;
    pending = std::move(status);
    ++table->counters.launches;
    addCounters(total, counts);
    addCounters(byKernel[mine.name], counts);
    if (runOptions.counters)
      byLaunch[{mine.name, shape.blocks}].add(counts.detail);
    return Status::success();
  }

  Status synchronize() override {
    Status result = std::move(pending);
    pending = Status::success();
    return result;
  }

private:
  Status inside(const Buffer &buffer, uint64_t offset, uint64_t bytes, const char *verb) const {
    if (!table->buffers.count(&buffer))
      return Status::error(Exit::Unexpected, "E-BUFFER-RANGE",
                           "the buffer does not belong to " + identity.name);
    return checkBufferRange(buffer, offset, bytes, verb);
  }

  static Status checkArguments(const EmulatedKernel &kernel, std::span<const Argument> arguments) {
    const std::vector<ArgumentKind> &wanted = kernel.program->parameters();
    auto error = [&](std::string sentence) {
      return Status::error(Exit::Usage, "E-LAUNCH-ARGUMENTS",
                           "kernel `" + kernel.name + "` " + std::move(sentence));
    };
    if (arguments.size() != wanted.size())
      return error("takes " + std::to_string(wanted.size()) + " arguments and is given " +
                   std::to_string(arguments.size()));
    for (size_t i = 0; i < wanted.size(); ++i) {
      // Code may declare a pointer or a float as a plain integer of that width, and code objects say no more.
      bool fits = arguments[i].kind == wanted[i] ||
                  (wanted[i] == ArgumentKind::I64 && arguments[i].kind == ArgumentKind::Pointer) ||
                  (wanted[i] == ArgumentKind::I32 && arguments[i].kind == ArgumentKind::F32);
      if (!fits)
        return error("takes a value of kind " + std::string(argumentKindName(wanted[i])) + " as argument " +
                     std::to_string(i) + " and is given one of kind " + argumentKindName(arguments[i].kind));
    }
    return Status::success();
  }

  DeviceInfo identity;
  std::unique_ptr<Machine> machine;
  RunOptions runOptions;
  std::shared_ptr<MemoryTable> table;
  std::vector<Finding> found;
  RunCounters total;
  std::map<std::string, RunCounters> byKernel;
  std::map<std::pair<std::string, uint32_t>, KernelCounters> byLaunch;
  Status pending = Status::success();
};

} // namespace

Expected<std::unique_ptr<EmulatedDevice>> openEmulated(const std::string &target, RunOptions options,
                                                       uint64_t memoryLimit) {
  std::string name = target.starts_with("emulated:") ? target.substr(9) : target;
  size_t colon = name.find(':');
  std::string vendor = name.substr(0, colon),
              architecture = colon == std::string::npos ? "" : name.substr(colon + 1);
  std::string known;
  for (const MachineMaker &maker : machineMakers()) {
    known += (known.empty() ? "emulated:" : ", emulated:") + std::string(maker.vendor) + ":ARCHITECTURE";
    if (vendor != maker.vendor)
      continue;
    auto machine = maker.make(architecture);
    if (!machine.ok())
      return machine.takeError();
    DeviceInfo info;
    info.name = "emulated:" + name;
    info.description = "emulated " + architecture;
    info.vendor = vendor;
    info.architecture = maker.plainName(architecture);
    info.memoryBytes = memoryLimit ? std::min(memoryLimit, memoryBytes) : memoryBytes;
    info.units = emulatedUnits;
    info.emulated = true;
    return std::unique_ptr<EmulatedDevice>(
        std::make_unique<MachineDevice>(std::move(info), *std::move(machine), options));
  }
  return Status::error(Exit::Unsupported, "E-EMULATED-TARGET",
                       "no emulated device is called `" + target + "`")
      .remedy(known.empty() ? "build with QUERN_EMULATED" : "name one of " + known);
}

Expected<std::unique_ptr<Device>> openEmulatedDevice(const std::string &target,
                                                     const DeviceOptions &options) {
  RunOptions run;
  run.seed = options.seed;
  run.sanitize = !options.sanitize.empty();
  run.uninitialised = options.sanitize.has(Sanitize::Uninitialised);
  run.registers = options.sanitize.has(Sanitize::Registers);
  run.globalRaces = options.sanitize.has(Sanitize::GlobalRaces);
  run.smallNans = options.sanitize.has(Sanitize::Fp8Nan);
  run.counters = options.counters;
  run.workers = options.threads ? options.threads : defaultThreads();
  auto device = openEmulated(target, run, options.memoryLimit);
  if (!device.ok())
    return device.takeError();
  return std::unique_ptr<Device>(*std::move(device));
}

} // namespace quern::runtime::emulated
