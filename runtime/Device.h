//===- Device.h - What runs the kernels of an artifact --------------------===//
//
// One interface for `cpu`, `cuda:N`, `hip:N` and `emulated:<target>`. A device is opened by name (Devices.h),
// loads the code members of an artifact, allocates buffers and launches kernels on one in-order queue.
// Everything that is queued takes effect in the order of the calls; `synchronize` waits for all of it and
// reports the first error. The vendor's library is opened at run time; a machine without it answers
// Exit::NoDevice.
//
// Kernel ABI. A kernel takes a list of arguments, each one 8-byte slot in the order of the tile kernel's
// arguments: a pointer (device address), or a scalar i32, i64 or f32 whose bits stand in the low end of the
// slot; a tensor map is passed by the host address of its 128 bytes. GPU kernels take them as ordinary
// parameters of their own width; the CPU kernel takes the address of the slots:
//
//   void kernel(const uint64_t *slots, uint32_t block_begin, uint32_t block_end, void *scratch);
//
// Beside a CPU kernel `K` its shared object exports `K_parameters`, a NUL-terminated string of one letter per
// argument: p pointer, i i32, l i64, f f32. Launches are checked against it (against the parameters in the
// code on GPUs).
//
// The grid is one-dimensional: block coordinates are computed from the block index in the kernel. The block
// size and the shared memory are facts of the compiled kernel and are in the artifact.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_DEVICE_H
#define QUERN_RUNTIME_DEVICE_H

#include "runtime/DeviceConditions.h"
#include "runtime/KernelCounters.h"
#include "runtime/TensorMap.h"
#include "support/Status.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern {
class RangeMarks;
}

namespace quern::runtime {

/// What is known about a device; the identity that tuning keys use.
struct DeviceInfo {
  std::string name;                  ///< as given on the command line: "cpu", "cuda:0", "emulated:amd:gfx942"
  std::string description;           ///< the vendor's product name, or the CPU's brand string
  std::string vendor;                ///< "nvidia", "amd", "cpu"
  std::string architecture;          ///< "sm_90", "gfx942", "x86-64-v4"; without sub-features
  std::vector<std::string> features; ///< CPU levels the kernel variants choose from, e.g. "avx512bf16"
  std::string driver;                ///< version text of driver or library, empty for the CPU
  std::string hardware =
      {}; ///< "pci:10de:2330", "cpu:GenuineIntel-6-143-8"; empty where the system does not say
  std::string partition = {};  ///< "1g.10gb", "SPX/NPS1"; empty for a whole device
  uint32_t memoryClockMhz = 0; ///< largest; 0 where the driver does not say
  uint64_t memoryBytes = 0;    ///< total memory of the device
  uint32_t units = 0;          ///< multiprocessors, compute units, or hardware threads
  bool emulated = false;
};

/// A piece of device memory, released with the object. |address| is what kernels see.
class Buffer {
public:
  virtual ~Buffer() = default;
  virtual uint64_t address() const = 0;
  virtual uint64_t size() const = 0;
  /// The bytes, where the host can reach them without a copy; else null.
  virtual std::byte *hostPointer() { return nullptr; }
};

/// One kernel of a loaded module; lives as long as the module.
class Kernel {
public:
  virtual ~Kernel() = default;
};

/// Loaded code: one code member of the artifact.
class Module {
public:
  virtual ~Module() = default;
  /// The kernel |symbol|; Exit::BadInput "E-KERNEL-MISSING" where the code has none of that name.
  virtual Expected<Kernel *> kernel(const std::string &symbol) = 0;
};

enum class ArgumentKind : uint8_t { Pointer, I32, I64, F32, TensorMap };

/// One 8-byte slot; see the kernel ABI above.
struct Argument {
  ArgumentKind kind;
  uint64_t bits;
};

struct LaunchShape {
  uint32_t blocks = 1;       ///< number of blocks; 0 launches nothing and is a success
  uint32_t threads = 1;      ///< threads of one block; 1 on the CPU
  uint32_t sharedBytes = 0;  ///< dynamic shared memory beyond what the code declares
  uint32_t scratchBytes = 0; ///< CPU: scratch memory of one worker, 64-byte aligned
};

/// Two marks in the queue of a device and the time between them, as its own clock tells it.
class Timer {
public:
  virtual ~Timer() = default;
  /// Queue the marks. A timer may be started again when `seconds` was read.
  virtual Status start() = 0;
  virtual Status stop() = 0;
  /// Seconds from `start` to `stop`; waits until the device has passed both.
  virtual Expected<double> seconds() = 0;
};

/// Launches that were recorded once and can be queued again as one piece, which costs the host far less than
/// queuing each of them.
class Recording {
public:
  virtual ~Recording() = default;
  virtual Status replay() = 0;
};

/// Counts kept by the device since it was opened; `quern run --stats` prints them.
struct DeviceCounters {
  uint64_t launches = 0, bytesAllocated = 0, peakBytesAllocated = 0;
};

class Device {
public:
  virtual ~Device() = default;
  virtual const DeviceInfo &info() const = 0;

  /// At least |bytes| bytes, aligned to 256, contents undefined. Exit::Resource "E-DEVICE-OUT-OF-MEMORY".
  virtual Expected<std::unique_ptr<Buffer>> allocate(uint64_t bytes) = 0;

  /// A buffer whose memory is |memory|, aligned to 16 bytes, which stays as it is until the buffer is gone;
  /// kernels only read it, nothing is booked. Null where kernels do not read host memory in place.
  virtual std::unique_ptr<Buffer> adopt(std::span<const std::byte> memory) { return nullptr; }

  /// Queued copies and fill; the host bytes of |upload| may be reused when the call returns. A range outside
  /// the buffer is Exit::Unexpected "E-BUFFER-RANGE". |download| waits for everything queued before it.
  virtual Status upload(Buffer &to, uint64_t offset, std::span<const std::byte> bytes) = 0;
  virtual Status download(Buffer &from, uint64_t offset, std::span<std::byte> bytes) = 0;
  virtual Status fill(Buffer &to, uint64_t offset, uint64_t bytes, uint8_t value) = 0;

  /// Loads one code member: PTX text or cubin, code object, or host shared object. |bytes| may go away
  /// afterwards. Exit::BadInput "E-CODE-DAMAGED"; Exit::Unsupported "E-CODE-OTHER-TARGET"; Exit::NoDevice
  /// "E-DRIVER-PTX-TOO-NEW" where the driver is too old for it, with both versions.
  virtual Expected<std::unique_ptr<Module>> load(std::span<const std::byte> bytes) = 0;

  /// The device's form of |map|. Exit::Usage "E-TENSOR-MAP" where it breaks a rule of the device, which the
  /// cause names; Exit::Unsupported "E-DEVICE-TENSOR-MAP" where the device has no tensor maps.
  virtual Expected<EncodedTensorMap> encodeTensorMap(const TensorMap &map);

  /// Queues one kernel. Exit::Usage "E-LAUNCH-ARGUMENTS" where count or kinds are not the kernel's own,
  /// "E-LAUNCH-SHAPE" where the shape is impossible on the device.
  virtual Status launch(Kernel &kernel, const LaunchShape &shape, std::span<const Argument> arguments) = 0;

  /// Exit::Unexpected "E-DEVICE-FAULT" where a kernel went wrong while it ran: a real device must then be
  /// opened again. What an emulated device finds is "E-EMULATED-...".
  virtual Status synchronize() = 0;

  /// Exit::Unsupported "E-DEVICE-NO-TIME" on a device whose time means nothing, as an emulated one.
  virtual Expected<std::unique_ptr<Timer>> timer();

  /// Records what |work| queues, without running it. The buffers and kernels of its launches outlive the
  /// recording; |work| neither waits nor allocates. The error of |work|; Exit::Unsupported
  /// "E-DEVICE-NO-RECORDING" where the device cannot. After an error the queue is as it was before.
  virtual Expected<std::unique_ptr<Recording>> record(const std::function<Status()> &work);

  /// Clock, power and temperature now, as far as the driver gives them.
  virtual DeviceConditions conditions();

  /// Marks for the vendor's profiler; null where no such library can be opened. Lives as long as the device.
  virtual RangeMarks *rangeMarks() { return nullptr; }
  virtual DeviceCounters counters() const = 0;
  /// What kernels did since the last call, by symbol and number of blocks; empty on a device that does not
  /// count (DeviceOptions::counters).
  virtual std::vector<CountedKernel> takeKernelCounts() { return {}; }
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_DEVICE_H
