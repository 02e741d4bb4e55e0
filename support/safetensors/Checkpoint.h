//===- Checkpoint.h - The weights of a Hugging Face directory -------------===//
//
// Either one `model.safetensors`, or shards with `model.safetensors.index.json`. All headers are read and
// checked against the index when the directory is opened; data is mapped and touched when it is used.
//
// Beside the errors of Safetensors.h (all Exit::BadInput): E-SAFETENSORS-NO-WEIGHTS, -INDEX (its JSON or
// form), -SHARD-NAME (not a plain file name), -SHARD-MISSING, -KEY-MISSING (a shard lacks what the index says
// it has), -KEY-TWICE (in two shards).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_SUPPORT_SAFETENSORS_CHECKPOINT_H
#define QUERN_SUPPORT_SAFETENSORS_CHECKPOINT_H

#include "support/safetensors/Safetensors.h"

namespace quern {

class Checkpoint {
public:
  struct Shard {
    std::string name; ///< file name inside the directory
    SafetensorsFile file;
  };
  /// A tensor and the shard that holds it. Alive as long as the checkpoint, wherever that is moved to.
  struct Tensor {
    const StoredTensor *stored = nullptr;
    const Shard *shard = nullptr;
    const std::string &name() const { return stored->name; }
    ElementType type() const { return stored->type; }
    const std::vector<uint64_t> &shape() const { return stored->shape; }
    ByteSpan bytes() const { return shard->file.bytes(*stored); }
  };

  static Expected<Checkpoint> open(const std::string &directory);
  /// True if |directory| holds weights or an index of weights, readable or not.
  static bool hasWeights(const std::string &directory);

  const std::string &directory() const { return path; }
  const std::vector<Shard> &shards() const { return files; }
  /// Every tensor, sorted by name.
  const std::vector<Tensor> &tensors() const { return all; }
  const Tensor *find(std::string_view name) const;
  /// As `find`, for a caller that will use the data: Exit::BadInput "E-TENSOR-MISSING", Exit::Unsupported
  /// "E-TENSOR-TYPE" for an element type that no model may use.
  Expected<const Tensor *> get(std::string_view name) const;
  /// What is odd but harmless: shards that nothing refers to, tensors that the index does not list.
  const std::vector<std::string> &warnings() const { return notes; }
  /// Bytes of all tensors.
  uint64_t dataBytes() const;

private:
  Status openShards(const std::vector<std::string> &names);
  Status openIndexed();
  void noteUnreferenced();
  std::string path;
  std::vector<Shard> files; ///< not resized once `all` points into it
  std::vector<Tensor> all;
  std::vector<std::string> notes;
};

} // namespace quern

#endif // QUERN_SUPPORT_SAFETENSORS_CHECKPOINT_H
