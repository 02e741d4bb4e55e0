//===- InjectionShim.cpp - A test-only profiler that NVTX 3 loads ---------===//
//
// Fills in the two entries of RangesShim.cpp, as nvtxDetail/nvtxTypes.h says.
//
//===----------------------------------------------------------------------===//
#include <cstddef>
#include <cstdint>

extern "C" int nvtxRangePushA(const char *name);
extern "C" int nvtxRangePop();

namespace {
struct Callbacks {
  size_t size;
  int (*moduleTable)(int module, void ****table, unsigned *count);
};
} // namespace

extern "C" __attribute__((visibility("default"))) int
InitializeInjectionNvtx2(const void *(*exportTable)(uint32_t)) {
  auto *callbacks = static_cast<const Callbacks *>(exportTable(1));
  void ***table = nullptr;
  unsigned count = 0;
  if (!callbacks || callbacks->size < sizeof(Callbacks) || !callbacks->moduleTable(1, &table, &count) ||
      count < 12)
    return 0;
  *table[9] = reinterpret_cast<void *>(nvtxRangePushA);
  *table[11] = reinterpret_cast<void *>(nvtxRangePop);
  return 1;
}
