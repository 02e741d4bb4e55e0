//===- PtxLexer.h - Words of PTX text -------------------------------------===//
//
// Splits PTX text into words, numbers, strings and punctuation (PTX ISA 4.1 to 4.5). A word may hold dots and
// double colons ("ld.global.L1::no_allocate.b32", "%tid.x", ".reg"); the parser takes it apart. Comments and
// preprocessor lines are blanks.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_EMULATED_NVIDIA_PTXLEXER_H
#define QUERN_RUNTIME_EMULATED_NVIDIA_PTXLEXER_H

#include <cstdint>
#include <string_view>
#include <vector>

namespace quern::runtime::emulated::nvidia {

struct Token {
  enum Kind : uint8_t { Word, Integer, Float, String, Punctuation, Bad, End };
  Kind kind = End;
  uint8_t floatBits = 0; ///< Float: 32 or 64
  uint32_t line = 0;
  uint32_t begin = 0, end = 0; ///< byte range in the text
  uint64_t value = 0;          ///< Integer: the value; Float: the bits
  std::string_view text;

  bool is(char c) const { return kind == Punctuation && text[0] == c; }
  bool is(std::string_view word) const { return kind == Word && text == word; }
};

/// All tokens of |text|, the last one of kind End. The views point into |text|.
std::vector<Token> lexPtx(std::string_view text);

} // namespace quern::runtime::emulated::nvidia

#endif // QUERN_RUNTIME_EMULATED_NVIDIA_PTXLEXER_H
