//===- Artifact.h - Reading an artifact -----------------------------------===//
//
// Opening checks the container, the manifest and the index of weights: no byte outside of the members can
// have changed, and nothing points outside of the file. A small member is checked against its digest before
// its bytes are handed out, a tensor before its own are. Nothing that failed a check is ever returned.
//
//   QUERN_ASSIGN_OR_RETURN(Artifact artifact, Artifact::open("m.quern"));
//   QUERN_ASSIGN_OR_RETURN(std::string_view plan, artifact.readText("plan/cpu.json"));
//   Weight weight = artifact.weights()[*artifact.weights().find("lm_head.weight")];
//   WeightBytes bytes;
//   QUERN_RETURN_IF_ERROR(artifact.readWeight(weight, bytes));   // bytes.span()
//
// All methods that read may be called from several threads.
//
// Errors, Exit::BadInput unless said otherwise: those of Zip.h, Manifest.h and WeightIndex.h;
// "E-ARTIFACT-DIGEST" (a small member changed), "E-ARTIFACT-MEMBER-MISSING", "E-ARTIFACT-MEMBER-UNLISTED"
// (one that the manifest does not know), "E-ARTIFACT-WEIGHT-DIGEST" (a tensor changed),
// "E-ARTIFACT-WEIGHT-MISSING"; for linked weights "E-WEIGHTS-DIRECTORY" (Exit::Usage: none was given) and
// "E-WEIGHTS-SOURCE" (a file is missing or another one).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_ARTIFACT_H
#define QUERN_RUNTIME_ARTIFACT_ARTIFACT_H

#include "runtime/artifact/Manifest.h"
#include "runtime/artifact/WeightIndex.h"
#include "runtime/artifact/Zip.h"

#include <functional>

namespace quern::runtime {

/// The bytes of one tensor: a view of the artifact or of a source, or memory of its own for random weights.
/// The view lives as long as the artifact.
class WeightBytes {
public:
  ByteSpan span() const { return view; }

private:
  friend class Artifact;
  ByteSpan view;
  std::vector<std::byte> own;
};

class Artifact {
public:
  static Expected<Artifact> open(const std::string &path);
  /// Of bytes in memory that outlive the object; |name| stands in messages.
  static Expected<Artifact> fromBytes(ByteSpan file, const std::string &name);
  Artifact(Artifact &&) noexcept;
  Artifact &operator=(Artifact &&) noexcept;
  ~Artifact();

  const std::string &name() const;
  const Manifest &manifest() const;
  /// Every member, sorted by name.
  const std::vector<ZipMember> &members() const;
  bool has(std::string_view member) const;

  /// A small member after its check.
  Expected<ByteSpan> read(std::string_view member) const;
  Expected<std::string_view> readText(std::string_view member) const;

  const WeightIndex &weights() const;
  /// "E-ARTIFACT-WEIGHT-MISSING" where there is none of that name.
  Expected<Weight> weight(std::string_view name) const;
  /// Where linked weights are looked for. Files are opened when they are first needed.
  void setWeightsDirectory(std::string directory);
  /// The bytes of |weight|, one of `weights()`, after their check; random ones are made. A tensor is hashed
  /// on its first use only.
  Status readWeight(const Weight &weight, WeightBytes &bytes) const;
  /// Tells the system that the bytes of |weight| are not needed again soon.
  void releaseWeight(const Weight &weight) const;

  /// Reads and checks everything: all members, all tensors that are stored or linked with a digest, and what
  /// is between them. |progress| is told the number of bytes done since the last call.
  Status verify(const std::function<void(uint64_t)> &progress = {}) const;
  /// Bytes that `verify` reads.
  uint64_t verifyBytes() const;

private:
  struct State;
  explicit Artifact(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_ARTIFACT_H
