//===- Bundle.cpp ---------------------------------------------------------===//
#include "tuner/bundle/Bundle.h"

#include "runtime/artifact/Zip.h"
#include "support/ChildProcess.h"
#include "support/Hash.h"

namespace quern::tuner {

using runtime::ZipMember;
using runtime::ZipWriter;

static constexpr std::string_view schemaName = "quern.bundle", manifestName = "manifest.json";
static constexpr int64_t schemaNumber = 1;
static constexpr std::string_view commentHead = "quern-bundle-1 ";
static constexpr uint64_t commentBytes = commentHead.size() + 64;

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

struct BundleWriter::Parts {
  explicit Parts(ZipWriter zip) : zip(std::move(zip)) {}
  ZipWriter zip;
  Json root = Json::object();
  std::vector<Json> problems;
  std::vector<std::vector<Json>> candidates;
  Json digests = Json::object();
};

BundleWriter::BundleWriter(std::unique_ptr<Parts> parts) : parts(std::move(parts)) {}
BundleWriter::BundleWriter(BundleWriter &&) noexcept = default;
BundleWriter::~BundleWriter() = default;

Expected<BundleWriter> BundleWriter::create(const std::string &path, const std::string &target) {
  QUERN_ASSIGN_OR_RETURN(ZipWriter zip, ZipWriter::create(path));
  auto parts = std::make_unique<Parts>(std::move(zip));
  parts->root.set("schema", schemaName);
  parts->root.set("schema_version", schemaNumber);
  parts->root.set("target", target);
  return BundleWriter(std::move(parts));
}

Status BundleWriter::addMember(const std::string &name, std::string_view bytes) {
  parts->digests.set(name, sha256(bytes).hex());
  return parts->zip.add(name, asBytes(bytes));
}

Status BundleWriter::addProblem(const Measurement &record, const std::string &standard,
                                const TrialProblem &cases) {
  const std::string folder = "problem-" + std::to_string(parts->problems.size());
  std::string bytes;
  for (const KernelCase &one : cases.cases)
    bytes += messageField(writeCase(one));
  // A record without a result: it has not been tried.
  Measurement empty = record;
  empty.outcome = Outcome::RunFailed;
  empty.samples.clear();
  empty.device = {"any", "any", 1, "", 0, ""};
  Json row = Json::object();
  row.set("record", toJson(empty));
  row.set("default", standard);
  row.set("operations", cases.work.operations);
  row.set("bytes", cases.work.bytes);
  row.set("cases", folder + "/cases");
  parts->problems.push_back(std::move(row));
  parts->candidates.emplace_back();
  return addMember(folder + "/cases", bytes);
}

Status BundleWriter::addCandidate(const Candidate &candidate, double modelled) {
  const std::string member = "problem-" + std::to_string(parts->problems.size() - 1) + "/" +
                             std::to_string(parts->candidates.back().size());
  Json row = Json::object();
  row.set("config", candidate.schedule);
  row.set("member", member);
  row.set("modelled", modelled);
  parts->candidates.back().push_back(std::move(row));
  ++count;
  return addMember(member, writeCandidate(candidate));
}

Status BundleWriter::finish() {
  Json problems = Json::array();
  for (size_t p = 0; p < parts->problems.size(); ++p) {
    Json &row = problems.push(std::move(parts->problems[p]));
    row.set("candidates", Json::array(std::move(parts->candidates[p])));
  }
  parts->root.set("problems", std::move(problems));
  parts->root.set("members", std::move(parts->digests));
  const std::string manifest = writeJson(parts->root);
  QUERN_RETURN_IF_ERROR(parts->zip.add(manifestName, asBytes(manifest)));
  return parts->zip.finish(std::string(commentHead) + sha256(manifest).hex());
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static Status damaged(const std::string &path, const std::string &why) {
  return Status::error(Exit::BadInput, "E-BUNDLE-DAMAGED", "the bundle `" + path + "` is damaged").cause(why);
}

static Expected<BundleProblem> readProblem(JsonRef row) {
  BundleProblem problem;
  QUERN_ASSIGN_OR_RETURN(JsonRef record, row.getObject("record"));
  QUERN_ASSIGN_OR_RETURN(problem.record, measurementFromJson(record));
  QUERN_ASSIGN_OR_RETURN(problem.standard, row.getString("default"));
  QUERN_ASSIGN_OR_RETURN(problem.work.operations, row.getFloat("operations"));
  QUERN_ASSIGN_OR_RETURN(problem.work.bytes, row.getFloat("bytes"));
  QUERN_ASSIGN_OR_RETURN(problem.cases, row.getString("cases"));
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> candidates, row.getArray("candidates"));
  for (JsonRef each : candidates) {
    BundleCandidate candidate;
    QUERN_ASSIGN_OR_RETURN(candidate.config, each.getString("config"));
    QUERN_ASSIGN_OR_RETURN(candidate.member, each.getString("member"));
    QUERN_ASSIGN_OR_RETURN(candidate.modelled, each.getFloat("modelled"));
    if (!(candidate.modelled > 0))
      return each.error("E-BUNDLE-DAMAGED", "a candidate's modelled time is none");
    problem.candidates.push_back(std::move(candidate));
  }
  return std::move(problem);
}

Expected<Bundle> Bundle::open(const std::string &path) {
  Bundle bundle;
  bundle.path = path;
  QUERN_ASSIGN_OR_RETURN(bundle.file, MappedFile::open(path));
  const ByteSpan bytes = bundle.file.bytes();
  const std::string_view tail = asText(bytes.last(std::min<size_t>(bytes.size(), commentBytes)));
  if (!tail.starts_with(commentHead)) {
    const bool newer = tail.find("quern-bundle-") != std::string_view::npos;
    return Status::error(Exit::BadInput, newer ? "E-BUNDLE-VERSION" : "E-BUNDLE-NOT-A-BUNDLE",
                         "`" + path + "` is no bundle" +
                             (newer ? " of a version that this program reads" : ""))
        .remedy("`quern tune --emit-bundle` makes one");
  }
  Expected<runtime::ZipContents> zip = runtime::readZip(bytes, commentBytes, path);
  if (!zip.ok())
    return damaged(path, zip.error().sentence());
  for (const ZipMember &member : zip->members)
    bundle.members[member.name] = bytes.subspan(member.data, member.size);
  auto manifest = bundle.members.find(manifestName);
  if (manifest == bundle.members.end())
    return damaged(path, "it has no manifest");
  const std::string_view text = asText(manifest->second);
  bundle.manifestDigest = sha256(text).hex();
  if (std::string(commentHead) + bundle.manifestDigest != zip->comment)
    return damaged(path, "its manifest has changed");
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, parseJson(text, {.name = path + ": manifest.json",
                                                                 .maxBytes = uint64_t(256) << 20}));
  JsonRef root = document.root();
  QUERN_ASSIGN_OR_RETURN(std::string_view schema, root.getString("schema"));
  QUERN_ASSIGN_OR_RETURN(int64_t version, root.getInt("schema_version"));
  if (schema != schemaName || version != schemaNumber)
    return root.error("E-BUNDLE-VERSION", "a bundle of another version");
  QUERN_ASSIGN_OR_RETURN(bundle.targetName, root.getString("target"));
  QUERN_ASSIGN_OR_RETURN(JsonRef members, root.getObject("members"));
  QUERN_ASSIGN_OR_RETURN(auto digests, members.asObject());
  for (const auto &[name, value] : digests) {
    QUERN_ASSIGN_OR_RETURN(std::string_view digest, value.asString());
    bundle.digests.emplace(name, digest);
  }
  if (bundle.digests.size() + 1 != bundle.members.size())
    return damaged(path, "it has members that its manifest does not know");
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> problems, root.getArray("problems"));
  for (JsonRef row : problems) {
    QUERN_ASSIGN_OR_RETURN(BundleProblem problem, readProblem(row));
    bundle.all.push_back(std::move(problem));
  }
  return std::move(bundle);
}

Expected<std::string_view> Bundle::member(const std::string &name) const {
  auto found = members.find(name);
  auto digest = digests.find(name);
  if (found == members.end() || digest == digests.end())
    return damaged(path, "the member `" + name + "` is missing");
  if (sha256(found->second).hex() != digest->second)
    return damaged(path, "the member `" + name + "` has changed");
  return asText(found->second);
}

Expected<TrialProblem> Bundle::cases(const BundleProblem &problem) const {
  QUERN_ASSIGN_OR_RETURN(std::string_view bytes, member(problem.cases));
  TrialProblem trial;
  trial.work = problem.work;
  while (!bytes.empty()) {
    std::optional<std::string> one = takeField(bytes);
    if (!one)
      return damaged(path, "the cases `" + problem.cases + "` cannot be read");
    QUERN_ASSIGN_OR_RETURN(KernelCase given, readCase(*one));
    trial.cases.push_back(std::move(given));
  }
  if (trial.cases.empty())
    return damaged(path, "a problem has no cases");
  return std::move(trial);
}

Expected<Candidate> Bundle::candidate(const BundleCandidate &candidate) const {
  QUERN_ASSIGN_OR_RETURN(std::string_view bytes, member(candidate.member));
  return readCandidate(bytes);
}

} // namespace quern::tuner
