//===- TensorDigests.h - SHA-256 of every tensor, computed once -----------===//
//
// An artifact with linked weights names each tensor's digest, so that all weights must be read once. What was
// computed is remembered per shard in a cache folder, under the shard's identity (device, inode, size, time
// of change); a shard that changed since is hashed again, and a damaged cache file is as good as none.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_SAFETENSORS_TENSORDIGESTS_H
#define QUERN_SUPPORT_SAFETENSORS_TENSORDIGESTS_H

#include "support/Hash.h"
#include "support/Progress.h"
#include "support/Threads.h"
#include "support/safetensors/Checkpoint.h"

#include <unordered_map>

namespace quern {

struct TensorDigestOptions {
  std::string cacheFolder;      ///< created when missing; empty: nothing is remembered
  ThreadPool *pool = nullptr;   ///< null: the calling thread does it alone
  Progress *progress = nullptr; ///< is told the bytes as they are done, remembered ones included
};

class TensorDigests {
public:
  /// Exit::Interrupted "E-INTERRUPTED" after Ctrl-C; the shards that were complete are remembered. A cache
  /// that cannot be written is no error.
  static Expected<TensorDigests> compute(const Checkpoint &checkpoint,
                                         const TensorDigestOptions &options = {});

  /// Of a tensor of the checkpoint that was given.
  const Digest &of(const Checkpoint::Tensor &tensor) const { return digests.at(tensor.stored); }
  /// Bytes that had to be read, as opposed to remembered.
  uint64_t hashedBytes() const { return hashed; }

private:
  std::unordered_map<const StoredTensor *, Digest> digests;
  uint64_t hashed = 0;
};

} // namespace quern

#endif // QUERN_SUPPORT_SAFETENSORS_TENSORDIGESTS_H
