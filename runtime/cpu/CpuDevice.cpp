//===- CpuDevice.cpp ------------------------------------------------------===//
#include "runtime/cpu/CpuDevice.h"

#include "runtime/KernelSignature.h"
#include "runtime/MemoryAccount.h"
#include "runtime/cpu/Buffer.h"
#include "runtime/cpu/Kernel.h"
#include "runtime/cpu/Management.h"
#include "support/Threads.h"
#include "support/target/CpuFeatures.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace quern::runtime::cpu {

namespace {

constexpr size_t scratchAlignment = 64; // LaunchShape::scratchBytes

/// Memory of the machine, or of the control group that the process lives in where that is less.
uint64_t memoryBytes() {
  uint64_t total =
      static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  std::ifstream file("/sys/fs/cgroup/memory.max");
  if (uint64_t limit = 0; file >> limit && limit != 0 && limit < total)
    return limit;
  return total;
}

DeviceInfo describe(uint32_t threads) {
  CpuidFacts facts = readCpuid();
  CpuFeatures features = decideCpuFeatures(facts);
  DeviceInfo info;
  info.name = "cpu";
  info.description = facts.brand.empty() ? "unknown processor" : facts.brand;
  info.vendor = "cpu";
  info.architecture = features.level;
  info.features = features.features;
  info.memoryBytes = memoryBytes();
  info.units = threads;
  info.hardware = cpuHardware(facts);
  return info;
}

/// One scratch memory per worker, grown on demand and kept.
class Scratch {
public:
  explicit Scratch(uint32_t workers) : memories(workers) {}
  ~Scratch() { release(); }

  /// Makes every memory at least |bytes| long; false where the system gives no more.
  bool reserve(uint32_t bytes) {
    if (bytes <= size)
      return true;
    release();
    size_t rounded = (size_t(bytes) + scratchAlignment - 1) / scratchAlignment * scratchAlignment;
    for (void *&memory : memories)
      if (!(memory = std::aligned_alloc(scratchAlignment, rounded)))
        return false;
    size = bytes;
    return true;
  }

  void *of(uint32_t worker) const { return memories[worker]; }

private:
  void release() {
    for (void *&memory : memories) {
      std::free(memory);
      memory = nullptr;
    }
    size = 0;
  }

  std::vector<void *> memories;
  uint32_t size = 0;
};

/// Blocks are taken in about this many pieces per thread: few enough to cost nothing, many enough that a
/// thread that is held up does not hold up the launch.
constexpr uint64_t piecesPerThread = 4;

/// Launches have run when they return, so the clock of the host is the device's.
class HostTimer final : public Timer {
public:
  Status start() override {
    begin = end = Clock::now();
    return Status::success();
  }
  Status stop() override {
    end = Clock::now();
    return Status::success();
  }
  Expected<double> seconds() override { return std::chrono::duration<double>(end - begin).count(); }

private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point begin, end;
};

class CpuDevice final : public Device {
public:
  CpuDevice(std::unique_ptr<ThreadPool> poolGiven, DeviceInfo infoGiven, uint64_t limit)
      : deviceInfo(std::move(infoGiven)), pool(std::move(poolGiven)), scratch(pool->size()),
        account(std::make_shared<MemoryAccount>("cpu", limit)) {}

  const DeviceInfo &info() const override { return deviceInfo; }

  Expected<std::unique_ptr<Buffer>> allocate(uint64_t bytes) override {
    return CpuBuffer::create(account, bytes);
  }
  std::unique_ptr<Buffer> adopt(std::span<const std::byte> memory) override {
    return CpuBuffer::over(memory);
  }

  Status upload(Buffer &to, uint64_t offset, std::span<const std::byte> bytes) override {
    QUERN_RETURN_IF_ERROR(checkBufferRange(to, offset, bytes.size(), "upload"));
    if (!bytes.empty())
      memcpy(to.hostPointer() + offset, bytes.data(), bytes.size());
    return Status::success();
  }

  Status download(Buffer &from, uint64_t offset, std::span<std::byte> bytes) override {
    QUERN_RETURN_IF_ERROR(checkBufferRange(from, offset, bytes.size(), "download"));
    if (!bytes.empty())
      memcpy(bytes.data(), from.hostPointer() + offset, bytes.size());
    return Status::success();
  }

  Status fill(Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) override {
    QUERN_RETURN_IF_ERROR(checkBufferRange(to, offset, bytes, "fill"));
    if (bytes != 0)
      memset(to.hostPointer() + offset, value, bytes);
    return Status::success();
  }

  Expected<std::unique_ptr<Module>> load(std::span<const std::byte> bytes) override {
    return CpuModule::create(bytes);
  }

  Status launch(Kernel &kernelGiven, const LaunchShape &shape, std::span<const Argument> arguments) override {
    auto &kernel = static_cast<CpuKernel &>(kernelGiven);
    if (kernel.signature)
      QUERN_RETURN_IF_ERROR(kernel.signature->check(kernel.name, arguments));
    if (shape.threads != 1)
      return Status::error(Exit::Usage, "E-LAUNCH-SHAPE",
                           "a block on the CPU has one thread, the launch of `" + kernel.name +
                               "` asks for " + std::to_string(shape.threads));
    if (shape.blocks == 0)
      return Status::success();

    std::vector<uint64_t> slots;
    slots.reserve(arguments.size());
    for (const Argument &argument : arguments)
      slots.push_back(argument.bits);

    std::lock_guard<std::mutex> lock(launching);
    if (!scratch.reserve(shape.scratchBytes))
      return account->outOfMemory(uint64_t(shape.scratchBytes) * pool->size(),
                                  "scratch memory of kernel `" + kernel.name + "`");
    ++launches;
    const uint64_t piece = std::max<uint64_t>(1, shape.blocks / (uint64_t(pool->size()) * piecesPerThread));
    pool->parallelFor(0, shape.blocks, piece, [&](uint64_t first, uint64_t last, unsigned worker) {
      kernel.function(slots.data(), static_cast<uint32_t>(first), static_cast<uint32_t>(last),
                      scratch.of(worker));
    });
    return Status::success();
  }

  Status synchronize() override { return Status::success(); }

  Expected<std::unique_ptr<Timer>> timer() override { return std::make_unique<HostTimer>(); }

  DeviceConditions conditions() override { return readConditions(); }

  DeviceCounters counters() const override {
    return {launches, account->bytesAllocated(), account->peakBytesAllocated()};
  }

private:
  DeviceInfo deviceInfo;
  std::unique_ptr<ThreadPool> pool;
  Scratch scratch;
  std::shared_ptr<MemoryAccount> account; // shared with the buffers, which may live longer
  std::mutex launching;
  std::atomic<uint64_t> launches{0};
};

Expected<std::vector<DeviceInfo>> list() { return std::vector<DeviceInfo>{describe(defaultThreads())}; }

Expected<std::unique_ptr<Device>> open(uint32_t index, const DeviceOptions &options) {
  const uint32_t threads = options.threads ? options.threads : defaultThreads();
  if (threads > mostThreads)
    return Status::error(Exit::Usage, "E-DEVICE-THREADS",
                         std::to_string(threads) + " threads are more than the " +
                             std::to_string(mostThreads) + " that the CPU device takes")
        .remedy("use fewer with --threads");
  std::unique_ptr<ThreadPool> pool;
  try {
    pool = std::make_unique<ThreadPool>(threads);
  } catch (const std::system_error &error) {
    return Status::error(Exit::Resource, "E-DEVICE-THREADS",
                         "cannot start " + std::to_string(threads) + " threads")
        .cause(error.what())
        .remedy("use fewer with --threads");
  }
  DeviceInfo info = describe(threads);
  // Linux gives out more memory than there is and later ends the process; so what is there is the limit.
  uint64_t limit = options.memoryLimit ? options.memoryLimit : info.memoryBytes;
  return std::unique_ptr<Device>(new CpuDevice(std::move(pool), std::move(info), limit));
}

void diagnose(std::vector<Check> &checks) {
  DeviceInfo info = describe(defaultThreads());
  Check &level = checks.emplace_back();
  level.name = "cpu.level";
  level.detail = info.description + ", " + info.architecture;
  for (const std::string &feature : info.features)
    level.detail += " +" + feature;
  if (info.architecture != "x86-64-v3" && info.architecture != "x86-64-v4") {
    level.state = CheckState::Failed;
    level.fix =
        "CPU code needs AVX2 and FMA (x86-64-v3): use a newer processor, or let the virtual machine pass "
        "its features on";
  }
  Check &threads = checks.emplace_back();
  threads.name = "cpu.threads";
  threads.detail =
      std::to_string(info.units) + " threads, " + std::to_string(info.memoryBytes >> 20) + " MiB";

  Check &code = checks.emplace_back();
  code.name = "cpu.code";
  code.detail = "executable anonymous files are allowed";
  int file = memfd_create("quern-check", MFD_CLOEXEC);
  void *page = MAP_FAILED;
  if (file >= 0 && ftruncate(file, 4096) == 0)
    page = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
  if (page == MAP_FAILED) {
    code.state = CheckState::Failed;
    code.detail = std::string("the system refuses executable anonymous files: ") + strerror(errno);
    code.fix = "sysctl vm.memfd_noexec=0";
  } else {
    munmap(page, 4096);
  }
  if (file >= 0)
    close(file);
}

} // namespace

static ptrdiff_t chooseCode(const DeviceInfo &info, std::span<const std::string> targets) {
  return chooseCpuCode({info.architecture, info.features}, targets);
}

const Backend backend = {"cpu", "cpu", /*numbered=*/false, list, open, chooseCode, diagnose};

} // namespace quern::runtime::cpu
