//===- GlobalShadow.h - Who wrote the bytes of global memory last ----------===//
//
// For one launch with the checks on: per byte of each buffer that the launch writes, the block, the wave and
// its barrier phase. A byte that one wave writes and another reads or writes without an order between the two
// is a race: waves of a block are ordered by its barriers, blocks by nothing. Launches with atomics on global
// memory may order their blocks by them and are not watched. Reads are not remembered: that a read came
// before the write of another wave shows in the order of another seed.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_GLOBALSHADOW_H
#define QUERN_RUNTIME_EMULATED_AMD_GLOBALSHADOW_H

#include "runtime/emulated/Machine.h"

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>

namespace quern::runtime::emulated::amd {

class GlobalShadow {
public:
  explicit GlobalShadow(const GlobalMemory &memory) : memory(memory) {}
  ~GlobalShadow() {
    for (auto &[base, bytes] : buffers)
      std::free(bytes.entries);
  }
  GlobalShadow(const GlobalShadow &) = delete;
  GlobalShadow &operator=(const GlobalShadow &) = delete;

  /// Who accesses: |signals| and |waits| are the barrier phases that the wave has signalled and passed.
  struct Access {
    uint32_t block, wave, signals, waits;
    bool writes;
  };
  struct Conflict {
    uint32_t block, wave;
    uint64_t address;
  };

  /// Records a write, or looks at a read. True with |conflict| where it races with an earlier write.
  bool touch(uint64_t address, unsigned size, const Access &access, Conflict &conflict) {
    Buffer buffer = find(address, access.writes);
    if (!buffer.entries)
      return false;
    // Block + 1 in 63:32, wave in 31:24, phase from which a wave must have passed in 23:0.
    uint64_t mine = uint64_t(access.block + 1) << 32 | uint64_t(access.wave & 0xff) << 24 |
                    ((access.signals + 1) & 0xffffff);
    for (unsigned i = 0; i < size && address - buffer.base + i < buffer.size; ++i) {
      std::atomic_ref<uint64_t> entry(buffer.entries[address - buffer.base + i]);
      uint64_t old = access.writes ? entry.exchange(mine, std::memory_order_relaxed)
                                   : entry.load(std::memory_order_relaxed);
      if (!old)
        continue;
      uint32_t block = uint32_t(old >> 32) - 1, wave = old >> 24 & 0xff, phase = old & 0xffffff;
      if (block != access.block || (wave != (access.wave & 0xff) && phase > (access.waits & 0xffffff))) {
        conflict = {block, wave, address + i};
        return true;
      }
    }
    return false;
  }

private:
  struct Buffer {
    uint64_t base = 0, size = 0;
    uint64_t *entries = nullptr;
  };
  Buffer find(uint64_t address, bool create) {
    std::lock_guard lock(mutex);
    auto it = buffers.upper_bound(address);
    if (it != buffers.begin() && address - std::prev(it)->first < std::prev(it)->second.size)
      return std::prev(it)->second;
    Buffer buffer;
    if (!create || !memory.find(address, buffer.base, buffer.size))
      return {};
    buffer.entries =
        static_cast<uint64_t *>(std::calloc(buffer.size, sizeof(uint64_t))); // pages as they are touched
    if (buffer.entries)
      buffers[buffer.base] = buffer;
    return buffer;
  }

  const GlobalMemory &memory;
  std::mutex mutex;
  std::map<uint64_t, Buffer> buffers;
};

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_GLOBALSHADOW_H
