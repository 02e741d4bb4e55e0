//===- MatrixDescriptor.cpp - Matrix operands in shared memory ------------===//

#include "runtime/emulated/nvidia/MatrixDescriptor.h"

#include "runtime/emulated/nvidia/Arithmetic.h"

#include <bit>
#include <cstring>
#include <vector>

namespace quern::runtime::emulated::nvidia {

namespace {

std::vector<float> tableOf(const SmallFormat &format, uint32_t codes) {
  std::vector<float> values(codes);
  for (uint32_t i = 0; i < codes; ++i)
    values[i] = static_cast<float>(decode(i, format));
  return values;
}

double halfValue(uint32_t code) {
  static const std::vector<float> values = tableOf(formatF16, 65536);
  return values[code & 0xFFFF];
}

double byteValue(MatrixType type, uint32_t code) {
  static const std::vector<float> e4m3 = tableOf(formatE4M3, 256), e5m2 = tableOf(formatE5M2, 256),
                                  e2m3 = tableOf(formatE2M3, 64), e3m2 = tableOf(formatE3M2, 64),
                                  e2m1 = tableOf(formatE2M1, 16);
  switch (type) {
  case MatrixType::E4M3:
    return e4m3[code & 255];
  case MatrixType::E5M2:
    return e5m2[code & 255];
  case MatrixType::E2M3:
    return e2m3[code & 63];
  case MatrixType::E3M2:
    return e3m2[code & 63];
  case MatrixType::S8:
    return static_cast<int8_t>(code);
  case MatrixType::U8:
    return static_cast<uint8_t>(code);
  default:
    return e2m1[code & 15];
  }
}

} // namespace

uint32_t chunkElements(MatrixType type) {
  switch (type) {
  case MatrixType::F16:
  case MatrixType::BF16:
    return 8;
  case MatrixType::TF32:
    return 4;
  case MatrixType::PackedE2M1:
    return 32;
  default:
    return 16;
  }
}

void decodeWord(MatrixType type, uint32_t word, double *values) {
  switch (type) {
  case MatrixType::F16:
    values[0] = halfValue(word);
    values[1] = halfValue(word >> 16);
    break;
  case MatrixType::BF16:
    values[0] = std::bit_cast<float>(word << 16);
    values[1] = std::bit_cast<float>(word & 0xFFFF0000u);
    break;
  case MatrixType::TF32: // 19 bits are read (PTX ISA 5.2.3)
    values[0] = std::bit_cast<float>(word & 0xFFFFE000u);
    break;
  case MatrixType::PackedE2M1:
    for (int i = 0; i < 8; ++i)
      values[i] = byteValue(type, word >> (4 * i));
    break;
  default:
    for (int i = 0; i < 4; ++i)
      values[i] = byteValue(type, word >> (8 * i) & 255);
  }
}

void decodeChunk(MatrixType type, const std::byte *chunk, double *values) {
  uint32_t words[4];
  std::memcpy(words, chunk, sizeof words);
  bool isPadded = type == MatrixType::E2M1 || type == MatrixType::E2M3 || type == MatrixType::E3M2;
  if (isPadded) {
    uint32_t bits = type == MatrixType::E2M1 ? 4 : 6;
    for (uint32_t i = 0; i < 16; ++i) {
      uint32_t at = i * bits;
      uint64_t two = words[at / 32] | uint64_t(at / 32 < 3 ? words[at / 32 + 1] : 0) << 32;
      values[i] = byteValue(type, static_cast<uint32_t>(two >> (at % 32)) & ((1u << bits) - 1));
    }
    return;
  }
  for (uint32_t i = 0; i < 4; ++i)
    decodeWord(type, words[i], values + i * chunkElements(type) / 4);
}

/// PTX ISA 9.7.15.5.1.2.2: bits 0-13 start, 16-29 leading, 32-45 stride, each by 16 bytes; 49-51 base offset;
/// 62-63 swizzle: 0 none, 1 128 bytes, 2 64 bytes, 3 32 bytes.
bool MatrixOperand::readWarpgroup(uint64_t descriptor) {
  using S = TensorMap::Swizzle;
  static constexpr S modes[] = {S::None, S::Span128, S::Span64, S::Span32};
  start = static_cast<uint32_t>(descriptor & 0x3FFF) << 4;
  leading = static_cast<uint32_t>(descriptor >> 16 & 0x3FFF) << 4;
  stride = static_cast<uint32_t>(descriptor >> 32 & 0x3FFF) << 4;
  swizzle = modes[descriptor >> 62];
  return (descriptor >> 49 & 7) == 0;
}

/// PTX ISA 9.7.16.4.1: as above, bits 46-48 the constant 1, bit 52 how the leading dimension counts, 61-63
/// swizzle: 0 none, 1 128 bytes with 32-byte atoms, 2 128 bytes, 4 64 bytes, 6 32 bytes.
bool MatrixOperand::readTensorCore(uint64_t descriptor) {
  using S = TensorMap::Swizzle;
  readWarpgroup(descriptor);
  switch (descriptor >> 61) {
  case 0:
    swizzle = S::None;
    break;
  case 1:
    swizzle = S::Span128Atom32;
    break;
  case 2:
    swizzle = S::Span128;
    break;
  case 4:
    swizzle = S::Span64;
    break;
  case 6:
    swizzle = S::Span32;
    break;
  default:
    return false;
  }
  return (descriptor >> 46 & 7) == 1 && (descriptor >> 49 & 0xFFF) == 0;
}

uint64_t MatrixOperand::chunkAt(uint32_t mn, uint32_t k) const {
  constexpr uint32_t chunk = 16, group = 8;
  uint32_t elements = chunkElements(type), wide = spanOf(swizzle) / chunk;
  uint64_t offset = start;
  if (!mnMajor) {
    uint64_t column = k / elements;
    offset += uint64_t(mn / group) * stride;
    offset += wide ? mn % group * wide * chunk + column * chunk : mn % group * chunk + column * leading;
  } else {
    uint64_t column = mn / elements;
    if (wide)
      offset += column / wide * leading + column % wide * chunk + k % group * wide * chunk +
                uint64_t(k / group) * stride;
    else
      offset += column * stride + k % group * chunk + uint64_t(k / group) * leading;
  }
  // A start address has 18 bits; the sum wraps as it does.
  return swizzled(offset & 0x3FFFF, swizzle);
}

void MatrixOperand::load(const std::byte *shared, uint32_t from, uint32_t to, uint32_t depth, double *out,
                         size_t rowStep, size_t depthStep) const {
  double values[32];
  uint32_t count = chunkElements(type);
  size_t step = mnMajor ? rowStep : depthStep;
  forChunks(from, to, depth, [&](uint32_t mn, uint32_t k, uint64_t offset) {
    decodeChunk(type, shared + offset, values);
    double *place = out + (mn - from) * rowStep + k * depthStep;
    for (uint32_t i = 0; i < count; ++i)
      place[i * step] = values[i];
  });
}

} // namespace quern::runtime::emulated::nvidia
