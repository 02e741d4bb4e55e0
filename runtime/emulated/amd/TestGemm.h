//===- TestGemm.h - Matrix-core products in assembly, for tests ------------===//
//
// C = A * B^T in assembly that no compiler made: bf16 A (m x k) and B (n x k), f32 C (m x n), blocks of 64 x
// 64, a wave for 32 x 32. CDNA: two buffers in local memory, filled by loads that go there directly, MFMA; m
// and n are multiples of 64, k of 32. RDNA: fragments straight from global memory through descriptors that
// cut ragged edges, WMMA; k is a multiple of 8. The number of blocks along n must be a power of two.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_AMD_TESTGEMM_H
#define QUERN_RUNTIME_EMULATED_AMD_TESTGEMM_H

#include <cstdint>
#include <string>
#include <vector>

namespace quern::runtime::emulated::amd {

struct GemmShape {
  unsigned m, n, k;
  unsigned tilesM() const { return (m + 63) / 64; }
  unsigned tilesN() const { return (n + 63) / 64; }
};

/// Parts of the CDNA kernel that a test may leave out.
struct GemmFaults {
  bool noWait = false;    ///< the wait for the loads to local memory
  bool noBarrier = false; ///< the barrier after it
};

/// The kernel `kernel` with arguments A, B and C.
std::vector<std::byte> gemmKernel(const std::string &target, const GemmShape &shape,
                                  const GemmFaults &faults = {});
unsigned gemmThreads(const std::string &target);

} // namespace quern::runtime::emulated::amd

#endif // QUERN_RUNTIME_EMULATED_AMD_TESTGEMM_H
