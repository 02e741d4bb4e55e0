//===- SourceTensors.h - The artifact's tensors, checked on first use -----===//
//
// Recipes read tensors through here. The first read of a tensor checks its digest (runtime/artifact), its fp8
// codes for NaN, or its scales for values that are no positive numbers. When the last use that was announced
// is over the system is told that its bytes are no longer needed.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_PREPARE_SOURCETENSORS_H
#define QUERN_RUNTIME_PREPARE_SOURCETENSORS_H

#include "runtime/artifact/Artifact.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace quern::runtime {

/// What a recipe reads a tensor as.
enum class SourceRole : uint8_t { Values, Scales };

/// Safe to use from several threads once all uses are announced.
class SourceTensors {
public:
  explicit SourceTensors(const Artifact &artifact);

  /// The tensor |name| as the index describes it. Exit::BadInput "E-ARTIFACT-WEIGHT-MISSING".
  Expected<Weight> describe(const std::string &name) const { return artifact.weight(name); }
  /// Says that |name|, which exists, will be read once more.
  void announce(const std::string &name);

  /// Bytes that stay until |hold| goes away.
  struct Bytes {
    ByteSpan span;
    std::shared_ptr<const void> hold;
  };
  /// Exit::BadInput, beside the errors of `Artifact::readWeight`: "E-TENSOR-NAN", "E-TENSOR-SCALE-VALUE".
  Expected<Bytes> read(const Weight &weight, SourceRole role);

  /// Bytes of all tensors that were read, each counted once.
  uint64_t bytesRead() const { return total.load(); }

private:
  struct State {
    std::atomic<uint32_t> uses{0};
    std::atomic<uint8_t> checked{0}; ///< bit of a role: its values were looked at
    std::atomic<bool> counted{false};
  };
  const Artifact &artifact;
  std::unique_ptr<State[]> states; ///< by number of the tensor
  std::atomic<uint64_t> total{0};
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_PREPARE_SOURCETENSORS_H
