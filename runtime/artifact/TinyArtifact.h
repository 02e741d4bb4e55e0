//===- TinyArtifact.h - A small artifact for tests ------------------------===//
//
// For tests only: an artifact with two stored tensors of which one ends on no alignment, one random tensor,
// and a few small members.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_TINYARTIFACT_H
#define QUERN_RUNTIME_ARTIFACT_TINYARTIFACT_H

#include "runtime/artifact/ArtifactWriter.h"

namespace quern::runtime {

/// |size| bytes that differ with |seed| and index.
inline std::string patternBytes(size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i != size; ++i)
    bytes[i] = static_cast<char>(i * 37 + (i >> 8) * 11 + seed * 101 + 1);
  return bytes;
}

inline Manifest tinyManifest() {
  Manifest manifest;
  manifest.model = "tiny";
  manifest.modelHash = sha256("tiny model").hex();
  manifest.fingerprint = sha256("compiler").hex();
  manifest.weights = "embed";
  manifest.targets = {{"cpu", "cpu", "bf16"}, {"nvidia:sm_90a", "nvidia-sm_90a", "fp8"}};
  manifest.limits = {{"max_batch", 4}, {"max_context", 128}};
  manifest.numericContract = {{"accumulate", "f32"}};
  return manifest;
}

/// Adds everything but the linked weights and finishes.
inline Status writeTinyArtifact(const std::string &path, ArtifactWriterOptions options = {}) {
  QUERN_ASSIGN_OR_RETURN(ArtifactWriter writer, ArtifactWriter::create(path, options));
  QUERN_RETURN_IF_ERROR(
      writer.addWeight({"norm.weight", ElementType::BF16, {5}}, asBytes(patternBytes(10, 1))));
  QUERN_RETURN_IF_ERROR(
      writer.addWeight({"lm_head.weight", ElementType::F8E4M3, {3, 7, 13}}, asBytes(patternBytes(273, 2))));
  QUERN_RETURN_IF_ERROR(writer.addRandomWeight({"embed.weight", ElementType::BF16, {6, 3}}, 77, -0.5, 0.5));
  QUERN_RETURN_IF_ERROR(writer.addMember("plan/cpu.json", "{}\n"));
  QUERN_RETURN_IF_ERROR(writer.addMember("config.json", "{\"a\":1}"));
  QUERN_RETURN_IF_ERROR(writer.addMember("kernels/nvidia-sm_90a/norm.ptx", patternBytes(300, 3)));
  QUERN_RETURN_IF_ERROR(writer.addMember("tokenizer.json", ""));
  return writer.finish(tinyManifest());
}

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_TINYARTIFACT_H
