//===- ArtifactWriter.cpp -------------------------------------------------===//
#include "runtime/artifact/ArtifactWriter.h"

#include <algorithm>

namespace quern::runtime {

namespace {

constexpr uint32_t maxDataMembers = 100000;

Status misuse(const std::string &sentence) {
  return Status::error(Exit::Unexpected, "E-ARTIFACT-WRITE", sentence);
}

} // namespace

std::string dataMemberName(uint32_t number) {
  std::string digits = std::to_string(number);
  return "weights/data-" + std::string(5 - std::min<size_t>(5, digits.size()), '0') + digits;
}

std::string artifactComment(const Digest &manifest) { return "quern-artifact " + manifest.hex(); }

Expected<ArtifactWriter> ArtifactWriter::create(const std::string &path, ArtifactWriterOptions options) {
  QUERN_ASSIGN_OR_RETURN(ZipWriter zip, ZipWriter::create(path));
  return ArtifactWriter(std::move(zip), options);
}

Status ArtifactWriter::addEntry(const WeightSpec &spec, Weight weight) {
  if (current)
    return misuse("tensor `" + spec.name + "` is added while `" + std::string(current->name) + "` is open");
  std::optional<uint64_t> size = tensorBytes(spec.type, spec.shape);
  if (!size || spec.shape.size() > maxRank)
    return misuse("tensor `" + spec.name + "` has a shape that cannot be stored");
  auto [at, fresh] = weights.try_emplace(spec.name, weight);
  if (!fresh)
    return misuse("tensor `" + spec.name + "` is added twice");
  at->second.name = at->first; // nodes of a map stay where they are
  at->second.type = spec.type;
  at->second.rank = static_cast<uint8_t>(spec.shape.size());
  std::copy(spec.shape.begin(), spec.shape.end(), at->second.extents.begin());
  at->second.size = *size;
  return Status::success();
}

Status ArtifactWriter::beginWeight(const WeightSpec &spec) {
  Weight weight;
  weight.kind = WeightKind::Stored;
  QUERN_RETURN_IF_ERROR(addEntry(spec, weight));
  Weight &added = weights.find(spec.name)->second;
  uint64_t offset = dataMembers ? alignUp(zip.memberSize(), tensorAlignment) : 0;
  if (dataMembers == 0 || (offset != 0 && offset + added.size > options.dataMemberBytes)) {
    if (dataMembers == maxDataMembers)
      return misuse("the weights need too many data members");
    if (dataMembers)
      QUERN_RETURN_IF_ERROR(zip.end());
    QUERN_RETURN_IF_ERROR(zip.begin(dataMemberName(dataMembers++)));
    offset = 0;
  } else {
    QUERN_RETURN_IF_ERROR(zip.appendZeros(offset - zip.memberSize()));
  }
  current = &added;
  current->container = dataMembers - 1;
  current->offset = begun = offset;
  return Status::success();
}

Status ArtifactWriter::appendWeight(ByteSpan bytes) {
  if (!current || bytes.size() > begun + current->size - zip.memberSize())
    return misuse("more bytes than the open tensor has");
  hash.update(bytes);
  return zip.append(bytes);
}

Status ArtifactWriter::endWeight() {
  if (!current || zip.memberSize() - begun != current->size)
    return misuse("a tensor ends before all of its bytes came");
  current->digest = hash.finish();
  current = nullptr;
  return Status::success();
}

Status ArtifactWriter::addWeight(const WeightSpec &spec, ByteSpan bytes) {
  QUERN_RETURN_IF_ERROR(beginWeight(spec));
  QUERN_RETURN_IF_ERROR(appendWeight(bytes));
  return endWeight();
}

Status ArtifactWriter::addLinkedWeight(const WeightSpec &spec, const WeightSource &source, uint64_t offset,
                                       std::optional<Digest> digest) {
  auto known = std::find_if(sources.begin(), sources.end(),
                            [&](const WeightSource &other) { return other.name == source.name; });
  if (!isPlainFileName(source.name) || (known != sources.end() && known->size != source.size))
    return misuse("`" + source.name + "` cannot be a source of weights");
  Weight weight;
  weight.kind = WeightKind::Linked;
  weight.container = static_cast<uint32_t>(known - sources.begin());
  weight.offset = offset;
  weight.digest = digest;
  QUERN_RETURN_IF_ERROR(addEntry(spec, weight));
  if (known == sources.end())
    sources.push_back(source);
  return Status::success();
}

Status ArtifactWriter::addRandomWeight(const WeightSpec &spec, uint64_t seed, double low, double high) {
  Weight weight;
  weight.kind = WeightKind::Random;
  weight.seed = seed;
  weight.low = low;
  weight.high = high;
  if (!isLoadable(spec.type) || !(low <= high))
    return misuse("tensor `" + spec.name + "` cannot be random");
  return addEntry(spec, weight);
}

Status ArtifactWriter::addMember(const std::string &name, std::string contents) {
  if (!isMemberName(name) || name == manifestMemberName || name.starts_with("weights/"))
    return misuse("`" + name + "` cannot be the name of a small member");
  if (!members.emplace(name, std::move(contents)).second)
    return misuse("the member `" + name + "` is added twice");
  return Status::success();
}

Status ArtifactWriter::finish(Manifest manifest) {
  if (current)
    return misuse("the tensor `" + std::string(current->name) + "` is still open");
  if (dataMembers)
    QUERN_RETURN_IF_ERROR(zip.end());
  std::vector<Weight> entries;
  entries.reserve(weights.size());
  for (const auto &[name, weight] : weights)
    entries.push_back(weight);
  members[indexMemberName] = encodeWeightIndex(std::move(entries), sources);
  manifest.members.clear();
  for (const auto &[name, contents] : members)
    manifest.members[name] = sha256(contents);
  std::string text = writeManifest(manifest);
  Digest digest = sha256(text);
  members[manifestMemberName] = std::move(text);
  for (const auto &[name, contents] : members)
    QUERN_RETURN_IF_ERROR(zip.add(name, asBytes(contents)));
  return zip.finish(artifactComment(digest));
}

} // namespace quern::runtime
