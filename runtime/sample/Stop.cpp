//===- Stop.cpp -----------------------------------------------------------===//
#include "runtime/sample/Stop.h"

#include <algorithm>

namespace quern::runtime {

StopTokens::StopTokens(std::vector<uint32_t> list) : ids(std::move(list)) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

static Status readEndIds(std::optional<JsonRef> config, std::vector<uint32_t> &ids) {
  std::optional<JsonRef> value = config ? config->find("eos_token_id") : std::nullopt;
  if (!value)
    return Status::success();
  std::vector<JsonRef> list = {*value};
  if ((*value)->isArray()) {
    QUERN_ASSIGN_OR_RETURN(list, value->asArray());
  }
  for (JsonRef entry : list) {
    QUERN_ASSIGN_OR_RETURN(int64_t id, entry.asInt({0, INT32_MAX}));
    ids.push_back(static_cast<uint32_t>(id));
  }
  return Status::success();
}

Expected<StopTokens> StopTokens::read(std::optional<JsonRef> generationConfig, std::optional<JsonRef> config,
                                      std::optional<uint32_t> tokenizerEnd) {
  std::vector<uint32_t> ids;
  QUERN_RETURN_IF_ERROR(readEndIds(generationConfig, ids));
  if (ids.empty())
    QUERN_RETURN_IF_ERROR(readEndIds(config, ids));
  if (tokenizerEnd)
    ids.push_back(*tokenizerEnd);
  return StopTokens(std::move(ids));
}

bool StopTokens::contains(uint32_t id) const { return std::binary_search(ids.begin(), ids.end(), id); }

Expected<StopStrings> StopStrings::make(std::vector<std::string> strings) {
  auto refused = [](const std::string &what) { return Status::error(Exit::Usage, "E-STOP-STRINGS", what); };
  if (strings.size() > maxStrings)
    return refused("there are " + std::to_string(strings.size()) + " stop strings, at most " +
                   std::to_string(maxStrings) + " are watched for");
  for (const std::string &string : strings)
    if (string.empty() || string.size() > maxBytes)
      return refused("a stop string has " + std::to_string(string.size()) + " bytes, expected 1 to " +
                     std::to_string(maxBytes));
  StopStrings stop;
  stop.strings = std::move(strings);
  return stop;
}

std::string StopStrings::push(std::string_view text) {
  if (found)
    return {};
  held += text;
  size_t first = held.npos;
  for (const std::string &string : strings)
    first = std::min(first, held.find(string));
  size_t keep = held.size();
  if (first != held.npos) {
    found = true;
    std::string shown = held.substr(0, first);
    held.clear();
    return shown;
  }
  // The longest end of the text that begins a stop string waits for what follows.
  for (const std::string &string : strings)
    for (size_t length = std::min(string.size() - 1, held.size()); length > 0; --length)
      if (std::string_view(held).substr(held.size() - length) == std::string_view(string).substr(0, length)) {
        keep = std::min(keep, held.size() - length);
        break;
      }
  std::string shown = held.substr(0, keep);
  held.erase(0, keep);
  return shown;
}

std::string StopStrings::finish() {
  std::string rest = std::move(held);
  held.clear();
  return found ? std::string() : rest;
}

} // namespace quern::runtime
