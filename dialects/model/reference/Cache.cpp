//===- Cache.cpp ----------------------------------------------------------===//
#include "dialects/model/reference/Cache.h"

#include <algorithm>

namespace quern::model::reference {

namespace {

/// Longest sequence that a cache takes; keeps a wrong position from asking for all memory.
constexpr int32_t kMaxPositions = 1 << 24;

Status refuse(std::string sentence) {
  return Status::error(Exit::Usage, "E-ORACLE-CACHE", std::move(sentence));
}

} // namespace

Status Cache::append(int64_t layer, int32_t sequence, int32_t position, const float *key,
                     const float *value) {
  if (layer < 0 || layer >= layers)
    return refuse("layer " + std::to_string(layer) + " is outside a cache of " + std::to_string(layers) +
                  " layers");
  if (sequence < 0 || position < 0 || position >= kMaxPositions)
    return refuse("sequence " + std::to_string(sequence) + " has no position " + std::to_string(position));
  Entries &to = entries[{layer, sequence}];
  size_t at = static_cast<size_t>(position), keyFloats = static_cast<size_t>(heads * keySize),
         valueFloats = static_cast<size_t>(heads * valueSize);
  if (at >= to.filled.size()) {
    to.filled.resize(at + 1);
    to.keys.resize((at + 1) * keyFloats);
    to.values.resize((at + 1) * valueFloats);
  }
  to.filled[at] = true;
  std::copy_n(key, keyFloats, to.keys.begin() + static_cast<ptrdiff_t>(at * keyFloats));
  std::copy_n(value, valueFloats, to.values.begin() + static_cast<ptrdiff_t>(at * valueFloats));
  return Status::success();
}

Expected<Cache::View> Cache::view(int64_t layer, int32_t sequence, int32_t first, int32_t count) const {
  auto found = entries.find({layer, sequence});
  for (int32_t position = first; position < count; ++position)
    if (found == entries.end() || static_cast<size_t>(position) >= found->second.filled.size() ||
        !found->second.filled[static_cast<size_t>(position)])
      return refuse("layer " + std::to_string(layer) + " has no entry at position " +
                    std::to_string(position) + " of sequence " + std::to_string(sequence));
  if (found == entries.end())
    return View{nullptr, nullptr};
  return View{found->second.keys.data(), found->second.values.data()};
}

void Cache::truncate(int32_t sequence, int32_t length) {
  for (auto &[key, value] : entries)
    if (key.second == sequence && length >= 0 && static_cast<size_t>(length) < value.filled.size())
      value.filled.resize(static_cast<size_t>(length));
}

} // namespace quern::model::reference
