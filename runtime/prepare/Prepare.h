//===- Prepare.h - Makes the weights that kernels read --------------------===//
//
// Once, when a session opens: every prepared tensor of the plan is made from the artifact's tensors by its
// recipe and put into device memory. The work is cut into pieces (one expert of a stack, one part of a
// concatenation, or a whole tensor) that run on all threads; a piece without a change of representation goes
// straight from the mapped file to the device. On a device whose memory the host reaches pieces are written
// in their place.
//
// Where kernels read host memory (the CPU) a tensor whose pieces already stand one behind the other in the
// mapped file is not copied at all: the kernels read the file. The compiler writes the parts of a stack in
// the order in which they are read, so that this holds for experts too.
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
  ThreadPool *pool = nullptr; ///< required
  /// Use the artifact's own bytes where they are what the kernels read. The artifact must then outlive the
  /// weights.
  bool inPlace = false;
  std::function<void(uint64_t)> progress; ///< told the prepared bytes since the last call; from any thread
};

struct PrepareStatistics {
  uint64_t bytes = 0;         ///< that kernels read
  uint64_t inPlaceBytes = 0;  ///< of those: read where they are in the file, not copied
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
    return arena.addresses[size_t(layer - arena.first)];
  }
  /// The memory behind the addresses.
  std::vector<Buffer *> buffers() const;
  const PrepareStatistics &statistics() const { return counts; }

  /// Device bytes that the tensors of |plan| take.
  static uint64_t bytesNeeded(const Plan &plan);

private:
  struct Arena {
    std::vector<std::unique_ptr<Buffer>> buffers;
    int64_t first = 0;
    std::vector<uint64_t> addresses; ///< of the layers from |first| on
  };
  std::vector<Arena> arenas;
  PrepareStatistics counts;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PREPARE_PREPARE_H
