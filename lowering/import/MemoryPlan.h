//===- MemoryPlan.h - What a model needs on a target -------------------------===//
//
// An estimate from the configuration alone, before anything is compiled: weights in the form that the
// target's rung keeps them in, the cache by token, and the values of one step. The runtime plans again at
// load, with the real buffers.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_LOWERING_IMPORT_MEMORYPLAN_H
#define QUERN_LOWERING_IMPORT_MEMORYPLAN_H

#include "lowering/import/ImportedModel.h"
#include "support/target/TargetSpec.h"

namespace quern::import {

struct MemoryLimits {
  int64_t context = 0;   ///< tokens of one sequence; 0: 4096 or the model's context, whichever is less
  int64_t sequences = 1; ///< at a time
};

struct MemoryPlan {
  std::string target;
  Rung rung = Rung::Bf16;
  uint64_t weightBytes = 0;        ///< resident
  uint64_t cacheBytesPerToken = 0; ///< all layers, bf16
  uint64_t stepTokens = 0;      ///< tokens of one prefill chunk: 512 on a CPU, 2048 on a GPU, or the context
  uint64_t activationBytes = 0; ///< values of one step that live together, at most
  int64_t context = 0, sequences = 1;
  uint64_t capacity = 0; ///< bytes of the device; 0: not known

  uint64_t cacheBytes() const { return cacheBytesPerToken * static_cast<uint64_t>(context * sequences); }
  uint64_t totalBytes() const { return weightBytes + cacheBytes() + activationBytes; }
  /// Tokens of cache that fit beside weights and activations; nullopt where the capacity is not known.
  std::optional<uint64_t> tokensThatFit() const;
};

/// The stored kind of |model|'s weights, which decides a target's rung.
CheckpointKind checkpointKind(const ImportedModel &model);

MemoryPlan planMemory(const ImportedModel &model, const TargetSpec &target, const MemoryLimits &limits = {});

} // namespace quern::import

#endif // QUERN_LOWERING_IMPORT_MEMORYPLAN_H
