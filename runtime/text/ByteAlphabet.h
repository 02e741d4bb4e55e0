//===- ByteAlphabet.h - Bytes written as visible characters ---------------===//
//
// Byte-level BPE files write each byte as one character: the bytes 0x21-0x7E, 0xA1-0xAC and 0xAE-0xFF as the
// code points of the same number, the other 68 in ascending order as U+0100 + n. (The alphabet of
// all byte-level files since the first.)
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_RUNTIME_TEXT_BYTEALPHABET_H
#define QUERN_RUNTIME_TEXT_BYTEALPHABET_H

#include <array>
#include <cstdint>

namespace quern::runtime {

constexpr std::array<char32_t, 256> makeByteAlphabet() {
  std::array<char32_t, 256> alphabet{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    bool visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    alphabet[byte] = visible ? byte : next++;
  }
  return alphabet;
}
inline constexpr std::array<char32_t, 256> byteAlphabet = makeByteAlphabet();

constexpr std::array<int16_t, 0x144> makeBytesOfAlphabet() {
  std::array<int16_t, 0x144> bytes{};
  bytes.fill(-1);
  for (int16_t byte = 0; byte < 256; ++byte)
    bytes[byteAlphabet[byte]] = byte;
  return bytes;
}
inline constexpr std::array<int16_t, 0x144> bytesOfAlphabet = makeBytesOfAlphabet();

/// The byte that |point| stands for, or -1.
constexpr int byteOfCharacter(char32_t point) {
  return point < bytesOfAlphabet.size() ? bytesOfAlphabet[point] : -1;
}

} // namespace quern::runtime

#endif // QUERN_RUNTIME_TEXT_BYTEALPHABET_H
