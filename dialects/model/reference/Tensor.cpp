//===- Tensor.cpp ---------------------------------------------------------===//
#include "dialects/model/reference/Tensor.h"

#include <cassert>

namespace quern::model::reference {

int64_t elementCount(const Shape &shape) {
  int64_t count = 1;
  for (int64_t extent : shape)
    count *= extent;
  return count;
}

std::string shapeText(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

float roundTo(ElementType type, double value) {
  switch (type) {
  case ElementType::BF16:
    return bf16ToFloat(doubleToBf16(value));
  case ElementType::F16:
    return f16ToFloat(floatToF16(static_cast<float>(value)));
  default:
    return static_cast<float>(value);
  }
}

Tensor Tensor::zeros(ElementType type, Shape shape) {
  Tensor tensor;
  tensor.type = type;
  size_t count = static_cast<size_t>(elementCount(shape));
  tensor.shape = std::move(shape);
  if (type == ElementType::I32)
    tensor.integers.resize(count);
  else if (type == ElementType::I64)
    tensor.longs.resize(count);
  else
    tensor.values.resize(count);
  return tensor;
}

Tensor Tensor::of(ElementType type, Shape shape, std::vector<float> values) {
  assert(static_cast<int64_t>(values.size()) == elementCount(shape));
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.values = std::move(values);
  for (float &value : tensor.values)
    value = roundTo(type, value);
  return tensor;
}

Tensor Tensor::ofIntegers(std::vector<int32_t> values) {
  Tensor tensor;
  tensor.type = ElementType::I32;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.integers = std::move(values);
  return tensor;
}

Tensor Tensor::ofLongs(std::vector<int64_t> values) {
  Tensor tensor;
  tensor.type = ElementType::I64;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.longs = std::move(values);
  return tensor;
}

Float8 float8Of(ElementType type) {
  switch (type) {
  case ElementType::F8E4M3FNUZ:
    return Float8::E4M3FNUZ;
  case ElementType::F8E5M2:
    return Float8::E5M2;
  default:
    assert(type == ElementType::F8E4M3);
    return Float8::E4M3FN;
  }
}

//===-- Packed ------------------------------------------------------------===//

/// Blocks of |extent|, the last one possibly short.
static int64_t blocksIn(int64_t extent, int64_t block) { return (extent + block - 1) / block; }

static bool isFp8(ElementType type) {
  return type == ElementType::F8E4M3 || type == ElementType::F8E4M3FNUZ || type == ElementType::F8E5M2;
}

Status Packed::check() const {
  auto refuse = [&](const std::string &sentence) {
    return Status::error(Exit::BadInput, "E-ORACLE-WEIGHT", sentence);
  };
  bool plain = type == ElementType::F32 || type == ElementType::F16 || type == ElementType::BF16;
  if (!plain && !isFp8(type))
    return refuse("a weight has the element type " + std::string(elementTypeName(type)));
  if (shape.empty() || (isBlockScaled() && shape.size() < 2))
    return refuse("a weight has the shape " + shapeText(shape));
  if (isFp8(type) && !isBlockScaled())
    return refuse("a weight of the element type " + std::string(elementTypeName(type)) + " has no scales");
  uint64_t expected = static_cast<uint64_t>(elementCount(shape)) * elementBits(type) / 8;
  if (bytes.size() != expected)
    return refuse("a weight of shape " + shapeText(shape) + " has " + std::to_string(bytes.size()) +
                  " bytes, expected " + std::to_string(expected));
  if (!isBlockScaled())
    return Status::success();
  Shape scaleShape = shape;
  scaleShape[shape.size() - 2] = blocksIn(rows(), block[0]);
  scaleShape.back() = blocksIn(columns(), block[1]);
  uint64_t scaleBytes = static_cast<uint64_t>(elementCount(scaleShape)) * elementBits(scaleType) / 8;
  if (scales.size() != scaleBytes)
    return refuse("the scales of a weight of shape " + shapeText(shape) + " have " +
                  std::to_string(scales.size()) + " bytes, expected " + std::to_string(scaleBytes));
  return Status::success();
}

Packed Packed::slice(int64_t index) const {
  Packed matrix = *this;
  size_t count = static_cast<size_t>(shape[0]), at = static_cast<size_t>(index);
  matrix.shape.erase(matrix.shape.begin());
  matrix.bytes = bytes.subspan(bytes.size() / count * at, bytes.size() / count);
  if (isBlockScaled())
    matrix.scales = scales.subspan(scales.size() / count * at, scales.size() / count);
  return matrix;
}

void Packed::readCodes(int64_t row, float *to) const {
  size_t n = static_cast<size_t>(columns());
  const std::byte *from = bytes.data() + static_cast<size_t>(row) * n * elementBits(type) / 8;
  switch (type) {
  case ElementType::F32:
    for (size_t i = 0; i < n; ++i)
      to[i] = loadLittle<float>(from + 4 * i);
    return;
  case ElementType::BF16:
    for (size_t i = 0; i < n; ++i)
      to[i] = bf16ToFloat(loadLittle<uint16_t>(from + 2 * i));
    return;
  case ElementType::F16:
    for (size_t i = 0; i < n; ++i)
      to[i] = f16ToFloat(loadLittle<uint16_t>(from + 2 * i));
    return;
  default: {
    auto table = decodeTable(float8Of(type));
    for (size_t i = 0; i < n; ++i)
      to[i] = table[std::to_integer<size_t>(from[i])];
  }
  }
}

float Packed::scaleAt(int64_t row, int64_t blockColumn) const {
  size_t index = static_cast<size_t>(row / block[0] * blocksIn(columns(), block[1]) + blockColumn);
  if (scaleType == ElementType::F32)
    return loadLittle<float>(scales.data() + 4 * index);
  return decodeE8M0(std::to_integer<uint8_t>(scales[index]));
}

void Packed::readRow(int64_t row, float *to, ElementType rounded) const {
  readCodes(row, to);
  if (!isBlockScaled())
    return;
  for (int64_t begin = 0, b = 0; begin < columns(); begin += block[1], ++b) {
    float scale = scaleAt(row, b);
    int64_t end = std::min(columns(), begin + block[1]);
    if (rounded == ElementType::BF16) {
      for (int64_t i = begin; i < end; ++i)
        to[i] = roundToBf16(to[i] * scale);
    } else {
      for (int64_t i = begin; i < end; ++i)
        to[i] = roundTo(rounded, to[i] * scale);
    }
  }
}

Tensor Packed::unpack(ElementType resultType) const {
  Tensor tensor = Tensor::zeros(resultType, shape);
  if (shape.size() == 1) {
    Packed row = *this;
    row.shape = {1, shape[0]};
    row.readRow(0, tensor.values.data(), resultType);
  } else if (shape.size() == 2) {
    for (int64_t i = 0; i < rows(); ++i)
      readRow(i, tensor.values.data() + i * columns(), resultType);
  } else {
    int64_t each = elementCount(shape) / shape[0];
    for (int64_t i = 0; i < shape[0]; ++i) {
      Tensor part = slice(i).unpack(resultType);
      std::copy(part.values.begin(), part.values.end(), tensor.values.begin() + i * each);
    }
  }
  if (resultType != ElementType::F32 && (isBlockScaled() || type != resultType))
    for (float &value : tensor.values)
      value = roundTo(resultType, value);
  return tensor;
}

/// Moves |bytes| and |scales| into |packed| and keeps them alive there.
static void own(Packed &packed, std::string bytes, std::string scales) {
  auto owner = std::make_shared<std::pair<std::string, std::string>>(std::move(bytes), std::move(scales));
  packed.bytes = asBytes(owner->first);
  packed.scales = asBytes(owner->second);
  packed.owner = std::move(owner);
}

Packed pack(const Tensor &tensor) {
  Packed packed;
  packed.type = tensor.type;
  packed.shape = tensor.shape;
  std::string bytes;
  bytes.reserve(tensor.values.size() * elementBits(tensor.type) / 8);
  for (float value : tensor.values) {
    if (tensor.type == ElementType::F32)
      appendLittle(bytes, std::bit_cast<uint32_t>(value));
    else
      appendLittle(bytes, tensor.type == ElementType::BF16 ? floatToBf16(value) : floatToF16(value));
  }
  own(packed, std::move(bytes), {});
  return packed;
}

Packed quantise(const Tensor &x, Float8 format, ScaleFormat scaleFormat) {
  Packed packed;
  packed.type = format == Float8::E4M3FN     ? ElementType::F8E4M3
                : format == Float8::E4M3FNUZ ? ElementType::F8E4M3FNUZ
                                             : ElementType::F8E5M2;
  packed.shape = x.shape;
  packed.block[0] = 1;
  packed.block[1] = static_cast<int64_t>(kScaleBlock);
  packed.powerOfTwoScales = scaleFormat == ScaleFormat::E8M0;
  size_t rows = static_cast<size_t>(x.rows()), k = static_cast<size_t>(x.lastDim());
  size_t tiles = (k + kScaleBlock - 1) / kScaleBlock;
  std::string codes(rows * k, '\0'), scales(rows * tiles * 4, '\0');
  std::vector<float> rowScales(tiles);
  for (size_t row = 0; row < rows; ++row) {
    quantiseRow(x.values.data() + row * k, k, format, scaleFormat,
                reinterpret_cast<uint8_t *>(codes.data()) + row * k, rowScales.data());
    std::memcpy(scales.data() + row * tiles * 4, rowScales.data(), tiles * 4);
  }
  own(packed, std::move(codes), std::move(scales));
  return packed;
}

} // namespace quern::model::reference
