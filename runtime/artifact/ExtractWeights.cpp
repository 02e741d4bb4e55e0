//===- ExtractWeights.cpp -------------------------------------------------===//
#include "runtime/artifact/ExtractWeights.h"

#include "runtime/artifact/RandomWeights.h"
#include "support/Interrupt.h"
#include "support/safetensors/Safetensors.h"

#include <algorithm>

namespace quern::runtime {

namespace {

constexpr uint64_t pieceBytes = 4 << 20; // a multiple of every element's size

Status writeTensor(const Artifact &artifact, const Weight &weight, SafetensorsWriter &writer) {
  if (weight.kind != WeightKind::Random) {
    WeightBytes bytes;
    QUERN_RETURN_IF_ERROR(artifact.readWeight(weight, bytes));
    QUERN_RETURN_IF_ERROR(writer.write(bytes.span()));
    artifact.releaseWeight(weight);
    return Status::success();
  }
  uint64_t elementBytes = elementBits(weight.type) / 8;
  std::vector<std::byte> piece;
  for (uint64_t done = 0; done != weight.size; done += piece.size()) {
    QUERN_RETURN_IF_ERROR(checkInterrupt());
    piece.resize(std::min(weight.size - done, pieceBytes));
    fillRandom(weight, done / elementBytes, piece);
    QUERN_RETURN_IF_ERROR(writer.write(piece));
  }
  return Status::success();
}

} // namespace

Status extractWeights(const Artifact &artifact, const std::string &path,
                      const std::function<void(uint64_t)> &progress) {
  const WeightIndex &index = artifact.weights();
  std::vector<TensorSpec> specs;
  for (size_t i = 0; i != index.size(); ++i) {
    Weight weight = index[i];
    specs.push_back({std::string(weight.name), weight.type, {weight.shape().begin(), weight.shape().end()}});
  }
  QUERN_ASSIGN_OR_RETURN(SafetensorsWriter writer,
                         SafetensorsWriter::create(path, specs, {{"format", "pt"}}));
  for (const TensorSpec &spec : writer.tensors()) {
    QUERN_RETURN_IF_ERROR(checkInterrupt());
    QUERN_ASSIGN_OR_RETURN(Weight weight, artifact.weight(spec.name));
    QUERN_RETURN_IF_ERROR(writeTensor(artifact, weight, writer));
    if (progress)
      progress(weight.size);
  }
  return writer.finish();
}

} // namespace quern::runtime
