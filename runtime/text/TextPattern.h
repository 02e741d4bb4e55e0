//===- TextPattern.h - `{"String": ...}` or `{"Regex": ...}` --------------===//
#ifndef QUERN_RUNTIME_TEXT_TEXTPATTERN_H
#define QUERN_RUNTIME_TEXT_TEXTPATTERN_H

#include "runtime/text/Regex.h"
#include "support/Json.h"

#include <optional>
#include <string>

namespace quern::runtime {

/// What a tokenizer file searches for: literal text or a regular expression.
class TextPattern {
public:
  /// Reads the object form; errors name the place in the file.
  static Expected<TextPattern> read(JsonRef json);
  static TextPattern literal(std::u32string text);
  static TextPattern expression(Regex regex);

  /// Appends the matches in |text|, from left to right, none overlapping.
  Status findAll(std::u32string_view text, Regex::Scratch &scratch, std::vector<TextRange> &matches) const;
  /// The literal text; null for an expression.
  const std::u32string *literalText() const { return regex ? nullptr : &word; }

private:
  TextPattern() = default;
  std::u32string word; ///< not empty
  std::optional<Regex> regex;
};

/// Exit::Unsupported "E-TOKENIZER-COMPONENT": the file uses |what| at the place of |json|.
Status unsupportedComponent(JsonRef json, std::string_view what);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_TEXTPATTERN_H
