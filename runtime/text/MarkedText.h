//===- MarkedText.h - Text that remembers which parts are plain -----------===//
//
// A prompt mixes text of the chat template, where `<|im_end|>` means the control token, with text of a user,
// where the same characters must stay characters. `plain` marks the latter, one entry a code point;
// normalisation carries the marks along, so that added tokens can be looked for afterwards.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_MARKEDTEXT_H
#define QUERN_RUNTIME_TEXT_MARKEDTEXT_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quern::runtime {

struct MarkedText {
  std::u32string text;
  std::vector<uint8_t> plain; ///< as long as the text, or empty where nothing is plain

  MarkedText slice(size_t begin, size_t end) const {
    MarkedText part{text.substr(begin, end - begin), {}};
    if (!plain.empty())
      part.plain.assign(plain.begin() + begin, plain.begin() + end);
    return part;
  }
};

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_MARKEDTEXT_H
