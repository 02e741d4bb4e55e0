//===- Nfc.h - Unicode normalisation form C -------------------------------===//
//
// The algorithm of the Unicode standard, 3.11: decompose, order combining marks, compose. The mappings are
// utf8proc's and, for code points that its Unicode version may lack, those of UnicodeData.inc; the loops are
// ours because the library orders marks by insertion, which takes the square of the length on a long run of
// them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_NFC_H
#define QUERN_RUNTIME_TEXT_NFC_H

#include "runtime/text/MarkedText.h"

namespace quern::runtime {

class Nfc {
public:
  Nfc(); ///< collects the pairs that compose; a few milliseconds
  /// Brings |text| into form C; a composed code point is plain where one of its parts is.
  void apply(MarkedText &text) const;

private:
  struct Composition {
    uint64_t pair; ///< first << 32 | second
    char32_t composed;
  };
  std::vector<Composition> compositions;                   ///< sorted by pair
  char32_t compose(char32_t first, char32_t second) const; ///< 0 where the two do not compose
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_NFC_H
