//===- WeightIndex.h - Where each tensor of an artifact is ----------------===//
//
// weights/index.bin: for each tensor its name, type, shape and where its bytes come from. A tensor is
// *stored* in a data member of the artifact, *linked* (in a safetensors file outside, named by file name and
// digest) or *random* (made from a seed when it is loaded). The records have one size and are sorted by name,
// so that opening costs one check and no parsing. docs/Artifact.md has the bytes.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_WEIGHTINDEX_H
#define QUERN_RUNTIME_ARTIFACT_WEIGHTINDEX_H

#include "support/ElementType.h"
#include "support/Hash.h"
#include "support/Status.h"

#include <vector>

namespace quern::runtime {

inline constexpr uint64_t tensorAlignment = 256; ///< of stored tensors, in the file
inline constexpr size_t maxRank = 8;

enum class WeightKind : uint8_t { Stored = 0, Linked = 1, Random = 2 };

/// One tensor. The name and the shape point into the index.
struct Weight {
  std::string_view name;
  ElementType type{};
  WeightKind kind{};
  uint8_t rank = 0;
  std::array<uint64_t, maxRank> extents{};
  uint64_t size = 0;            ///< bytes
  uint32_t container = 0;       ///< stored: number of the data member; linked: number of the source file
  uint64_t offset = 0;          ///< stored: in the data member; linked: in the source file
  std::optional<Digest> digest; ///< of the bytes; absent for random, and for linked where it was not computed
  uint64_t seed = 0;            ///< random
  double low = 0, high = 0;     ///< random: uniform in [low, high), rounded to the type

  std::span<const uint64_t> shape() const { return {extents.data(), rank}; }
};

/// A file outside of the artifact that holds linked tensors.
struct WeightSource {
  std::string name; ///< plain file name, resolved in the directory given at load
  uint64_t size;    ///< bytes of the file
  bool operator==(const WeightSource &) const = default;
};

class WeightIndex {
public:
  /// An index of no tensors.
  WeightIndex() = default;

  /// Takes over the bytes of an index and checks them; |dataSizes| are the sizes of the data members. |name|
  /// stands in messages. Exit::BadInput "E-ARTIFACT-INDEX", "E-ARTIFACT-VERSION".
  static Expected<WeightIndex> parse(std::string bytes, std::span<const uint64_t> dataSizes,
                                     const std::string &name);

  size_t size() const { return count; }
  /// The |i|-th tensor in the order of names.
  Weight operator[](size_t i) const;
  /// Its number; nullopt where there is none of that name.
  std::optional<size_t> find(std::string_view name) const;
  const std::vector<WeightSource> &sources() const { return files; }
  /// Bytes of all tensors.
  uint64_t totalBytes() const { return total; }

private:
  std::string bytes;
  std::vector<WeightSource> files;
  size_t count = 0;
  uint64_t pool = 0; ///< offset of the names
  uint64_t total = 0;
};

/// The bytes of an index: |weights| in any order, their names all different. The shape must have at most
/// `maxRank` extents; sizes are computed.
std::string encodeWeightIndex(std::vector<Weight> weights, const std::vector<WeightSource> &sources);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_WEIGHTINDEX_H
