//===- Reader.cpp - Header of a safetensors file --------------------------===//
//
// The rules are those of the format's reference validator, and stricter where it leaves a file ambiguous:
// duplicate keys, nesting, the number of tensors and their rank.
//
//===----------------------------------------------------------------------===//
#include "support/Json.h"
#include "support/safetensors/Safetensors.h"

#include <algorithm>

namespace quern {

namespace {

constexpr uint64_t maxHeaderBytes = 100'000'000;
constexpr uint64_t maxTensors = 1'000'000;
constexpr size_t maxRank = 8;
constexpr uint64_t maxExactInteger = uint64_t(1) << 53;
/// Header, entry, list of extents: what the format nests.
constexpr uint32_t headerDepth = 3;

Status bad(const char *id, const std::string &file, const std::string &sentence) {
  return Status::error(Exit::BadInput, id, "`" + file + "`: " + sentence);
}

std::string ofTensor(std::string_view name) { return "tensor `" + std::string(name) + "` "; }

/// A non-negative integer up to 2^53, written as an integer.
std::optional<uint64_t> exactInteger(const Json &value) {
  if (value.kind() != JsonKind::Int || value.integer() < 0 ||
      static_cast<uint64_t>(value.integer()) > maxExactInteger)
    return std::nullopt;
  return static_cast<uint64_t>(value.integer());
}

Status readMetadata(const Json &value, const std::string &file,
                    std::map<std::string, std::string> &metadata) {
  if (!value.isObject())
    return bad("E-SAFETENSORS-METADATA", file, "`__metadata__` is not an object");
  for (const Json::Member &member : value.members()) {
    if (!member.value.isString())
      return bad("E-SAFETENSORS-METADATA", file, "`__metadata__." + member.key + "` is not a string");
    metadata.emplace(member.key, member.value.string());
  }
  return Status::success();
}

/// Fills |tensor|, with offsets still relative to the data.
Status readEntry(std::string_view name, const Json &value, const std::string &file, StoredTensor &tensor) {
  tensor.name = name;
  auto fault = [&](const std::string &sentence) {
    return bad("E-SAFETENSORS-ENTRY", file, ofTensor(name) + sentence);
  };
  if (!value.isObject())
    return fault("is not described by an object");
  const Json *type = value.find("dtype"), *shape = value.find("shape"), *offsets = value.find("data_offsets");
  if (!type || !type->isString())
    return fault("has no string `dtype`");
  if (!shape || !shape->isArray())
    return fault("has no list `shape`");
  if (!offsets || !offsets->isArray() || offsets->size() != 2)
    return fault("has no pair `data_offsets`");
  std::optional<ElementType> element = parseElementType(type->string());
  if (!element)
    return bad("E-SAFETENSORS-DTYPE", file,
               ofTensor(name) + "has the unknown dtype `" + type->string() + "`");
  tensor.type = *element;
  if (shape->size() > maxRank)
    return bad("E-SAFETENSORS-LIMIT", file,
               ofTensor(name) + "has rank " + std::to_string(shape->size()) + ", more than the " +
                   std::to_string(maxRank) + " supported");
  for (const Json &extent : shape->items()) {
    std::optional<uint64_t> number = exactInteger(extent);
    if (!number)
      return fault("has an extent that is not an integer from 0 to 2^53");
    tensor.shape.push_back(*number);
  }
  std::optional<uint64_t> begin = exactInteger(offsets->items()[0]), end = exactInteger(offsets->items()[1]);
  if (!begin || !end)
    return fault("has an offset that is not an integer from 0 to 2^53");
  if (*end < *begin)
    return fault("ends at " + std::to_string(*end) + ", before its begin " + std::to_string(*begin));
  tensor.offset = *begin;
  tensor.size = *end - *begin;
  std::optional<uint64_t> size = tensorBytes(tensor.type, tensor.shape);
  if (!size)
    return bad("E-SAFETENSORS-SIZE", file,
               ofTensor(name) + "has a shape whose size overflows or is no whole number of bytes");
  if (*size != tensor.size)
    return bad("E-SAFETENSORS-SIZE", file,
               ofTensor(name) + "needs " + std::to_string(*size) + " bytes by its shape and has " +
                   std::to_string(tensor.size) + " by its offsets");
  return Status::success();
}

/// No hole, no overlap, nothing behind: the tensors cover the |dataBytes| bytes exactly once.
Status checkCoverage(const std::vector<StoredTensor> &tensors, uint64_t dataBytes, const std::string &file) {
  std::vector<const StoredTensor *> byOffset;
  byOffset.reserve(tensors.size());
  for (const StoredTensor &tensor : tensors)
    byOffset.push_back(&tensor);
  std::sort(byOffset.begin(), byOffset.end(), [](const StoredTensor *a, const StoredTensor *b) {
    return std::pair(a->offset, a->size) < std::pair(b->offset, b->size);
  });
  uint64_t end = 0;
  for (const StoredTensor *tensor : byOffset) {
    if (tensor->offset > end)
      return bad("E-SAFETENSORS-GAP", file,
                 ofTensor(tensor->name) + "begins at " + std::to_string(tensor->offset) +
                     " where the tensors before it end at " + std::to_string(end));
    if (tensor->offset < end)
      return bad("E-SAFETENSORS-OVERLAP", file,
                 ofTensor(tensor->name) + "begins at " + std::to_string(tensor->offset) +
                     " inside of a tensor that ends at " + std::to_string(end));
    end += tensor->size;
  }
  if (end > dataBytes)
    return bad("E-SAFETENSORS-TRUNCATED", file,
               "the file has " + std::to_string(dataBytes) + " bytes of data and its header describes " +
                   std::to_string(end))
        .cause("an incomplete download or copy")
        .remedy("fetch the file again");
  if (end < dataBytes)
    return bad("E-SAFETENSORS-TRAILING", file,
               std::to_string(dataBytes - end) + " bytes follow the last tensor that the header describes");
  return Status::success();
}

/// A Git-LFS pointer stands in for the file in a clone without LFS; its text reads as an absurd header
/// length.
bool isLfsPointer(ByteSpan file) { return asText(file).starts_with("version https://git-lfs"); }

} // namespace

const StoredTensor *SafetensorsHeader::find(std::string_view name) const {
  auto at = std::lower_bound(
      tensors.begin(), tensors.end(), name,
      [](const StoredTensor &tensor, std::string_view wanted) { return tensor.name < wanted; });
  return at != tensors.end() && at->name == name ? &*at : nullptr;
}

Expected<SafetensorsHeader> parseSafetensorsHeader(ByteSpan file, const std::string &name) {
  if (isLfsPointer(file))
    return bad("E-SAFETENSORS-LFS-POINTER", name,
               "the file is a Git-LFS pointer and not the weights themselves")
        .remedy("run `git lfs pull` in the model's directory");
  if (file.size() < 8)
    return bad("E-SAFETENSORS-TRUNCATED", name,
               "the file has " + std::to_string(file.size()) + " bytes, too few for a header")
        .cause("an incomplete download or copy")
        .remedy("fetch the file again");
  uint64_t length = loadLittle<uint64_t>(file.data());
  if (length > maxHeaderBytes)
    return bad("E-SAFETENSORS-HEADER-SIZE", name,
               "the header is said to have " + std::to_string(length) + " bytes, more than the " +
                   std::to_string(maxHeaderBytes) + " allowed")
        .cause("not a safetensors file, or a damaged one");
  if (length > file.size() - 8)
    return bad("E-SAFETENSORS-TRUNCATED", name,
               "the header has " + std::to_string(length) + " bytes and the file only " +
                   std::to_string(file.size() - 8) + " after its length")
        .cause("an incomplete download or copy")
        .remedy("fetch the file again");

  // Copied out of the mapping, so that what is checked and what is used are the same bytes.
  std::string text(asText(file.subspan(8, length)));
  std::string_view body = text;
  body = body.substr(0, body.find_last_not_of(' ') + 1);
  if (!body.starts_with('{') || !body.ends_with('}'))
    return bad("E-SAFETENSORS-HEADER-JSON", name,
               "the header does not begin with `{` or is not padded with spaces alone");
  Expected<JsonDocument> document = parseJson(body, {"header", maxHeaderBytes, headerDepth});
  if (!document.ok()) {
    bool duplicate = document.error().id() == "E-JSON-DUPLICATE-KEY";
    return bad(duplicate ? "E-SAFETENSORS-DUPLICATE" : "E-SAFETENSORS-HEADER-JSON", name,
               document.error().sentence())
        .cause(document.error().causeText());
  }

  SafetensorsHeader header;
  header.dataOffset = 8 + length;
  const Json &root = document->value();
  if (root.size() > maxTensors)
    return bad("E-SAFETENSORS-LIMIT", name,
               "the header names " + std::to_string(root.size()) + " tensors, more than the " +
                   std::to_string(maxTensors) + " supported");
  header.tensors.reserve(root.size());
  for (const Json::Member &member : root.members()) {
    if (member.key == "__metadata__") {
      QUERN_RETURN_IF_ERROR(readMetadata(member.value, name, header.metadata));
      continue;
    }
    QUERN_RETURN_IF_ERROR(readEntry(member.key, member.value, name, header.tensors.emplace_back()));
  }
  QUERN_RETURN_IF_ERROR(checkCoverage(header.tensors, file.size() - header.dataOffset, name));
  for (StoredTensor &tensor : header.tensors)
    tensor.offset += header.dataOffset;
  std::sort(header.tensors.begin(), header.tensors.end(),
            [](const StoredTensor &a, const StoredTensor &b) { return a.name < b.name; });
  return header;
}

Expected<SafetensorsFile> SafetensorsFile::open(const std::string &path) {
  SafetensorsFile file;
  QUERN_ASSIGN_OR_RETURN(file.map, MappedFile::open(path));
  QUERN_ASSIGN_OR_RETURN(file.header, parseSafetensorsHeader(file.map.bytes(), path));
  return file;
}

} // namespace quern
