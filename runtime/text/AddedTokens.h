//===- AddedTokens.h - Tokens that are found in the text itself -----------===//
#ifndef QUERN_RUNTIME_TEXT_ADDEDTOKENS_H
#define QUERN_RUNTIME_TEXT_ADDEDTOKENS_H

#include "runtime/text/MarkedText.h"
#include "runtime/text/Unicode.h"

#include <optional>
#include <string>
#include <vector>

namespace quern::runtime {

/// One entry of `added_tokens`.
struct AddedToken {
  uint32_t id = 0;
  std::u32string content;
  bool singleWord = false; ///< only where no word character stands before or behind it
  bool lstrip = false;     ///< takes the white space before it
  bool rstrip = false;     ///< takes the white space behind it
  bool normalized = false; ///< searched for in normalised text
  bool special = false;    ///< left out by decoding without special tokens
};

/// Finds added tokens: from left to right, the longest that begins at a place.
class AddedTokenMatcher {
public:
  /// Longer tokens are refused by the reader; they bound the time of a search.
  static constexpr size_t maxLength = 1024;

  AddedTokenMatcher();
  void add(const AddedToken &token, std::u32string content);
  bool empty() const { return tokens.empty(); }

  /// A part of a text: an added token, or (!token) text between them.
  struct Part {
    size_t begin, end;
    const AddedToken *token;
  };
  /// Parts that cover |text|, except that one may begin inside the white space that a token before it has
  /// taken. A token is not found where one of its code points is plain, unless it consists of white space
  /// only and so controls nothing.
  std::vector<Part> split(const MarkedText &text) const;

private:
  struct Node {
    std::vector<std::pair<char32_t, uint32_t>> children; ///< sorted by code point
    int32_t token = -1;                                  ///< index into tokens of the word that ends here
  };
  struct Entry {
    AddedToken token;
    bool blank;
  };
  std::vector<Node> nodes;
  std::vector<Entry> tokens;
  std::vector<bool> firsts; ///< by the low byte of a code point: some token begins with one like it
  CodePointSet words, spaces;
  const Entry *longestAt(const MarkedText &text, size_t at, size_t &end) const;
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_ADDEDTOKENS_H
