//===- Vocabulary.cpp -----------------------------------------------------===//
#include "runtime/text/Vocabulary.h"

#include <functional>

namespace quern::runtime {

/// More steps in one search than this happen only in a file made to slow the reader down.
static constexpr size_t maxProbes = 1024;

void Vocabulary::reserve(size_t tokens, size_t byteCount) {
  bytes.reserve(byteCount);
  places.reserve(tokens);
  size_t slotCount = 64;
  while (slotCount < 2 * tokens)
    slotCount *= 2;
  if (slotCount > slots.size())
    grow(slotCount);
}

bool Vocabulary::insert(uint32_t id) {
  size_t mask = slots.size() - 1, at = std::hash<std::string_view>()(text(id)) & mask;
  for (size_t probe = 0; probe < maxProbes; ++probe, at = (at + 1) & mask)
    if (slots[at] == absent) {
      slots[at] = id;
      return true;
    }
  return false;
}

bool Vocabulary::grow(size_t slotCount) {
  std::vector<uint32_t> old = std::move(slots);
  slots.assign(slotCount, absent);
  for (uint32_t id : old)
    if (id != absent && !insert(id))
      return false;
  return true;
}

Status Vocabulary::add(std::string_view token, uint32_t id) {
  auto refused = [&](std::string why) {
    return Status::error(Exit::BadInput, "E-TOKENIZER-VOCAB",
                         "the tokenizer's vocabulary contradicts itself: " + std::move(why));
  };
  std::string shown(token.substr(0, 80));
  if (id > maxId)
    return refused("token `" + shown + "` has id " + std::to_string(id) + ", above " + std::to_string(maxId));
  if (has(id))
    return refused("id " + std::to_string(id) + " stands for `" + std::string(text(id).substr(0, 80)) +
                   "` and for `" + shown + "`");
  if (std::optional<uint32_t> other = find(token))
    return refused("token `" + shown + "` has the ids " + std::to_string(*other) + " and " +
                   std::to_string(id));
  if (bytes.size() + token.size() >= absent)
    return refused("its tokens are longer than 4 GiB together");
  if (id >= places.size())
    places.resize(id + 1);
  places[id] = {static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(token.size())};
  bytes += token;
  ++count;
  bool stored = 2 * count <= slots.size() || grow(slots.empty() ? 64 : 2 * slots.size());
  if (!stored || !insert(id))
    return refused("too many of its tokens collide");
  return Status::success();
}

std::optional<uint32_t> Vocabulary::find(std::string_view token) const {
  if (slots.empty())
    return std::nullopt;
  size_t mask = slots.size() - 1, at = std::hash<std::string_view>()(token) & mask;
  for (size_t probe = 0; probe < maxProbes && slots[at] != absent; ++probe, at = (at + 1) & mask)
    if (text(slots[at]) == token)
      return slots[at];
  return std::nullopt;
}

std::string_view Vocabulary::text(uint32_t id) const {
  if (!has(id))
    return {};
  return std::string_view(bytes).substr(places[id].begin, places[id].length);
}

} // namespace quern::runtime
