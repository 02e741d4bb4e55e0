//===- TestData.h - Numbers for the oracle's tests --------------*- C++ -*-===//
#ifndef QUERN_DIALECTS_MODEL_REFERENCE_TESTDATA_H
#define QUERN_DIALECTS_MODEL_REFERENCE_TESTDATA_H

#include "dialects/model/reference/Tensor.h"
#include "support/Philox.h"

#include <cmath>

namespace quern::model::reference {

/// Values in [-1, 1) that differ from index to index and from seed to seed.
inline Tensor randomTensor(ElementType type, Shape shape, uint64_t seed, float scale = 1) {
  std::vector<float> values(static_cast<size_t>(elementCount(shape)));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = scale * (2 * uniformFloat(philoxAt(seed, i)[0]) - 1);
  return Tensor::of(type, std::move(shape), std::move(values));
}

/// An fp8 matrix, or a stack of them, with 128x128 blocks and scales between 1/256 and 1/64; no NaN codes.
inline Packed randomBlockScaled(Shape shape, uint64_t seed) {
  auto data = std::make_shared<std::pair<std::string, std::string>>();
  for (int64_t i = 0; i < elementCount(shape); ++i) {
    uint8_t code = static_cast<uint8_t>(philoxAt(seed, static_cast<uint64_t>(i))[0]);
    data->first += static_cast<char>((code & 0x7F) > 0x60 ? code & 0xDF : code);
  }
  Shape scaleShape = shape;
  size_t rank = shape.size();
  scaleShape[rank - 2] = (shape[rank - 2] + 127) / 128;
  scaleShape[rank - 1] = (shape[rank - 1] + 127) / 128;
  for (int64_t i = 0; i < elementCount(scaleShape); ++i)
    appendLittle(data->second,
                 std::bit_cast<uint32_t>(
                     (1 + 3 * uniformFloat(philoxAt(seed, static_cast<uint64_t>(i), 1)[0])) / 256));
  Packed packed;
  packed.type = ElementType::F8E4M3;
  packed.shape = std::move(shape);
  packed.bytes = asBytes(data->first);
  packed.scales = asBytes(data->second);
  packed.block[0] = packed.block[1] = 128;
  packed.owner = data;
  return packed;
}

/// 1 - 2 sum(xy) / sum(x^2 + y^2): about half of the squared relative difference.
inline double calcDiff(const std::vector<float> &x, const std::vector<float> &y) {
  double both = 0, squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    both += 2.0 * x[i] * y[i];
    squares += static_cast<double>(x[i]) * x[i] + static_cast<double>(y[i]) * y[i];
  }
  return squares == 0 ? 0 : 1 - both / squares;
}

} // namespace quern::model::reference

#endif // QUERN_DIALECTS_MODEL_REFERENCE_TESTDATA_H
