//===- AsyncMatrix.h - Matrix operations that go on behind the threads ----===//
//
// wgmma (PTX ISA 9.7.15) writes registers of a warpgroup, tcgen05 (9.7.16) writes tensor memory. A register
// that such an operation uses is a place in the thread's frame; its state says whether a thread may touch it.
// Every warp of a warpgroup computes its own 16 rows, but the operation is one: who waits for it knows that
// all four have ended, and waits until all four have begun.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCMATRIX_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCMATRIX_H

#include "runtime/emulated/nvidia/BlockRun.h"
#include "runtime/emulated/nvidia/MatrixDescriptor.h"

#include <map>
#include <vector>

namespace quern::runtime::emulated::nvidia {

/// Clean: fenced, or written by an operation that has ended. Touched: by another instruction since the last
/// wgmma.fence. InFlight: an operation reads or writes it.
enum RegisterState : uint8_t { RegisterClean, RegisterTouched, RegisterInFlight };

/// Known to translated code.
struct AsyncRegister {
  uint32_t *value;
  uint8_t *state;
};

/// What one wgmma does; eight bytes that translated code passes as one number.
struct WarpgroupForm {
  enum Result : uint8_t { F32, F16, S32 };
  enum Flags : uint8_t {
    NegateA = 1,
    NegateB = 2,
    TransposeA = 4,
    TransposeB = 8,
    Saturate = 16,
    RegistersA = 32
  };
  MatrixType a, b;
  Result d;
  uint8_t flags;
  uint16_t n;
  uint16_t k;
};
static_assert(sizeof(WarpgroupForm) == 8);

/// Tensor memory of one block: 128 lanes of 512 columns of 32 bits (9.7.16.1).
struct TensorMemory {
  static constexpr uint32_t lanes = 128, columns = 512, unit = 32;
  std::vector<uint32_t> words;               ///< [lane][column]
  uint32_t owner[columns / unit] = {};       ///< 1 + first column of the allocation that the unit is in, or 0
  uint32_t allocatedAt[columns / unit] = {}; ///< site, by first unit
  bool relinquished = false;
  uint32_t *at(uint32_t lane, uint32_t column) { return &words[size_t(lane) * columns + column]; }
};

class AsyncMatrix {
public:
  void reset(BlockRun &run);
  /// The last thread of its block ends: tensor memory must have been given back (9.7.16.7.1).
  void checkEnd(ThreadContext *thread);

  struct Warp {
    uint32_t committed = 0;
    struct Flight {
      uint32_t group, count;
      const AsyncRegister *lanes[warpSize];
    };
    std::vector<Flight> flights;
  };
  Warp &warp(const ThreadContext *thread) { return warps[thread->runWarp]; }
  struct Warpgroup {
    uint32_t agent = Mbarrier::none;
    std::vector<uint32_t> waiting; ///< threads that wait for other warps of it
  };
  static constexpr uint32_t groupWarps = 4;
  Warpgroup &warpgroup(const ThreadContext *thread) { return groups[firstWarp(thread)]; }
  static uint32_t firstWarp(const ThreadContext *thread) {
    return thread->runWarp - thread->warp % groupWarps;
  }
  /// The groups that every warp of the warpgroup has committed.
  uint32_t committedByAll(const ThreadContext *thread) {
    uint32_t first = firstWarp(thread), least = ~0u;
    for (uint32_t i = 0; i < groupWarps; ++i)
      least = std::min(least, warps[first + i].committed);
    return least;
  }

  /// tcgen05.ld of one thread that have not been waited for.
  struct Load {
    const AsyncRegister *registers;
    uint32_t count;
  };
  std::vector<Load> &loads(const ThreadContext *thread) { return loadsOf[thread->linear]; }
  TensorMemory &memory(const BlockContext &block);

  /// The tcgen05 operations of one thread, which are in order.
  struct Pipeline {
    uint32_t issued = 0, agent = Mbarrier::none;
  };
  Pipeline &pipeline(const ThreadContext *thread) { return pipelines[thread->linear]; }
  std::map<uint32_t, TensorMemory> &memories() { return tensor; }

private:
  std::map<uint32_t, Warp> warps;
  std::map<uint32_t, Warpgroup> groups; ///< by first warp
  std::map<uint32_t, std::vector<Load>> loadsOf;
  std::map<uint32_t, TensorMemory> tensor; ///< by rank
  std::map<uint32_t, Pipeline> pipelines;
  bool poisons = true;
};

/// sum[n] += a[k] * b[k][n] over k, in double: exact but for the last bits of very long sums.
void accumulateRow(const double *a, const double *b, uint32_t n, uint32_t k, double *sum);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_ASYNCMATRIX_H
