//===- Vocabulary.h - Tokens and their ids --------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_VOCABULARY_H
#define QUERN_RUNTIME_TEXT_VOCABULARY_H

#include "support/Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

/// A one-to-one relation of texts and ids. Ids may have gaps.
class Vocabulary {
public:
  /// Larger ids are refused; the largest vocabularies in use have about 2^18.
  static constexpr uint32_t maxId = 1 << 22;

  void reserve(size_t tokens, size_t bytes);
  /// Exit::BadInput "E-TOKENIZER-VOCAB" where the text or the id is taken, or the id is above maxId.
  Status add(std::string_view text, uint32_t id);

  std::optional<uint32_t> find(std::string_view text) const;
  bool has(uint32_t id) const { return id < places.size() && places[id].begin != absent; }
  /// The text of |id|; empty where there is none.
  std::string_view text(uint32_t id) const;
  /// One more than the largest id.
  uint32_t size() const { return static_cast<uint32_t>(places.size()); }

private:
  static constexpr uint32_t absent = UINT32_MAX;
  struct Place {
    uint32_t begin = absent, length = 0;
  };
  std::string bytes; ///< all texts, one after another
  std::vector<Place> places;
  std::vector<uint32_t> slots; ///< open addressing by hash of the text; id or absent; a power of two long
  size_t count = 0;
  bool grow(size_t slotCount);
  bool insert(uint32_t id);
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_VOCABULARY_H
