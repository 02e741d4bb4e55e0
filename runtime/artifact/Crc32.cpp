//===- Crc32.cpp ----------------------------------------------------------===//
#include "runtime/artifact/Crc32.h"

#include <array>

namespace quern::runtime {

namespace {

constexpr uint32_t polynomial = 0xEDB88320;

/// tables[k][b] is the checksum of byte b followed by k zero bytes: eight bytes are folded at a time
/// ("slicing by eight", Kounavis and Berry 2005).
constexpr auto tables = [] {
  std::array<std::array<uint32_t, 256>, 8> result{};
  for (uint32_t byte = 0; byte != 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit != 8; ++bit)
      value = value & 1 ? value >> 1 ^ polynomial : value >> 1;
    result[0][byte] = value;
  }
  for (int k = 1; k != 8; ++k)
    for (uint32_t byte = 0; byte != 256; ++byte)
      result[k][byte] = result[k - 1][byte] >> 8 ^ result[0][result[k - 1][byte] & 255];
  return result;
}();

/// A linear map on the 32 bits of the checksum register; column i is the image of bit i.
using Map = std::array<uint32_t, 32>;

constexpr uint32_t apply(const Map &map, uint32_t value) {
  uint32_t result = 0;
  for (int bit = 0; bit != 32; ++bit)
    if (value >> bit & 1)
      result ^= map[bit];
  return result;
}

constexpr Map squared(const Map &map) {
  Map result{};
  for (int bit = 0; bit != 32; ++bit)
    result[bit] = apply(map, map[bit]);
  return result;
}

/// What one zero byte does to the register.
constexpr Map zeroByte = [] {
  Map map{};
  for (int bit = 0; bit != 32; ++bit) {
    uint32_t value = uint32_t(1) << bit;
    map[bit] = value >> 8 ^ tables[0][value & 255];
  }
  return map;
}();

} // namespace

uint32_t crc32(ByteSpan bytes, uint32_t crc) {
  crc = ~crc;
  const std::byte *at = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    uint64_t word = loadLittle<uint64_t>(at) ^ crc;
    crc = 0;
    for (int k = 0; k != 8; ++k)
      crc ^= tables[7 - k][word >> 8 * k & 255];
  }
  for (; left; ++at, --left)
    crc = crc >> 8 ^ tables[0][(crc ^ std::to_integer<uint32_t>(*at)) & 255];
  return ~crc;
}

uint32_t crc32Zeros(uint64_t count, uint32_t crc) {
  crc = ~crc;
  Map map = zeroByte;
  for (; count; count >>= 1) {
    if (count & 1)
      crc = apply(map, crc);
    map = squared(map);
  }
  return ~crc;
}

} // namespace quern::runtime
