//===- Tokenizer.h - Text to ids and back ---------------------------------===//
//
// Reads the `tokenizer.json` of Hugging Face's tokenizers and gives the same ids: added tokens are cut out of
// the text, the rest is normalised, split into pieces (PreTokenizer.h) and encoded by BPE (Bpe.h); a template
// may add tokens at the ends. A component that is not known is an error that names it, never a guess.
//
//   QUERN_ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::read(text, "tokenizer.json"));
//   QUERN_ASSIGN_OR_RETURN(std::vector<uint32_t> ids, tokenizer.encode("Hello"));
//   Tokenizer::Stream stream(tokenizer);
//   for (uint32_t id : ids) {
//     QUERN_ASSIGN_OR_RETURN(std::string text, stream.push(id));   // whole UTF-8 characters, perhaps none
//     yet
//     ...
//   }
//
// One difference from Hugging Face's is offered, not forced: text from a user can be marked as plain, so that
// a control token spelled out in it stays text. Another is not avoidable: their NFC follows an older Unicode
// than their regular expressions do; ours follows 16.0 throughout, which matters for some marks and composed
// letters of 2020 to 2024.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_TOKENIZER_H
#define QUERN_RUNTIME_TEXT_TOKENIZER_H

#include "runtime/text/AddedTokens.h"
#include "runtime/text/Bpe.h"
#include "runtime/text/Normalizer.h"
#include "runtime/text/PreTokenizer.h"
#include "runtime/text/TokenDecoder.h"

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quern::runtime {

/// Bytes [begin, end) of a text.
struct ByteRange {
  size_t begin, end;
  bool operator==(const ByteRange &) const = default;
};

struct EncodeOptions {
  /// Add what the file's template adds, most often the token that begins a text. A rendered chat prompt
  /// spells that token out already and must be encoded without.
  bool addSpecialTokens = true;
  /// Parts of the text, ascending, in which no control token is recognised.
  std::span<const ByteRange> plain = {};
  /// The same for the whole text.
  bool allPlain = false;
};

/// Several threads may encode and decode with one at once.
class Tokenizer {
public:
  static constexpr uint64_t maxFileBytes = 256u << 20;

  /// Reads the text of a tokenizer.json; |name| stands in errors. Beside the errors of parseJson:
  /// Exit::Unsupported "E-TOKENIZER-COMPONENT" and "E-TOKENIZER-REGEX"; Exit::BadInput "E-TOKENIZER-VOCAB",
  /// "E-TOKENIZER-MERGES", "E-TOKENIZER-ADDED-TOKEN", "E-TOKENIZER-TEMPLATE".
  static Expected<Tokenizer> read(std::string_view json, const std::string &name = "tokenizer.json");
  static Expected<Tokenizer> read(JsonRef json);

  /// Makes encode with special tokens begin or end with |id|, unless the file's template sees to it already.
  void addBeginToken(uint32_t id);
  void addEndToken(uint32_t id);

  /// The ids of |text|; bytes that are no UTF-8 count as U+FFFD.
  Expected<std::vector<uint32_t>> encode(std::string_view text, const EncodeOptions &options = {}) const;

  /// The text of |ids|. Exit::Usage "E-TOKEN-ID-RANGE" for an id of size() or above; an id in a gap has no
  /// text.
  Expected<std::string> decode(std::span<const uint32_t> ids, bool skipSpecial = true) const;

  /// Decodes ids as they come; all that is pushed and the rest at the end make what decode gives.
  class Stream {
  public:
    explicit Stream(const Tokenizer &tokenizer, bool skipSpecial = true)
        : tokenizer(&tokenizer), decoder(tokenizer.content->decoder), skipSpecial(skipSpecial) {}
    Expected<std::string> push(uint32_t id);
    Expected<std::string> finish();

  private:
    const Tokenizer *tokenizer;
    TokenDecoder::Stream decoder;
    bool skipSpecial;
  };

  /// One more than the largest id; a model may have more rows than that, which must never be sampled.
  uint32_t size() const { return content->size; }
  std::optional<uint32_t> find(std::string_view token) const;
  /// The token as the file writes it; empty for an id without one.
  std::string_view token(uint32_t id) const;
  bool isSpecial(uint32_t id) const { return id < content->special.size() && content->special[id]; }

private:
  struct Content {
    Bpe model;
    Normalizer normalizer;
    PreTokenizer preTokenizer;
    TokenDecoder decoder;
    Vocabulary added; ///< those that are not in the model's vocabulary
    AddedTokenMatcher rawMatcher, normalizedMatcher;
    /// What an added token decodes to where that is not its content: the normalised content it is found by.
    std::map<uint32_t, std::string> decodedTexts;
    std::vector<uint32_t> prefix, suffix; ///< what the template adds
    std::vector<bool> special;            ///< by id
    uint32_t size = 0;
  };
  explicit Tokenizer(std::unique_ptr<Content> content) : content(std::move(content)) {}
  std::unique_ptr<Content> content;

  static Status readAddedTokens(JsonRef json, Content &content);
  static Status readPostProcessor(JsonRef json, Content &content, int depth);
  static Status readTemplate(JsonRef json, Content &content);
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_TOKENIZER_H
