//===- Manifest.h - What an artifact says of itself -----------------------===//
//
// manifest.json. Its `schema` and `version` stay where they are in every version to come; a reader ignores
// members that it does not know, so that a newer minor version can be read.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_MANIFEST_H
#define QUERN_RUNTIME_ARTIFACT_MANIFEST_H

#include "support/Hash.h"
#include "support/Json.h"

#include <map>

namespace quern::runtime {

/// The version that is written. A file with another major number, or of a later major, is refused.
inline constexpr uint32_t artifactMajor = 0, artifactMinor = 1;

struct ManifestTarget {
  std::string target; ///< canonical text, see support/target/TargetSpec.h
  std::string folder; ///< the plan is plan/FOLDER.json, the code is in kernels/FOLDER/
  std::string rung;   ///< "fp8", "fp8-weights", "bf16"
};

struct Manifest {
  uint32_t major = artifactMajor, minor = artifactMinor;
  std::string model;           ///< a name for people: the directory or the family
  std::string modelHash;       ///< digest of config, tensor names, types, shapes and their digests
  std::string fingerprint;     ///< of the compiler (contract 13)
  std::string weights;         ///< "embed", "link" or "random"
  bool trustedDigests = false; ///< linked weights whose digests were not computed
  std::vector<ManifestTarget> targets;
  std::map<std::string, uint64_t> limits;             ///< "max_batch", "max_context", ...
  std::map<std::string, std::string> numericContract; ///< "accumulate": "f32", ...
  Json provenance = Json::object();                   ///< options and versions, for people
  /// Digest of every member but the manifest and the data members.
  std::map<std::string, Digest> members;
};

std::string writeManifest(const Manifest &manifest);

/// Exit::BadInput "E-ARTIFACT-MANIFEST"; "E-ARTIFACT-VERSION" for a newer major version, naming both. |name|
/// stands in messages.
Expected<Manifest> readManifest(std::string_view text, const std::string &name);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_MANIFEST_H
