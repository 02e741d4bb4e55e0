//===- PreTokenizer.h - Cuts text into the pieces that BPE works on -------===//
//
// The stages of a Sequence run one after another, and each stage sees every piece of the stage before as a
// text of its own: `^`, `$` and look-ahead stop at its ends.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_PRETOKENIZER_H
#define QUERN_RUNTIME_TEXT_PRETOKENIZER_H

#include "runtime/text/TextPattern.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace quern::runtime {

/// A text and the pieces it is cut into; parts outside of all pieces were removed.
struct TextPieces {
  std::u32string text;
  std::vector<TextRange> pieces; ///< ascending, none empty
  bool startsPrompt = true;      ///< the text stands at the beginning of what is encoded
};

/// The `pre_tokenizer` of a tokenizer file: Split, ByteLevel, Digits, Metaspace and Sequences of them.
class PreTokenizer {
public:
  PreTokenizer() = default; ///< leaves one piece
  static Expected<PreTokenizer> read(JsonRef json);

  Status apply(TextPieces &pieces, Regex::Scratch &scratch) const;

private:
  enum class Behavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };
  enum class PrependScheme { Always, First, Never };
  struct Split {
    TextPattern pattern;
    Behavior behavior;
    bool invert;
  };
  struct PrependSpace {}; ///< a space before every piece that does not begin with one
  struct ToByteAlphabet {};
  struct Metaspace {
    char32_t replacement;
    PrependScheme scheme;
  };
  std::vector<std::variant<Split, PrependSpace, ToByteAlphabet, Metaspace>> stages;

  Status append(JsonRef json, int depth);
  Status appendByteLevel(JsonRef json);
  Status appendMetaspace(JsonRef json);
  static Expected<Behavior> readBehavior(JsonRef json);
  static Status cut(const Split &split, TextPieces &pieces, Regex::Scratch &scratch);
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_PRETOKENIZER_H
