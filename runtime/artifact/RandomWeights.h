//===- RandomWeights.h - Weights that are made from a seed ----------------===//
//
// Element i of a tensor is a function of its seed and i alone: any part can be made by any thread on any
// machine and the bits are the same. Values are uniform in [low, high), on a grid of 256 values for one-byte
// types, 65536 for two-byte types and 2^24 for wider ones, each rounded to the type (integers: downward).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_ARTIFACT_RANDOMWEIGHTS_H
#define QUERN_RUNTIME_ARTIFACT_RANDOMWEIGHTS_H

#include "runtime/artifact/WeightIndex.h"

namespace quern::runtime {

/// Fills |out| with the elements of |weight| from |first| on. |out| must be a whole number of elements,
/// |weight| of kind random.
void fillRandom(const Weight &weight, uint64_t first, std::span<std::byte> out);

/// A seed for the tensor |name| of a model: different for every tensor, the same on every machine.
uint64_t weightSeed(uint64_t modelSeed, std::string_view name);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_ARTIFACT_RANDOMWEIGHTS_H
