//===- Bpe.h - Byte-pair encoding of one piece ----------------------------===//
//
// A piece begins as one symbol per character. As long as two neighbours form a known pair, the pair with the
// lowest rank is replaced by its merged symbol, the leftmost first where it stands several times. Short
// pieces, nearly all, search their few ranks; long ones keep the candidates in a heap, so that the time is n
// log n for any text.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_BPE_H
#define QUERN_RUNTIME_TEXT_BPE_H

#include "runtime/text/Vocabulary.h"
#include "support/Json.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace quern::runtime {

/// The `model` of a tokenizer file.
class Bpe {
public:
  /// Exit::BadInput "E-TOKENIZER-VOCAB" or "E-TOKENIZER-MERGES", Exit::Unsupported "E-TOKENIZER-COMPONENT".
  static Expected<Bpe> read(JsonRef json);

  const Vocabulary &vocabulary() const { return tokens; }
  /// Appends the ids of |piece|. A character that the vocabulary can not express becomes the unknown token
  /// or, where the file names none, nothing; so does Hugging Face's implementation.
  void encode(std::u32string_view piece, std::vector<uint32_t> &ids) const;

private:
  struct Merge {
    uint32_t right, rank, merged;
  };
  struct Symbol {
    uint32_t id;
    int32_t previous, next; ///< neighbours, or -1
  };
  static constexpr uint32_t none = UINT32_MAX;

  Vocabulary tokens;
  std::vector<uint32_t>
      mergeBegins;           ///< by left id: where its merges begin in |merges|; one entry more at the end
  std::vector<Merge> merges; ///< sorted by left id, then right id
  std::array<uint32_t, 0x180> ids = {};       ///< of the first code points, which hold the byte alphabet
  std::array<uint32_t, 256> fallbackIds = {}; ///< of `<0x00>` to `<0xFF>`
  std::optional<uint32_t> unknown;
  bool ignoreMerges = false, byteFallback = false, fuseUnknown = false;

  Status readMerges(JsonRef json);
  Status addMerges(std::vector<std::array<uint32_t, 4>> &rows);
  uint32_t idOf(char32_t point) const;
  const Merge *findMerge(uint32_t left, uint32_t right) const;
  void firstSymbols(std::u32string_view piece, std::vector<uint32_t> &out) const;
  void mergeShort(std::vector<uint32_t> &symbols) const;
  void mergeLong(std::vector<uint32_t> &symbols) const;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_BPE_H
