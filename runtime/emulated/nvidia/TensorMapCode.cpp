//===- TensorMapCode.cpp - The 128 bytes of a tensor map ------------------===//

#include "runtime/emulated/nvidia/TensorMapCode.h"

#include <cstring>

namespace quern::runtime::emulated::nvidia {

namespace {

struct Picture {
  uint64_t mark;
  uint64_t address;
  uint64_t strides[4];
  uint32_t lastIndex[5]; ///< extent - 1
  uint16_t box[5];
  uint8_t steps[5];
  uint8_t rank, element, interleave, swizzle, promotion, fill;
  uint8_t unused[28];
  uint32_t sum;
};
static_assert(sizeof(Picture) == sizeof(EncodedTensorMap::bytes));

constexpr uint64_t mark = 0x70614D726F736E65; ///< "ensorMap"

uint32_t sumOf(const Picture &picture) {
  // FNV-1a over all but the sum.
  const auto *bytes = reinterpret_cast<const uint8_t *>(&picture);
  uint32_t sum = 2166136261u;
  for (size_t i = 0; i < offsetof(Picture, sum); ++i)
    sum = (sum ^ bytes[i]) * 16777619u;
  return sum;
}

bool isPacked(TensorMap::Element element) { return element >= TensorMap::Element::U4x16Align8; }

bool isFloat(TensorMap::Element element) {
  using E = TensorMap::Element;
  return element >= E::F16 && element <= E::TF32Ftz;
}

} // namespace

ElementSize sizeOf(TensorMap::Element element) {
  using E = TensorMap::Element;
  switch (element) {
  case E::U8:
    return {1, 1};
  case E::U16:
  case E::F16:
  case E::BF16:
    return {2, 1};
  case E::U64:
  case E::I64:
  case E::F64:
    return {8, 1};
  case E::U4x16Align8:
  case E::U4x16Align16:
    return {8, 16};
  case E::U6x16Align16:
    return {12, 16};
  default:
    return {4, 1};
  }
}

uint32_t spanOf(TensorMap::Swizzle swizzle) {
  using S = TensorMap::Swizzle;
  return swizzle == S::None ? 0 : swizzle == S::Span32 ? 32 : swizzle == S::Span64 ? 64 : 128;
}

uint64_t swizzled(uint64_t address, TensorMap::Swizzle swizzle) {
  uint64_t row = address >> 7;
  switch (swizzle) {
  case TensorMap::Swizzle::None:
    return address;
  case TensorMap::Swizzle::Span32:
    return address ^ (row & 1) << 4;
  case TensorMap::Swizzle::Span64:
    return address ^ (row & 3) << 4;
  case TensorMap::Swizzle::Span128:
    return address ^ (row & 7) << 4;
  case TensorMap::Swizzle::Span128Atom32:
    return address ^ (row & 3) << 5;
  case TensorMap::Swizzle::Span128Atom32Flip8:
    return address ^ (row & 3) << 5 ^ (row & 1) << 3;
  case TensorMap::Swizzle::Span128Atom64:
    return address ^ (row & 1) << 6;
  }
  return address;
}

/// CUDA driver API, cuTensorMapEncodeTiled: the requirements in the order of its parameters.
const char *brokenRule(const TensorMap &map) {
  using E = TensorMap::Element;
  using I = TensorMap::Interleave;
  ElementSize size = sizeOf(map.element);
  bool wide =
      map.interleave == I::Bytes32 || map.element == E::U4x16Align16 || map.element == E::U6x16Align16;
  uint64_t unit = wide ? 32 : 16;
  if (map.element > E::U6x16Align16)
    return "the element type is unknown";
  if (map.rank < 1 || map.rank > 5)
    return "the rank is not from 1 to 5";
  if (map.interleave != I::None && map.rank < 3)
    return "the rank is below 3 with an interleaved layout";
  if (map.address == 0 || map.address % unit)
    return wide ? "the address is not a multiple of 32" : "the address is not a multiple of 16";
  for (uint32_t i = 0; i < map.rank; ++i) {
    if (map.extents[i] < 1 || map.extents[i] > uint64_t(1) << 32)
      return "an extent is not from 1 to 2^32";
    if (map.box[i] < 1 || map.box[i] > 256)
      return "an extent of the box is not from 1 to 256";
    if (map.elementSteps[i] < 1 || map.elementSteps[i] > 8)
      return "an element step is not from 1 to 8";
  }
  if (wide && isPacked(map.element) && map.extents[0] % 128)
    return "the inner extent of a packed type is not a multiple of 128";
  if (map.element == E::U4x16Align8 && map.extents[0] % 2)
    return "the inner extent of a packed type is not even";
  for (uint32_t i = 0; i + 1 < map.rank; ++i) {
    if (map.strides[i] % unit)
      return wide ? "a stride is not a multiple of 32" : "a stride is not a multiple of 16";
    if (map.strides[i] >= uint64_t(1) << 40)
      return "a stride is not below 2^40";
  }
  if (isPacked(map.element) && wide && map.box[0] != 128)
    return "the inner extent of the box of a packed type is not 128";
  uint64_t inner = uint64_t(map.box[0]) * size.bytes;
  if (inner % size.elements || (map.interleave == I::None && inner / size.elements % 16))
    return "the inner extent of the box is not a multiple of 16 bytes";
  inner /= size.elements;
  uint32_t span = spanOf(map.swizzle);
  if (map.interleave == I::None && span && inner > span)
    return "the inner extent of the box is larger than the span of the swizzle";
  if (map.interleave == I::Bytes32 && map.swizzle != TensorMap::Swizzle::Span32)
    return "the 32-byte interleaved layout needs the 32-byte swizzle";
  if (map.fill == TensorMap::Fill::NaN && !isFloat(map.element))
    return "NaN fills floating-point types alone";
  return nullptr;
}

Expected<EncodedTensorMap> encode(const TensorMap &map) {
  if (const char *rule = brokenRule(map))
    return Status::error(Exit::Usage, "E-TENSOR-MAP", "the tensor map cannot be encoded").cause(rule);
  EncodedTensorMap encoded;
  write(map, encoded.bytes.data());
  return encoded;
}

void write(const TensorMap &map, std::byte *bytes) {
  Picture picture{};
  picture.mark = mark;
  picture.address = map.address;
  for (size_t i = 0; i < 4; ++i)
    picture.strides[i] = map.strides[i];
  for (size_t i = 0; i < 5; ++i) {
    picture.lastIndex[i] = static_cast<uint32_t>(map.extents[i] - 1);
    picture.box[i] = static_cast<uint16_t>(map.box[i]);
    picture.steps[i] = static_cast<uint8_t>(map.elementSteps[i]);
  }
  picture.rank = static_cast<uint8_t>(map.rank);
  picture.element = static_cast<uint8_t>(map.element);
  picture.interleave = static_cast<uint8_t>(map.interleave);
  picture.swizzle = static_cast<uint8_t>(map.swizzle);
  picture.promotion = static_cast<uint8_t>(map.promotion);
  picture.fill = static_cast<uint8_t>(map.fill);
  picture.sum = sumOf(picture);
  std::memcpy(bytes, &picture, sizeof picture);
}

bool read(const std::byte *bytes, TensorMap &map) {
  Picture picture;
  std::memcpy(&picture, bytes, sizeof picture);
  if (picture.mark != mark || picture.sum != sumOf(picture))
    return false;
  map.address = picture.address;
  for (size_t i = 0; i < 4; ++i)
    map.strides[i] = picture.strides[i];
  for (size_t i = 0; i < 5; ++i) {
    map.extents[i] = uint64_t(picture.lastIndex[i]) + 1;
    map.box[i] = picture.box[i];
    map.elementSteps[i] = picture.steps[i];
  }
  map.rank = picture.rank;
  map.element = static_cast<TensorMap::Element>(picture.element);
  map.interleave = static_cast<TensorMap::Interleave>(picture.interleave);
  map.swizzle = static_cast<TensorMap::Swizzle>(picture.swizzle);
  map.promotion = static_cast<TensorMap::Promotion>(picture.promotion);
  map.fill = static_cast<TensorMap::Fill>(picture.fill);
  return true;
}

} // namespace quern::runtime::emulated::nvidia
