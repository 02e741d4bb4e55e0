//===- Prepare.h - Makes the weights that kernels read --------------------===//
//
// Once, when a session opens: every prepared tensor of the plan is made from the artifact's tensors by its
// recipe and put into device memory. The work is cut into pieces (one expert of a stack, one part of a
// concatenation, or a whole tensor) that run on all threads; a piece without a change of representation goes
// straight from the mapped file to the device. On a device whose memory the host reaches pieces are written
// in their place.
//
// Everything a piece reads is checked on the way (SourceTensors.h), so when `prepare` has returned, every
// tensor that the model uses has passed.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PREPARE_PREPARE_H
#define QUERN_RUNTIME_PREPARE_PREPARE_H

#include "runtime/Device.h"
#include "runtime/artifact/Artifact.h"
#include "runtime/plan/Plan.h"
#include "support/Threads.h"

#include <functional>

namespace quern::runtime {

struct PrepareOptions {
  ThreadPool *pool = nullptr;             ///< required
  std::function<void(uint64_t)> progress; ///< told the prepared bytes since the last call; from any thread
};

struct PrepareStatistics {
  uint64_t bytes = 0;         ///< on the device
  uint64_t sourceBytes = 0;   ///< read from the artifact or its sources
  uint64_t peakHostBytes = 0; ///< of memory for what was put together or converted
};

class PreparedWeights {
public:
  /// |plan| was checked. Exit::BadInput "E-PREPARE-RECIPE", "E-PREPARE-SHAPE", "E-TENSOR-NAN",
  /// "E-TENSOR-SCALE-VALUE" and those of the artifact; Exit::Resource "E-DEVICE-OUT-OF-MEMORY",
  /// "E-HOST-OUT-OF-MEMORY"; Exit::Interrupted after Ctrl-C.
  static Expected<PreparedWeights> prepare(const Plan &plan, const Artifact &artifact, Device &device,
                                           const PrepareOptions &options);

  /// Device address of tensor number |tensor|; |layer| is one of its layers, or 0 where it has none.
  uint64_t address(size_t tensor, int64_t layer) const {
    const Arena &arena = arenas[tensor];
    return arena.buffer->address() + uint64_t(layer - arena.first) * arena.stride;
  }
  /// The memory behind the addresses.
  std::vector<Buffer *> buffers() const;
  const PrepareStatistics &statistics() const { return counts; }

  /// Device bytes that the tensors of |plan| take.
  static uint64_t bytesNeeded(const Plan &plan);

private:
  struct Arena {
    std::unique_ptr<Buffer> buffer;
    int64_t first = 0;
    uint64_t stride = 0; ///< bytes from one layer to the next
  };
  std::vector<Arena> arenas;
  PrepareStatistics counts;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PREPARE_PREPARE_H
