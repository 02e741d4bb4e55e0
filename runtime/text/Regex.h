//===- Regex.h - The regular expressions of tokenizer files ---------------===//
//
// Tokenizer files hold patterns in the dialect of Oniguruma (Ruby syntax), whose `\p{L}`, `\s` and case
// folding follow a version of Unicode. PCRE2 is the engine, but it never sees a code point. A pattern such as
//
//   [^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+
//
// tells code points apart only by the sets that occur in it, so code points in the same sets are
// interchangeable. They form few classes (here letters, numbers, CR and LF, space, other white space,
// everything else), one byte each. The pattern is rewritten over classes, text is mapped to classes through a
// table, and PCRE2 matches bytes:
//
//   "a 1" -> 0x01 0x03 0x02            \p{L}+ -> \x01+            [^\s\p{L}\p{N}] -> [\x00]
//
// What is gained: sets are bitmaps of 256 bits instead of lists of seven hundred ranges, nothing depends on
// the Unicode version of the library, and offsets are counted in code points.
//
// Rejected: giving PCRE2 its own `\p{L}` (Debian's follows Unicode 14), and UTF mode with spelled-out ranges
// (a linear search in several hundred ranges for each character outside Latin-1).
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_REGEX_H
#define QUERN_RUNTIME_TEXT_REGEX_H

#include "support/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

/// Code points [begin, end) of a text.
struct TextRange {
  uint32_t begin, end;
  bool operator==(const TextRange &) const = default;
};

/// A compiled pattern. Immutable; several threads may match with one, each with a scratch of its own.
class Regex {
public:
  /// Working memory of the matcher; reused from call to call.
  class Scratch {
  public:
    Scratch();
    ~Scratch();

  private:
    friend class Regex;
    struct State;
    std::unique_ptr<State> state;
  };

  /// Exit::Unsupported "E-TOKENIZER-REGEX" with the construct that is not known, or Exit::BadInput with the
  /// same id where the pattern is malformed.
  static Expected<Regex> compile(std::string_view pattern);
  Regex(Regex &&) noexcept;
  Regex &operator=(Regex &&) noexcept;
  ~Regex();

  /// Appends the matches in |text| from left to right. Empty matches count, except right after another match.
  /// Exit::BadInput "E-TOKENIZER-MATCH-LIMIT" where matching takes more steps than any sane pattern needs.
  Status findAll(std::u32string_view text, Scratch &scratch, std::vector<TextRange> &matches) const;

  /// The pattern over classes that PCRE2 was given; for tests and debugging.
  const std::string &classPattern() const;

private:
  struct Compiled;
  explicit Regex(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_REGEX_H
