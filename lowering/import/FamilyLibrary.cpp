//===- FamilyLibrary.cpp - The descriptions that ship, and a user's own ----===//
#include "lowering/import/FamilyLibrary.h"

#include <algorithm>

using namespace quern;
using namespace quern::import;

namespace {

constexpr uint64_t kMaxFamilyBytes = 1 << 20;
constexpr int kMaxExtends = 8;

constexpr EmbeddedFamily families[] = {
#include "lowering/import/EmbeddedFamilies.inc"
};

/// |over| laid on |base|: objects merge member by member, everything else is replaced, null removes. A
/// weight's source is one thing: two of them do not mix.
Json merge(const Json &base, const Json &over) {
  if (!base.isObject() || !over.isObject())
    return over;
  Json merged = Json::object();
  for (const Json::Member &member : base.members()) {
    const Json *replacement = over.find(member.key);
    if (!replacement)
      merged.set(member.key, member.value);
    else if (!replacement->isNull())
      merged.set(member.key, member.key == "from" ? *replacement : merge(member.value, *replacement));
  }
  for (const Json::Member &member : over.members())
    if (!base.find(member.key) && !member.value.isNull())
      merged.set(member.key, member.value);
  return merged;
}

Expected<std::string_view> embeddedText(std::string_view name) {
  for (const EmbeddedFamily &family : embeddedFamilies())
    if (family.name == name)
      return family.text;
  std::string known;
  for (const EmbeddedFamily &family : embeddedFamilies())
    known += (known.empty() ? "" : ", ") + std::string(family.name);
  return Status::error(Exit::BadInput, "E-FAMILY-FORMAT", "there is no family `" + std::string(name) + "`")
      .remedy("the families that ship are " + known);
}

/// The whole description with everything that it extends merged in.
Expected<Json> loadMerged(std::string_view text, const std::string &origin, int depth = 0) {
  if (depth > kMaxExtends)
    return Status::error(Exit::BadInput, "E-FAMILY-FORMAT", origin + ": `extends` goes round in a circle");
  QUERN_ASSIGN_OR_RETURN(JsonDocument document,
                         parseJson(text, {.name = origin, .maxBytes = kMaxFamilyBytes}));
  QUERN_ASSIGN_OR_RETURN(std::optional<std::string_view> extends, document.root().findString("extends"));
  if (!extends)
    return document.value();
  QUERN_ASSIGN_OR_RETURN(std::string_view baseText, embeddedText(*extends));
  QUERN_ASSIGN_OR_RETURN(Json base, loadMerged(baseText, std::string(*extends) + ".json", depth + 1));
  return merge(base, document.value());
}

bool contains(const std::vector<std::string> &list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::string joined(const std::vector<std::string> &list) {
  std::string text;
  for (const std::string &item : list)
    text += (text.empty() ? "" : ", ") + item;
  return text;
}

/// A graph is told by its architecture: one model type may come with a head for another task.
Status checkArchitecture(const Family &family, const JsonRef &config) {
  std::optional<JsonRef> architectures = config.find("architectures");
  if (family.architectures.empty() || !architectures)
    return Status::success();
  QUERN_ASSIGN_OR_RETURN(std::vector<JsonRef> items, architectures->asArray());
  for (const JsonRef &item : items) {
    QUERN_ASSIGN_OR_RETURN(std::string_view name, item.asString());
    if (contains(family.architectures, name))
      return Status::success();
  }
  if (items.empty())
    return Status::success();
  return architectures
      ->error("E-FAMILY-ARCHITECTURE",
              "`" + std::string(items[0]->string()) + "` is not an architecture of the family `" +
                  family.name + "`",
              Exit::Unsupported)
      .remedy("this family describes " + joined(family.architectures));
}

} // namespace

std::span<const EmbeddedFamily> quern::import::embeddedFamilies() { return families; }

std::vector<std::string> quern::import::familyNames() {
  std::vector<std::string> names;
  for (const EmbeddedFamily &family : embeddedFamilies())
    if (Expected<Json> merged = loadMerged(family.text, std::string(family.name));
        merged.ok() && merged->find("matches"))
      names.emplace_back(family.name);
  return names;
}

Expected<Family> quern::import::loadFamily(std::string_view text, const std::string &origin) {
  QUERN_ASSIGN_OR_RETURN(Json merged, loadMerged(text, origin));
  return parseFamily(JsonDocument(origin, std::move(merged)));
}

Expected<Family> quern::import::loadEmbeddedFamily(std::string_view name) {
  QUERN_ASSIGN_OR_RETURN(std::string_view text, embeddedText(name));
  return loadFamily(text, std::string(name) + ".json");
}

Expected<Family> quern::import::loadFamilyFile(const std::string &path) {
  // Read and checked as JSON first, so that a fault is told with the file's line.
  QUERN_ASSIGN_OR_RETURN(JsonDocument document, readJsonFile(path, {.maxBytes = kMaxFamilyBytes}));
  return loadFamily(writeJson(document.value()), document.name());
}

Expected<Family> quern::import::findFamily(const JsonRef &config, const std::string &file) {
  QUERN_ASSIGN_OR_RETURN(std::string_view type, config.getString("model_type"));
  if (!file.empty()) {
    QUERN_ASSIGN_OR_RETURN(Family family, loadFamilyFile(file));
    if (!contains(family.modelTypes, type))
      return Status::error(Exit::BadInput, "E-FAMILY-MISMATCH",
                           "the model type `" + std::string(type) + "` is not one that " + family.origin +
                               " describes")
          .cause("it describes " + joined(family.modelTypes))
          .remedy("add the model type to `matches` there, or leave --family out");
    QUERN_RETURN_IF_ERROR(checkArchitecture(family, config));
    return family;
  }
  std::string known;
  for (const EmbeddedFamily &embedded : embeddedFamilies()) {
    QUERN_ASSIGN_OR_RETURN(Json merged, loadMerged(embedded.text, std::string(embedded.name) + ".json"));
    if (!merged.find("matches"))
      continue;
    QUERN_ASSIGN_OR_RETURN(
        Family family, parseFamily(JsonDocument(std::string(embedded.name) + ".json", std::move(merged))));
    if (contains(family.modelTypes, type)) {
      QUERN_RETURN_IF_ERROR(checkArchitecture(family, config));
      return family;
    }
    known += (known.empty() ? "" : ", ") + joined(family.modelTypes);
  }
  return config
      .error("E-FAMILY-UNKNOWN", "no family describes the model type `" + std::string(type) + "`",
             Exit::Unsupported)
      .cause("known model types: " + known)
      .remedy("describe it in a file (docs/Families.md) and pass --family FILE");
}
