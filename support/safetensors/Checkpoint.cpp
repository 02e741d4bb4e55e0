//===- Checkpoint.cpp -----------------------------------------------------===//
#include "support/safetensors/Checkpoint.h"

#include "support/Json.h"

#include <algorithm>
#include <filesystem>
#include <set>

namespace quern {

namespace {

constexpr const char *singleName = "model.safetensors";
constexpr const char *indexName = "model.safetensors.index.json";
/// The largest index in use (1100 tensors a layer, 61 layers) has about 8 MB.
constexpr uint64_t maxIndexBytes = uint64_t(256) << 20;

Status bad(const char *id, const std::string &sentence) {
  return Status::error(Exit::BadInput, id, sentence);
}

bool exists(const std::string &path) {
  std::error_code ignored;
  return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

bool lessByName(const Checkpoint::Tensor &tensor, std::string_view name) { return tensor.name() < name; }

} // namespace

bool Checkpoint::hasWeights(const std::string &directory) {
  return exists(directory + "/" + singleName) || exists(directory + "/" + indexName);
}

Expected<Checkpoint> Checkpoint::open(const std::string &directory) {
  QUERN_RETURN_IF_ERROR(checkDirectory(directory));
  Checkpoint checkpoint;
  checkpoint.path = directory;
  bool single = exists(directory + "/" + singleName), indexed = exists(directory + "/" + indexName);
  if (single) {
    // The order in which transformers looks.
    if (indexed)
      checkpoint.notes.push_back(std::string("`") + indexName + "` is ignored beside `" + singleName + "`");
    QUERN_RETURN_IF_ERROR(checkpoint.openShards({singleName}));
  } else if (indexed) {
    QUERN_RETURN_IF_ERROR(checkpoint.openIndexed());
  } else {
    return bad("E-SAFETENSORS-NO-WEIGHTS",
               "`" + directory + "` has neither `" + singleName + "` nor `" + indexName + "`")
        .remedy("name the directory of a downloaded model, or use random weights");
  }
  checkpoint.noteUnreferenced();
  return checkpoint;
}

Status Checkpoint::openShards(const std::vector<std::string> &names) {
  files.reserve(names.size());
  for (const std::string &name : names) {
    std::string file = path + "/" + name;
    if (!exists(file))
      return bad("E-SAFETENSORS-SHARD-MISSING", "the shard `" + name + "` of `" + path + "` is missing")
          .cause("the download is incomplete")
          .remedy("fetch the file");
    QUERN_ASSIGN_OR_RETURN(SafetensorsFile opened, SafetensorsFile::open(file));
    files.push_back({name, std::move(opened)});
  }
  for (const Shard &shard : files)
    for (const StoredTensor &tensor : shard.file.tensors())
      all.push_back({&tensor, &shard});
  std::sort(all.begin(), all.end(), [](const Tensor &a, const Tensor &b) {
    int order = a.name().compare(b.name());
    return order != 0 ? order < 0 : a.shard < b.shard;
  });
  for (size_t i = 1; i < all.size(); ++i)
    if (all[i].name() == all[i - 1].name())
      return bad("E-SAFETENSORS-KEY-TWICE", "tensor `" + all[i].name() + "` is in two shards, `" +
                                                all[i - 1].shard->name + "` and `" + all[i].shard->name +
                                                "`");
  return Status::success();
}

Status Checkpoint::openIndexed() {
  Expected<JsonDocument> document = readJsonFile(path + "/" + indexName, {indexName, maxIndexBytes, 8});
  if (!document.ok())
    return bad("E-SAFETENSORS-INDEX", document.error().sentence()).cause(document.error().causeText());
  const Json *map = document->value().find("weight_map");
  if (!map || !map->isObject())
    return bad("E-SAFETENSORS-INDEX", std::string("`") + indexName + "` has no object `weight_map`");
  std::set<std::string> names;
  for (const Json::Member &member : map->members()) {
    if (!member.value.isString())
      return bad("E-SAFETENSORS-INDEX", "`weight_map` gives no file name for `" + member.key + "`");
    const std::string &shard = member.value.string();
    if (!isPlainFileName(shard))
      return bad("E-SAFETENSORS-SHARD-NAME",
                 "`weight_map` names the shard `" + shard + "`, which is not a plain file name");
    names.insert(shard);
  }
  QUERN_RETURN_IF_ERROR(openShards({names.begin(), names.end()}));
  for (const Json::Member &member : map->members()) {
    const Tensor *tensor = find(member.key);
    if (!tensor || tensor->shard->name != member.value.string())
      return bad("E-SAFETENSORS-KEY-MISSING", "the shard `" + member.value.string() + "` lacks tensor `" +
                                                  member.key + "` that the index puts there")
          .cause(tensor ? "it is in `" + tensor->shard->name + "`" : "no shard has it")
          .remedy("fetch index and shards of the same revision");
  }
  // What the index does not list does not belong to the model.
  size_t before = all.size();
  std::string first;
  std::erase_if(all, [&](const Tensor &tensor) {
    bool unlisted = !map->find(tensor.name());
    if (unlisted && first.empty())
      first = tensor.name();
    return unlisted;
  });
  if (before != all.size())
    notes.push_back(std::to_string(before - all.size()) + " tensors are not in the index and are ignored, `" +
                    first + "` first");
  return Status::success();
}

void Checkpoint::noteUnreferenced() {
  std::set<std::string> unused;
  std::error_code failed;
  for (auto entry = std::filesystem::directory_iterator(path, failed);
       !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed))
    if (entry->path().extension() == ".safetensors")
      unused.insert(entry->path().filename());
  for (const Shard &shard : files)
    unused.erase(shard.name);
  for (const std::string &name : unused)
    notes.push_back("`" + name + "` is not referred to and is ignored");
}

const Checkpoint::Tensor *Checkpoint::find(std::string_view name) const {
  auto at = std::lower_bound(all.begin(), all.end(), name, lessByName);
  return at != all.end() && at->name() == name ? &*at : nullptr;
}

Expected<const Checkpoint::Tensor *> Checkpoint::get(std::string_view name) const {
  const Tensor *tensor = find(name);
  if (!tensor)
    return Status::error(Exit::BadInput, "E-TENSOR-MISSING",
                         "`" + path + "` has no tensor `" + std::string(name) + "`")
        .remedy("check that all shards belong to this model");
  if (!isLoadable(tensor->type()))
    return Status::error(Exit::Unsupported, "E-TENSOR-TYPE",
                         "tensor `" + tensor->name() + "` has the type " +
                             std::string(elementTypeName(tensor->type())) + ", which no model may use");
  return tensor;
}

uint64_t Checkpoint::dataBytes() const {
  uint64_t sum = 0;
  for (const Tensor &tensor : all)
    sum += tensor.stored->size;
  return sum;
}

} // namespace quern
