//===- ArtifactWriter.h - Making an artifact ------------------------------===//
//
// Weights first, streamed; then the small members in any order; then `finish`. The file appears under its
// name only when it is complete. Equal calls give equal bytes; small members may come in any order.
//
//   QUERN_ASSIGN_OR_RETURN(ArtifactWriter writer, ArtifactWriter::create("m.quern"));
//   QUERN_RETURN_IF_ERROR(writer.beginWeight({"lm_head.weight", ElementType::BF16, {129280, 7168}}));
//   QUERN_RETURN_IF_ERROR(writer.appendWeight(bytes)); ...
//   QUERN_RETURN_IF_ERROR(writer.endWeight());
//   QUERN_RETURN_IF_ERROR(writer.addMember("config.json", text));
//   return writer.finish(std::move(manifest));
//
// Errors: those of `AtomicFile` (Exit::Resource), and Exit::Unexpected "E-ARTIFACT-WRITE" for a misuse.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_ARTIFACTWRITER_H
#define QUERN_RUNTIME_ARTIFACT_ARTIFACTWRITER_H

#include "runtime/artifact/Manifest.h"
#include "runtime/artifact/WeightIndex.h"
#include "runtime/artifact/Zip.h"

namespace quern::runtime {

/// Name, type and shape of a tensor that is added.
struct WeightSpec {
  std::string name;
  ElementType type{};
  std::vector<uint64_t> shape;
};

struct ArtifactWriterOptions {
  /// A data member is closed when the next tensor would make it larger than this.
  uint64_t dataMemberBytes = uint64_t(16) << 30;
};

class ArtifactWriter {
public:
  static Expected<ArtifactWriter> create(const std::string &path, ArtifactWriterOptions options = {});

  /// A stored tensor: its bytes come through `appendWeight`, cut anywhere, and are complete at `endWeight`.
  Status beginWeight(const WeightSpec &spec);
  Status appendWeight(ByteSpan bytes);
  Status endWeight();
  /// The three at once.
  Status addWeight(const WeightSpec &spec, ByteSpan bytes);

  /// A tensor that stays in the file |source| at |offset|. |digest| is absent where it is trusted unseen.
  Status addLinkedWeight(const WeightSpec &spec, const WeightSource &source, uint64_t offset,
                         std::optional<Digest> digest);
  /// A tensor that is made from |seed| when it is loaded; see RandomWeights.h.
  Status addRandomWeight(const WeightSpec &spec, uint64_t seed, double low, double high);

  /// A small member; held in memory until the end. Names as in docs/Artifact.md.
  Status addMember(const std::string &name, std::string contents);

  /// Writes the rest and puts the file in its place. |manifest.members| is filled in here.
  Status finish(Manifest manifest);

private:
  ArtifactWriter(ZipWriter zip, ArtifactWriterOptions options) : zip(std::move(zip)), options(options) {}
  Status addEntry(const WeightSpec &spec, Weight weight);

  ZipWriter zip;
  ArtifactWriterOptions options;
  /// Names live in `names`, which never moves them.
  std::map<std::string, Weight, std::less<>> weights;
  std::vector<WeightSource> sources;
  std::map<std::string, std::string> members;
  uint32_t dataMembers = 0;
  Weight *current = nullptr; ///< the stored tensor that is open
  uint64_t begun = 0;        ///< its offset in the data member
  Sha256 hash;
};

/// Name of the |number|-th data member: "weights/data-00000".
std::string dataMemberName(uint32_t number);
inline constexpr const char *indexMemberName = "weights/index.bin";
inline constexpr const char *manifestMemberName = "manifest.json";
/// The comment at the end of the zip: it carries the digest of the manifest, which carries all others.
std::string artifactComment(const Digest &manifest);
inline constexpr uint64_t artifactCommentBytes = 15 + 64;

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_ARTIFACTWRITER_H
