//===- Utf8.h - Code points and their bytes -------------------------------===//
//
// Text from outside may hold any bytes. What is no well-formed UTF-8 becomes U+FFFD, one for each maximal
// piece that could have begun a character (Unicode standard 3.9, "substitution of maximal subparts"); that is
// what tokenizers' decoders do as well, so that a decoded answer is the same text.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_UTF8_H
#define QUERN_RUNTIME_TEXT_UTF8_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern::runtime {

/// What stands at the head of some bytes.
struct Utf8Piece {
  char32_t codePoint; ///< U+FFFD where !valid
  uint8_t length; ///< bytes of the character, or of the piece that one U+FFFD stands for; 0 at the end of the
                  ///< text
  bool valid;
  bool incomplete; ///< not valid, but more bytes could make it a character
};
Utf8Piece readUtf8(std::string_view bytes);

void appendUtf8(char32_t codePoint, std::string &out);

std::u32string toCodePoints(std::string_view bytes);
std::string toUtf8(std::u32string_view text);

/// |bytes| with every ill-formed piece replaced.
std::string repairUtf8(std::string_view bytes);

/// Number of bytes at the head of |bytes| that are settled: an incomplete character at the end is left out.
size_t completeUtf8(std::string_view bytes);

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_UTF8_H
