//===- HostTensor.cpp -----------------------------------------------------===//
#include "tests/kernels/HostTensor.h"
#include "support/Float8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

namespace quern::test {

size_t elementBytes(const std::string &element) {
  return element == "f32" || element == "i32" ? 4 : element == "bf16" || element == "f16" ? 2 : 1;
}

static Float8 float8Of(const std::string &element) {
  return element == "f8E4M3FNUZ" ? Float8::E4M3FNUZ : Float8::E4M3FN;
}

HostTensor HostTensor::of(const std::string &element, std::vector<double> values) {
  HostTensor exact{element, std::move(values)};
  return fromBytes(element, exact.bytes());
}

HostTensor HostTensor::normal(const std::string &element, size_t count, uint64_t seed, double scale) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> distribution(0, scale);
  std::vector<double> values(count);
  for (double &v : values)
    v = distribution(generator);
  return of(element, std::move(values));
}

HostTensor HostTensor::whole(const std::string &element, size_t count, uint64_t seed, int range) {
  std::mt19937_64 generator(seed);
  std::vector<double> values(count);
  for (double &v : values)
    v = int(generator() % (2 * range + 1)) - range;
  return of(element, std::move(values));
}

std::vector<std::byte> HostTensor::bytes() const {
  size_t size = elementBytes(element);
  std::vector<std::byte> out(values.size() * size);
  for (size_t i = 0; i < values.size(); ++i) {
    uint32_t bits;
    if (element == "f32")
      bits = std::bit_cast<uint32_t>(float(values[i]));
    else if (element == "i32")
      bits = uint32_t(int32_t(values[i]));
    else if (element == "bf16")
      bits = doubleToBf16(values[i]);
    else if (element == "f16")
      bits = std::bit_cast<uint16_t>(_Float16(float(values[i])));
    else
      bits = encode(float8Of(element), float(values[i]));
    std::memcpy(out.data() + i * size, &bits, size);
  }
  return out;
}

HostTensor HostTensor::fromBytes(const std::string &element, std::span<const std::byte> bytes) {
  size_t size = elementBytes(element);
  HostTensor tensor{element, std::vector<double>(bytes.size() / size)};
  for (size_t i = 0; i < tensor.size(); ++i) {
    uint32_t bits = 0;
    std::memcpy(&bits, bytes.data() + i * size, size);
    if (element == "f32")
      tensor.values[i] = std::bit_cast<float>(bits);
    else if (element == "i32")
      tensor.values[i] = int32_t(bits);
    else if (element == "bf16")
      tensor.values[i] = bf16ToFloat(uint16_t(bits));
    else if (element == "f16")
      tensor.values[i] = float(std::bit_cast<_Float16>(uint16_t(bits)));
    else
      tensor.values[i] = decode(float8Of(element), uint8_t(bits));
  }
  return tensor;
}

double calcDiff(std::span<const double> x, std::span<const double> y) {
  // (x - y)^2 in place of 1 - 2xy / (x^2 + y^2): the same value without cancellation.
  double difference = 0, squares = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    difference += (x[i] - y[i]) * (x[i] - y[i]);
    squares += x[i] * x[i] + y[i] * y[i];
  }
  return squares == 0 ? 0 : difference / squares;
}

void expectClose(const HostTensor &got, const std::vector<double> &want, const std::string &what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  EXPECT_LT(calcDiff(want, got.values), got.element == "f32" ? 1e-9 : 5e-6) << what;
  double largest = 0;
  for (double w : want)
    largest = std::max(largest, std::abs(w));
  int shown = 0;
  for (size_t i = 0; i < want.size() && shown < 3; ++i) {
    double difference = std::abs(got[i] - want[i]);
    if (!(difference <= 1e-3 * largest || difference <= 2.0 / 128 * std::abs(want[i]))) {
      ADD_FAILURE() << what << ": element " << i << " is " << got[i] << ", expected " << want[i];
      ++shown;
    }
  }
}

void expectEqual(const HostTensor &got, const HostTensor &want, const std::string &what) {
  ASSERT_EQ(got.size(), want.size()) << what;
  int shown = 0;
  for (size_t i = 0; i < want.size() && shown < 3; ++i)
    if (std::bit_cast<uint64_t>(got[i]) != std::bit_cast<uint64_t>(want[i])) {
      ADD_FAILURE() << what << ": element " << i << " is " << got[i] << ", expected " << want[i];
      ++shown;
    }
}

uint16_t bf16Bits(float value) { return floatToBf16(value); }
double bf16Value(uint16_t bits) { return bf16ToFloat(bits); }

std::vector<uint16_t> randomBf16(size_t count, uint64_t seed, float scale) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<uint16_t> values(count);
  for (uint16_t &v : values)
    v = bf16Bits(normal(generator));
  return values;
}

} // namespace quern::test
