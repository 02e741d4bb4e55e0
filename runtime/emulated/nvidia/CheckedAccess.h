//===- CheckedAccess.h - Memory accesses of device calls -------------------===//
//
// What a device call uses that reads or writes memory on behalf of a thread: the checks of the ordinary
// loads and stores, and the ways a thread can fail.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_CHECKEDACCESS_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_CHECKEDACCESS_H

#include "runtime/emulated/nvidia/BlockRun.h"

namespace quern::runtime::emulated::nvidia {

/// Ends the block with a fault of |thread|. |text| is static: the name of the space, or the sentence.
[[noreturn]] void failAccess(ThreadContext *thread, uint32_t site, Fault::Kind kind, uint64_t address,
                             uint64_t bytes, const char *text);

/// The host memory of shared address |address| for an access of |bytes| (a power of two); checks bounds and
/// alignment, and with the sanitizer races and reads of what nothing has written. |stored|: what will be
/// written, or null. |flags|: AccessFlags.
std::byte *sharedAccess(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                        uint32_t flags, const void *stored);

/// The same without a look at the shadow.
std::byte *sharedPlace(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes);

/// The host memory of |bytes| of readable global memory at |address|; alignment is not checked.
const std::byte *globalRange(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes);

/// Notes an access of global memory in the shadow of the launch; fails where it races with another. Addresses
/// of other spaces are passed over.
void noteGlobal(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes, uint32_t flags,
                const void *stored);

/// Fails with |fault| where |conflict| is one.
void failOnConflict(ThreadContext *thread, uint32_t site, uint64_t address, uint64_t bytes,
                    const Conflict &conflict);

/// The host memory of a global or generic address; see sharedAccess. The allocation is remembered for |site|.
std::byte *globalAccess(ThreadContext *thread, uint32_t site, uint64_t address, uint32_t bytes,
                        uint32_t flags, bool isGeneric);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_CHECKEDACCESS_H
