//===- Normalizer.h - What a tokenizer does to text before it splits it ---===//
#ifndef QUERN_RUNTIME_TEXT_NORMALIZER_H
#define QUERN_RUNTIME_TEXT_NORMALIZER_H

#include "runtime/text/MarkedText.h"
#include "runtime/text/Nfc.h"
#include "runtime/text/TextPattern.h"

#include <memory>
#include <variant>

namespace quern::runtime {

/// The `normalizer` of a tokenizer file: NFC, Replace, Prepend and Sequences of them.
class Normalizer {
public:
  Normalizer() = default; ///< changes nothing
  /// Reads the object; an unknown type is "E-TOKENIZER-COMPONENT".
  static Expected<Normalizer> read(JsonRef json);

  bool changesNothing() const { return steps.empty(); }
  Status apply(MarkedText &text, Regex::Scratch &scratch) const;

private:
  struct Prepend {
    std::u32string text;
  };
  struct Replace {
    TextPattern pattern;
    std::u32string content;
  };
  std::vector<std::variant<Nfc, Prepend, Replace>> steps;
  Status append(JsonRef json, int depth);
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_NORMALIZER_H
