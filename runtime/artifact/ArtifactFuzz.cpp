//===- ArtifactFuzz.cpp - Fuzz target of the artifact reader --------------===//
//
// The input is a file. As a fuzzer cannot guess digests, a second run takes the input as the members of an
// artifact whose container and digests are right: the bytes before the first newline become the manifest's
// members that a tool would choose, the rest the index of weights.
//
//===----------------------------------------------------------------------===//
#include "runtime/artifact/Artifact.h"

#include <cstdlib>

using namespace quern;
using namespace quern::runtime;

namespace {

void check(const Status &status) {
  if (!status.ok() && (status.exit() == Exit::Unexpected || status.message().empty()))
    std::abort();
}

void useFile(ByteSpan file) {
  auto artifact = Artifact::fromBytes(file, "fuzz");
  if (!artifact.ok())
    return check(artifact.error());
  for (const ZipMember &member : artifact->members())
    if (auto bytes = artifact->read(member.name); bytes.ok() && bytes->size() != member.size)
      std::abort();
  WeightBytes bytes;
  for (size_t i = 0; i != artifact->weights().size(); ++i) {
    Weight weight = artifact->weights()[i];
    // Random tensors may be as large as they like; a runtime asks for parts of them.
    if (weight.kind != WeightKind::Random || weight.size < (1 << 16))
      check(artifact->readWeight(weight, bytes));
  }
  check(artifact->verify());
}

void useParts(ByteSpan input) {
  std::string text(asText(input));
  std::vector<uint64_t> dataSizes = {1 << 20, 4096};
  size_t cut = text.find('\n');
  if (auto manifest = readManifest(std::string_view(text).substr(0, cut), "fuzz"); manifest.ok()) {
    if (!readManifest(writeManifest(*manifest), "fuzz").ok())
      std::abort();
  }
  auto index = WeightIndex::parse(cut == std::string::npos ? text : text.substr(cut + 1), dataSizes, "fuzz");
  if (!index.ok())
    return check(index.error());
  for (size_t i = 0; i != index->size(); ++i) {
    Weight weight = (*index)[i];
    if (index->find(weight.name) != i)
      std::abort();
    if (weight.kind == WeightKind::Stored && weight.offset + weight.size > dataSizes[weight.container])
      std::abort();
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ByteSpan input(reinterpret_cast<const std::byte *>(data), size);
  useFile(input);
  useParts(input);
  return 0;
}
