//===- Artifact.cpp -------------------------------------------------------===//
#include "runtime/artifact/Artifact.h"

#include "runtime/artifact/ArtifactWriter.h"
#include "runtime/artifact/Crc32.h"
#include "runtime/artifact/RandomWeights.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

namespace quern::runtime {

namespace {

constexpr uint64_t chunkBytes = 4 << 20; // between two reports of progress

bool allZero(ByteSpan bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

} // namespace

struct Artifact::State {
  std::string name;
  MappedFile map;
  ByteSpan file;
  std::vector<ZipMember> members;
  std::vector<const ZipMember *> dataMembers; ///< by number
  Manifest manifest;
  WeightIndex index;
  std::string weightsDirectory;

  // What has passed its check; set once and never taken back.
  std::unique_ptr<std::atomic<bool>[]> memberChecked, weightChecked;

  std::mutex sourceMutex;
  std::vector<std::unique_ptr<MappedFile>> sources; ///< opened when first needed

  Status bad(const char *id, const std::string &sentence) const {
    return Status::error(Exit::BadInput, id, "`" + name + "`: " + sentence);
  }
  const ZipMember *find(std::string_view wanted) const {
    auto at = std::lower_bound(members.begin(), members.end(), wanted,
                               [](const ZipMember &member, std::string_view n) { return member.name < n; });
    return at != members.end() && at->name == wanted ? &*at : nullptr;
  }
  ByteSpan bytesOf(const ZipMember &member) const { return file.subspan(member.data, member.size); }

  Status load();
  Status checkMember(const ZipMember &member) const;
  Expected<ByteSpan> sourceBytes(const Weight &weight);
  Expected<ByteSpan> placeOf(const Weight &weight);
  Status checkWeight(const Weight &weight, ByteSpan bytes) const;
};

Status Artifact::State::load() {
  QUERN_ASSIGN_OR_RETURN(ZipContents contents, readZip(file, artifactCommentBytes, name));
  members = std::move(contents.members);
  memberChecked = std::make_unique<std::atomic<bool>[]>(members.size());

  const ZipMember *member = find(manifestMemberName);
  if (!member)
    return bad("E-ARTIFACT-MEMBER-MISSING",
               std::string("the member `") + manifestMemberName + "` is missing");
  // The copy is what is checked and read.
  std::string text(asText(bytesOf(*member)));
  if (contents.comment != artifactComment(sha256(text)) || crc32(asBytes(text)) != member->crc)
    return bad("E-ARTIFACT-DIGEST", std::string("the member `") + manifestMemberName + "` is damaged")
        .remedy("copy or compile the artifact again");
  QUERN_ASSIGN_OR_RETURN(manifest, readManifest(text, name));

  std::vector<uint64_t> dataSizes;
  for (const ZipMember &each : members) {
    if (isAlignedMember(each.name)) {
      if (each.name != dataMemberName(static_cast<uint32_t>(dataMembers.size())))
        return bad("E-ARTIFACT-MEMBER-MISSING",
                   "the member `" + dataMemberName(static_cast<uint32_t>(dataMembers.size())) +
                       "` is missing");
      dataMembers.push_back(&each);
      dataSizes.push_back(each.size);
    } else if (each.name != manifestMemberName && !manifest.members.count(each.name)) {
      return bad("E-ARTIFACT-MEMBER-UNLISTED", "the manifest does not know the member `" + each.name + "`");
    }
  }
  for (const auto &[listed, digest] : manifest.members)
    if (!find(listed))
      return bad("E-ARTIFACT-MEMBER-MISSING", "the member `" + listed + "` is missing");
  const ZipMember *indexMember = find(indexMemberName);
  if (!indexMember)
    return bad("E-ARTIFACT-MEMBER-MISSING", std::string("the member `") + indexMemberName + "` is missing");
  std::string indexBytes(asText(bytesOf(*indexMember)));
  if (sha256(indexBytes) != manifest.members.at(indexMemberName))
    return bad("E-ARTIFACT-DIGEST", std::string("the member `") + indexMemberName + "` is damaged")
        .remedy("copy or compile the artifact again");
  QUERN_ASSIGN_OR_RETURN(index, WeightIndex::parse(std::move(indexBytes), dataSizes, name));
  weightChecked = std::make_unique<std::atomic<bool>[]>(index.size());
  sources.resize(index.sources().size());
  return Status::success();
}

Status Artifact::State::checkMember(const ZipMember &member) const {
  std::atomic<bool> &checked = memberChecked[static_cast<size_t>(&member - members.data())];
  if (checked.load(std::memory_order_acquire))
    return Status::success();
  const Digest *expected = nullptr;
  if (auto at = manifest.members.find(member.name); at != manifest.members.end())
    expected = &at->second;
  // The manifest was checked when it was read; its view is compared once more, as the file may have changed
  // since.
  bool good = expected ? sha256(bytesOf(member)) == *expected : crc32(bytesOf(member)) == member.crc;
  if (!good)
    return bad("E-ARTIFACT-DIGEST", "the member `" + member.name + "` is damaged")
        .cause("its bytes do not have the digest that the manifest gives")
        .remedy("copy or compile the artifact again");
  checked.store(true, std::memory_order_release);
  return Status::success();
}

Expected<ByteSpan> Artifact::State::sourceBytes(const Weight &weight) {
  const WeightSource &source = index.sources()[weight.container];
  std::lock_guard lock(sourceMutex);
  std::unique_ptr<MappedFile> &opened = sources[weight.container];
  if (!opened) {
    if (weightsDirectory.empty())
      return Status::error(Exit::Usage, "E-WEIGHTS-DIRECTORY",
                           "the weights of `" + name + "` are linked and their directory is not given")
          .remedy("pass the model's directory with --weights-dir");
    std::string path = weightsDirectory + "/" + source.name;
    Expected<MappedFile> mapped = MappedFile::open(path);
    if (!mapped.ok())
      return Status::error(Exit::BadInput, "E-WEIGHTS-SOURCE", "cannot read the weights in `" + path + "`")
          .cause(mapped.error().causeText())
          .remedy("pass the directory of the model that was compiled with --weights-dir");
    if (mapped->bytes().size() != source.size)
      return Status::error(Exit::BadInput, "E-WEIGHTS-SOURCE",
                           "`" + path + "` is not the file that was compiled")
          .cause("it has " + std::to_string(mapped->bytes().size()) + " bytes in place of " +
                 std::to_string(source.size))
          .remedy("pass the directory of the model that was compiled with --weights-dir");
    opened = std::make_unique<MappedFile>(*std::move(mapped));
  }
  return opened->bytes().subspan(weight.offset, weight.size);
}

Expected<ByteSpan> Artifact::State::placeOf(const Weight &weight) {
  if (weight.kind == WeightKind::Linked)
    return sourceBytes(weight);
  return bytesOf(*dataMembers[weight.container]).subspan(weight.offset, weight.size);
}

Status Artifact::State::checkWeight(const Weight &weight, ByteSpan bytes) const {
  bool good = !weight.digest || sha256(bytes) == *weight.digest;
  if (good && weight.kind == WeightKind::Stored) {
    // What follows up to the next tensor is zero, as it was written.
    ByteSpan data = bytesOf(*dataMembers[weight.container]);
    uint64_t end = weight.offset + weight.size;
    good = allZero(data.subspan(end, std::min<uint64_t>(alignUp(end, tensorAlignment), data.size()) - end));
  }
  if (good)
    return Status::success();
  return bad("E-ARTIFACT-WEIGHT-DIGEST", "the tensor `" + std::string(weight.name) + "` is damaged")
      .cause(weight.kind == WeightKind::Linked ? "`" + index.sources()[weight.container].name +
                                                     "` is damaged or not the file that was compiled"
                                               : "its bytes do not have the digest that the index gives")
      .remedy("copy or compile the artifact again");
}

Artifact::Artifact(std::unique_ptr<State> state) : state(std::move(state)) {}
Artifact::Artifact(Artifact &&) noexcept = default;
Artifact &Artifact::operator=(Artifact &&) noexcept = default;
Artifact::~Artifact() = default;

Expected<Artifact> Artifact::open(const std::string &path) {
  auto state = std::make_unique<State>();
  QUERN_ASSIGN_OR_RETURN(state->map, MappedFile::open(path));
  state->name = path;
  state->file = state->map.bytes();
  QUERN_RETURN_IF_ERROR(state->load());
  return Artifact(std::move(state));
}

Expected<Artifact> Artifact::fromBytes(ByteSpan file, const std::string &name) {
  auto state = std::make_unique<State>();
  state->name = name;
  state->file = file;
  QUERN_RETURN_IF_ERROR(state->load());
  return Artifact(std::move(state));
}

const std::string &Artifact::name() const { return state->name; }
const Manifest &Artifact::manifest() const { return state->manifest; }
const std::vector<ZipMember> &Artifact::members() const { return state->members; }
bool Artifact::has(std::string_view member) const { return state->find(member) != nullptr; }
const WeightIndex &Artifact::weights() const { return state->index; }
void Artifact::setWeightsDirectory(std::string directory) { state->weightsDirectory = std::move(directory); }

Expected<ByteSpan> Artifact::read(std::string_view name) const {
  const ZipMember *member = state->find(name);
  if (!member || isAlignedMember(name))
    return state->bad("E-ARTIFACT-MEMBER-MISSING", "there is no member `" + std::string(name) + "`")
        .remedy("compile again with the options that make it");
  QUERN_RETURN_IF_ERROR(state->checkMember(*member));
  return state->bytesOf(*member);
}

Expected<std::string_view> Artifact::readText(std::string_view name) const {
  QUERN_ASSIGN_OR_RETURN(ByteSpan bytes, read(name));
  return asText(bytes);
}

Expected<Weight> Artifact::weight(std::string_view name) const {
  if (std::optional<size_t> i = state->index.find(name))
    return state->index[*i];
  return state->bad("E-ARTIFACT-WEIGHT-MISSING", "there is no tensor `" + std::string(name) + "`")
      .remedy("compile again");
}

Status Artifact::readWeight(const Weight &weight, WeightBytes &bytes) const {
  if (weight.kind == WeightKind::Random) {
    // The size comes from a file; only memory says whether it is too much.
    try {
      bytes.own.resize(weight.size);
    } catch (const std::exception &) {
      return Status::error(Exit::Resource, "E-HOST-OUT-OF-MEMORY",
                           "no memory for the tensor `" + std::string(weight.name) + "`")
          .cause(std::to_string(weight.size) + " bytes are needed")
          .remedy("use a machine with more memory");
    }
    fillRandom(weight, 0, bytes.own);
    bytes.view = bytes.own;
    return Status::success();
  }
  std::optional<size_t> number = state->index.find(weight.name);
  if (!number)
    return Status::error(Exit::Unexpected, "E-ARTIFACT-WEIGHT-MISSING",
                         "a tensor of another artifact is asked for");
  QUERN_ASSIGN_OR_RETURN(ByteSpan place, state->placeOf(weight));
  std::atomic<bool> &checked = state->weightChecked[*number];
  if (!checked.load(std::memory_order_acquire)) {
    QUERN_RETURN_IF_ERROR(state->checkWeight(weight, place));
    checked.store(true, std::memory_order_release);
  }
  bytes.own.clear();
  bytes.view = place;
  return Status::success();
}

void Artifact::releaseWeight(const Weight &weight) const {
  if (weight.kind == WeightKind::Random)
    return;
  if (Expected<ByteSpan> place = state->placeOf(weight); place.ok())
    state->map.advise(*place, false);
}

uint64_t Artifact::verifyBytes() const {
  uint64_t sum = 0;
  for (const ZipMember &member : state->members)
    sum += member.size;
  for (size_t i = 0; i != state->index.size(); ++i)
    if (Weight weight = state->index[i]; weight.kind != WeightKind::Random)
      sum += weight.size;
  return sum;
}

Status Artifact::verify(const std::function<void(uint64_t)> &progress) const {
  auto report = [&](uint64_t bytes) {
    if (progress)
      progress(bytes);
  };
  // The checksums of zip cover every byte of every member, so also what is between the tensors.
  for (const ZipMember &member : state->members) {
    uint32_t crc = 0;
    for (ByteSpan rest = state->bytesOf(member); !rest.empty();) {
      ByteSpan chunk = rest.first(std::min<uint64_t>(rest.size(), chunkBytes));
      rest = rest.subspan(chunk.size());
      crc = crc32(chunk, crc);
      report(chunk.size());
    }
    if (!isAlignedMember(member.name))
      QUERN_RETURN_IF_ERROR(state->checkMember(member));
    if (crc != member.crc)
      return state
          ->bad(isAlignedMember(member.name) ? "E-ARTIFACT-WEIGHT-DIGEST" : "E-ARTIFACT-DIGEST",
                "the member `" + member.name + "` is damaged")
          .cause("its bytes do not have the checksum that the directory gives")
          .remedy("copy or compile the artifact again");
  }
  for (size_t i = 0; i != state->index.size(); ++i) {
    Weight weight = state->index[i];
    if (weight.kind == WeightKind::Random)
      continue;
    QUERN_ASSIGN_OR_RETURN(ByteSpan place, state->placeOf(weight));
    QUERN_RETURN_IF_ERROR(state->checkWeight(weight, place));
    report(weight.size);
  }
  return Status::success();
}

} // namespace quern::runtime
