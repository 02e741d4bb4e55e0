//===- Writer.cpp - Writing a safetensors file ----------------------------===//
#include "support/Json.h"
#include "support/safetensors/Safetensors.h"

#include <algorithm>

namespace quern {

namespace {

constexpr uint64_t pageBytes = 4096;

Status fault(const std::string &sentence) {
  return Status::error(Exit::Unexpected, "E-SAFETENSORS-WRITE", sentence);
}

} // namespace

Expected<SafetensorsWriter> SafetensorsWriter::create(const std::string &path,
                                                      std::vector<TensorSpec> tensors,
                                                      const std::map<std::string, std::string> &metadata) {
  std::sort(tensors.begin(), tensors.end(), [](const TensorSpec &a, const TensorSpec &b) {
    unsigned widthA = elementBits(a.type), widthB = elementBits(b.type);
    return widthA != widthB ? widthA > widthB : a.name < b.name;
  });
  Json header = Json::object();
  if (!metadata.empty()) {
    Json &entry = header.set("__metadata__", Json::object());
    for (const auto &[key, value] : metadata)
      entry.set(key, value);
  }
  uint64_t offset = 0;
  for (const TensorSpec &tensor : tensors) {
    std::optional<uint64_t> size = tensorBytes(tensor.type, tensor.shape);
    if (!size || tensor.name == "__metadata__" || header.find(tensor.name))
      return fault("tensor `" + tensor.name + "` has a name that is taken or no whole number of bytes");
    Json entry = Json::object(), shape = Json::array(), offsets = Json::array();
    for (uint64_t extent : tensor.shape)
      shape.push(extent);
    offsets.push(offset);
    offsets.push(offset += *size);
    entry.set("dtype", elementTypeName(tensor.type));
    entry.set("shape", std::move(shape));
    entry.set("data_offsets", std::move(offsets));
    header.set(tensor.name, std::move(entry));
  }
  std::string text = writeJson(header);
  text.append(alignUp(8 + text.size(), pageBytes) - 8 - text.size(), ' ');

  QUERN_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path));
  std::string length;
  appendLittle<uint64_t>(length, text.size());
  QUERN_RETURN_IF_ERROR(file.write(length));
  QUERN_RETURN_IF_ERROR(file.write(text));
  uint64_t end = file.offset() + offset;
  return SafetensorsWriter(std::move(file), std::move(tensors), end);
}

Status SafetensorsWriter::finish() {
  if (file.offset() != end)
    return fault("the tensors' data ended at byte " + std::to_string(file.offset()) + " in place of " +
                 std::to_string(end));
  return file.commit();
}

} // namespace quern
