//===- ExtractWeights.h - The weights of an artifact as safetensors -------===//
#ifndef QUERN_RUNTIME_ARTIFACT_EXTRACTWEIGHTS_H
#define QUERN_RUNTIME_ARTIFACT_EXTRACTWEIGHTS_H

#include "runtime/artifact/Artifact.h"

namespace quern::runtime {

/// Writes all tensors of |artifact| to one safetensors file at |path|, each after its check; random ones are
/// made, linked ones are read from their directory. |progress| is told the bytes since the last call. Errors
/// of `Artifact::readWeight` and of `AtomicFile`; Exit::Interrupted after Ctrl-C.
Status extractWeights(const Artifact &artifact, const std::string &path,
                      const std::function<void(uint64_t)> &progress = {});

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_EXTRACTWEIGHTS_H
