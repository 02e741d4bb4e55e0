//===- DeviceCalls.h - What translated code calls -------------------------===//
//
// Functions that translated code reaches by address: everything that waits, fails, or is too large to be
// written out at every instruction. Their names and addresses are listed in one table; the translator names
// them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_DEVICECALLS_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_DEVICECALLS_H

#include <cstdint>
#include <span>

namespace quern::runtime::emulated::nvidia {

struct DeviceCall {
  const char *name;
  void *address;
};

/// Every function that translated code may call: memory and faults (DeviceCallsMemory.cpp), what waits
/// (DeviceCallsWarp.cpp), matrix instructions (DeviceCallsMatrix.cpp), copies (AsyncCopies.cpp), checks
/// (GlobalShadow.cpp), arithmetic (Arithmetic.cpp), mbarriers, clusters and fences (DeviceCallsMbarrier.cpp).
std::span<const DeviceCall> memoryCalls();
std::span<const DeviceCall> warpCalls();
std::span<const DeviceCall> matrixCalls();
std::span<const DeviceCall> copyCalls();
std::span<const DeviceCall> checkCalls();
std::span<const DeviceCall> arithmeticCalls();
std::span<const DeviceCall> countCalls(); ///< BlockCounts.cpp
std::span<const DeviceCall> mbarrierCalls();
std::span<const DeviceCall> bulkCalls();        ///< DeviceCallsBulk.cpp
std::span<const DeviceCall> asyncMatrixCalls(); ///< DeviceCallsAsyncMatrix.cpp
std::span<const DeviceCall> tensorCoreCalls();  ///< DeviceCallsTensorCore.cpp

/// Operations of `quernShuffle` and `quernVote`; numbers are shared with the translator.
enum class ShuffleMode : uint32_t { Up, Down, Butterfly, Index };
enum class VoteMode : uint32_t { All, Any, Uniform, Ballot };
enum class ReduxOp : uint32_t {
  Add,
  MinSigned,
  MinUnsigned,
  MaxSigned,
  MaxUnsigned,
  And,
  Or,
  Xor,
  MinFloat,
  MaxFloat
};

/// Flags of `quernMbarrierArrive` and `quernMbarrierWait`.
enum MbarrierFlags : uint32_t {
  MbarrierArrives = 1,
  MbarrierDrops = 2,
  MbarrierExpects = 4,
  MbarrierCompletes = 8, ///< mbarrier.complete_tx
  MbarrierNoComplete = 16,
  MbarrierOrders = 32,  ///< releases, or acquires
  MbarrierCluster = 64, ///< any block of the cluster
  MbarrierParity = 128,
};

/// Flags of an access.
enum AccessFlags : uint32_t {
  AccessWrite = 1,
  AccessStrong = 2,
  AccessAtomic = 4,
  AccessCluster = 8,  ///< any block of the cluster
  AccessRelease = 16, ///< with release semantics
};

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_DEVICECALLS_H
