//===- Manifest.cpp -------------------------------------------------------===//
#include "runtime/artifact/Manifest.h"

#include <charconv>

namespace quern::runtime {

namespace {

constexpr std::string_view schema = "quern.artifact";

std::string versionText(uint32_t major, uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

/// "0.1" -> {0, 1}.
bool parseVersion(std::string_view text, uint32_t &major, uint32_t &minor) {
  const char *end = text.data() + text.size();
  auto [point, first] = std::from_chars(text.data(), end, major);
  if (first != std::errc() || point == end || *point != '.')
    return false;
  auto [rest, second] = std::from_chars(point + 1, end, minor);
  return second == std::errc() && rest == end;
}

Status readMembers(JsonRef root, Manifest &manifest) {
  QUERN_ASSIGN_OR_RETURN(JsonRef members, root.getObject("members"));
  QUERN_ASSIGN_OR_RETURN(auto entries, members.asObject());
  for (auto &[key, value] : entries) {
    QUERN_ASSIGN_OR_RETURN(std::string_view hex, value.asString());
    std::optional<Digest> digest = Digest::fromHex(hex);
    if (!digest)
      return value.error("E-ARTIFACT-MANIFEST", "expected a SHA-256 digest");
    manifest.members.emplace(key, *digest);
  }
  return Status::success();
}

Status readTargets(JsonRef root, Manifest &manifest) {
  QUERN_ASSIGN_OR_RETURN(auto targets, root.getArray("targets"));
  for (JsonRef entry : targets) {
    ManifestTarget &target = manifest.targets.emplace_back();
    QUERN_ASSIGN_OR_RETURN(target.target, entry.getString("target"));
    QUERN_ASSIGN_OR_RETURN(target.folder, entry.getString("folder"));
    QUERN_ASSIGN_OR_RETURN(target.rung, entry.getString("rung"));
  }
  return Status::success();
}

Status readFields(JsonRef root, Manifest &manifest) {
  QUERN_ASSIGN_OR_RETURN(manifest.model, root.getString("model"));
  QUERN_ASSIGN_OR_RETURN(manifest.modelHash, root.getString("model_hash"));
  QUERN_ASSIGN_OR_RETURN(manifest.fingerprint, root.getString("compiler_fingerprint"));
  QUERN_ASSIGN_OR_RETURN(manifest.weights, root.getString("weights"));
  QUERN_ASSIGN_OR_RETURN(std::optional<bool> trusted, root.findBool("trusted_digests"));
  manifest.trustedDigests = trusted.value_or(false);
  QUERN_RETURN_IF_ERROR(readTargets(root, manifest));
  QUERN_ASSIGN_OR_RETURN(JsonRef limits, root.getObject("limits"));
  QUERN_ASSIGN_OR_RETURN(auto limitEntries, limits.asObject());
  for (auto &[key, value] : limitEntries) {
    QUERN_ASSIGN_OR_RETURN(manifest.limits[std::string(key)], value.asUInt());
  }
  QUERN_ASSIGN_OR_RETURN(JsonRef contract, root.getObject("numeric_contract"));
  QUERN_ASSIGN_OR_RETURN(auto contractEntries, contract.asObject());
  for (auto &[key, value] : contractEntries) {
    QUERN_ASSIGN_OR_RETURN(manifest.numericContract[std::string(key)], value.asString());
  }
  if (std::optional<JsonRef> provenance = root.find("provenance"))
    manifest.provenance = provenance->value();
  return readMembers(root, manifest);
}

} // namespace

std::string writeManifest(const Manifest &manifest) {
  Json root = Json::object();
  root.set("schema", schema);
  root.set("version", versionText(manifest.major, manifest.minor));
  root.set("model", manifest.model);
  root.set("model_hash", manifest.modelHash);
  root.set("compiler_fingerprint", manifest.fingerprint);
  root.set("weights", manifest.weights);
  root.set("trusted_digests", manifest.trustedDigests);
  Json targets = Json::array();
  for (const ManifestTarget &target : manifest.targets) {
    Json &entry = targets.push(Json::object());
    entry.set("target", target.target);
    entry.set("folder", target.folder);
    entry.set("rung", target.rung);
  }
  root.set("targets", std::move(targets));
  Json limits = Json::object(), contract = Json::object(), members = Json::object();
  for (const auto &[key, value] : manifest.limits)
    limits.set(key, value);
  for (const auto &[key, value] : manifest.numericContract)
    contract.set(key, value);
  for (const auto &[key, digest] : manifest.members)
    members.set(key, digest.hex());
  root.set("limits", std::move(limits));
  root.set("numeric_contract", std::move(contract));
  root.set("provenance", manifest.provenance);
  root.set("members", std::move(members));
  return writeJson(root, {.indent = 2}) + "\n";
}

Expected<Manifest> readManifest(std::string_view text, const std::string &name) {
  constexpr uint64_t maxBytes = uint64_t(256) << 20;
  auto bad = [&](const std::string &sentence, const std::string &cause) {
    Status status = Status::error(Exit::BadInput, "E-ARTIFACT-MANIFEST", "`" + name + "`: " + sentence);
    return cause.empty() ? std::move(status) : std::move(status).cause(cause);
  };
  Expected<JsonDocument> document = parseJson(text, {.name = "manifest.json", .maxBytes = maxBytes});
  if (!document.ok())
    return bad(document.error().sentence(), document.error().causeText());
  JsonRef root = document->root();
  Manifest manifest;
  Expected<std::string_view> found = root.getString("schema"), version = root.getString("version");
  if (!found.ok() || *found != schema || !version.ok() ||
      !parseVersion(*version, manifest.major, manifest.minor))
    return bad("manifest.json does not say that this is an artifact", "");
  if (manifest.major != artifactMajor)
    return Status::error(Exit::BadInput, "E-ARTIFACT-VERSION",
                         "`" + name + "` has format version " + std::string(*version) +
                             ", this program reads version " + versionText(artifactMajor, artifactMinor))
        .remedy("use the version of Quern that wrote it, or compile again");
  if (Status status = readFields(root, manifest); !status.ok())
    return bad(status.sentence(), status.causeText());
  return manifest;
}

} // namespace quern::runtime
